"""`./dev smoke BASE_URL`: ask every route of a running service, deployed or local.

Nothing is written, no quota is used and no credential is needed: reads are read, writes are asked
for what they have to refuse. `--urls FILE` takes what `terraform output -json urls` prints, for a
service whose functions answer under URLs of their own.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from local.failure import Failure
from local.gateway import ROUTES

_TIMEOUT_SECONDS: Final = 30  # a cold start, and the database's first connection
_ATTEMPTS: Final = 4
_PAUSE_SECONDS: Final = 3.0
_PASSING: Final = frozenset({502, 503, 504})
_UNREACHABLE_FROM_OUTSIDE: Final = (403, 404)
_NO_MOVIE: Final = "tt0000000"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One request and what it has to be answered with.

    Attributes:
        path: What follows the route.
        code: The error's code, where the answer is an error of ours.
        judge: Says what else is wrong with the answer; None where nothing is.
    """

    method: str = "GET"
    path: str = ""
    body: object = None
    statuses: tuple[int, ...]
    code: str | None = None
    judge: Callable[[requests.Response], str | None] = lambda _: None


def _is_page(response: requests.Response) -> str | None:
    answer = _json(response)
    if not isinstance(answer.get("data"), list) or "total_records" not in answer.get(
        "pagination", {}
    ):
        return "it is no page of movies"
    if not response.headers.get("ETag"):
        return "it carries no ETag"
    return None


# By the function: each of `local.gateway.ROUTES` has to have some.
CHECKS: Final[Mapping[str, tuple[Check, ...]]] = MappingProxyType(
    {
        "movies_list": (
            Check(path="?number_of_records=1", statuses=(200,), judge=_is_page),
            Check(path="?page=0", statuses=(400,), code="INVALID_REQUEST"),
            Check(method="POST", statuses=(405,), code="METHOD_NOT_ALLOWED"),
        ),
        "movies_get": (
            Check(path=f"?imdb_id={_NO_MOVIE}", statuses=(404,), code="MOVIE_NOT_FOUND"),
            Check(statuses=(400,), code="INVALID_REQUEST"),
        ),
        "movies_create": (
            Check(method="POST", body={}, statuses=(400,), code="INVALID_REQUEST"),
            Check(statuses=(405,), code="METHOD_NOT_ALLOWED"),
        ),
        "movies_delete": (
            Check(method="DELETE", path=f"/{_NO_MOVIE}", statuses=(401,), code="UNAUTHORIZED"),
        ),
        "login": (Check(method="POST", body={}, statuses=(400,), code="INVALID_REQUEST"),),
        "imports_get": (Check(path="?id=1", statuses=(401,), code="UNAUTHORIZED"),),
        "imports_list": (Check(statuses=(401,), code="UNAUTHORIZED"),),
        "brew_coffee": (Check(method="POST", statuses=(418,), code="IM_A_TEAPOT"),),
        # Private: refused by IAM (403) or not routed (404); at home, where anyone may call them,
        # a GET is refused for its method.
        "movies_import": (Check(statuses=(405, *_UNREACHABLE_FROM_OUTSIDE)),),
        "migrate": (Check(statuses=(405, *_UNREACHABLE_FROM_OUTSIDE)),),
    }
)


def run(base_url: str | None, urls: Path | None = None) -> None:
    """Check every route, and print what came of each.

    Args:
        base_url: Where all routes are.
        urls: A file that names each function's own URL instead.

    Raises:
        Failure: A route does not answer as it has to.
    """
    failures = 0
    checked = 0
    with requests.Session() as session:
        for name, url in _targets(base_url, urls):
            for check in CHECKS.get(name, ()):
                checked += 1
                wrong = _wrong_with(session, url, check)
                failures += wrong is not None
                mark = "ok  " if wrong is None else "FAIL"
                print(f"{mark} {check.method:<6} {url}{check.path}{f'  {wrong}' if wrong else ''}")
            if name not in CHECKS:
                failures += 1
                print(f"FAIL {url}  there is no check for {name}: add one to local/smoke.py")
    if failures:
        raise Failure(f"{failures} of {checked} checks failed")
    print(f"All {checked} checks passed")


def _targets(base_url: str | None, urls: Path | None) -> Iterator[tuple[str, str]]:
    own = _own_urls(urls) if urls is not None else None
    for route, name in ROUTES.items():
        if own is None:
            base = _checked_url(base_url or "")
            yield name, base + route
            yield name, f"{base}/v1{route}"
        elif name in own:
            yield name, _checked_url(own[name]) + route
        else:
            raise Failure(f"{urls} names no URL of {name}")


def _own_urls(path: Path) -> dict[str, str]:
    try:
        named = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read: {error}") from error
    if not isinstance(named, dict) or not all(isinstance(url, str) for url in named.values()):
        raise Failure(f"{path} is not what `terraform output -json urls` prints: a JSON object")
    return named


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise Failure(f"{url!r} is no base URL: expected one such as https://movies.example.com")
    return url.rstrip("/")


def _wrong_with(session: requests.Session, url: str, check: Check) -> str | None:
    response = _ask(session, url, check)
    if isinstance(response, str):
        return response
    if response.status_code not in check.statuses:
        expected = " or ".join(map(str, check.statuses))
        return f"it answers {response.status_code}, not {expected}: {response.text[:200]!r}"
    if response.status_code in _UNREACHABLE_FROM_OUTSIDE and check.code is None:
        return None  # not our answer, but the platform's
    shared = "public" in response.headers.get("Cache-Control", "")
    if not shared and not response.headers.get("X-Request-Id"):
        return "it carries no X-Request-Id"
    if check.code is not None:
        code = _json(response).get("error", {}).get("code")
        if code != check.code:
            return f"its error is {code}, not {check.code}"
    return check.judge(response)


def _ask(session: requests.Session, url: str, check: Check) -> requests.Response | str:
    """Ask, and again where it may only have been too early; a text says why there is no answer."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            response = session.request(
                check.method,
                url + check.path,
                json=check.body,
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            answer: requests.Response | str = f"it does not answer: {type(error).__name__}"
        else:
            answer = response
            if response.status_code not in _PASSING or response.status_code in check.statuses:
                return response
        if attempt < _ATTEMPTS:
            time.sleep(_PAUSE_SECONDS)
    return answer


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
