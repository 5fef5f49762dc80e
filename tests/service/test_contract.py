"""One contract for every endpoint: methods, headers, the shape of answers, refusals before work."""

import functools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import Connection, text

from lib.catalogue.movie import Movie, Rating
from lib.database.transactions import TransactionalDatabase
from local import gateway
from local.demo_omdb.server import DemoOmdb
from tests import held
from tests.support import ADMIN_PASSWORD, asks, is_served

ROOT: Final = Path(__file__).resolve().parents[2]
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
INSIDES: Final = re.compile(
    r"Traceback|Internal Server Error|\bselect\b.*\bfrom\b|pg8000|sqlalchemy|\.py\b", re.IGNORECASE
)
TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
NEW_PASSWORD: Final = "tall giraffes eat acacia leaves"
NO_REFRESH_TOKEN: Final = f"smr_{'0' * 32}_{'A' * 43}"
NO_DATABASE: Final = "postgresql+pg8000://nobody:nothing@127.0.0.1:1/nowhere"

Store = Callable[..., Movie]
Authorization = Callable[[str], dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A route, how it is asked well, and what it then answers.

    Attributes:
        good: What `httpx` sends of a good request.
        role: The role that its caller needs.
        cap: The most bytes of a body that it reads; None where it reads none.
        kept: Whether caches may keep what it answers to a good request.
        secret: Whether what it answers is for its caller's eyes alone.
    """

    route: str
    method: str
    status: int
    good: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    role: str | None = None
    cap: int | None = None
    needs_body: bool = False
    kept: bool = False
    secret: bool = False

    @property
    def reads(self) -> bool:
        """Tell whether it is a read."""
        return self.method == "GET"

    @property
    def allow(self) -> set[str]:
        """Return the methods that its 405 must name."""
        return {"GET", "HEAD", "OPTIONS"} if self.reads else {self.method, "OPTIONS"}

    @property
    def target(self) -> str:
        """Return the path of a good request."""
        return self.path or self.route


# What those answer to a good request that can do nothing here.
REFUSALS: Final = {
    "/brew-coffee": "IM_A_TEAPOT",
    "/keys.delete": "KEY_NOT_FOUND",
    "/passwords.set": "INVALID_CODE",
    "/sessions.refresh": "INVALID_REFRESH_TOKEN",
    "/users.delete": "USER_NOT_FOUND",
}
KNOWN: Final = (
    Endpoint(
        route="/movies.list", method="GET", status=200, kept=True, good={"params": {"page": "1"}}
    ),
    Endpoint(
        route="/movies.get",
        method="GET",
        status=200,
        kept=True,
        good={"params": {"imdb_id": "tt0111161"}},
    ),
    Endpoint(
        route="/movies.get_many",
        method="GET",
        status=200,
        kept=True,
        good={"params": {"imdb_ids": "tt0111161"}},
    ),
    Endpoint(
        route="/movies.search",
        method="GET",
        status=200,
        kept=True,
        good={"params": {"query": "shawshank"}},
    ),
    Endpoint(route="/movies.random", method="GET", status=200, good={"params": {"genre": "Drama"}}),
    Endpoint(
        route="/movies.create",
        method="POST",
        status=201,
        good={"json": {"imdb_id": "tt0034583"}},
        cap=8 * 1024,
        needs_body=True,
    ),
    Endpoint(
        route="/movies.delete",
        path="/movies.delete/tt0111161",
        method="DELETE",
        status=204,
        role="editor",
    ),
    Endpoint(
        route="/movies.import",
        method="POST",
        status=200,
        good={"json": {"imdb_ids": ["tt0034583"]}},
        cap=4 * 1024 * 1024,
        needs_body=True,
    ),
    Endpoint(
        route="/login",
        method="POST",
        status=200,
        good={"json": {"username": "some editor", "password": ADMIN_PASSWORD}},
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/sessions.refresh",
        method="POST",
        status=401,
        good={"json": {"refresh_token": NO_REFRESH_TOKEN}},
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/sessions.list",
        method="GET",
        status=200,
        good={"params": {"username": "nobody"}},
        role="admin",
        secret=True,
    ),
    Endpoint(
        route="/sessions.end",
        method="POST",
        status=204,
        good={"json": {}},
        role="viewer",
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/keys.create",
        method="POST",
        status=201,
        good={"json": {"name": "ci", "role": "editor", "expires_in_days": 1}},
        role="editor",
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(route="/keys.list", method="GET", status=200, role="viewer", secret=True),
    Endpoint(
        route="/keys.delete",
        path="/keys.delete/000000000000",
        method="DELETE",
        status=404,
        role="viewer",
        secret=True,
    ),
    Endpoint(
        route="/users.create",
        method="POST",
        status=201,
        good={"json": {"username": "ana", "role": "editor"}},
        role="admin",
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/users.list",
        method="GET",
        status=200,
        good={"params": {"state": "active"}},
        role="admin",
        secret=True,
    ),
    Endpoint(
        route="/users.update",
        method="POST",
        status=200,
        good={"json": {"username": "some admin", "role": "admin"}},
        role="admin",
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/users.reset_password",
        method="POST",
        status=200,
        good={"json": {"username": "some admin"}},
        role="admin",
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/users.delete",
        path="/users.delete/nobody",
        method="DELETE",
        status=404,
        role="admin",
        secret=True,
    ),
    Endpoint(
        route="/passwords.change",
        method="POST",
        status=204,
        good={"json": {"current_password": ADMIN_PASSWORD, "new_password": NEW_PASSWORD}},
        role="viewer",
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/passwords.set",
        method="POST",
        status=401,
        good={"json": {"code": "smc_none", "new_password": NEW_PASSWORD}},
        cap=8 * 1024,
        needs_body=True,
        secret=True,
    ),
    Endpoint(
        route="/audit.list",
        method="GET",
        status=200,
        good={"params": {"action": "login"}},
        role="admin",
        secret=True,
    ),
    Endpoint(route="/brew-coffee", method="POST", status=418),
    Endpoint(route="/migrate", method="POST", status=200, cap=8 * 1024),
)
ENDPOINTS: Final = [endpoint for endpoint in KNOWN if is_served(endpoint.target)]
READS: Final = [endpoint for endpoint in ENDPOINTS if endpoint.reads]
KEPT: Final = [endpoint for endpoint in ENDPOINTS if endpoint.kept]
WITH_BODY: Final = [endpoint for endpoint in ENDPOINTS if endpoint.cap is not None]
UNKNOWN: Final = "/no.such.route"


def named(endpoints: list[Endpoint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("endpoint", endpoints, ids=lambda endpoint: endpoint.route)


def served(*targets: str) -> list[str]:
    return [target for target in targets if is_served(target)]


every_endpoint: Final = named(ENDPOINTS)
every_read: Final = named(READS)
every_kept_read: Final = named(KEPT)
every_body: Final = named(WITH_BODY)


@pytest.fixture
def catalogue(store: Store) -> None:
    store(
        "tt0111161",
        "The Shawshank Redemption",
        year=1994,
        rated="R",
        released=date(1994, 10, 14),
        runtime_minutes=142,
        genres=("Drama",),
        directors=("Frank Darabont",),
        writers=("Stephen King", "Frank Darabont"),
        actors=("Tim Robbins", "Morgan Freeman"),
        plot="Two imprisoned men bond.",
        languages=("English",),
        countries=("United States",),
        awards="Nominated for 7 Oscars",
        poster_url="https://m.media-amazon.com/images/M/x.jpg",
        ratings=(Rating(source="Internet Movie Database", value="9.3/10"),),
        metascore=82,
        imdb_rating=9.3,
        imdb_votes=2_800_000,
        box_office_usd=28_767_189,
    )


@pytest.fixture
def ask(
    client: httpx.Client, catalogue: None, authorization: Authorization
) -> Callable[..., httpx.Response]:
    """Ask an endpoint well, but for what a test changes."""
    del catalogue
    tokens = functools.cache(authorization)

    def send(endpoint: Endpoint, **changes: Any) -> httpx.Response:
        request: dict[str, Any] = {"method": endpoint.method, "url": endpoint.target}
        request |= endpoint.good | changes
        request["headers"] = dict(changes.get("headers", {}))
        if endpoint.role and request["method"] in {endpoint.method, "HEAD"}:
            request["headers"] |= tokens(endpoint.role)
        if endpoint.route == "/login":
            tokens("editor")
        return client.request(**request)

    return send


Ask = Callable[..., httpx.Response]


def assert_error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """See that an answer is an error in the one shape, and give what it tells."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    content = answer.json()
    assert set(content) == {"error"}
    error: dict[str, Any] = content["error"]
    assert {"code", "message", "request_id"} <= set(error)
    assert set(error) <= {"code", "message", "request_id", "fields", "suggestions"}
    assert error["code"] == code
    assert isinstance(error["message"], str)
    assert len(error["message"]) > 10
    assert error["request_id"] == answer.headers["X-Request-Id"]
    for name, rule in error.get("fields", {}).items():
        assert isinstance(name, str)
        assert isinstance(rule, str)
    assert "ETag" not in answer.headers
    assert not INSIDES.search(answer.text)
    return error


# --- Answers --------------------------------------------------------------------------------------


@every_endpoint
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_a_good_request_is_answered_with_or_without_the_version(
    ask: Ask, endpoint: Endpoint, prefix: str
) -> None:
    answer = ask(endpoint, url=prefix + endpoint.target)

    assert answer.status_code == endpoint.status, answer.text
    if not endpoint.kept:
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])
    assert not INSIDES.search(answer.text)
    if endpoint.status == 204:
        assert answer.content == b""
        assert "Content-Type" not in answer.headers
    elif endpoint.status < 400:
        assert answer.headers["Content-Type"] == "application/json"
        assert next(iter(answer.json())) == "data"
        assert set(answer.json()) <= {
            *("data", "pagination", "match", "alternatives"),
            *("missing", "corrected_query", "facets"),
        }
    else:
        assert_error(answer, endpoint.status, REFUSALS[endpoint.route])


