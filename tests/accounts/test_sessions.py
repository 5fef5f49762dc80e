"""The sessions of users: what they are called, how many there are, who sees and who ends them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from lib.accounts import ending, passwords, sessions
from lib.accounts.people import Page
from lib.accounts.refresh_tokens import RefreshToken
from lib.accounts.tokens import Claims
from lib.errors import (
    Forbidden,
    InvalidCredentials,
    InvalidRefreshToken,
    InvalidRequest,
    Unauthorized,
)
from tests.accounts.town import ADDRESS, PASSWORD, Town


def listed(town: Town, claims: Claims, **asked: object) -> Page:
    return town.database.answer(sessions.list_sessions(claims, **asked))  # type: ignore[arg-type]


def end(town: Town, claims: Claims, session_id: str | None = None) -> None:
    town.database.answer(ending.end_session(claims, address=ADDRESS, session_id=session_id))


def end_held(town: Town, refresh_token: str) -> None:
    held = ending.end_held_session(refresh_token, address=ADDRESS)
    if held is not None:
        town.database.answer(held)


def assert_over(town: Town, token: str, refresh_token: str) -> None:
    with pytest.raises(Unauthorized):
        town.admit(token)
    with pytest.raises(InvalidRefreshToken):
        town.refresh(refresh_token)


def test_a_user_sees_their_sessions_the_latest_first_and_which_is_this(town: Town) -> None:
    begun = [town.log_in(session_name=name, address="198.51.100.7") for name in ("phone", None)]
    town.log_in("vic")
    town.rows(
        "update sessions set created_at = now() - interval '1 day' where jti = :id",
        id=begun[0].session_id,
    )
    town.refresh(begun[0].refresh_token)

    shown = listed(town, town.admit(begun[1].token)).records

    assert [(one["id"], one["name"], one["is_this"]) for one in shown] == [
        (begun[1].session_id, None, True),
        (begun[0].session_id, "phone", False),
    ]
    assert [one["address"] for one in shown] == ["198.51.100.7", "192.0.2.9"]
    assert list(shown[1]) == [
        "id", "name", "created_at", "last_used_at", "ends_at", "address", "is_this"
    ]  # fmt: skip
    moments = [datetime.fromisoformat(shown[1][f"{what}_at"]) for what in ("created", "last_used")]
    assert all(moment.tzinfo == UTC for moment in moments)
    assert moments[1] - moments[0] == pytest.approx(timedelta(days=1), abs=timedelta(minutes=1))


def test_sessions_that_are_over_are_not_shown_and_those_of_the_release_before_are(
    town: Town,
) -> None:
    claims = town.admit(town.log_in().token)
    for session_id, minutes in (("a" * 32, -1), ("b" * 32, 15)):
        town.rows(
            "insert into sessions (jti, user_id, expires_at) "
            "values (:id, :user_id, now() + :minutes * interval '1 minute')",
            id=session_id, user_id=claims.user_id, minutes=minutes,
        )  # fmt: skip

    shown = {one["id"]: one for one in listed(town, claims).records}

    assert set(shown) == {claims.session_id, "b" * 32}
    assert shown["b" * 32]["last_used_at"] == shown["b" * 32]["created_at"]


def test_pages_of_sessions_join_without_a_gap(town: Town) -> None:
    claims = town.admit(town.log_in().token)
    for _ in range(6):
        town.log_in()
    town.rows("update sessions set created_at = date_trunc('hour', now())")  # all at once

    page = listed(town, claims, records=3)
    pages = [page]
    while page.next_cursor:
        after = sessions.LIST_PARAMETERS.read_query({"cursor": page.next_cursor})["cursor"]
        page = listed(town, claims, after=after, records=3)
        pages.append(page)

    found = [one["id"] for page in pages for one in page.records]
    assert (len(found), len(set(found)), len(pages)) == (7, 7, 3)


@pytest.mark.parametrize("cursor", ["", "x", "é", "MTox", "a" * 1000, "MTowMA==", "\ud800"])
def test_a_cursor_that_no_list_gave_out_is_a_wrong_request(cursor: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sessions.LIST_PARAMETERS.read_query({"cursor": cursor})

    assert set(caught.value.fields) == {"cursor"}


def test_others_sessions_are_for_administrators(town: Town) -> None:
    theirs = town.log_in("vic")
    editor, admin = (town.admit(town.log_in(name).token) for name in ("ed", "ann"))

    assert [one["id"] for one in listed(town, admin, username="vic").records] == [theirs.session_id]
    assert listed(town, admin, username="nobody").records == []
    with pytest.raises(Forbidden):
        listed(town, editor, username="vic")


def test_a_user_has_twenty_sessions_and_the_idlest_goes(town: Town) -> None:
    begun = [town.log_in() for _ in range(20)]
    other = town.log_in("vic")
    for age, one in enumerate(reversed(begun)):
        town.rows(
            "update sessions set last_used_at = now() - :age * interval '1 hour' where jti = :id",
            age=age, id=one.session_id,
        )  # fmt: skip
    town.refresh(begun[0].refresh_token)  # so that it is the idlest no longer

    latest = town.log_in()

    kept = {one for (one,) in town.rows("select jti from sessions")}
    gone = {begun[1].session_id}
    assert kept == {one.session_id for one in (*begun, other, latest)} - gone
    assert_over(town, begun[1].token, begun[1].refresh_token)


def test_logins_and_refreshes_of_one_user_at_once_all_succeed(town: Town) -> None:
    begun = [town.log_in() for _ in range(16)]

    def act(turn: int) -> str:
        if turn % 2:
            return town.refresh(begun[turn].refresh_token).session_id
        return town.log_in(address=f"198.51.100.{turn}").session_id

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(act, range(16)))

    assert len(set(done)) == 16
    town.log_in()
    assert town.rows("select count(*) from sessions") == [(20,)]


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 101, "a\nb", "a\0", "\u202ea", "\ud800", 7, [], True], ids=ascii
)
def test_what_is_no_name_of_a_session_lets_nobody_in(town: Town, name: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        town.log_in(session_name=name)

    assert set(caught.value.fields) == {"session_name"}
    assert town.rows("select * from sessions") == []


def test_sessions_are_ended_one_by_one_and_all_at_once(town: Town) -> None:
    begun = [town.log_in() for _ in range(5)]
    theirs = town.log_in("vic")
    claims = town.admit(begun[0].token)

    end(town, claims, begun[1].session_id)
    assert_over(town, begun[1].token, begun[1].refresh_token)
    end(town, claims, begun[1].session_id)  # nothing is left of it
    end(town, claims, theirs.session_id)  # is not theirs to end
    assert len(listed(town, claims).records) == 4

    town.database.answer(ending.end_all_sessions(claims, address=ADDRESS, except_this=True))
    assert [one["is_this"] for one in listed(town, claims).records] == [True]
    assert_over(town, begun[2].token, begun[2].refresh_token)

    end(town, claims)
    assert_over(town, begun[0].token, begun[0].refresh_token)
    assert town.admit(theirs.token)
    ended = [entry for entry in town.audited() if entry[0] == "session.ended"]
    assert [actor for _, actor, _ in ended] == ["ed"] * 5
    assert {subject for *_, subject in ended} == {one.session_id for one in begun}


def test_all_of_ones_sessions_end_with_this_one(town: Town) -> None:
    begun = [town.log_in() for _ in range(3)]
    theirs = town.log_in("vic")

    town.database.answer(ending.end_all_sessions(town.admit(begun[0].token), address=ADDRESS))

    for one in begun:
        assert_over(town, one.token, one.refresh_token)
    assert town.admit(theirs.token)


def test_an_administrator_ends_anybodys_session(town: Town) -> None:
    theirs = town.log_in("vic")

    end(town, town.admit(town.log_in("ann").token), theirs.session_id)

    assert_over(town, theirs.token, theirs.refresh_token)
    assert town.audited()[-1] == ("session.ended", "ann", theirs.session_id)


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        *(
            ({"id": one}, ["id"])
            for one in ("", "x", "A" * 32, "a" * 33, "a" * 32 + "\n", 7, ["x"], True, None)
        ),
        ({"refresh_token": 7}, ["refresh_token"]),
        ({"refresh_token": None}, ["refresh_token"]),
        ({"all": False}, ["all"]),
        ({"all": 1}, ["all"]),
        ({"all": "true"}, ["all"]),
        ({"all": True, "except_this": 1}, ["except_this"]),
        ({"except_this": True}, ["except_this"]),
        ({"all": True, "id": "0" * 32}, ["id"]),
        ({"id": "0" * 32, "refresh_token": "x"}, ["id", "refresh_token"]),
        ({"all": True, "refresh_token": "x"}, ["refresh_token"]),
        ({"id": "0" * 32, "except_this": False}, ["except_this"]),
    ],
    ids=ascii,
)
def test_it_is_said_in_one_way_what_is_to_end(asked: dict[str, object], fields: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ending.END_MEMBERS.read_body(asked)

    assert list(caught.value.fields) == fields


def test_whoever_holds_the_refresh_token_ends_its_session(town: Town) -> None:
    begun, other = town.log_in(), town.log_in()
    gone_on = town.refresh(begun.refresh_token)

    end_held(town, gone_on.refresh_token)

    assert_over(town, gone_on.token, gone_on.refresh_token)
    assert town.audited()[-1] == ("session.ended", "ed", begun.session_id)
    assert town.admit(other.token)


def test_the_token_before_it_whose_answer_was_lost_ends_a_session_too(town: Town) -> None:
    begun = town.log_in()
    gone_on = town.refresh(begun.refresh_token)

    end_held(town, begun.refresh_token)

    assert_over(town, gone_on.token, gone_on.refresh_token)


def test_a_refresh_token_that_is_none_ends_nothing_and_that_is_no_fault(town: Town) -> None:
    begun = town.log_in()

    for presented in ("", "x", "smr_", RefreshToken.draw("0" * 32).text):
        end_held(town, presented)

    assert town.admit(begun.token)


def test_an_owner_who_logs_out_ends_what_a_thief_has_refreshed_and_the_alarm_is_given(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    begun = town.log_in()
    thiefs = begun
    for _ in range(3):
        thiefs = town.refresh(thiefs.refresh_token)

    end_held(town, begun.refresh_token)

    assert_over(town, thiefs.token, thiefs.refresh_token)
    assert town.audited()[-1] == ("session.reused", "ed", begun.session_id)
    assert [record.getMessage() for record in caplog.records] == ["alarm: refresh token reused"]


def test_a_used_refresh_token_of_a_session_that_is_over_gives_no_alarm(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    begun = town.log_in()
    town.refresh(town.refresh(begun.refresh_token).refresh_token)
    town.rows("update sessions set expires_at = now() - interval '1 second'")

    end_held(town, begun.refresh_token)

    assert town.audited()[-1][0] == "login"
    assert not caplog.records


@pytest.mark.parametrize("username", ["ann", "ed", "vic"])
def test_invited_and_disabled_users_are_told_what_nobody_is_told(town: Town, username: str) -> None:
    for change in ("disabled_at = now()", "disabled_at = null, password_hash = null"):
        town.rows(f"update users set {change} where username = :name", name=username)  # noqa: S608

        with pytest.raises(InvalidCredentials) as theirs:
            town.log_in(username)
        with pytest.raises(InvalidCredentials) as nobodys:
            town.log_in("nobody")

        assert theirs.value.message == nobodys.value.message
        assert theirs.value.headers == nobodys.value.headers
    assert town.rows("select * from sessions") == []


@pytest.mark.parametrize(
    "change", ["disabled_at = now()", "password_set_at = now()"], ids=["disabled", "changed"]
)
def test_who_is_disabled_or_changes_the_password_while_it_is_verified_begins_nothing(
    town: Town, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified, done = threading.Event(), threading.Event()
    plain = passwords.verify_password

    def verify_slowly(stored: str | None, password: str) -> None:
        plain(stored, password)
        verified.set()
        done.wait(5)

    monkeypatch.setattr(passwords, "verify_password", verify_slowly)
    with ThreadPoolExecutor(1) as thread:
        entering = thread.submit(town.log_in)
        assert verified.wait(5)
        with town.database.begin() as connection:
            connection.execute(text(f"update users set {change}"))  # noqa: S608
            connection.execute(text("delete from sessions"))
            done.set()
            time.sleep(0.3)  # while the login comes to its last transaction
        with pytest.raises(InvalidCredentials):
            entering.result(10)

    assert town.rows("select * from sessions") == []


def test_the_release_before_begins_no_session_of_a_disabled_user(town: Town) -> None:
    town.rows("update users set disabled_at = now() where username = 'ed'")

    begun = town.rows(
        "insert into sessions (jti, user_id, expires_at) "
        "select username, id, now() from users where username <> 'vic' returning jti"
    )

    assert begun == [("ann",)]


def test_the_first_token_of_a_session_is_what_the_release_before_understands(town: Town) -> None:
    begun = town.log_in()

    assert town.admit(begun.token).jti == begun.session_id
    # its statement
    assert town.rows(
        "select users.role from sessions join users on users.id = sessions.user_id "
        "where sessions.jti = :jti and sessions.expires_at > now() - interval '30 seconds'",
        jti=begun.session_id,
    ) == [("editor",)]


def test_a_login_is_in_the_audit_and_a_refusal_without_the_name(town: Town) -> None:
    begun = town.log_in(address="198.51.100.7")
    with pytest.raises(InvalidCredentials):
        town.log_in("someone@example.org", password=PASSWORD + "?", address="198.51.100.8")

    assert town.audited()[0] == ("login", "ed", begun.session_id)
    [(action, actor_id, subject, address)] = town.rows(
        "select action, actor_id, subject, address from audit_log where action <> 'login'"
    )
    assert (action, actor_id, address) == ("login.refused", None, "198.51.100.8")
    assert len(subject) == 12
    [(kept,)] = town.rows("select json_agg(audit_log)::text from audit_log")
    assert "someone" not in kept
