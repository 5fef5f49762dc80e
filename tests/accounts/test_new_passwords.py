"""`lib.accounts.new_passwords`: what a password must be that someone chooses."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.accounts.new_passwords import KNOWN, SHORTEST, check_new_password
from lib.errors import InvalidRequest


def reason(password: object, username: str = "ann") -> str:
    """Return what a password is refused for."""
    with pytest.raises(InvalidRequest) as caught:
        check_new_password(password, username=username)
    [(member, said)] = caught.value.fields.items()
    assert member == "new_password"
    assert caught.value.message == f"The password is not accepted: {said}."
    return said


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "annual rain in Spain",
        "my movie database is not yours",
        "kitty cat 12345 moon",
        "¡ojalá que llueva!",
        "密码应该很长但是容易记住的句子",
        "🎬🍿🎥🎞️📽️🍫🌽🥤🎟️🪑🛋️🧦🌙🌧️🚕",
        "nul\0inside a long one",
        "line\nbreak in it, and more",
        "x7" * 20 + "and what is one's own",
        "0v!9Kq-zP2wLm5x",
    ],
    ids=ascii,
)
def test_what_is_long_and_ones_own_is_accepted_whatever_its_characters(password: str) -> None:
    assert check_new_password(password, username="ann") == password


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("fourteen chars", "too short: expected at least 15 characters"),
        ("cafe\u0301 au lait 1", "too short: expected at least 15 characters"),
        ("passwordpassword", "leaked"),
        ("PassWordPassWord", "leaked"),
        ("1qaz2wsx3edc4rfv", "leaked"),
        ("zzzzzzzzzzzzzzzzz", "repeats"),
        ("x" * 1024, "repeats"),
        ("abcabcabcabcabca", "repeats"),
        ("hunter2!hunter2!", "repeats"),
        ("Fourteen-CharsFourteen-charsFourt", "repeats"),
        ("987654321098765432", "12345"),
        ("bcdefghijklmnopq", "12345"),
        ("qwertyuiopasdfghjk", "qwerty"),
        ("aaaabbbbccccdddde", "12345"),
        ("12345678zyxwvutsr", "12345"),
        ("ann.lee.of.berlin", "username"),
        ("ANN.LEE.OF.BERLIN-1987", "username"),
        ("\uff41nn lee of berlin", "username"),
        ("simple-movie-database", "this service"),
        ("SimpleMovieDatabase2026", "this service"),
        ("my movie database!", "this service"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_a_guesser_tries_early_is_refused_and_the_reason_told(password: str, why: str) -> None:
    assert why in reason(password, username="ann lee of berlin")


def test_every_password_of_the_list_is_refused_in_any_case() -> None:
    known = KNOWN.read_text(encoding="utf-8").splitlines()

    assert len(known) == 9728
    assert min(map(len, known)) == SHORTEST
    assert known == sorted({line.casefold() for line in known})
    for line in random.Random(1).sample(known, 50):  # noqa: S311
        assert reason(line)
        assert reason(line.swapcase())


@pytest.mark.parametrize("username", ["a", "e", "-", "...", "correct"])
def test_a_short_username_forbids_no_sentence(username: str) -> None:
    assert check_new_password("correct horse battery staple", username=username)


@pytest.mark.parametrize("password", [None, 7, "", "x" * 1025, "\ud800" * 15, ["x"] * 15])
def test_what_is_no_password_is_refused_under_the_name_it_was_asked_for(password: object) -> None:
    assert reason(password)


def test_it_is_kept_in_its_normal_form() -> None:
    said = "cafe\u0301 au lait, s'il vous plai\u0302t"

    kept = check_new_password(said, username="ann")

    assert kept == "caf\u00e9 au lait, s'il vous pla\u00eet"


@given(st.text(string.ascii_letters + string.digits, min_size=1, max_size=14), st.integers(2, 40))
def test_a_short_piece_stays_short_however_often_it_is_repeated(piece: str, times: int) -> None:
    assert reason(piece * times)


@given(st.integers())
def test_what_a_password_manager_makes_is_accepted(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    made = "".join(chance.choices(string.ascii_letters + string.digits, k=20))
    assert check_new_password(made, username="ann") == made
