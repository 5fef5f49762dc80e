"""Hostile requests, kept as data: each is refused in our own words, and the next is served.

A case of `hostile/*.toml` is a request and what must be answered; a fault that is found becomes one
case more. It is sent byte for byte, and after it a good read, a good write and whatever the case
was aimed at must work at once on the same process: a connection that was left one answer behind
shows itself only then.
"""

import base64
import hashlib
import hmac
import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import text

from lib.accounts.tokens import Signer
from lib.catalogue import movies
from lib.catalogue.movie import Movie
from lib.database.transactions import TransactionalDatabase
from local.demo_omdb.server import DemoOmdb
from tests.deployed import Reply, exchange
from tests.support import ADMIN_PASSWORD, asks, create_user, is_served

CASES: Final = Path(__file__).with_name("hostile")
CHUNK: Final = 64 * 1024
SECRET_OR_INSIDE: Final = re.compile(
    r"Traceback|Internal Server Error|\bselect\b.*\bfrom\b|insert into|pg8000|sqlalchemy|\.py\b"
    r"|argon2id\$|PRIVATE KEY|apikey|127\.0\.0\.1:",
    re.IGNORECASE,
)

Store = Callable[..., Movie]
Authorization = Callable[[str], dict[str, str]]
Case = dict[str, Any]


def read_cases() -> Iterator[Any]:
    for file in sorted(CASES.glob("*.toml")):
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        for case in content["case"]:
            whole = {**content["defaults"], **case}
            if is_served(whole["path"]) or "NOT_FOUND" in whole.get("code", ""):
                yield pytest.param(whole, id=f"{file.stem}: {case['name']}")


def repeated(rule: dict[str, Any]) -> bytes:
    before, after = rule.get("before", ""), rule.get("after", "")
    text: str = before + rule["unit"] * rule["times"] + after
    return text.encode()


def text_or_bytes(case: Case, name: str) -> bytes | None:
    """Return a part of a request: written out, in hexadecimal, or as something many times over."""
    if f"{name}_hex" in case:
        return bytes.fromhex(case[f"{name}_hex"])
    if f"{name}_repeat" in case:
        return repeated(case[f"{name}_repeat"])
    return case[name].encode() if name in case else None


def chunks(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        part = body[start : start + size]
        yield f"{len(part):x}\r\n".encode() + part + b"\r\n"
    yield b"0\r\n\r\n"


def request_of(case: Case, extra: dict[str, str]) -> Iterator[bytes]:
    """Make the bytes of a case's request."""
    target = text_or_bytes(case, "path") or b"/"
    query, body = text_or_bytes(case, "query"), text_or_bytes(case, "body")
    if query is not None:
        target += b"?" + query
    headers = [(name, value) for name, value in case.get("headers", [])] + list(extra.items())
    if token := text_or_bytes(case, "token"):
        headers.append(("Authorization", f"Bearer {token.decode()}"))
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        headers.insert(0, ("Host", "localhost"))
    if body is not None and "headers" not in case:
        headers.append(("Content-Type", "application/json"))
    if "chunked" in case:
        headers.append(("Transfer-Encoding", "chunked"))
    elif body is not None and "content-length" not in names:
        headers.append(("Content-Length", str(len(body))))
    lines = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)
    yield case["method"].encode() + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n"
    if body is not None and "chunked" in case:
        yield from chunks(body, CHUNK if case["chunked"] is True else case["chunked"])
    elif body is not None:
        yield from (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))


def assert_answered(reply: Reply, case: Case) -> None:
    """See that an answer has the status, and an error the shape, that the case demands."""
    statuses, codes = (
        wanted if isinstance(wanted, list) else [wanted]
        for wanted in (case["status"], case.get("code", ""))
    )
    shown = reply.body[:300]
    assert reply.status in statuses, shown
    assert not SECRET_OR_INSIDE.search(reply.body.decode())
    if reply.status < 400 or case["method"] == "HEAD":
        return
    error = reply.error
    assert reply.headers["Content-Type"] == "application/json"
    assert error["code"] in codes, shown
    told = {"code", "message", "request_id", "fields", "suggestions"}
    assert {"code", "message", "request_id"} <= set(error) <= told
    assert error["request_id"] == reply.headers["X-Request-Id"]
    assert re.fullmatch(r"[!-~]{1,128}", error["request_id"])
    assert len(reply.body) < 2000
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", error["message"])


