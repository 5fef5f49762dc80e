"""`lib.accounts.passwords`: one normal form, argon2id at OWASP's minimum."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.accounts import passwords
from lib.accounts.passwords import (
    PasswordMismatch,
    hash_password,
    needs_rehash,
    normalise_password,
    verify_nobody,
    verify_password,
)
from lib.errors import InvalidRequest

PASSWORD = "correct horse battery staple"
CHEAP = PasswordHasher(memory_cost=64, time_cost=1, parallelism=1)
# Always the same, as the names of tests are made of it.
CHEAP_HASH = CHEAP.hash(PASSWORD, salt=b"a salt for a test")


class CountingHasher(PasswordHasher):
    """Counts how many work at once, and how many did."""

    def __init__(self) -> None:
        super().__init__(memory_cost=64, time_cost=1, parallelism=1)
        self.lock = threading.Lock()
        self.running = self.most = self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
        """Verify slowly enough for others to come in between."""
        with self.lock:
            self.running += 1
            self.verified += 1
            self.most = max(self.most, self.running)
        time.sleep(0.01)
        try:
            return super().verify(hash, password)
        finally:
            with self.lock:
                self.running -= 1


def test_a_password_belongs_to_its_own_hash_only() -> None:
    stored = hash_password(PASSWORD)

    verify_password(stored, PASSWORD)
    with pytest.raises(PasswordMismatch):
        verify_password(stored, PASSWORD + " ")


def test_the_hash_is_argon2id_at_the_minimum_that_owasp_asks_for() -> None:
    assert hash_password(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


def test_composed_and_decomposed_letters_are_one_password() -> None:
    stored = hash_password("caf\u00e9 au lait, s'il vous pla\u00eet")

    verify_password(stored, "cafe\u0301 au lait, s'il vous plai\u0302t")


@pytest.mark.parametrize("password", ["nul\0inside a long one", "emoji 🎬🍿 and a long one", "x"])
def test_any_character_may_be_in_a_password(password: str) -> None:
    verify_password(hash_password(password), password)


def test_what_follows_a_nul_counts() -> None:
    with pytest.raises(PasswordMismatch):
        verify_password(hash_password("same\0one"), "same\0two")


def test_nothing_is_cut_off_a_long_password() -> None:
    with pytest.raises(PasswordMismatch):
        verify_password(hash_password("x" * 1023 + "a"), "x" * 1023 + "b")


@pytest.mark.parametrize(
    "password",
    ["", "x" * 1025, "é" * 513, "x" * 1_000_000, "\ud800", "ok \udfff", None, 1, True, ["x"], {}],
    ids=lambda value: f"{type(value).__name__} {str(value)[:8]!a}",
)
def test_what_is_no_password_is_refused_before_it_is_hashed(
    password: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", None)

    with pytest.raises(InvalidRequest) as caught:
        normalise_password(password)

    assert set(caught.value.fields) == {"password"}


def test_exactly_1024_bytes_in_normal_form_are_a_password() -> None:
    assert normalise_password("e\u0301" * 512) == "é" * 512


def test_combining_marks_cost_no_time() -> None:
    started = time.monotonic()
    for marks in ("\u0301\u0323" * 500_000, *(["\u0301\u0323" * 2047, "\u0f73" * 4096] * 20)):
        with pytest.raises(InvalidRequest):
            normalise_password(marks)

    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "plain text",
        "$2b$12$abcdefghijklmnopqrstuuQ3XK4tZKZ0vTz4D0wzq7pWQfGvYQW8a",
        CHEAP_HASH.replace("argon2id", "argon2i"),
        CHEAP_HASH.replace("m=64", "m=4194304"),
        CHEAP_HASH.replace("t=1", "t=999999"),
        CHEAP_HASH.replace("p=1", "p=64"),
        CHEAP_HASH.replace("m=64", "m=99999999999999999999"),
        CHEAP_HASH.replace("m=64", "m=0"),
        CHEAP_HASH.replace("v=19", "v=16"),
        CHEAP_HASH[:-30],
        CHEAP_HASH + "\n",
        CHEAP_HASH + "\0",
        "\ud800" + CHEAP_HASH,
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_hash_that_is_none_of_ours_matches_nothing_and_sounds_an_alarm(
    stored: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PasswordMismatch):
        verify_password(stored, PASSWORD)

    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "alarm" in record.message
    assert "$" not in str(record.__dict__)
    assert PASSWORD not in str(record.__dict__)


def test_a_wrong_password_sounds_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(PasswordMismatch):
        verify_password(CHEAP_HASH, "another")

    assert caplog.records == []


@pytest.mark.parametrize("stored", ["", "bcrypt", CHEAP_HASH.replace("m=64", "m=4194304")])
def test_an_unusable_hash_takes_as_long_as_a_usable_one(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = CountingHasher()
    monkeypatch.setattr(passwords, "_HASHER", hasher)

    with pytest.raises(PasswordMismatch):
        verify_password(stored, PASSWORD)

    assert hasher.verified == 1


def test_verifying_nobody_costs_what_verifying_someone_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher = CountingHasher()
    monkeypatch.setattr(passwords, "_HASHER", hasher)

    with pytest.raises(PasswordMismatch):
        verify_nobody(PASSWORD)

    assert hasher.verified == 1
    assert not needs_rehash_today(passwords._NOBODY)


def needs_rehash_today(stored: str) -> bool:
    return PasswordHasher(memory_cost=19_456, time_cost=2, parallelism=1).check_needs_rehash(stored)


def test_only_a_hash_of_other_parameters_needs_a_rehash() -> None:
    assert needs_rehash(CHEAP_HASH)
    assert not needs_rehash(hash_password(PASSWORD))


def test_no_more_than_two_hashes_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = CountingHasher()
    monkeypatch.setattr(passwords, "_HASHER", hasher)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(verify_password, [CHEAP_HASH] * 8, [PASSWORD] * 8))

    assert (hasher.verified, hasher.most) == (8, 2)


@given(st.text(st.characters(), max_size=2000))
@settings(max_examples=200)
def test_a_text_has_a_normal_form_that_stays_or_is_refused(text: str) -> None:
    try:
        normal = normalise_password(text)
    except InvalidRequest:
        return
    assert normalise_password(normal) == normal
    assert 1 <= len(normal.encode()) <= 1024