MOVIE_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "imdb_id": (str,),
    "title": (str,),
    "type": (str,),
    "year": (int,),
    "year_end": (type(None),),
    "rated": (str,),
    "released": (str,),
    "runtime_minutes": (int,),
    "genres": (list,),
    "directors": (list,),
    "writers": (list,),
    "actors": (list,),
    "plot": (str,),
    "languages": (list,),
    "countries": (list,),
    "awards": (str,),
    "poster_url": (str,),
    "ratings": (list,),
    "metascore": (int,),
    "imdb_rating": (float,),
    "imdb_votes": (int,),
    "box_office_usd": (int,),
    "total_seasons": (type(None),),
    "website": (type(None),),
    "aliases": (list,),
    "fetched_at": (str,),
}
LISTS: Final = (
    "genres", "directors", "writers", "actors", "languages", "countries", "ratings", "aliases",
)  # fmt: skip


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    "path", served("/movies.get?title=the+shawshank+redemption", "/movies.list")
)
def test_a_movie_has_exactly_the_documented_members_in_their_order(
    client: httpx.Client, path: str
) -> None:
    found = client.get(path).json()["data"]
    movie = found[0] if isinstance(found, list) else found

    assert list(movie) == list(MOVIE_TYPES)
    assert {
        name: type(movie[name]) in kinds for name, kinds in MOVIE_TYPES.items()
    } == dict.fromkeys(MOVIE_TYPES, True)
    assert movie["released"] == "1994-10-14"
    assert movie["imdb_rating"] == 9.3
    assert movie["ratings"] == [{"source": "Internet Movie Database", "value": "9.3/10"}]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", movie["fetched_at"])


