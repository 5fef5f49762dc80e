"""`./dev user`: users from a terminal, with the rights of whom the environment names."""

import contextlib
from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final

from lib.accounts import administration, login, people
from lib.accounts.administration import Actor, Changes
from lib.accounts.codes import IssuedCode
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import NotFound, ServiceError
from lib.settings import require
from local.environment import prepare
from local.failure import Failure
from local.migrating import bring_up_to_date, cause

_OPERATOR: Final = Actor()
_AT_ONCE: Final = 100
_COLUMNS: Final = ("username", "role", "state", "created_at", "password_set_at")


def create(username: str, role: str) -> None:
    """Invite a user, and print the code that they choose a password with."""
    with _database(username, "no user was made") as database:
        user, code = administration.invite_user(database, _OPERATOR, username=username, role=role)
    print(f"Made {user['username']!r}, {role}, who has no password yet")
    _print_code(code)


def show(role: str | None, state: str | None) -> None:
    """Print users by name, one a line."""
    rows: list[tuple[str, ...]] = [_COLUMNS]
    with _database("", "no users can be listed") as database:
        cursor: str | None = None
        while True:
            asked = people.list_users(
                role=role, state=state, cursor=cursor, number_of_records=_AT_ONCE
            )
            page = database.answer(asked)
            rows += [tuple(str(user[name] or "-") for name in _COLUMNS) for user in page.records]
            cursor = page.next_cursor
            if cursor is None:
                break
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def update(username: str, changes: Changes) -> None:
    """Change a user, and say what they are then."""
    with _database(username, "nothing was changed") as database:
        user = administration.update_user(database, _OPERATOR, username=username, changes=changes)
    print(_describe(user))


def reset(username: str, *, end_sessions: bool) -> None:
    """Print a code that a user chooses a password with; one that they have works until then."""
    with _database(username, "no code was made") as database:
        code = administration.reset_password(
            database, _OPERATOR, username=username, end_sessions=end_sessions
        )
    print(f"{username!r} can choose a password; one that they have works until then")
    _print_code(code)


def delete(username: str) -> None:
    """Delete a user, and say so."""
    with _database(username, "nobody was deleted") as database:
        administration.delete_user(database, _OPERATOR, username=username)
    print(f"Deleted {username!r}, with all sessions and keys")


def clear(username: str, address: str | None) -> None:
    """Forget a user's failed logins, let them in from an address if one is named, and say so."""
    with _database(username, "nothing was cleared") as database:
        cleared = login.clear_failures(database, username=username, address=address)
    print(_describe_cleared(username, cleared, address))


@contextlib.contextmanager
def _database(username: str, failed: str) -> Iterator[TransactionalDatabase]:
    """Open the database, up to date if it is ours.

    Raises:
        Failure: What is done with it fails; it begins with what has not been done then.
    """
    with prepare() as environment:
        if environment.postgres:
            bring_up_to_date(environment)
        settings = require(DatabaseSettings, environment.variables)
        database = TransactionalDatabase(settings, statements=people.LISTING)
        try:
            yield database
        except NotFound as error:
            raise Failure(f"there is no user {username!r}") from error
        except ServiceError as error:
            raise Failure(f"{failed}: {error}{cause(error)}") from error
        finally:
            database.close()


def _print_code(code: IssuedCode) -> None:
    until = code.expires_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    print(f"Code, for POST /passwords.set until {until}; it is not shown again: {code.code}")


def _describe(user: dict[str, Any]) -> str:
    return f"{user['username']!r} is {user['role']}, {user['state']}"


def _describe_cleared(username: str, cleared: int, address: str | None) -> str:
    forgot = f"Cleared {cleared:,} counters of" if cleared else "There were no"
    told = f"{forgot} failed logins of {username!r}; a wait of the network they come from stays"
    if address is None:
        return told
    return f"{told}, but from {address} they are let in whatever fails elsewhere"
