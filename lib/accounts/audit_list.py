"""The list of what was done, the newest first, for administrators."""

import json
import re
from datetime import UTC, datetime
from typing import Final, NoReturn, get_args

from lib.accounts.audit import Action
from lib.accounts.people import Page
from lib.accounts.usernames import fold_username
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import InvalidRequest

ACTIONS: Final[tuple[str, ...]] = get_args(Action)

# Not counted: that would read all of a log that nobody reads all of.
_LIST: Final = Statement(
    repeatable=True,
    sql=f"""
        select coalesce(json_agg(shown), '[]')::text from (
            select json_build_object(
                'id', id, 'at', {utc_text("at")}, 'actor', actor, 'action', action,
                'subject', subject, 'address', address, 'request_id', request_id,
                'details', details) as shown
            from audit_log
            where id < :before::bigint
                and (:actor::text is null or actor = :actor::text)
                and (:action::text is null or action = :action::text)
                and (:since::text is null or at >= :since::timestamptz)
            order by id desc limit :records::bigint + 1) page
    """,  # noqa: S608  built from constants
)
LISTING: Final = (_LIST,)
_LAST_ID: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
# A day, or a moment with its place.
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?",
    re.ASCII,
)


def list_entries(
    *,
    actor: str | None = None,
    action: str | None = None,
    since: str | None = None,
    cursor: str | None = None,
    records: int = 10,
) -> Query[Page]:
    """Ask for a page of the audit, a part of it where filters say which.

    Args:
        actor: A username, also of a user who is gone.
        since: A day, or a moment after RFC 3339.

    Raises:
        InvalidRequest: A filter or the cursor can be none.
    """
    if action is not None and action not in ACTIONS:
        _refuse("action", f"must be one of {', '.join(ACTIONS)}")

    def read(rows: Rows) -> Page:
        found = json.loads(rows[0][0])
        more = len(found) > records
        return Page(
            records=found[:records],
            number_of_records=records,
            total_records=None,
            next_cursor=str(found[records - 1]["id"]) if more else None,
        )

    values: Values = {
        "before": _LAST_ID if cursor is None else _read_cursor(cursor),
        "actor": None if actor is None else fold_username(actor, member="actor"),
        "action": action,
        "since": None if since is None else _read_moment(since),
        "records": records,
    }
    return Query(statement=_LIST, values=values, read=read)


def _read_cursor(cursor: str) -> int:
    if _NUMBER.fullmatch(cursor) is None or int(cursor) > _LAST_ID:
        _refuse("cursor", "must be a next_cursor of this list")
    return int(cursor)


def _read_moment(text: str) -> str:
    """Return a moment in UTC; a day is its first."""
    expected = "must be a day such as 2026-05-01, or a moment such as 2026-05-01T12:00:00Z"
    if _MOMENT.fullmatch(text) is None:
        _refuse("since", expected)
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        _refuse("since", expected)


def _refuse(name: str, what: str) -> NoReturn:
    raise InvalidRequest(f"{name} {what}.", fields={name: what})
