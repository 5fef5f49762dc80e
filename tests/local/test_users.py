"""`./dev user`, as a process: what a person at the terminal sees, and what it did."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx
import pytest

from lib.accounts.password_changes import set_password
from lib.accounts.throttle import FREE_FOR_USER, count_attempt
from lib.database.transactions import TransactionalDatabase
from lib.web.networks import network_of
from tests.support import ADMIN_PASSWORD, asks, create_user

ROOT: Final = Path(__file__).resolve().parents[2]
LAST: Final = "There would be no active administrator any more: make another one before."


def run(database_url: str, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-m", "local", "user", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
            "OMDB_API_KEY": "theirs",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def log_in(client: httpx.Client, password: str = ADMIN_PASSWORD) -> int:
    credentials = {"username": "some editor", "password": password}
    return client.post("/login", json=credentials).status_code


@pytest.fixture
def waiting(client: httpx.Client, database: TransactionalDatabase) -> httpx.Client:
    """Return a client whose user has to wait."""
    create_user(database, username="some editor", password=ADMIN_PASSWORD, role="editor")
    while log_in(client, "wrong") == 401:
        pass
    return client


@asks("/login")
def test_a_user_who_waits_is_cleared_and_gets_in(waiting: httpx.Client, database_url: str) -> None:
    code, output, errors = run(database_url, "clear", " Some EDITOR")

    assert (code, errors) == (0, "")
    assert output == (
        "Cleared 2 counters of failed logins of ' Some EDITOR'; "
        "a wait of the network they come from stays\n"
    )
    assert log_in(waiting) == 200


def test_where_nothing_failed_it_says_so(
    client: httpx.Client, database: TransactionalDatabase, database_url: str
) -> None:
    assert client
    create_user(database, username="some editor", password=ADMIN_PASSWORD, role="editor")

    code, output, _ = run(database_url, "clear", "some editor", "--from", "198.51.100.7")

    assert code == 0
    assert output == (
        "There were no failed logins of 'some editor'; a wait of the network they come from stays, "
        "but from 198.51.100.7 they are let in whatever fails elsewhere\n"
    )


@asks("/login")
def test_what_the_runbook_says_in_sql_does_the_same(
    waiting: httpx.Client, database: TransactionalDatabase
) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    [sql] = re.findall(r"```sql\n(delete from login_failures .*?)```", runbook, re.DOTALL)
    sql = sql.replace("'admin'", "'some editor'").replace("203.0.113.7", "127.0.0.1")

    with database.begin() as connection:
        for statement in sql.split(";\n")[:2]:
            connection.exec_driver_sql(statement)
        for turn in range(FREE_FOR_USER + 1):
            elsewhere = network_of(f"198.51.100.{turn}")
            count_attempt(connection, username="some editor", network=elsewhere, known=False)

    assert log_in(waiting) == 200


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nobody",), "dev: there is no user 'nobody'\n"),
        (("some editor", "--from", "home"),
         "dev: nothing was cleared: The address is not accepted: expected an IP address.\n"),
        (("",),
         "dev: nothing was cleared: The username is not accepted: expected 1 to 100 characters.\n"),
    ],
)  # fmt: skip
def test_who_or_where_does_not_exist_is_one_line(
    database_url: str, arguments: tuple[str, ...], complaint: str
) -> None:
    assert run(database_url, "clear", *arguments) == (1, "", complaint)


def people(database: TransactionalDatabase) -> list[tuple[object, ...]]:
    with database.begin() as connection:
        found = connection.exec_driver_sql(
            "select username, role, disabled_at is not null, invited from users order by username"
        )
        return [tuple(row) for row in found]


def test_a_user_is_invited_and_the_code_printed_opens_their_account(
    database: TransactionalDatabase, database_url: str
) -> None:
    code, output, errors = run(database_url, "create", " Some EDITOR", "--role", "editor")

    assert (code, errors) == (0, "")
    made, told = output.splitlines()
    assert made == "Made 'some editor', editor, who has no password yet"
    assert told.startswith("Code, for POST /passwords.set until ")
    assert people(database) == [("some editor", "editor", False, True)]
    set_password(database, code=told.split()[-1], new_password=ADMIN_PASSWORD, address="192.0.2.1")
    assert people(database) == [("some editor", "editor", False, False)]


def test_users_are_changed_reset_listed_and_deleted(
    database: TransactionalDatabase, database_url: str
) -> None:
    for name, role in (("ann", "admin"), ("bob", "viewer")):
        create_user(database, username=name, password=ADMIN_PASSWORD, role=role)

    assert run(database_url, "role", "bob", "editor")[:2] == (0, "'bob' is editor, active\n")
    assert run(database_url, "disable", "bob")[:2] == (0, "'bob' is editor, disabled\n")
    listed = run(database_url, "list", "--state", "disabled")[1].splitlines()
    assert [line.split()[:3] for line in listed] == [
        ["username", "role", "state"],
        ["bob", "editor", "disabled"],
    ]
    assert run(database_url, "enable", "bob")[:2] == (0, "'bob' is editor, active\n")
    reset = run(database_url, "reset", "bob", "--end-sessions")
    assert reset[0] == 0
    assert reset[1].splitlines()[1].split()[-1].startswith("smc_")
    assert run(database_url, "delete", "bob")[:2] == (
        0,
        "Deleted 'bob', with all sessions and keys\n",
    )
    assert people(database) == [("ann", "admin", False, False)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("create", "ANN"), "no user was made: There is another user of this name."),
        (("create", "bob", "--role", "owner"),
         "no user was made: The role is not accepted: expected one of viewer, editor, admin."),
        (("list", "--state", "gone"),
         "no users can be listed: state must be one of active, invited, disabled."),
        (("role", "nobody", "viewer"), "there is no user 'nobody'"),
        (("reset", "nobody"), "there is no user 'nobody'"),
        (("role", "ann", "viewer"), f"nothing was changed: {LAST}"),
        (("disable", "ann"), f"nothing was changed: {LAST}"),
        (("delete", "ann"), f"nobody was deleted: {LAST}"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(
    database: TransactionalDatabase,
    database_url: str,
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    create_user(database, username="ann", password=ADMIN_PASSWORD, role="admin")

    assert run(database_url, *arguments) == (1, "", f"dev: {complaint}\n")


def test_a_database_that_does_not_answer_is_one_line() -> None:
    code, _, errors = run("postgresql+pg8000://someone:hush@127.0.0.1:1/films", "clear", "ann")

    assert code == 1
    assert errors.startswith("dev: nothing was cleared: ")
    assert errors.count("\n") == 1
    assert "hush" not in errors


@pytest.mark.parametrize("arguments", [(), ("clear",), ("unlock", "ann"), ("role", "ann")])
def test_what_is_no_verb_shows_the_usage(arguments: tuple[str, ...]) -> None:
    code, _, errors = run("", *arguments)

    assert code == 2
    assert errors.startswith("usage: ./dev user")
