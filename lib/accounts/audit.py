"""The audit: who did what, to what, when and from where, written in the transaction that acts.

Nobody changes an entry, and a function of the database's owner takes it out after 400 days. A
trigger says when it was, and what its actor is called. No secret is ever in one: a name that nobody
was let in by stands there as its digest.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from lib.web.logs import current_request

if TYPE_CHECKING:
    from sqlalchemy import Connection

Action = Literal[
    "login", "login.refused",
    "session.ended", "session.reused",
    "password.changed", "password.refused", "password.set",
    "user.created", "user.updated", "user.reset", "user.deleted",
    "key.created", "key.deleted",
    "movie.deleted",
]  # fmt: skip

_COLUMNS: Final = "actor_id, action, subject, address, request_id, details"


def write(
    connection: "Connection",
    action: Action,
    *,
    actor_id: int | None,
    subject: str | None,
    address: str | None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Write an entry in a transaction; `audit_log: insert` is all the right that it takes.

    Args:
        actor_id: Whose token it was; None where nobody knows.
        subject: What was done something to: a username, a session's or a key's id, a movie's.
        address: Where the request came from.
        details: What else an administrator may want to know, such as the role before and after.
    """
    connection.exec_driver_sql(
        f"insert into audit_log ({_COLUMNS}) values (%s, %s, %s, %s, %s, cast(%s as json))",  # noqa: S608  built from a constant
        (
            actor_id,
            action,
            subject,
            address or None,
            _request_id(),
            None if details is None else json.dumps(details),
        ),
    )


def writing(action: Action, *, of: str, subject: str, actor: str = ":actor_id::bigint") -> str:
    """Return the part of a statement that writes an entry for each of some rows.

    It is a common table's content: `written as ({writing(...)})`. The statement's values are those
    of `values`, and where the actor is none of the rows' own, `actor_id`.

    Args:
        of: The common table that has the rows that were acted on.
        subject: The SQL of what was done something to.
        actor: The SQL of whose doing it was.
    """
    return f"""
        insert into audit_log ({_COLUMNS})
        select {actor}, '{action}', {subject}, :address::text, :request_id::text, null from {of}
    """  # noqa: S608  built from constants


def values(address: str | None) -> dict[str, str | int | None]:
    """Return the values that `writing` needs: where a request came from, and its id."""
    return {"address": address or None, "request_id": _request_id()}


def _request_id() -> str | None:
    request = current_request.get()
    return None if request is None else request.request_id
