"""`POST /users.reset_password`."""

from datetime import UTC, datetime, timedelta

import httpx

from tests.functions.people import NEW_PASSWORD, Admin, choose, code_of, log_in


def test_the_present_password_works_until_the_code_is_used(
    client: httpx.Client, admin: Admin
) -> None:
    ana = admin.welcome("ana")

    reset = admin.post("/users.reset_password", username="ANA").json()["data"]

    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    assert list(reset) == ["code", "code_expires_at"]
    assert abs(datetime.fromisoformat(reset["code_expires_at"]) - in_an_hour) < timedelta(minutes=1)
    assert log_in(client, "ana").status_code == 200
    assert client.get("/sessions.list", headers=ana).status_code == 200
    assert choose(client, reset["code"]).status_code == 204
    assert client.get("/sessions.list", headers=ana).status_code == 401
    assert log_in(client, "ana").status_code == 401
    assert log_in(client, "ana", NEW_PASSWORD).status_code == 200


def test_sessions_end_at_once_where_that_is_asked_for(client: httpx.Client, admin: Admin) -> None:
    ana = admin.welcome("ana")

    admin.post("/users.reset_password", username="ana", end_sessions=True)

    assert client.get("/sessions.list", headers=ana).status_code == 401


def test_a_new_code_takes_the_place_of_the_one_before(client: httpx.Client, admin: Admin) -> None:
    before = admin.invite("ana")
    after = admin.post("/users.reset_password", username="ana").json()["data"]["code"]

    assert code_of(choose(client, before)) == "401 INVALID_CODE"
    assert choose(client, after).status_code == 204


def test_there_is_no_such_user(admin: Admin) -> None:
    assert code_of(admin.post("/users.reset_password", username="ana")) == "404 USER_NOT_FOUND"
