"""Refreshing a session: once for each token, the same again for a moment, and never for a thief."""

import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from lib.accounts import refreshing
from lib.accounts.ending import end_session
from lib.accounts.keys import RefreshSettings
from lib.accounts.refresh_tokens import RefreshToken
from lib.accounts.tokens import Claims
from lib.errors import InvalidRefreshToken, InvalidRequest, ServiceError, Unauthorized
from lib.settings import Secret, SettingsError
from tests.accounts.town import ADDRESS, Town

OTHER_KEY = RefreshSettings(key=Secret("another key of 32 bytes or more..."))
ALARM = "alarm: refresh token reused"


def assert_over(town: Town, token: str) -> None:
    with pytest.raises(InvalidRefreshToken) as caught:
        town.refresh(token)

    assert caught.value.message.startswith("The refresh token is not valid, or no longer")
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}


def age(town: Town, seconds: int) -> None:
    town.rows("update sessions set rotated_at = rotated_at - make_interval(secs => :s)", s=seconds)


def test_a_session_goes_on_with_other_tokens(town: Town) -> None:
    begun = town.log_in()

    gone_on = town.refresh(begun.refresh_token)

    assert gone_on.session_id == begun.session_id
    assert gone_on.refresh_token != begun.refresh_token
    assert (gone_on.username, gone_on.role) == ("ed", "editor")
    for token in (begun.token, gone_on.token):
        assert town.admit(token).session_id == begun.session_id
    assert town.rows("select address, last_used_at = rotated_at from sessions") == [
        ("192.0.2.9", True)
    ]


def test_a_login_and_a_refresh_answer_alike(town: Town) -> None:
    begun = town.log_in()
    answers = [begun.as_answer(), town.refresh(begun.refresh_token).as_answer()]

    for answer in answers:
        assert list(answer) == [
            "token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "user"
        ]  # fmt: skip
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
        assert answer["user"] == {"username": "ed", "role": "editor"}
        assert answer["refresh_expires_in"] == pytest.approx(7 * 86400, abs=1)


