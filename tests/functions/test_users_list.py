"""`GET /users.list`."""

from typing import Any

import httpx
import pytest

from tests.functions.people import Admin, Authorization, code_of


def names(answer: httpx.Response) -> list[str]:
    """Return the names on a page."""
    users: list[dict[str, Any]] = answer.json()["data"]
    return [user["username"] for user in users]


@pytest.fixture
def some(admin: Admin) -> Admin:
    """Make a user in each state."""
    admin.invite("ida", "viewer")
    for name in ("ann", "dan"):
        admin.welcome(name)
    admin.post("/users.update", username="dan", disabled=True)
    return admin


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["ann", "dan", "ida", "some admin"]),
        ({"state": "active"}, ["ann", "some admin"]),
        ({"state": "invited"}, ["ida"]),
        ({"state": "disabled"}, ["dan"]),
        ({"role": "editor"}, ["ann", "dan"]),
        ({"role": "editor", "state": "active"}, ["ann"]),
        ({"username": " IDA "}, ["ida"]),
        ({"username": "id"}, []),
    ],
)
def test_users_are_listed_by_name_those_that_filters_let_through(
    some: Admin, query: dict[str, str], found: list[str]
) -> None:
    answer = some.get("/users.list", **query)

    assert names(answer) == found
    assert answer.json()["pagination"] == {
        "page": None, "number_of_records": 10, "total_records": len(found), "next_cursor": None
    }  # fmt: skip


def test_a_cursor_leads_on(some: Admin) -> None:
    first = some.get("/users.list", number_of_records="3")
    cursor = first.json()["pagination"]["next_cursor"]
    second = some.get("/users.list", number_of_records="3", cursor=cursor)

    assert names(first) + names(second) == ["ann", "dan", "ida", "some admin"]
    assert second.json()["pagination"]["next_cursor"] is None


def test_nothing_of_a_password_is_shown(some: Admin) -> None:
    answer = some.get("/users.list")

    assert set(answer.json()["data"][0]) == {
        "username", "role", "state", "created_at", "changed_at", "password_set_at", "disabled_at"
    }  # fmt: skip
    assert "argon2" not in answer.text
    assert "ETag" not in answer.headers


def test_only_administrators_see_users(client: httpx.Client, authorization: Authorization) -> None:
    assert code_of(client.get("/users.list", headers=authorization("editor"))) == "403 FORBIDDEN"
