"""`POST /keys.create`: keys for machines, and where they are taken."""

import re
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue.movie import Movie
from lib.database.transactions import TransactionalDatabase
from local.openapi.declared import Operation, read_operations
from tests import support
from tests.functions.conftest import LogIn
from tests.functions.sessions import bearer, code_of, make_key

GOOD = {"name": "nightly job", "role": "editor", "expires_in_days": 90}
GUARDED = [one for one in read_operations() if one.rules.guard]
# On purpose by name: whoever finds a key can do all of this, and no more.
TAKING = {"movies_create", "movies_delete", "imports_get", "imports_list"}


def with_key(made: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['key']}"}


def test_a_key_is_shown_once(client: httpx.Client, log_in: LogIn) -> None:
    granted = log_in("editor")

    answer = client.post("/keys.create", json=GOOD, headers=bearer(granted))

    made = answer.json()["data"]
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert re.fullmatch(rf"smk_{made['id']}_[A-Za-z0-9_-]{{43}}", made.pop("key"))
    assert client.get("/keys.list", headers=bearer(granted)).json()["data"] == [made]


def test_which_routes_take_keys_somebody_has_thought_about() -> None:
    assert {one.name for one in GUARDED if one.takes_keys} == TAKING


@pytest.mark.parametrize(
    "operation", [one for one in GUARDED if not one.takes_keys], ids=lambda one: one.name
)
def test_where_no_key_is_taken_one_is_forbidden_whosever_it_is(
    client: httpx.Client, log_in: LogIn, operation: Operation
) -> None:
    admin = log_in("admin")
    body: dict[str, str] | None = None if operation.rules.body == "ignored" else {}

    for key in (make_key(client, admin)["key"], "smk_", f"smk_{'0' * 12}_{'a' * 43}"):
        answer = client.request(
            operation.rules.method, operation.path, headers=with_key({"key": key}), json=body
        )
        assert code_of(answer) == (403, "FORBIDDEN")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_key_creates_deletes_and_looks_at_imports(
    client: httpx.Client,
    log_in: LogIn,
    store: Callable[..., Movie],
    database: TransactionalDatabase,
) -> None:
    store("tt0111161", "The Shawshank Redemption")
    key = with_key(make_key(client, log_in("editor")))

    assert client.post(
        "/movies.create", json={"imdb_id": "tt0034583"}, headers=key
    ).status_code == 201  # fmt: skip
    assert client.delete("/movies.delete/tt0111161", headers=key).status_code == 204
    assert client.get("/imports.list", headers=key).status_code == 200
    assert code_of(client.get("/imports.get?id=1", headers=key)) == (404, "IMPORT_NOT_FOUND")
    with database.begin() as connection:
        entry = connection.execute(
            text("select actor, subject, address from audit_log where action = 'movie.deleted'")
        ).one()
    assert tuple(entry) == ("some editor", "tt0111161", "127.0.0.1")


def test_a_key_may_no_more_than_its_owner_just_now(
    client: httpx.Client, log_in: LogIn, database: TransactionalDatabase
) -> None:
    editor = log_in("editor")
    made = [make_key(client, editor, role) for role in ("viewer", "editor")]
    statuses = [client.get("/imports.list", headers=with_key(one)).status_code for one in made]
    assert statuses == [403, 200]

    support.set_role(database, username="some editor", role="viewer")

    assert code_of(client.get("/imports.list", headers=with_key(made[1]))) == (403, "FORBIDDEN")


@pytest.mark.parametrize("key", ["smk_", "smk_x", f"smk_{'0' * 12}_{'a' * 43}"])
@pytest.mark.parametrize("path", ["/imports.list", "/movies.create", "/movies.delete/tt0111161"])
def test_a_key_that_is_none_is_refused_where_keys_are_taken(
    client: httpx.Client, path: str, key: str
) -> None:
    method = {"/imports.list": "GET", "/movies.create": "POST"}.get(path, "DELETE")
    body = {"imdb_id": "tt0034583"} if method == "POST" else None

    answer = client.request(method, path, headers=with_key({"key": key}), json=body)

    assert code_of(answer) == (401, "UNAUTHORIZED")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_viewers_make_no_keys_and_nobody_makes_an_administrators(
    client: httpx.Client, log_in: LogIn
) -> None:
    for role, asked, refusal in (
        ("viewer", {**GOOD, "role": "viewer"}, (403, "FORBIDDEN")),
        ("admin", {**GOOD, "role": "admin"}, (400, "INVALID_REQUEST")),
    ):
        answer = client.post("/keys.create", json=asked, headers=bearer(log_in(role)))
        assert code_of(answer) == refusal


def test_a_user_has_twenty_keys_at_most(client: httpx.Client, log_in: LogIn) -> None:
    granted = log_in("editor")
    for _ in range(20):
        make_key(client, granted)

    answer = client.post("/keys.create", json=GOOD, headers=bearer(granted))

    assert code_of(answer) == (409, "TOO_MANY_KEYS")
    assert make_key(client, log_in("admin"))
