"""`GET /sessions.list`: where one is logged in."""

import httpx
import pytest

from tests.functions.conftest import LogIn
from tests.functions.sessions import bearer, code_of, make_key, sessions_of


def test_a_user_sees_their_own_sessions_the_latest_first(
    client: httpx.Client, log_in: LogIn
) -> None:
    log_in("editor")
    begun = [log_in("viewer", session_name=name) for name in ("phone", "laptop")]

    seen = sessions_of(client, begun[0])

    assert [(one["name"], one["is_this"]) for one in seen] == [("laptop", False), ("phone", True)]
    assert {one["address"] for one in seen} == {"127.0.0.1"}
    assert list(seen[0]) == [
        "id", "name", "created_at", "last_used_at", "ends_at", "address", "is_this"
    ]  # fmt: skip


def test_administrators_see_anybodys_and_others_only_their_own(
    client: httpx.Client, log_in: LogIn
) -> None:
    viewer, admin = log_in("viewer"), log_in("admin")

    [theirs] = sessions_of(client, admin, username=" Some VIEWER")
    assert theirs["id"] == sessions_of(client, viewer)[0]["id"]
    assert not theirs["is_this"]
    assert sessions_of(client, admin, username="nobody") == []
    for username in ("some admin", "some viewer", "nobody"):
        refused = client.get(
            "/sessions.list", params={"username": username}, headers=bearer(viewer)
        )
        assert code_of(refused) == (403, "FORBIDDEN")
        assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


def test_pages_join_without_a_gap(client: httpx.Client, log_in: LogIn) -> None:
    for _ in range(4):
        log_in("viewer")
    granted = log_in("viewer")
    asked, seen, totals = {"number_of_records": "2"}, [], set()
    while True:
        page = client.get("/sessions.list", params=asked, headers=bearer(granted)).json()
        seen += [one["id"] for one in page["data"]]
        totals.add(page["pagination"]["total_records"])
        if page["pagination"]["next_cursor"] is None:
            break
        asked["cursor"] = page["pagination"]["next_cursor"]

    assert seen == [one["id"] for one in sessions_of(client, granted)]
    assert (len(set(seen)), totals) == (5, {None})


def test_the_list_is_kept_by_nobody(client: httpx.Client, log_in: LogIn) -> None:
    headers = {**bearer(log_in("viewer")), "If-None-Match": "*"}

    answer = client.get("/sessions.list", headers=headers)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "ETag" not in answer.headers


@pytest.mark.parametrize("route", ["/sessions.list", "/keys.list", "/keys.delete/000000000000"])
def test_without_a_token_the_answer_says_where_to_get_one(client: httpx.Client, route: str) -> None:
    answer = client.request("DELETE" if "delete" in route else "GET", route)

    assert code_of(answer) == (401, "UNAUTHORIZED")
    assert "/login" in answer.json()["error"]["message"]
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_key_sees_no_sessions(client: httpx.Client, log_in: LogIn) -> None:
    made = make_key(client, log_in("editor"))

    answer = client.get("/sessions.list", headers={"Authorization": f"Bearer {made['key']}"})

    assert code_of(answer) == (403, "FORBIDDEN")
