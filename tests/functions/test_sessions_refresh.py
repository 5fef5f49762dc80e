"""`POST /sessions.refresh`: a session goes on, and a refresh token that two have ends it."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from lib.accounts.administration import Actor, Changes, delete_user, update_user
from lib.database.transactions import TransactionalDatabase
from tests.functions.conftest import LogIn
from tests.functions.sessions import bearer, code_of, end, make_key, refresh, sessions_of

REFUSED = (401, "INVALID_REFRESH_TOKEN")
ALARM = "alarm: refresh token reused"
NEVER_GIVEN = f"smr_{'0' * 32}_{'A' * 43}"


def age(database: TransactionalDatabase) -> None:
    """Let all refreshes have been eleven seconds ago."""
    with database.begin() as connection:
        connection.execute(text("update sessions set rotated_at = rotated_at - interval '11 s'"))


def test_a_session_goes_on_with_other_tokens(client: httpx.Client, log_in: LogIn) -> None:
    begun = log_in("editor")

    answer = refresh(client, begun["refresh_token"])

    gone_on = answer.json()["data"]
    assert answer.status_code == 200
    assert list(gone_on) == list(begun)
    assert gone_on["user"] == begun["user"]
    assert gone_on["refresh_token"] != begun["refresh_token"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    for one in (begun, gone_on):
        [session] = sessions_of(client, one)
        assert session["is_this"]


def test_a_refresh_tells_the_present_role(
    client: httpx.Client, log_in: LogIn, database: TransactionalDatabase
) -> None:
    begun = log_in("viewer")
    update_user(
        database, Actor(), username="some viewer", changes=Changes(role="editor", new_username="ed")
    )

    gone_on = refresh(client, begun["refresh_token"]).json()["data"]

    assert gone_on["user"] == {"username": "ed", "role": "editor"}


def test_of_eight_at_once_all_get_the_same_successor(client: httpx.Client, log_in: LogIn) -> None:
    token = log_in("editor")["refresh_token"]

    with ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            answers = list(threads.map(lambda _, sent=token: refresh(client, sent), range(8)))
            assert {answer.status_code for answer in answers} == {200}
            [token] = {answer.json()["data"]["refresh_token"] for answer in answers}


def test_a_thief_and_the_owner_are_both_out_once_the_owner_comes_back(
    client: httpx.Client,
    log_in: LogIn,
    database: TransactionalDatabase,
    caplog: pytest.LogCaptureFixture,
) -> None:
    owners = log_in("editor")
    stolen = owners
    for _ in range(3):
        stolen = refresh(client, stolen["refresh_token"]).json()["data"]
    age(database)
    assert ALARM not in caplog.text

    assert code_of(refresh(client, owners["refresh_token"])) == REFUSED

    assert ALARM in caplog.text
    assert code_of(refresh(client, stolen["refresh_token"])) == REFUSED
    for one in (owners, stolen):
        assert client.get("/sessions.list", headers=bearer(one)).status_code == 401
        assert one["refresh_token"][-43:] not in caplog.text


def test_all_that_let_nobody_in_are_refused_in_the_same_words(
    client: httpx.Client, log_in: LogIn, database: TransactionalDatabase
) -> None:
    used, ended, disabled = (
        log_in(role)["refresh_token"] for role in ("editor", "admin", "viewer")
    )
    refresh(client, used)
    age(database)
    end(client, {"refresh_token": ended})
    update_user(database, Actor(), username="some viewer", changes=Changes(disabled=True))

    answers = [
        refresh(client, token) for token in (used, ended, disabled, NEVER_GIVEN, "", "x", "\ud7ff")
    ]

    assert {code_of(answer) for answer in answers} == {REFUSED}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}


@pytest.mark.parametrize("how", ["disabled", "deleted", "ended"])
def test_who_is_gone_is_refused_from_the_next_request_on_by_token_key_and_refresh(
    client: httpx.Client, log_in: LogIn, database: TransactionalDatabase, how: str
) -> None:
    granted = log_in("editor")
    key = {"Authorization": f"Bearer {make_key(client, granted)['key']}"}
    assert client.get("/imports.list", headers=key).status_code == 200

    if how == "ended":
        end(client, {"all": True}, headers=bearer(granted))
    elif how == "disabled":
        update_user(database, Actor(), username="some editor", changes=Changes(disabled=True))
    else:
        delete_user(database, Actor(), username="some editor")

    for headers, path in ((bearer(granted), "/sessions.list"), (bearer(granted), "/imports.list")):
        assert code_of(client.get(path, headers=headers)) == (401, "UNAUTHORIZED")
    assert code_of(refresh(client, granted["refresh_token"])) == REFUSED
    # A key is its owner's, and no session's.
    assert client.get("/imports.list", headers=key).status_code == (200 if how == "ended" else 401)
