"""What tests of the functions about people share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.support import ADMIN_PASSWORD

NEW_PASSWORD: Final = "tall giraffes eat acacia leaves"

Authorization = Callable[[str], dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Admin:
    """An administrator, "some admin", and what they ask for."""

    client: httpx.Client
    headers: dict[str, str]

    def post(self, path: str, **body: object) -> httpx.Response:
        """Post a body."""
        return self.client.post(path, json=body, headers=self.headers)

    def get(self, path: str, **query: str) -> httpx.Response:
        """Read something."""
        return self.client.get(path, params=query, headers=self.headers)

    def invite(self, username: str, role: str = "editor") -> str:
        """Invite a user, and give their code."""
        code: str = self.post("/users.create", username=username, role=role).json()["data"]["code"]
        return code

    def welcome(self, username: str, role: str = "editor") -> dict[str, str]:
        """Invite a user who then sets the usual password; give the headers of their token."""
        answer = choose(self.client, self.invite(username, role), ADMIN_PASSWORD)
        assert answer.status_code == 204
        return bearer(log_in(self.client, username))

    def audited(self, **query: str) -> list[tuple[str, str | None, str | None]]:
        """Return what the audit says was done, the newest first."""
        entries: list[dict[str, Any]] = self.get("/audit.list", **query).json()["data"]
        return [(entry["action"], entry["actor"], entry["subject"]) for entry in entries]


def log_in(client: httpx.Client, username: str, password: str = ADMIN_PASSWORD) -> httpx.Response:
    """Log in, or try to."""
    return client.post("/login", json={"username": username, "password": password})


def bearer(answer: httpx.Response) -> dict[str, str]:
    """Return the headers of the token that a login answered."""
    return {"Authorization": f"Bearer {answer.json()['data']['token']}"}


def choose(client: httpx.Client, code: str, password: str = NEW_PASSWORD) -> httpx.Response:
    """Choose a password with a code."""
    return client.post("/passwords.set", json={"code": code, "new_password": password})


def code_of(answer: httpx.Response) -> str:
    """Return the status and code of a refusal, as "409 LAST_ADMIN"."""
    return f"{answer.status_code} {answer.json()['error']['code']}"