def test_neither_logs_nor_tables_hold_a_refresh_token(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lib")
    begun = town.log_in()
    gone_on = town.refresh(begun.refresh_token)
    age(town, 11)
    assert_over(town, begun.refresh_token)

    [kept] = town.rows("select json_agg(audit_log)::text from audit_log")
    written = " ".join([str(kept), repr(begun), *(str(one.__dict__) for one in caplog.records)])
    for token in (begun.refresh_token, gone_on.refresh_token):
        assert token.rpartition("_")[2] not in written


@pytest.mark.parametrize(
    "presented",
    ["", "smr_", "smr_" + "0" * 32 + "_" + "a" * 42, "smr_" + "0" * 32 + "_" + "a" * 43 + "\n",
     "smr_" + "0" * 32 + "_" + "é" * 43, "x" * 1_000_000, "\0", "\ud800",
     "smk_" + "0" * 12 + "_" + "a" * 43, "smr_" + "0" * 32 + "_" + "a" * 43],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_what_is_no_refresh_token_is_refused_like_one_that_is_over(
    town: Town, presented: str
) -> None:
    begun = town.log_in()

    assert_over(town, presented)

    assert town.refresh(begun.refresh_token)


@pytest.mark.parametrize("presented", [None, 7, True, [], {}, ["smr_"]])
def test_what_is_no_text_is_a_wrong_request(presented: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        refreshing.MEMBERS.read_body({"refresh_token": presented})

    assert caught.value.fields == {"refresh_token": "must be a text"}


@pytest.mark.parametrize("times", [1, 3])
def test_a_repeat_within_ten_seconds_gets_the_same_successor(town: Town, times: int) -> None:
    begun = town.log_in()
    gone_on = town.refresh(begun.refresh_token)
    age(town, 9)

    again = [town.refresh(begun.refresh_token) for _ in range(times)]

    assert {one.refresh_token for one in again} == {gone_on.refresh_token}
    assert town.admit(again[-1].token)
    assert town.refresh(gone_on.refresh_token)


def test_eight_at_once_with_one_token_are_one_rotation(town: Town) -> None:
    token = town.log_in().refresh_token

    with ThreadPoolExecutor(8) as threads:
        for _ in range(50):
            [successor] = {one.refresh_token for one in threads.map(town.refresh, [token] * 8)}
            digests = [RefreshToken.read(one).digest for one in (successor, token)]
            assert town.rows("select digest, previous_digest from sessions") == [(*digests,)]
            token = successor

    assert {action for action, *_ in town.audited()} == {"login"}


def test_a_thief_and_the_owner_are_both_out_once_the_owner_comes_back(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    owned = town.log_in()
    stolen = owned.refresh_token
    for _ in range(3):
        thief = town.refresh(stolen)
        stolen = thief.refresh_token

    assert_over(town, owned.refresh_token)

    assert [r.levelname for r in caplog.records if r.message == ALARM] == ["ERROR"]
    assert town.audited()[-1] == ("session.reused", "ed", owned.session_id)
    assert_over(town, stolen)
    for token in (owned.token, thief.token):
        with pytest.raises(Unauthorized):
            town.admit(token)
    assert [r.message for r in caplog.records].count(ALARM) == 1


def test_a_token_that_was_used_eleven_seconds_ago_ends_the_session(town: Town) -> None:
    begun = town.log_in()
    gone_on = town.refresh(begun.refresh_token)
    age(town, 11)

    assert_over(town, begun.refresh_token)
    assert_over(town, gone_on.refresh_token)


def test_a_repeat_that_another_key_derives_hands_out_no_token_that_is_none(town: Town) -> None:
    begun = town.log_in()
    town.refresh(begun.refresh_token)

    with pytest.raises(InvalidRefreshToken):
        town.refresh(begun.refresh_token, OTHER_KEY)


def test_another_key_goes_on_with_the_tokens_that_there_are(town: Town) -> None:
    gone_on = town.refresh(town.log_in().refresh_token)

    later = town.refresh(gone_on.refresh_token, OTHER_KEY)

    assert town.refresh(later.refresh_token)


def test_others_sessions_go_on_when_one_is_ended_for_reuse(town: Town) -> None:
    other, begun = town.log_in(), town.log_in()
    town.refresh(begun.refresh_token)
    age(town, 11)
    assert_over(town, begun.refresh_token)

    assert town.refresh(other.refresh_token)


ENDED: dict[str, Callable[[Town, Claims], object]] = {
    "ended": lambda town, claims: town.database.answer(end_session(claims, address=ADDRESS)),
    "disabled": lambda town, _: town.rows("update users set disabled_at = now()"),
    "deleted": lambda town, _: town.rows("delete from users"),
    "idle": lambda town, _: town.rows("update sessions set expires_at = now()"),
    "old": lambda town, _: town.rows("update sessions set created_at = now() - interval '30 days'"),
}


@pytest.mark.parametrize("how", ENDED)
def test_a_session_that_is_over_is_refreshed_no_more(town: Town, how: str) -> None:
    begun = town.log_in()

    ENDED[how](town, town.admit(begun.token))

    assert_over(town, begun.refresh_token)


@pytest.mark.parametrize(
    ("username", "age", "left"),
    [
        ("ed", "0 days", 7 * 24), ("ed", "22 days", 7 * 24), ("ed", "29 days", 24),
        ("ann", "0 hours", 12), ("ann", "11 hours", 12), ("ann", "23 hours", 1),
    ],
)  # fmt: skip
def test_a_refresh_puts_the_end_off_but_not_for_ever(
    town: Town, username: str, age: str, left: int
) -> None:
    begun = town.log_in(username)
    town.rows("update sessions set created_at = now() - cast(:age as interval)", age=age)

    gone_on = town.refresh(begun.refresh_token)

    assert gone_on.refresh_expires_in == pytest.approx(left * 3600, abs=2)
    [(stored,)] = town.rows("select extract(epoch from expires_at - now())::integer from sessions")
    assert stored == pytest.approx(left * 3600, abs=2)


def test_who_has_become_an_administrator_has_their_ends_from_the_next_refresh_on(
    town: Town,
) -> None:
    begun, late = town.log_in(), town.log_in()
    town.rows("update users set role = 'admin'")

    gone_on = town.refresh(begun.refresh_token)

    assert gone_on.role == "admin"
    assert gone_on.refresh_expires_in == pytest.approx(12 * 3600, abs=1)
    town.rows("update sessions set created_at = now() - interval '25 hours'")
    assert_over(town, late.refresh_token)


def test_a_session_of_the_release_before_has_nothing_to_refresh(town: Town) -> None:
    session_id = "0123456789abcdef" * 2
    town.rows(
        "insert into sessions (jti, user_id, expires_at) "
        "select :id, id, now() + interval '900 seconds' from users where username = 'ed'",
        id=session_id,
    )

    assert_over(town, RefreshToken.draw(session_id).text)

    assert town.rows("select count(*) from sessions") == [(1,)]


def test_while_a_user_is_being_disabled_nothing_is_refreshed_for_longer(town: Town) -> None:
    begun = town.log_in()
    with ThreadPoolExecutor(1) as thread:
        with town.database.begin() as connection:
            connection.exec_driver_sql("update users set disabled_at = now()")
            connection.exec_driver_sql("delete from sessions")
            waiting = thread.submit(town.refresh, begun.refresh_token)
        with pytest.raises(ServiceError):
            waiting.result(10)


@pytest.mark.parametrize("key", ["", "x" * 31, "é" * 15])
def test_a_refresh_key_of_too_few_bytes_is_refused_in_one_line(key: str) -> None:
    with pytest.raises(SettingsError, match=r"^REFRESH_KEY is .*32 bytes or more$") as caught:
        RefreshSettings.from_env({"REFRESH_KEY": key})

    assert "\n" not in str(caught.value)


def test_a_chain_of_tokens_never_comes_back_to_one_of_before() -> None:
    chain = [RefreshToken.draw("0" * 32)]
    settings = RefreshSettings(key=Secret("k" * 32))
    for _ in range(100):
        chain.append(chain[-1].derive_next(settings))

    assert len({one.text for one in chain}) == 101
    assert all(RefreshToken.read(later.text) == later for _, later in pairwise(chain))


def test_refreshing_loads_neither_sqlalchemy_nor_argon2() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            """if True:
                import lib.accounts.refreshing, lib.accounts.tokens, lib.database.database, sys
                print({"sqlalchemy", "argon2"} & {*sys.modules})
            """,
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "set()"