@asks("/movies.get")
def test_what_the_source_does_not_say_is_null_or_an_empty_list(
    client: httpx.Client, store: Store
) -> None:
    store("tt0000001", "Carmencita")

    movie = client.get("/movies.get", params={"imdb_id": "tt0000001"}).json()["data"]

    assert list(movie) == list(MOVIE_TYPES)
    for name in set(MOVIE_TYPES) - {"imdb_id", "title", "type", "fetched_at"}:
        assert movie[name] == ([] if name in LISTS else None)


@asks("/movies.create", "/movies.get")
def test_a_created_movie_has_the_members_of_one_that_is_read(client: httpx.Client) -> None:
    created = client.post("/movies.create", json={"imdb_id": "tt0034583"}).json()["data"]
    read = client.get("/movies.get", params={"imdb_id": "tt0034583"}).json()["data"]

    assert list(created) == list(MOVIE_TYPES)
    assert created == read


@asks("/login")
def test_a_login_answers_a_bearer_token_for_a_quarter_of_an_hour(ask: Ask) -> None:
    login = next(endpoint for endpoint in ENDPOINTS if endpoint.route == "/login")
    granted = ask(login).json()["data"]

    assert list(granted) == [
        "token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "user"
    ]  # fmt: skip
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 900)
    assert granted["token"].count(".") == 2
    assert granted["refresh_expires_in"] == 7 * 86400
    assert granted["user"] == {"username": "some editor", "role": "editor"}


# --- Request ids ----------------------------------------------------------------------------------

SANE: Final = ["a", "A-Z.0_9:x", "f" * 128, "6f0c1e7e-5d6b-4a6e-9d0c-3a4b5c6d7e8f"]
INSANE: Final = [
    "",
    "f" * 129,
    "f" * 5000,
    "a b",
    'a"b',
    "a;b",
    "a\tb",
    "<script>",
    "a,b",
    "é",
    "٣",
]
ANYWHERE: Final = [*ENDPOINTS, Endpoint(route=UNKNOWN, method="GET", status=404)]


@pytest.mark.parametrize("endpoint", ANYWHERE, ids=lambda endpoint: endpoint.route)
def test_a_sane_request_id_is_echoed_and_any_other_replaced(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    for sent in SANE:
        answer = client.put(endpoint.target, headers={"X-Request-Id": sent})
        assert answer.headers["X-Request-Id"] == sent
        assert answer.json()["error"]["request_id"] == sent
    for sent in INSANE:
        answer = client.put(endpoint.target, headers={b"X-Request-Id": sent.encode()})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])
        assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("endpoint", ANYWHERE, ids=lambda endpoint: endpoint.route)
