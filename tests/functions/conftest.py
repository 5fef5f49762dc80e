"""Who asks the functions about people, sessions and keys."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lib.database.transactions import TransactionalDatabase
from tests.functions.people import Admin, Authorization
from tests.support import ADMIN_PASSWORD, create_user

Granted = dict[str, Any]
LogIn = Callable[..., Granted]


@pytest.fixture
def admin(client: httpx.Client, authorization: Authorization) -> Admin:
    """Return an administrator, the only one."""
    return Admin(client=client, headers=authorization("admin"))


@pytest.fixture
def log_in(client: httpx.Client, database: TransactionalDatabase) -> LogIn:
    """Log in, and give what the answer has: `log_in("editor")` is the user "some editor"."""
    made: set[str] = set()

    def begin(role: str, **more: str) -> Granted:
        username = f"some {role}"
        if username not in made:
            create_user(database, username=username, password=ADMIN_PASSWORD, role=role)
            made.add(username)
        answer = client.post(
            "/login", json={"username": username, "password": ADMIN_PASSWORD, **more}
        )
        assert answer.status_code == 200, answer.text
        granted: Granted = answer.json()["data"]
        return granted

    return begin
