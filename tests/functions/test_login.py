"""`POST /login`: what a session begins with."""

import httpx
import pytest

from lib.database.transactions import TransactionalDatabase
from tests.functions.conftest import LogIn
from tests.functions.sessions import bearer, refresh, sessions_of
from tests.support import ADMIN_PASSWORD, create_user


@pytest.mark.parametrize(("role", "hours"), [("viewer", 7 * 24), ("editor", 7 * 24), ("admin", 12)])
def test_a_login_tells_who_it_was_and_how_long_the_session_lasts(
    client: httpx.Client, log_in: LogIn, role: str, hours: int
) -> None:
    granted = log_in(role)

    assert granted["user"] == {"username": f"some {role}", "role": role}
    assert granted["refresh_expires_in"] == hours * 3600
    assert granted["token_type"] == "Bearer"
    assert refresh(client, granted["refresh_token"]).status_code == 200


def test_a_session_is_called_as_its_user_says(client: httpx.Client, log_in: LogIn) -> None:
    log_in("viewer", session_name="  my  phone ")

    [other, named] = sessions_of(client, log_in("viewer"))

    assert (other["name"], named["name"]) == (None, "my  phone")


def test_what_a_login_answers_is_kept_by_nobody(
    client: httpx.Client, database: TransactionalDatabase
) -> None:
    create_user(database, username="ed", password=ADMIN_PASSWORD, role="editor")

    for password, status in ((ADMIN_PASSWORD, 200), ("another", 401), ("", 400)):
        answer = client.post("/login", json={"username": "ed", "password": password})
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "private, no-store"


def test_of_more_than_twenty_sessions_the_idlest_ends(
    client: httpx.Client, log_in: LogIn, database: TransactionalDatabase
) -> None:
    first = log_in("viewer")
    with database.begin() as connection:
        connection.exec_driver_sql(
            "insert into sessions (jti, user_id, expires_at, last_used_at) "
            "select md5(n::text), id, now() + interval '1 day', now() from users, "
            "generate_series(1, 19) n"
        )

    latest = log_in("viewer")

    assert client.get("/sessions.list", headers=bearer(first)).status_code == 401
    assert refresh(client, first["refresh_token"]).status_code == 401
    assert client.get("/sessions.list", headers=bearer(latest)).status_code == 200
