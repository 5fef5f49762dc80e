"""`./dev smoke BASE_URL`: ask every route of a running service, deployed or local.

Nothing is written, no quota is used and no credential is needed: reads are read, writes are asked
for what they have to refuse. `--urls FILE` takes what `terraform output -json urls` prints, for a
service whose functions answer under URLs of their own.
"""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from local.failure import Failure
from local.functions import Check, read_functions

_TIMEOUT_SECONDS: Final = 30  # a cold start, and the database's first connection
_ATTEMPTS: Final = 4
_PAUSE_SECONDS: Final = 3.0
# On a private network an instance waits for its way to the database before it opens its port
# (../terraform/functions.tf says how long); its callers wait with it, or Cloud Run refuses them.
# https://cloud.google.com/run/docs/about-instance-autoscaling
_PATIENCE_SECONDS: Final = 180.0
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_TIMED_OUT: Final = f"it does not answer within {_TIMEOUT_SECONDS} seconds"
_UNREACHABLE_FROM_OUTSIDE: Final = (403, 404)


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
        for check, url in _questions(base_url, urls):
            checked += 1
            # Where one was waited for in vain, the others are not.
            wrong = _find_fault(session, url, check, patient=failures == 0)
            failures += wrong is not None
            mark = "ok  " if wrong is None else "FAIL"
            print(f"{mark} {check.method:<6} {url}{f'  {wrong}' if wrong else ''}")
    if failures:
        raise Failure(f"{failures} of {checked} checks failed")
    print(f"All {checked} checks passed")


def _questions(base_url: str | None, urls: Path | None) -> Iterator[tuple[Check, str]]:
    own = _own_urls(urls) if urls is not None else None
    for function in read_functions().values():
        if own is None:
            base = checked_url(base_url or "")
            bases = [base, f"{base}/v1"]
        elif function.name in own:
            bases = [checked_url(own[function.name])]
        else:
            raise Failure(f"{urls} names no URL of {function.name}")
        for base in bases:
            for check in function.checks:
                yield check, base + check.target


def _own_urls(path: Path) -> dict[str, str]:
    try:
        named = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read: {error}") from error
    if not isinstance(named, dict) or not all(isinstance(url, str) for url in named.values()):
        raise Failure(f"{path} is not what `terraform output -json urls` prints: a JSON object")
    return named


def checked_url(url: str) -> str:
    """Return an address without a slash at its end, or say that it is none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise Failure(f"{url!r} is no base URL: expected one such as https://movies.example.com")
    return url.rstrip("/")


def _find_fault(session: requests.Session, url: str, check: Check, *, patient: bool) -> str | None:
    response = _ask(session, url, check, patient=patient)
    if isinstance(response, str):
        return response
    if response.status_code not in check.statuses:
        expected = " or ".join(map(str, check.statuses))
        return f"it answers {response.status_code}, not {expected}: {response.text[:200]!r}"
    if response.status_code in _UNREACHABLE_FROM_OUTSIDE and check.code is None:
        return None  # not our answer, but the platform's
    return _find_missing(response, check)


def _find_missing(response: requests.Response, check: Check) -> str | None:
    answer = json_object(response)
    shared = "public" in response.headers.get("Cache-Control", "")
    for name in (*([] if shared else ["X-Request-Id"]), *check.headers):
        if name not in response.headers:
            return f"it carries no {name}"
    for member in check.members:
        if not _has(answer, member):
            return f"its body has no {member}"
    code = answer.get("error", {}).get("code")
    if check.code not in {None, code}:
        return f"its error is {code}, not {check.code}"
    return None


def _has(answer: object, member: str) -> bool:
    for name in member.split("."):
        if not isinstance(answer, dict) or name not in answer:
            return False
        answer = answer[name]
    return True


def _ask(
    session: requests.Session, url: str, check: Check, *, patient: bool
) -> requests.Response | str:
    """Ask, and again where it may only have been too early; a text says why there is no answer."""
    end = time.monotonic() + (_PATIENCE_SECONDS if patient else 0)
    for attempt in itertools.count(1):
        answer = _ask_once(session, url, check)
        is_early = answer == _TIMED_OUT
        if not isinstance(answer, str):
            if answer.status_code not in _PASSING or answer.status_code in check.statuses:
                return answer
            is_early = True
        if attempt >= _ATTEMPTS and not (is_early and time.monotonic() < end):
            break
        time.sleep(_PAUSE_SECONDS)
    return answer


def _ask_once(session: requests.Session, url: str, check: Check) -> requests.Response | str:
    try:
        return session.request(
            check.method, url, json=check.body, timeout=_TIMEOUT_SECONDS, allow_redirects=False
        )
    except requests.Timeout:
        return _TIMED_OUT
    except requests.RequestException as error:
        return f"it does not answer: {type(error).__name__}"


def json_object(response: requests.Response) -> dict[str, Any]:
    """Return the object that an answer holds; an empty one where it holds something else."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