@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
        {"X-Cloud-Trace-Context": f"{TRACE}/12345;o=1"},
        {"X-Cloud-Trace-Context": TRACE},
        {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": "not sane"},
    ],
)
def test_without_a_sane_request_id_the_trace_is_taken(
    client: httpx.Client, endpoint: Endpoint, headers: dict[str, str]
) -> None:
    answer = client.put(endpoint.target, headers=headers)

    assert answer.headers["X-Request-Id"] == TRACE
    assert answer.json()["error"]["request_id"] == TRACE


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "00-" + "0" * 32 + "-b7ad6b7169203331-01"},
        {"traceparent": f"ff-{TRACE}-b7ad6b7169203331-01"},
        {"traceparent": f"00-{TRACE.upper()}-b7ad6b7169203331-01"},
        {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01-and-more"},
        {"X-Cloud-Trace-Context": "0" * 32},
        {"X-Cloud-Trace-Context": f"{TRACE}{TRACE}/1"},
    ],
)
def test_a_trace_that_is_none_is_not_taken(client: httpx.Client, headers: dict[str, str]) -> None:
    ids = {client.put("/movies.list", headers=headers).headers["X-Request-Id"] for _ in range(2)}

    assert len(ids) == 2
    assert not ids & {TRACE, "0" * 32}


@every_endpoint
def test_good_answers_carry_the_request_id_unless_a_cache_may_hand_them_to_others(
    ask: Ask, endpoint: Endpoint
) -> None:
    answer = ask(endpoint, headers={"X-Request-Id": "mine"})

    assert answer.headers.get("X-Request-Id") == (None if endpoint.kept else "mine")
    assert "mine" not in answer.text or endpoint.status >= 400


# --- Methods --------------------------------------------------------------------------------------