def assert_well(client: httpx.Client) -> None:
    """See that good requests are answered at once: a page, a movie, a write."""
    for good in (
        client.build_request("GET", "/movies.list"),
        client.build_request("GET", "/movies.get?imdb_id=tt0068646"),
        client.build_request("GET", "/movies.get?title=the+godfather&year=1972"),
        client.build_request("POST", "/movies.create", json={"imdb_id": "tt0034583"}),
    ):
        if not is_served(good.url.path):
            continue
        started = time.monotonic()
        answer = client.send(good)
        assert answer.status_code in {200, 201}
        assert "data" in answer.json()
        assert time.monotonic() - started < 1


def assert_deletes(client: httpx.Client, authorization: dict[str, str]) -> None:
    started = time.monotonic()
    answer = client.delete("/movies.delete/tt0068646", headers=authorization)

    assert answer.status_code == 204
    assert time.monotonic() - started < 1


def assert_logs_in(client: httpx.Client) -> None:
    started = time.monotonic()
    answer = client.post("/login", json={"username": "some viewer", "password": ADMIN_PASSWORD})

    assert answer.status_code == 200
    assert time.monotonic() - started < 1


@pytest.fixture
def port(base_url: str) -> int:
    return int(base_url.rpartition(":")[2])


@pytest.fixture
def catalogue(store: Store) -> None:
    store("tt0111161", "The Shawshank Redemption", year=1994)
    store("tt0068646", "The Godfather", year=1972)


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("case", list(read_cases()))
def test_it_is_answered_as_it_should_be_and_the_next_is_served(
    case: Case,
    client: httpx.Client,
    port: int,
    authorization: Authorization,
    database: TransactionalDatabase,
) -> None:
    if case["path"] == "/login":
        for role in ("editor", "viewer"):
            create_user(database, username=f"some {role}", password=ADMIN_PASSWORD, role=role)
    extra = authorization("admin") if case.get("authorized") else {}

    reply = exchange(port, *request_of(case, extra), method=case["method"])

    assert_answered(reply, case)
    if reply.status >= 400:
        assert database.answer(movies.find_page_at(skipped=0, records=1)).total == 2
    assert_well(client)
    if case["path"] == "/login":
        assert_logs_in(client)
    if case["method"] == "DELETE":
        assert_deletes(client, authorization("editor"))


@pytest.mark.usefixtures("catalogue")
def test_thirty_hostile_requests_at_once_do_not_disturb_good_ones(
    client: httpx.Client, port: int
) -> None:
    hostile = [
        {"method": "POST", "path": "/movies.create", "body": '{"title": "\\ud800"}'},
        {"method": "GET", "path": "/movies.list", "query": "page=%00"},
        {"method": "POST", "path": "/movies.create", "body": "[" * 30_000},
        {"method": "GET", "path": "/movies.get", "query": "title=%ED%A0%80"},
        {"method": "POST", "path": "/movies.create", "body": " " * 100_000},
    ] * 6
    hostile = [case for case in hostile if is_served(case["path"])]
    with ThreadPoolExecutor(8) as threads:
        replies = [
            threads.submit(exchange, port, *request_of(case, {}), method=case["method"])
            for case in hostile
        ]
        assert_well(client)

    assert {reply.result().status for reply in replies} <= {400, 413}
    assert_well(client)


# --- Logins ---------------------------------------------------------------------------------------


def try_login(client: httpx.Client, username: str, number: int = 0) -> httpx.Response:
    return client.post(
        "/login",
        json={"username": username, "password": f"wrong {number}"},
        headers={"X-Forwarded-For": f"198.51.100.{number}", "X-Real-IP": f"198.51.100.{number}"},
    )


