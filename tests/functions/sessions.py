"""What tests of sessions and keys do over HTTP."""

from collections.abc import Mapping
from typing import Any

import httpx


def bearer(granted: Mapping[str, Any]) -> dict[str, str]:
    """Return the header that the token of a login goes in."""
    return {"Authorization": f"Bearer {granted['token']}"}


def refresh(client: httpx.Client, refresh_token: str) -> httpx.Response:
    """Present a refresh token."""
    return client.post("/sessions.refresh", json={"refresh_token": refresh_token})


def end(client: httpx.Client, asked: Mapping[str, Any], **options: Any) -> httpx.Response:
    """End sessions."""
    return client.post("/sessions.end", json=asked, **options)


def sessions_of(
    client: httpx.Client, granted: Mapping[str, Any], **asked: str
) -> list[dict[str, Any]]:
    """Return the sessions that a user sees."""
    answer = client.get("/sessions.list", params=asked, headers=bearer(granted))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def make_key(
    client: httpx.Client, granted: Mapping[str, Any], role: str = "editor"
) -> dict[str, Any]:
    """Make a key, and return what is told of it."""
    asked = {"name": "ci", "role": role, "expires_in_days": 1}
    answer = client.post("/keys.create", json=asked, headers=bearer(granted))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of an error."""
    return answer.status_code, answer.json()["error"]["code"]
