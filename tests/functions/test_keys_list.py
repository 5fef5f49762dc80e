"""`GET /keys.list` and `DELETE /keys.delete/<id>`: whose keys are seen and deleted by whom."""

import httpx
import pytest

from tests.functions.conftest import Granted, LogIn
from tests.functions.sessions import bearer, code_of, make_key


def listed(client: httpx.Client, granted: Granted, **asked: str) -> list[str]:
    answer = client.get("/keys.list", params=asked, headers=bearer(granted))
    assert answer.status_code == 200, answer.text
    pagination = answer.json()["pagination"]
    found = [one["id"] for one in answer.json()["data"]]
    assert (pagination["total_records"], pagination["next_cursor"]) == (len(found), None)
    return found


def delete(client: httpx.Client, granted: Granted, key_id: str) -> httpx.Response:
    return client.delete(f"/keys.delete/{key_id}", headers=bearer(granted))


def test_a_key_is_listed_without_what_only_its_owner_has(
    client: httpx.Client, log_in: LogIn
) -> None:
    granted = log_in("editor")
    made = make_key(client, granted)

    answer = client.get("/keys.list", headers=bearer(granted))

    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "ETag" not in answer.headers
    assert made["key"][-43:] not in answer.text
    [key] = answer.json()["data"]
    assert list(key) == ["id", "name", "role", "created_at", "expires_at"]


def test_administrators_see_anybodys_and_others_only_their_own(
    client: httpx.Client, log_in: LogIn
) -> None:
    editor, admin = log_in("editor"), log_in("admin")
    made = [make_key(client, editor)["id"] for _ in range(2)]

    assert listed(client, editor) == list(reversed(made))
    assert listed(client, admin) == []
    assert listed(client, admin, username=" Some EDITOR") == list(reversed(made))
    for username in ("some admin", "some editor"):
        refused = client.get("/keys.list", params={"username": username}, headers=bearer(editor))
        assert code_of(refused) == (403, "FORBIDDEN")


def test_a_key_is_deleted_by_its_owner_or_an_administrator_once(
    client: httpx.Client, log_in: LogIn
) -> None:
    editor, viewer, admin = (log_in(role) for role in ("editor", "viewer", "admin"))
    one, other = make_key(client, editor), make_key(client, editor)

    assert code_of(delete(client, viewer, one["id"])) == (404, "KEY_NOT_FOUND")
    answer = delete(client, editor, one["id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert delete(client, admin, other["id"]).status_code == 204

    for made in (one, other):
        key = {"Authorization": f"Bearer {made['key']}"}
        assert client.get("/imports.list", headers=key).status_code == 401
        assert code_of(delete(client, editor, made["id"])) == (404, "KEY_NOT_FOUND")


@pytest.mark.parametrize("key_id", ["x", "A" * 12, "0" * 13, "000000000000%00", "%30" * 12])
def test_a_path_without_an_id_is_refused(client: httpx.Client, log_in: LogIn, key_id: str) -> None:
    answer = delete(client, log_in("editor"), key_id)

    assert code_of(answer) == (400, "INVALID_REQUEST")
