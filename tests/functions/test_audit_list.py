"""`GET /audit.list`."""

import httpx
import pytest

from tests.functions.people import Admin, Authorization, choose, code_of, log_in


@pytest.fixture
def told(client: httpx.Client, admin: Admin) -> Admin:
    """Do some things."""
    code = admin.invite("ana")
    choose(client, "smc_wrong")
    choose(client, code)
    log_in(client, "ana", "not the password")
    admin.post("/users.update", username="ana", role="viewer")
    client.delete("/users.delete/ana", headers=admin.headers)
    return admin


def test_what_was_done_is_told_the_newest_first(told: Admin) -> None:
    done = told.audited()

    assert [action for action, _, _ in done] == [
        "user.deleted", "user.updated", "login.refused", "password.set", "password.refused",
        "user.created", "login",
    ]  # fmt: skip
    assert done[0] == ("user.deleted", "some admin", "ana")
    assert done[2][1] is None
    assert done[2][2] != "ana"
    assert done[3] == ("password.set", "ana", "ana")


def test_an_entry_says_who_did_what_to_what_when_and_from_where(told: Admin) -> None:
    headers = {**told.headers, "X-Request-Id": "mine"}
    told.client.post("/users.create", json={"username": "bob", "role": "editor"}, headers=headers)

    [entry] = told.get("/audit.list", number_of_records="1").json()["data"]

    assert {name: entry[name] for name in entry if name not in {"id", "at"}} == {
        "actor": "some admin",
        "action": "user.created",
        "subject": "bob",
        "address": "127.0.0.1",
        "request_id": "mine",
        "details": {"role": "editor"},
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"actor": "ANA"}, ["password.set"]),
        ({"action": "user.updated"}, ["user.updated"]),
        ({"action": "movie.deleted"}, []),
        ({"since": "2099-01-01"}, []),
        ({"since": "2020-01-01T00:00:00Z", "action": "login"}, ["login"]),
        ({"since": "2020-01-01T00:00:00.5-11:30", "action": "login"}, ["login"]),
        ({"actor": "nobody"}, []),
    ],
)
def test_filters_narrow_it(told: Admin, query: dict[str, str], found: list[str]) -> None:
    assert [action for action, _, _ in told.audited(**query)] == found


def test_a_cursor_leads_on_to_the_end(told: Admin) -> None:
    seen: list[int] = []
    query: dict[str, str] = {}
    while True:
        page = told.get("/audit.list", number_of_records="3", **query).json()
        seen += [entry["id"] for entry in page["data"]]
        assert page["pagination"]["total_records"] is None
        if page["pagination"]["next_cursor"] is None:
            break
        query = {"cursor": page["pagination"]["next_cursor"]}

    assert len(seen) == 7
    assert seen == sorted(set(seen), reverse=True)


def test_it_is_for_administrators(client: httpx.Client, authorization: Authorization) -> None:
    assert code_of(client.get("/audit.list", headers=authorization("editor"))) == "403 FORBIDDEN"


def test_no_secret_is_in_it(told: Admin) -> None:
    shown = told.get("/audit.list", number_of_records="100").text

    for secret in ("smc_", "smr_", "not the password", "argon2", "giraffes"):
        assert secret not in shown
