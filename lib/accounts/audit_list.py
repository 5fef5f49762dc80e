"""The list of what was done, the newest first, for administrators."""

import json
import re
from datetime import UTC, datetime
from typing import Final, get_args

from lib.accounts.audit import Action
from lib.accounts.people import Page
from lib.accounts.usernames import USERNAME, fold_username
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.web.inputs import Input, Inputs
from lib.web.paging import DEFAULT_RECORDS, NUMBER_OF_RECORDS
from lib.web.parsing import refuse
from lib.web.rules import OneOf, Rule, Schema

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
_ACTION: Final = OneOf(ACTIONS)


class _CursorRule(Rule[str]):
    """An entry's id as the list gives it out, which stays the text that callers carry."""

    rule = "must be a next_cursor of this list"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        if _NUMBER.fullmatch(text) is None or int(text) > _LAST_ID:
            refuse(name, self.rule)
        return text

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "pattern": f"^{_NUMBER.pattern}$"}


class _MomentRule(Rule[str]):
    """A day, or a moment; what is read of it is in UTC, and a day its first moment."""

    rule = "must be a day such as 2026-05-01, or a moment such as 2026-05-01T12:00:00Z"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        if _MOMENT.fullmatch(text) is None:
            refuse(name, self.rule)
        try:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            refuse(name, self.rule)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "pattern": f"^{_MOMENT.pattern}$"}


_CURSOR: Final = _CursorRule()
_SINCE: Final = _MomentRule()
PARAMETERS: Final = Inputs(
    {
        "actor": Input(rule=USERNAME, about="Only what this user did, who may be gone since."),
        "action": Input(rule=_ACTION, about="Only what was done of this kind."),
        "since": Input(
            rule=_SINCE,
            about="Only what was done since this day (UTC) or moment (RFC 3339).",
            example="2026-05-01",
        ),
        "number_of_records": NUMBER_OF_RECORDS,
        "cursor": Input(
            rule=_CURSOR, about="A `next_cursor` of an earlier answer, to go on from there."
        ),
    }
)


def list_entries(
    *,
    actor: str | None = None,
    action: str | None = None,
    since: str | None = None,
    cursor: str | None = None,
    number_of_records: int = DEFAULT_RECORDS,
) -> Query[Page]:
    """Ask for a page of the audit, a part of it where filters say which.

    Args:
        actor: A username, also of a user who is gone.
        since: A day, or a moment after RFC 3339.

    Raises:
        InvalidRequest: A filter or the cursor can be none.
    """

    def read(rows: Rows) -> Page:
        found = json.loads(rows[0][0])
        more = len(found) > number_of_records
        return Page(
            records=found[:number_of_records],
            number_of_records=number_of_records,
            total_records=None,
            next_cursor=str(found[number_of_records - 1]["id"]) if more else None,
        )

    values: Values = {
        "before": _LAST_ID if cursor is None else int(_CURSOR.from_text("cursor", cursor)),
        "actor": None if actor is None else fold_username(actor, member="actor"),
        "action": None if action is None else _ACTION.from_text("action", action),
        "since": None if since is None else _SINCE.from_text("since", since),
        "records": number_of_records,
    }
    return Query(statement=_LIST, values=values, read=read)
