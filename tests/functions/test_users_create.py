"""`POST /users.create`."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.functions.people import Admin, Authorization, bearer, choose, code_of, log_in


def test_who_is_invited_chooses_a_password_and_logs_in(client: httpx.Client, admin: Admin) -> None:
    answer = admin.post("/users.create", username=" Ana ", role="editor")

    made = answer.json()["data"]
    assert answer.status_code == 201
    assert list(made) == ["user", "code", "code_expires_at"]
    assert (made["user"]["username"], made["user"]["state"]) == ("ana", "invited")
    in_three_days = datetime.now(UTC) + timedelta(hours=72)
    assert abs(datetime.fromisoformat(made["code_expires_at"]) - in_three_days) < timedelta(
        minutes=1
    )
    assert code_of(log_in(client, "ana", made["code"])) == "401 INVALID_CREDENTIALS"
    assert choose(client, made["code"], "tall giraffes eat acacia leaves").status_code == 204
    ana = log_in(client, "Ana", "tall giraffes eat acacia leaves").json()["data"]
    assert ana["user"] == {"username": "ana", "role": "editor"}


def test_a_name_is_taken_once_whatever_its_spelling(admin: Admin) -> None:
    admin.invite("ana")

    assert code_of(admin.post("/users.create", username="ANA", role="viewer")) == (
        "409 USERNAME_TAKEN"
    )


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_only_administrators_invite(
    client: httpx.Client, authorization: Authorization, role: str
) -> None:
    answer = client.post(
        "/users.create", json={"username": "ana", "role": "admin"}, headers=authorization(role)
    )

    assert code_of(answer) == "403 FORBIDDEN"
    assert "admin" in answer.json()["error"]["message"]


def test_a_key_makes_no_users(client: httpx.Client, admin: Admin) -> None:
    made = admin.post("/keys.create", name="ci", role="editor", expires_in_days=1)
    key = {"Authorization": f"Bearer {made.json()['data']['key']}"}

    answer = client.post("/users.create", json={"username": "ana", "role": "viewer"}, headers=key)

    assert code_of(answer) == "403 FORBIDDEN"


def test_who_is_no_administrator_any_more_invites_nobody(
    client: httpx.Client, admin: Admin
) -> None:
    other = admin.welcome("ana", "admin")
    admin.post("/users.update", username="ana", role="editor")

    answer = client.post("/users.create", json={"username": "bob", "role": "admin"}, headers=other)

    assert code_of(answer) == "403 FORBIDDEN"
    assert bearer(log_in(client, "ana"))  # they go on as an editor