@every_endpoint
def test_every_other_method_is_refused_with_those_that_are_allowed(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    for method in sorted(set(METHODS) - endpoint.allow):
        answer = client.request(method, endpoint.target)

        assert {name.strip() for name in answer.headers["Allow"].split(",")} == endpoint.allow
        if method == "HEAD":
            assert (answer.status_code, answer.content) == (405, b"")
        else:
            error = assert_error(answer, 405, "METHOD_NOT_ALLOWED")
            assert method in error["message"]


@every_endpoint
@pytest.mark.parametrize("headers", [{}, {"Origin": "https://example.com"}])
def test_options_is_204_with_what_is_allowed(
    client: httpx.Client, endpoint: Endpoint, headers: dict[str, str]
) -> None:
    answer = client.options(endpoint.target, headers=headers)

    assert (answer.status_code, answer.content) == (204, b"")
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == endpoint.allow
    assert "X-Request-Id" in answer.headers
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("method", [*METHODS, "OPTIONS"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_an_unknown_route_is_not_found_whatever_the_method(
    client: httpx.Client, method: str, prefix: str
) -> None:
    answer = client.request(method, prefix + UNKNOWN)

    if method == "HEAD":
        assert (answer.status_code, answer.content) == (404, b"")
    else:
        assert_error(answer, 404, "NOT_FOUND")


# --- Reads: HEAD, tags ----------------------------------------------------------------------------


def without(headers: httpx.Headers, *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in {"date", *names}}


@every_read
@pytest.mark.parametrize("query", ["", "?page=0", "?imdb_id=tt9999999"])
def test_head_is_get_without_a_body(
    ask: Ask, client: httpx.Client, endpoint: Endpoint, query: str
) -> None:
    headers = {"X-Request-Id": "same"}
    if query:
        got, head = (
            client.request(method, endpoint.route + query, headers=headers)
            for method in ("GET", "HEAD")
        )
    else:
        got, head = (ask(endpoint, method=method, headers=headers) for method in ("GET", "HEAD"))

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert without(head.headers) == without(got.headers)
    assert head.headers["Content-Length"] == str(len(got.content))


@every_kept_read
def test_a_tag_is_strong_and_stays_as_long_as_the_content(ask: Ask, endpoint: Endpoint) -> None:
    one, other = ask(endpoint), ask(endpoint)

    assert re.fullmatch(r'"[!#-~]+"', one.headers["ETag"])
    assert one.headers["ETag"] == other.headers["ETag"]


@asks("/movies.list")
def test_a_tag_changes_with_the_content(client: httpx.Client, store: Store) -> None:
    store("tt0000001", "Carmencita")
    before = client.get("/movies.list").headers["ETag"]
    store("tt0000002", "Another")

    answer = client.get("/movies.list", headers={"If-None-Match": before})

    assert answer.status_code == 200
    assert answer.headers["ETag"] != before


@every_kept_read
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("{}", 304),
        ("W/{}", 304),  # as a cache that compresses answers hands it out (RFC 9110, 8.8.3)
        ('"other", {}', 304),
        ('"other",{},"third"', 304),
        ("*", 304),
        (', "a,b" ,, {}', 304),
        ('"other"', 200),
        ('"a,*,b"', 200),
        ("*, {}", 200),
        ("w/{}", 200),
        ("", 200),
        ("{}x", 200),
    ],
)
def test_what_the_caller_has_is_not_sent_again(
    ask: Ask, endpoint: Endpoint, method: str, form: str, status: int
) -> None:
    full = ask(endpoint)
    condition = {"If-None-Match": form.format(full.headers["ETag"])}

    answer = ask(endpoint, method=method, headers=condition)

    assert answer.status_code == status
    if status == 304:
        assert answer.content == b""
        for name in ("ETag", "Cache-Control", "Access-Control-Allow-Origin"):
            assert answer.headers[name] == full.headers[name]
        assert answer.headers.get("Link") == full.headers.get("Link")
        assert "X-Request-Id" not in answer.headers


@every_read
def test_a_condition_does_not_hide_an_error(client: httpx.Client, endpoint: Endpoint) -> None:
    answer = client.get(endpoint.route, params={"x": "1"}, headers={"If-None-Match": "*"})

    assert_error(answer, 400, "INVALID_REQUEST")


@every_endpoint
def test_caches_keep_reads_only(ask: Ask, client: httpx.Client, endpoint: Endpoint) -> None:
    kept = ask(endpoint).headers["Cache-Control"]
    refused = client.put(endpoint.target).headers["Cache-Control"]

    nobody = "private, no-store" if endpoint.secret else "no-store"
    assert refused == nobody
    if endpoint.kept:
        assert "no-store" not in kept
        assert "private" not in kept
        assert re.search(r"max-age=\d+", kept)
    else:
        assert kept == nobody


SHARED: Final = "public, max-age=0, s-maxage=30, must-revalidate"
UNSHARED: Final = "private, no-cache"


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("target", "kept"),
    [
        (target, kept)
        for target, kept in [
            ("/movies.list", SHARED),
            ("/v1/movies.list", SHARED),
            ("/movies.list?page=1&number_of_records=100", SHARED),
            ("/movies.list?number_of_records=100", SHARED),
            ("/movies.list?cursor=YXR0MDAwMDAwMSBh&number_of_records=1", SHARED),
            ("/movies.get?title=The+Shawshank+Redemption&year=1994", SHARED),
            ("/movies.get?title=The%20Shawshank%20Redemption", SHARED),
            ("/movies.get?imdb_id=tt0111161", SHARED),
            ("/movies.get_many?imdb_ids=tt0111161", SHARED),
            ("/movies.list?page=1&fields=title,year", SHARED),
            ("/movies.list?page=1&fields=title%2Cyear", SHARED),
            ("/movies.list?page=1&fields=title,year%2Cgenres", UNSHARED),
            ("/movies.list?fields=title&page=1", UNSHARED),
            ("/movies.get_many?imdb_ids=tt0111161,tt0000000", UNSHARED),
            ("/movies.get_many?imdb_ids=tt%30111161", UNSHARED),
            ("/movies.search?query=shawshank&genre=Drama%7CCrime&fields=title", SHARED),
            ("/movies.search?query=shawshank+redemption", SHARED),
            ("/movies.search?genre=Drama&query=shawshank", UNSHARED),
            ("/movies.search?query=shawshank&number_of_records=99999", UNSHARED),
            ("/movies.search?query=shawshank&fields=year,title", UNSHARED),
            ("/movies.search?query=no+such+film", UNSHARED),
            ("/movies%2Elist", UNSHARED),
            ("/%761/movies.list", UNSHARED),
            ("/movies.list?p%61ge=1", UNSHARED),
            ("/movies.list?page=%31", UNSHARED),
            ("/movies.list?number_of_records=1&page=1", UNSHARED),
            ("/movies.list?page=1&number_of_records=99999", UNSHARED),
            ("/movies.list?page=1&number_of_records=99999999999999999999", UNSHARED),
            ("/movies.list?number_of_records=1&cursor=YXR0MDAwMDAwMSBh", UNSHARED),
            ("/movies.get?year=1994&title=The+Shawshank+Redemption", UNSHARED),
            ("/movies.get?title=The+Shawshank%20Redemption", UNSHARED),
            ("/movies.get?title=The++Shawshank+Redemption", UNSHARED),
            ("/movies.get?title=+The+Shawshank+Redemption", UNSHARED),
            ("/movies.get?title=%54he+Shawshank+Redemption", UNSHARED),
            ("/movies.get?title=the+shawshank+redemption", UNSHARED),
            ("/movies.get?title=The+Shawshank+Rede\u0301mption", UNSHARED),
            ("/movies.get?title=The+Shawshank+R%C3%A9demption", UNSHARED),
            ("/movies.get?title=The+Shawshank+Redemption%E2%80%8B", UNSHARED),
            ("/movies.get?title=the+shawshank+redemption&year=1994", UNSHARED),
            ("/movies.list?cursor=YXR0MDAwMDAwMSB-&number_of_records=1", UNSHARED),
            ("/movies.list?cursor=YnR0MDAwMDAwMSAh&number_of_records=1", UNSHARED),
            ("/movies.get?title=The+Shawshank+Re%cc%81demption", UNSHARED),
            ("/movies.get?imdb_id=tt%30111161", UNSHARED),
        ]
        if is_served(target)
    ],
)
def test_a_page_is_shared_under_one_address_only(
    client: httpx.Client, target: str, kept: str
) -> None:
    full = client.get(target, headers={"X-Request-Id": "mine"})
    again = client.get(
        target, headers={"X-Request-Id": "mine", "If-None-Match": full.headers["ETag"]}
    )

    assert (full.status_code, again.status_code) == (200, 304)
    for answer in (full, again):
        assert answer.headers["Cache-Control"] == kept
        assert answer.headers.get("X-Request-Id") == (None if kept == SHARED else "mine")


