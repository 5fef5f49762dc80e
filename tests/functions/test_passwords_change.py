"""`POST /passwords.change`."""

import httpx
import pytest

from tests.functions.people import (
    NEW_PASSWORD,
    Admin,
    Authorization,
    bearer,
    choose,
    code_of,
    log_in,
)
from tests.support import ADMIN_PASSWORD

WRONG = "correct horse battery stable"


def change(
    client: httpx.Client,
    headers: dict[str, str],
    current: str = ADMIN_PASSWORD,
    new: str = NEW_PASSWORD,
) -> httpx.Response:
    body = {"current_password": current, "new_password": new}
    return client.post("/passwords.change", json=body, headers=headers)


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_everybody_changes_their_own_and_their_other_sessions_end(
    client: httpx.Client, authorization: Authorization, role: str
) -> None:
    other = authorization(role)
    this = bearer(log_in(client, f"some {role}"))

    answer = change(client, this)

    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/sessions.list", headers=this).status_code == 200
    assert client.get("/sessions.list", headers=other).status_code == 401
    assert log_in(client, f"some {role}").status_code == 401
    assert log_in(client, f"some {role}", NEW_PASSWORD).status_code == 200


def test_a_code_that_was_open_is_taken_back(client: httpx.Client, admin: Admin) -> None:
    ana = admin.welcome("ana")
    code = admin.post("/users.reset_password", username="ana").json()["data"]["code"]

    change(client, ana)

    assert code_of(choose(client, code)) == "401 INVALID_CODE"


def test_a_wrong_present_password_is_counted_as_a_failed_login_is(
    client: httpx.Client, authorization: Authorization
) -> None:
    headers = authorization("editor")

    refused = [code_of(change(client, headers, WRONG)) for _ in range(8)]

    assert refused[:6] == ["401 INVALID_CREDENTIALS"] * 6
    assert refused[-1] == "429 TOO_MANY_ATTEMPTS"
    assert code_of(log_in(client, "some editor", WRONG)) == "429 TOO_MANY_ATTEMPTS"
    assert client.get("/sessions.list", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("fourteen chars", "too short"),
        ("some editor 2026", "username"),
        ("movie database 1", "this service"),
        ("abcabcabcabcabcabc", "repeats"),
        ("12345abcdefghijklm", "follow each other"),
        ("q1w2e3r4t5y6u7i8", "leaked"),
    ],
)
def test_a_password_that_is_guessed_first_is_refused_with_its_reason(
    client: httpx.Client, authorization: Authorization, new: str, reason: str
) -> None:
    answer = change(client, authorization("editor"), new=new)

    assert code_of(answer) == "400 INVALID_REQUEST"
    assert reason in answer.json()["error"]["fields"]["new_password"]
    assert log_in(client, "some editor").status_code == 200


def test_without_a_token_nobody_changes_a_password(client: httpx.Client) -> None:
    assert code_of(change(client, {})) == "401 UNAUTHORIZED"
