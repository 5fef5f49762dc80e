"""What a page of another origin may ask: the headers that its visitor's browser goes by."""

from collections.abc import Callable
from typing import Final

import httpx
import pytest

from lib.catalogue.movie import Movie
from local.demo_omdb.server import DemoOmdb
from local.functions import read_functions
from tests.support import ADMIN_PASSWORD, is_served

Authorization = Callable[[str], dict[str, str]]
Store = Callable[..., Movie]

# On purpose by name: what is added here should have been thought about. The methods are those that
# a preflight is about, the targets such as are answered without a fault of their caller's.
PUBLIC_READS: Final = {
    "/movies.list": "/movies.list?page=1",
    "/movies.get": "/movies.get?imdb_id=tt0111161",
    "/movies.get_many": "/movies.get_many?imdb_ids=tt0111161",
    "/movies.search": "/movies.search?query=shawshank",
    "/movies.random": "/movies.random",
    "/docs": "/docs",
    "/docs/{id}": "/docs/init.js",
    "/openapi.json": "/openapi.json",
    "/": "/",
}
WITH_A_TOKEN_READ: Final = {"/imports.get": "/imports.get?id=1", "/imports.list": "/imports.list"}
DELETE: Final = "/movies.delete/{id}"
CREATE: Final = "/movies.create"
CLOSED: Final = (
    *("/login", "/movies.import", "/migrate", "/brew-coffee"),
    *("/sessions.refresh", "/sessions.list", "/sessions.end"),
    *("/keys.create", "/keys.list", "/keys.delete/{id}"),
    *("/users.create", "/users.list", "/users.update", "/users.reset_password"),
    *("/users.delete/{id}", "/passwords.change", "/passwords.set", "/audit.list"),
)

PAGE: Final = {"Origin": "https://elsewhere.example"}
ALL_HEADERS: Final = "authorization,content-type,if-none-match,x-request-id"
EXPOSED: Final = (
    "Deprecation, ETag, Link, RateLimit-Policy, Retry-After, Sunset, WWW-Authenticate, X-Request-Id"
)
OPEN: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": EXPOSED,
}


def preflight(
    client: httpx.Client, target: str, method: str, headers: str = ALL_HEADERS
) -> dict[str, str]:
    """Return what a browser is told that asks for a page whether it may send such a request."""
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    answer = client.options(target, headers={**PAGE, **asked})
    assert answer.status_code == 204
    return access(answer)


def access(answer: httpx.Response) -> dict[str, str]:
    """Return an answer's headers of CORS."""
    names = [name for name in answer.headers if name.startswith("access-control-")]
    return {name: answer.headers[name] for name in names}


def allowed(methods: str, headers: str, age: str = "86400") -> dict[str, str]:
    return OPEN | {
        "access-control-allow-methods": methods,
        "access-control-allow-headers": headers,
        "access-control-max-age": age,
    }


def served(targets: dict[str, str]) -> list[str]:
    return [target for target in targets.values() if is_served(target)]


def test_of_every_route_somebody_has_thought() -> None:
    routes = {route for function in read_functions().values() for route in function.routes}

    assert routes <= {*PUBLIC_READS, *WITH_A_TOKEN_READ, DELETE, CREATE, *CLOSED}


@pytest.mark.parametrize("target", served(PUBLIC_READS | WITH_A_TOKEN_READ))
def test_reads_are_open_with_a_token_or_without(client: httpx.Client, target: str) -> None:
    assert preflight(client, target, "GET") == allowed(
        "GET, HEAD, OPTIONS", "Authorization, If-None-Match, X-Request-Id"
    )
    for headers in (PAGE, {**PAGE, "Authorization": "Bearer of.no.use"}):
        assert access(client.get(target, headers=headers)) == OPEN
    assert access(client.get(target + "?a=b", headers=PAGE)) == OPEN


def test_imports_are_open_to_who_may_see_them(
    client: httpx.Client, authorization: Authorization
) -> None:
    answer = client.get("/imports.list", headers={**PAGE, **authorization("editor")})

    assert answer.status_code == 200
    assert access(answer) == OPEN
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_delete_is_open(client: httpx.Client, store: Store, authorization: Authorization) -> None:
    store("tt0111161", "The Shawshank Redemption")
    target = "/movies.delete/tt0111161"

    assert preflight(client, target, "DELETE") == allowed(
        "DELETE, OPTIONS", "Authorization, X-Request-Id"
    )
    refused = client.delete(target, headers=PAGE)
    done = client.delete(target, headers={**PAGE, **authorization("editor")})
    assert (refused.status_code, done.status_code) == (401, 204)
    assert access(refused) == access(done) == OPEN


def test_a_create_is_open_with_a_token(client: httpx.Client, authorization: Authorization) -> None:
    for headers in ("content-type,authorization", "X-Request-Id , Authorization ,Content-Type"):
        # Not remembered: the same page would be let in without a token for as long.
        assert preflight(client, CREATE, "POST", headers) == allowed(
            "POST, OPTIONS", "Authorization, Content-Type, X-Request-Id", "0"
        )
    answer = client.post(
        CREATE, json={"imdb_id": "tt0034583"}, headers={**PAGE, **authorization("viewer")}
    )
    assert answer.status_code == 201
    assert access(answer) == OPEN


@pytest.mark.parametrize("headers", ["content-type", "", "content-type,x-authorization"])
def test_a_create_that_would_spend_its_visitors_share_is_none_of_a_foreign_pages_business(
    client: httpx.Client, headers: str
) -> None:
    assert preflight(client, CREATE, "POST", headers) == {}
    assert access(client.post(CREATE, json={"imdb_id": "tt0034583"}, headers=PAGE)) == {}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_browser_sends_without_asking_creates_nothing(
    client: httpx.Client, omdb: DemoOmdb, kind: str
) -> None:
    answer = client.post(
        CREATE, content='{"imdb_id": "tt0034583"}', headers={**PAGE, "Content-Type": kind}
    )

    assert answer.status_code == 415
    assert not omdb.calls


def test_a_token_that_is_none_costs_no_call_and_the_page_may_read_that(
    client: httpx.Client, omdb: DemoOmdb
) -> None:
    token = {"Authorization": "Bearer of.no.use"}
    answer = client.post(CREATE, json={"imdb_id": "tt0034583"}, headers={**PAGE, **token})

    assert answer.status_code == 401
    assert access(answer) == OPEN
    assert not omdb.calls


@pytest.mark.parametrize("target", [target for target in CLOSED if is_served(target)])
def test_logins_and_what_is_ours_are_closed(
    client: httpx.Client, authorization: Authorization, target: str
) -> None:
    token = authorization("editor")
    body = {"username": "some editor", "password": ADMIN_PASSWORD}

    for method in ("GET", "POST", "DELETE"):
        assert preflight(client, target, method) == {}
    for headers in (PAGE, {**PAGE, **token}):
        assert access(client.post(target, json=body, headers=headers)) == {}
        assert access(client.get(target, headers=headers)) == {}
        assert access(client.delete(target, headers=headers)) == {}