@asks("/movies.list")
def test_the_links_of_a_list_lead_to_addresses_that_are_shared(
    client: httpx.Client, store: Store
) -> None:
    for number in range(1, 8):
        store(f"tt000000{number}", f"Film {number}")
    seen: set[str] = set()
    waiting = ["/v1/movies.list?page=2&number_of_records=2"]
    while waiting:
        if (target := waiting.pop()) in seen:
            continue
        seen.add(target)
        answer = client.get(target)
        assert answer.headers["Cache-Control"] == SHARED, target
        waiting += [link["url"] for link in answer.links.values()]
        if following := answer.json()["pagination"]["next_cursor"]:
            waiting.append(f"/movies.list?cursor={following}&number_of_records=3")

    assert len(seen) > 8


@asks("/movies.list")
@pytest.mark.parametrize("query", ["&", "page=1&", "&page=1", "page=1&&number_of_records=2"])
def test_an_empty_pair_is_refused(client: httpx.Client, query: str) -> None:
    assert_error(client.get(f"/movies.list?{query}"), 400, "INVALID_REQUEST")


# --- Refusals -------------------------------------------------------------------------------------


@every_endpoint
def test_an_unknown_parameter_is_refused_with_those_that_are_known(
    ask: Ask, endpoint: Endpoint
) -> None:
    error = assert_error(ask(endpoint, params={"nmae": "1"}), 400, "INVALID_REQUEST")

    assert "nmae" in error["message"]
    assert list(error["fields"]) == ["nmae"]


@every_read
def test_a_repeated_parameter_is_refused(client: httpx.Client, endpoint: Endpoint) -> None:
    name = "page" if endpoint.route == "/movies.list" else "title"

    error = assert_error(client.get(f"{endpoint.route}?{name}=1&{name}=1"), 400, "INVALID_REQUEST")

    assert list(error["fields"]) == [name]


@every_body
def test_an_unknown_member_is_refused_with_those_that_are_known(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    answer = client.post(endpoint.route, json={"nmae": 1})

    error = assert_error(answer, 400, "INVALID_REQUEST")

    assert "nmae" in error["message"]
    assert all(name in error["message"] for name in endpoint.good.get("json", {}))


def in_chunks(size: int) -> Iterator[bytes]:
    yield b"{"
    for _ in range(size // 65536 + 1):
        yield b" " * 65536


@every_body
@pytest.mark.parametrize("way", ["declared", "chunked"])
def test_a_body_above_the_cap_is_refused(
    client: httpx.Client, endpoint: Endpoint, way: str
) -> None:
    assert endpoint.cap is not None
    size = endpoint.cap + 1
    content = b" " * size if way == "declared" else in_chunks(size)

    answer = client.post(
        endpoint.route, content=content, headers={"Content-Type": "application/json"}
    )

    error = assert_error(answer, 413, "BODY_TOO_LARGE")
    assert f"{endpoint.cap:,}" in error["message"]


@every_body
def test_a_body_at_the_cap_is_read(client: httpx.Client, endpoint: Endpoint) -> None:
    assert endpoint.cap is not None
    content = b'{"nmae": 1}'.ljust(endpoint.cap)

    answer = client.post(
        endpoint.route, content=content, headers={"Content-Type": "application/json"}
    )

    assert_error(answer, 400, "INVALID_REQUEST")


@every_body
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json, text/plain",
    ],
)
def test_a_body_of_another_type_is_refused(
    client: httpx.Client, endpoint: Endpoint, kind: str | None
) -> None:
    headers = {} if kind is None else {"Content-Type": kind}

    answer = client.post(endpoint.route, content=b"{}", headers=headers)

    assert "application/json" in assert_error(answer, 415, "UNSUPPORTED_MEDIA_TYPE")["message"]