@asks("/login")
def test_a_user_is_guessed_at_a_few_times_only_whatever_address_is_claimed(
    client: httpx.Client,
) -> None:
    answers = [try_login(client, "some editor", number) for number in range(8)]

    assert [answer.status_code for answer in answers[:5]] == [401] * 5
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "TOO_MANY_ATTEMPTS"
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert_answered_alike(answers[0], answers[1])


def assert_answered_alike(one: httpx.Response, other: httpx.Response) -> None:
    assert one.json()["error"]["message"] == other.json()["error"]["message"]
    assert one.headers["WWW-Authenticate"] == other.headers["WWW-Authenticate"]


@asks("/login")
def test_an_address_guesses_at_many_users_a_few_times_only(client: httpx.Client) -> None:
    statuses = [try_login(client, f"user {n}", n).status_code for n in range(40)]

    assert statuses[:30] == [401] * 30
    assert statuses[-1] == 429


@asks("/login")
def test_who_exists_and_who_does_not_are_refused_in_the_same_words(
    client: httpx.Client, authorization: Authorization
) -> None:
    authorization("editor")

    assert_answered_alike(try_login(client, "some editor"), try_login(client, "nobody"))


# --- Tokens that are signed -----------------------------------------------------------------------


def now() -> int:
    return int(time.time())


def encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def good(
    authorization: Authorization, signer: Signer
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the token of an administrator with a session, its header and its claims."""
    token = authorization("admin")["Authorization"].removeprefix("Bearer ")
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return token, {"alg": "EdDSA", "typ": "at+jwt", "kid": signer.kid}, claims


CLAIMS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "past its end": lambda _: {"iat": now() - 2000, "exp": now() - 1100},
    "past its end by more than the leeway": lambda _: {"iat": now() - 932, "exp": now() - 32},
    "not yet valid": lambda _: {"nbf": now() + 300},
    "issued in the future": lambda _: {"iat": now() + 300, "exp": now() + 1200},
    "valid for a year": lambda _: {"exp": now() + 31_536_000},
    "valid for ever": lambda _: {"exp": 10**400},
    "without an end": lambda _: {"exp": None},
    "an end in text": lambda claims: {"exp": str(claims["exp"])},
    "an end with decimals": lambda claims: {"exp": claims["exp"] + 0.5},
    "an end of infinity": lambda _: {"exp": float("inf")},
    "an end that is true": lambda _: {"exp": True},
    "an end before its beginning": lambda claims: {"exp": claims["iat"]},
    "without an issuer": lambda _: {"iss": None},
    "of another issuer": lambda _: {"iss": "https://accounts.google.com"},
    "an issuer in a list": lambda claims: {"iss": [claims["iss"]]},
    "for another audience": lambda _: {"aud": "another-service"},
    "for two audiences": lambda claims: {"aud": [claims["aud"], "another-service"]},
    "for an audience in a list": lambda claims: {"aud": [claims["aud"]]},
    "for no audience": lambda _: {"aud": []},
    "without a subject": lambda _: {"sub": None},
    "an empty subject": lambda _: {"sub": ""},
    "a subject that is a number": lambda claims: {"sub": int(claims["sub"])},
    "a subject with NUL": lambda claims: {"sub": claims["sub"] + "\0"},
    "a subject with half a surrogate pair": lambda _: {"sub": "\ud800"},
    "a subject in other digits": lambda _: {"sub": "\u0661"},
    "a subject of 2^63": lambda _: {"sub": "9223372036854775808"},
    "a subject of 19 digits": lambda _: {"sub": "9999999999999999999"},
    "a subject of 400 digits": lambda _: {"sub": "9" * 400},
    "a subject as SQL": lambda _: {"sub": "1 or 1=1"},
    "another user's": lambda claims: {"sub": str(int(claims["sub"]) + 1)},
    "a session that is none": lambda _: {"sid": "0" * 32},
    "a session with NUL": lambda claims: {"sid": claims["sid"][:-1] + "\0"},
    "a session in a list": lambda claims: {"sid": [claims["sid"]]},
    "a session of 1,000 letters": lambda _: {"sid": "a" * 1000},
    "a token that is none": lambda claims: {"jti": claims["jti"][:-1] + "\0"},
    "an unknown role": lambda _: {"role": "root"},
    "a role in a list": lambda _: {"role": ["admin"]},
    "without a role": lambda _: {"role": None},
}


def signed(private_key_pem: str, header: object, claims: object) -> str:
    key = load_pem_private_key(private_key_pem.encode(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    signing_input = f"{encoded(header)}.{encoded(claims)}"
    return f"{signing_input}.{encoded(key.sign(signing_input.encode()))}"


def assert_refused(client: httpx.Client, token: str, *, good_one: str) -> None:
    started = time.monotonic()
    answer = client.delete("/movies.delete/tt0111161", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert time.monotonic() - started < 1
    assert not SECRET_OR_INSIDE.search(answer.text)
    assert_well(client)
    assert_deletes(client, {"Authorization": f"Bearer {good_one}"})


Good = tuple[str, dict[str, Any], dict[str, Any]]


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("change", list(CLAIMS.values()), ids=list(CLAIMS))
def test_a_token_of_ours_with_a_claim_that_is_not_is_refused(
    client: httpx.Client,
    private_key_pem: str,
    good: Good,
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    token, header, claims = good
    changed = {**claims, **change(claims)}
    present = {name: value for name, value in changed.items() if value is not None}

    assert_refused(client, signed(private_key_pem, header, present), good_one=token)


HEADERS: Final[dict[str, dict[str, Any]]] = {
    "no algorithm": {"alg": "none"},
    "a symmetric algorithm": {"alg": "HS256"},
    "the algorithm in lower case": {"alg": "eddsa"},
    "the algorithm in a list": {"alg": ["EdDSA"]},
    "of another type": {"typ": "JWT"},
    "a refresh token": {"typ": "rt+jwt"},
    "of no type": {"typ": None},
    "of an unknown key": {"kid": "unknown"},
    "a key's id with a way up": {"kid": "../../dev/null"},
    "a key's id as SQL": {"kid": "x' union select 'key' --"},
    "a key's id that is null": {"kid": None},
    "a key at an address": {"jku": "http://127.0.0.1:1/keys"},
    "a certificate at an address": {"x5u": "http://127.0.0.1:1/cert"},
    "a key of its own": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
    "an extension that must be understood": {"crit": ["x"], "x": 1},
    "a payload that is not encoded": {"crit": ["b64"], "b64": False},
    "compressed": {"zip": "DEF"},
}


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("change", list(HEADERS.values()), ids=list(HEADERS))
def test_a_token_of_ours_with_a_header_that_is_not_is_refused(
    client: httpx.Client, private_key_pem: str, good: Good, change: dict[str, Any]
) -> None:
    token, header, claims = good
    present = {name: value for name, value in {**header, **change}.items() if value is not None}

    assert_refused(client, signed(private_key_pem, present, claims), good_one=token)


def by_hmac(key: bytes, header: dict[str, Any], claims: dict[str, Any]) -> str:
    signing_input = f"{encoded({**header, 'alg': 'HS256'})}.{encoded(claims)}"
    digest = hmac.new(key, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{encoded(digest)}"


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
def test_our_public_key_is_no_secret_to_sign_with(
    client: httpx.Client, public_key_pem: str, good: Good
) -> None:
    token, header, claims = good
    for key in (public_key_pem.encode(), public_key_pem.strip().encode(), b""):
        answer = client.delete(
            "/movies.delete/tt0111161",
            headers={"Authorization": f"Bearer {by_hmac(key, header, claims)}"},
        )
        assert answer.status_code == 401

    assert_refused(client, by_hmac(b"x", header, claims), good_one=token)


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "HS384"])
def test_a_token_that_somebody_else_signed_is_refused(
    client: httpx.Client, good: Good, algorithm: str
) -> None:
    token, header, claims = good
    keys: dict[str, Any] = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": Ed25519PrivateKey.generate,
        "HS384": lambda: "k" * 64,
    }
    extra = {"typ": header["typ"], "kid": header["kid"]}
    forged = jwt.encode(claims, keys[algorithm](), algorithm=algorithm, headers=extra)

    assert_refused(client, forged, good_one=token)


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
def test_a_token_that_was_changed_in_any_part_is_refused(client: httpx.Client, good: Good) -> None:
    token, _, claims = good
    head, payload, signature = token.split(".")
    raised = encoded({**claims, "role": "admin", "exp": claims["exp"] + 1})
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    for changed in (
        f"{head}.{raised}.{signature}",
        f"{head}.{payload}.{flipped}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}=",
        f"{head}.{payload}.{signature}.",
        f"{head}.{payload}.{signature}A",
        f"{head}=.{payload}.{signature}",
        f"{payload}.{head}.{signature}",
        f"{token}, {token}",
        token[:-1],
    ):
        answer = client.delete(
            "/movies.delete/tt0111161", headers={"Authorization": f"Bearer {changed}"}
        )
        assert answer.status_code == 401, changed
        assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    assert_well(client)


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"",
        b"\xff",
        b"[" * 4000,
        b'{"a":' * 1000,
        b'{"exp": NaN}',
        b'{"exp": ' + b"9" * 4500 + b"}",
    ],
)
def test_a_signed_payload_that_is_no_set_of_claims_is_refused(
    client: httpx.Client, private_key_pem: str, good: Good, payload: bytes
) -> None:
    token, header, _ = good

    assert_refused(client, signed(private_key_pem, header, payload), good_one=token)


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
def test_a_claim_that_stands_there_twice_is_refused(
    client: httpx.Client, private_key_pem: str, good: Good
) -> None:
    token, header, claims = good
    twice = json.dumps(claims)[:-1] + ', "role": "admin"}'

    assert_refused(client, signed(private_key_pem, header, twice.encode()), good_one=token)


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
def test_a_token_is_worth_nothing_after_its_session(
    client: httpx.Client, good: Good, worker_database: TransactionalDatabase
) -> None:
    token, _, claims = good
    with worker_database.begin() as connection:
        connection.execute(text("delete from sessions where jti = :sid"), {"sid": claims["sid"]})

    answer = client.delete("/movies.delete/tt0111161", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert_well(client)


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
def test_a_session_of_one_user_is_not_lent_to_another(
    client: httpx.Client,
    private_key_pem: str,
    good: Good,
    authorization: Authorization,
) -> None:
    token, header, claims = good
    viewer = authorization("viewer")["Authorization"].removeprefix("Bearer ")
    viewers = jwt.decode(viewer, options={"verify_signature": False})
    borrowed = {**viewers, "sid": claims["sid"], "role": "admin"}

    assert_refused(client, signed(private_key_pem, header, borrowed), good_one=token)


@asks("/movies.delete/tt0111161")
@pytest.mark.usefixtures("catalogue")
def test_a_role_that_the_token_claims_is_not_believed(
    client: httpx.Client, private_key_pem: str, signer: Signer, authorization: Authorization
) -> None:
    viewer = authorization("viewer")["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(viewer, options={"verify_signature": False})
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": signer.kid}
    raised = signed(private_key_pem, header, {**claims, "role": "admin"})

    answer = client.delete(
        "/movies.delete/tt0111161", headers={"Authorization": f"Bearer {raised}"}
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert_well(client)


@asks("/movies.create")
def test_no_call_to_omdb_is_spent_on_what_is_refused(client: httpx.Client, omdb: DemoOmdb) -> None:
    for body in ({"title": ""}, {"title": "\x00"}, {"imdb_id": "tt1"}, {"title": "x", "year": 1}):
        assert client.post("/movies.create", json=body).status_code == 400

    assert omdb.calls == []