@every_body
@pytest.mark.parametrize("content", [b"null", b"[]", b"1", b'"x"', b"{", b"\xff", b'{"a":1,"a":2}'])
def test_a_body_that_is_no_object_is_refused(
    client: httpx.Client, endpoint: Endpoint, content: bytes
) -> None:
    answer = client.post(
        endpoint.route, content=content, headers={"Content-Type": "application/json"}
    )

    assert_error(answer, 400, "INVALID_REQUEST")


@named([endpoint for endpoint in WITH_BODY if endpoint.needs_body])
def test_a_body_that_is_needed_must_be_there(client: httpx.Client, endpoint: Endpoint) -> None:
    assert_error(client.post(endpoint.route), 400, "INVALID_REQUEST")


@asks("/movies.delete/tt0111161")
def test_without_a_token_a_delete_is_refused_with_a_challenge(client: httpx.Client) -> None:
    answer = client.delete("/movies.delete/tt0111161")

    error = assert_error(answer, 401, "UNAUTHORIZED")
    assert "/login" in error["message"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


# --- Refused before anything is spent -------------------------------------------------------------


def bad_requests() -> list[tuple[str, str, dict[str, Any], int]]:
    """Return a bad request of every kind: method, target, the rest of it, the answer's status."""
    as_json = {"Content-Type": "application/json"}
    bad: list[tuple[str, str, dict[str, Any], int]] = [
        ("GET", "/movies.list?page=0", {}, 400),
        ("GET", "/movies.list?page=1&cursor=x", {}, 400),
        ("GET", "/movies.list?cursor=x", {}, 400),
        ("GET", "/movies.get", {}, 400),
        ("GET", "/movies.get?title=%00", {}, 400),
        ("GET", "/movies.get?imdb_id=x", {}, 400),
        ("GET", "/movies.get?imdb_id=tt0111161&fields=x", {}, 400),
        ("GET", "/movies.get_many?imdb_ids=x", {}, 400),
        ("GET", "/movies.search?sort=x", {}, 400),
        ("GET", "/movies.random?number_of_records=0", {}, 400),
        ("POST", "/movies.create", {"json": {"title": ""}}, 400),
        ("POST", "/movies.create", {"json": {"imdb_id": "x"}}, 400),
        ("POST", "/movies.import", {"json": {"imdb_ids": ["x"]}}, 400),
        ("POST", "/login", {"json": {"username": "admin"}}, 400),
        ("POST", "/login", {"json": {"username": "\0", "password": "x"}}, 400),
        ("DELETE", "/movies.delete/tt0111161", {}, 401),
        ("DELETE", "/movies.delete/tt0111161", {"headers": {"Authorization": "Bearer x"}}, 401),
        ("POST", "/brew-coffee", {}, 418),
        ("GET", UNKNOWN, {}, 404),
    ]
    bad = [case for case in bad if case[1] == UNKNOWN or is_served(case[1])]
    for endpoint in ENDPOINTS:
        bad.append(("PATCH", endpoint.target, {}, 405))
        bad.append(("OPTIONS", endpoint.target, {}, 204))
        if not endpoint.role:
            bad.append((endpoint.method, endpoint.route + "?x=1", {}, 400))
        if endpoint.cap:
            large = {"content": b" " * (endpoint.cap + 1), "headers": as_json}
            bad.append(("POST", endpoint.route, large, 413))
            bad.append(("POST", endpoint.route, {"content": b"{}"}, 415))
            bad.append(("POST", endpoint.route, {"json": []}, 400))
    return bad


@pytest.fixture(scope="module")
def without_database(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """Serve every function with a database that is not there."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, "DATABASE_URL": NO_DATABASE}.items():
            patch.setenv(name, value)
        app = gateway.build(ROOT)
    with held.serving(app) as server, held.client(server.url) as session:
        yield session


@pytest.mark.parametrize(("method", "target", "rest", "status"), bad_requests())
def test_bad_requests_are_told_so_where_there_is_no_database(
    without_database: httpx.Client, method: str, target: str, rest: dict[str, Any], status: int
) -> None:
    started = time.monotonic()
    answer = without_database.request(method, target, **rest)

    assert answer.status_code == status, answer.text
    assert time.monotonic() - started < 1
    assert not INSIDES.search(answer.text)


@asks("/movies.delete/x")
def test_a_path_without_an_id_is_told_so_before_the_session_is_looked_up(
    without_database: httpx.Client, authorization: Authorization
) -> None:
    answer = without_database.delete("/movies.delete/x", headers=authorization("editor"))

    assert_error(answer, 400, "INVALID_REQUEST")


@every_endpoint
def test_where_there_is_no_database_good_requests_are_asked_to_come_again(
    without_database: httpx.Client, endpoint: Endpoint, authorization: Authorization, omdb: DemoOmdb
) -> None:
    if endpoint.status == 418:
        return
    headers = authorization(endpoint.role) if endpoint.role else {}

    answer = without_database.request(
        endpoint.method, endpoint.target, headers=headers, **endpoint.good
    )

    if endpoint.route == "/movies.import":
        assert answer.status_code in {200, 503}
        return
    assert_error(answer, 503, "DATABASE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    assert len(omdb.calls) <= 1


@contextmanager
def every_connection_held(database: TransactionalDatabase, base_url: str) -> Iterator[None]:
    """Let every connection of `movies_list` wait for a lock, until the end of the block."""
    with held.client(base_url) as others, ThreadPoolExecutor(8) as threads:
        # Twice, as opening the connections takes nearly as long as a lock is waited for.
        for are_held in (False, True):
            with database.begin() as connection:
                connection.execute(text("lock table movies in access exclusive mode"))
                # Each of them another page, as equal ones would share a connection.
                pages = [f"/movies.list?page={number}" for number in range(1, 9)]
                waiting = [threads.submit(others.get, page) for page in pages]
                await_waiting(connection, 8 if are_held else 1)
                if are_held:
                    yield
            assert {one.result().status_code for one in waiting} <= {200, 503}


def await_waiting(connection: Connection, count: int) -> None:
    """Return when so many connections wait for a lock."""
    blocked = text("select count(*) from pg_locks where not granted")
    deadline = time.monotonic() + 1.5
    while connection.execute(blocked).scalar_one() < count:
        assert time.monotonic() < deadline, "the connections are not all held"
        time.sleep(0.01)


@asks("/movies.list")
@pytest.mark.usefixtures("catalogue")
def test_bad_requests_do_not_wait_for_a_connection(
    client: httpx.Client, base_url: str, database: TransactionalDatabase
) -> None:
    late = {}
    with every_connection_held(database, base_url):
        for method, target, rest, status in bad_requests():
            if not target.startswith("/movies.list"):
                continue
            started = time.monotonic()
            answer = client.request(method, target, **rest)
            assert answer.status_code == status
            if (seconds := time.monotonic() - started) > 0.5:
                late[f"{method} {target}"] = round(seconds, 1)

    assert late == {}


def create(client: httpx.Client) -> int:
    return client.post("/movies.create", json={"imdb_id": "tt0034583"}).status_code


@asks("/movies.create")
def test_bad_requests_do_not_wait_for_omdb(client: httpx.Client, omdb: DemoOmdb) -> None:
    omdb.latency = 0.8
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(create, client) for _ in range(8)]
        deadline = time.monotonic() + 5
        while len(omdb.calls) < 8 and time.monotonic() < deadline:
            time.sleep(0.005)
        started = time.monotonic()
        answer = client.post("/movies.create", json={"title": ""})
        seconds = time.monotonic() - started
        statuses = {one.result() for one in waiting}

    assert_error(answer, 400, "INVALID_REQUEST")
    assert seconds < 0.4
    assert statuses == {200, 201}


@asks("/movies.list")
@pytest.mark.usefixtures("catalogue")
def test_after_a_rush_for_connections_every_one_of_them_is_good(
    client: httpx.Client, base_url: str, database: TransactionalDatabase
) -> None:
    with every_connection_held(database, base_url):
        pass
    barrier = threading.Barrier(8)

    def read(number: int) -> str:
        barrier.wait(5)
        answer = client.get("/movies.list", params={"number_of_records": number + 1})
        assert answer.status_code == 200
        found: str = answer.json()["data"][0]["imdb_id"]
        return found

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(8))) == {"tt0111161"}


# --- The list's own members -----------------------------------------------------------------------


@asks("/movies.list")
def test_a_page_tells_where_it_stands(client: httpx.Client, store: Store) -> None:
    for number in range(3):
        store(f"tt000000{number}", f"Film {number}")

    first = client.get("/movies.list", params={"number_of_records": 2}).json()
    last = client.get(
        "/movies.list",
        params={"number_of_records": 2, "cursor": first["pagination"]["next_cursor"]},
    ).json()

    names = ["page", "number_of_records", "total_records", "next_cursor"]
    assert [list(page["pagination"]) for page in (first, last)] == [names, names]
    assert isinstance(first["pagination"]["next_cursor"], str)
    assert last["pagination"]["next_cursor"] is None
    assert json.dumps(last["pagination"]["total_records"]) == "3"


@asks("/movies.list")
def test_links_lead_on_from_any_writing_of_the_route(client: httpx.Client, store: Store) -> None:
    for number in range(2):
        store(f"tt000000{number}", f"Film {number}")

    for route in ("/movies.list", "/v1/movies.list", "/movies%2Elist"):
        answer = client.get(route, params={"number_of_records": 1})
        following = client.get(answer.links["next"]["url"])
        assert following.status_code == 200
        assert following.json()["data"][0]["imdb_id"] == "tt0000001"
