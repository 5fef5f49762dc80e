"""The sessions of a user, as they are told; `ending` ends them."""

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from lib.accounts.people import Page
from lib.accounts.roles import forbidden
from lib.accounts.usernames import USERNAME, fold_username
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import InvalidRequest
from lib.web.inputs import Input, Inputs
from lib.web.paging import DEFAULT_RECORDS, NUMBER_OF_RECORDS, decode_cursor, encode_cursor
from lib.web.rules import Rule, Schema

if TYPE_CHECKING:
    from lib.accounts.tokens import Claims

_PLACE: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{32})", re.ASCII)
_LONGEST_CURSOR: Final = 100


class Place(NamedTuple):
    """Where a list of sessions goes on: behind one, by its beginning in microseconds and its id."""

    begun: int
    session_id: str


class _CursorRule(Rule[Place]):
    """A cursor as this list gives it out."""

    rule = "must be a next_cursor of this list"

    def from_text(self, name: str, text: str) -> Place:
        """Read a cursor."""
        try:
            place = decode_cursor(text, longest=_LONGEST_CURSOR)
        except ValueError:
            place = ""
        found = _PLACE.fullmatch(place)
        if found is None:
            raise InvalidRequest(
                "The cursor is none that this list gave out. Start again without one.",
                fields={name: self.rule},
            )
        return Place(int(found[1]), found[2])

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "minLength": 1, "maxLength": _LONGEST_CURSOR}


LIST_PARAMETERS: Final = Inputs(
    {
        "username": Input(
            rule=USERNAME, about="Whose sessions, for administrators; else one's own."
        ),
        "number_of_records": NUMBER_OF_RECORDS,
        "cursor": Input(
            rule=_CursorRule(), about="A `next_cursor` of an earlier answer, to go on from there."
        ),
    }
)
_BEGUN: Final = "(extract(epoch from sessions.created_at) * 1000000)::bigint"
_LIST: Final = Statement(
    repeatable=True,
    sql=f"""
        select
            json_build_object(
                'id', sessions.jti, 'name', name, 'created_at', {utc_text("sessions.created_at")},
                'last_used_at', {utc_text("coalesce(last_used_at, sessions.created_at)")},
                'ends_at', {utc_text("expires_at")}, 'address', address,
                'is_this', sessions.jti = :session_id::text)::text,
            {_BEGUN} || ':' || sessions.jti
        from sessions join users on users.id = sessions.user_id
        where case when :username::text is null
                then users.id = :user_id::bigint else users.username = :username::text end
            and expires_at > now()
            and (:begun::bigint is null or ({_BEGUN}, sessions.jti) < (:begun::bigint, :id::text))
        order by {_BEGUN} desc, sessions.jti desc limit :records::bigint + 1
    """,  # noqa: S608  built from constants
)
LISTING: Final = (_LIST,)


def list_sessions(
    claims: "Claims",
    *,
    username: str | None = None,
    after: Place | None = None,
    records: int = DEFAULT_RECORDS,
) -> Query[Page]:
    """Ask for the sessions that are not over: one's own, or as an administrator another's.

    Those that began last come first.

    The database must have been made with the statements of `LISTING`.

    Args:
        claims: Of a token that was admitted.
        username: In any case; a user who does not exist has no sessions.

    Raises:
        Forbidden: They are another's, and the caller is no administrator.
    """
    if username is not None and claims.role != "admin":
        raise forbidden(
            "The sessions of others are for administrators: leave username out for your own."
        )
    begun, session_id = after or (None, None)
    values: Values = {
        "user_id": claims.user_id,
        "session_id": claims.session_id,
        "username": None if username is None else fold_username(username),
        "begun": begun,
        "id": session_id,
        "records": records,
    }
    return Query(statement=_LIST, values=values, read=lambda rows: _read_page(rows, records))


def _read_page(rows: Rows, records: int) -> Page:
    more = len(rows) > records
    return Page(
        records=[json.loads(shown) for shown, _ in rows[:records]],
        number_of_records=records,
        total_records=None,
        next_cursor=encode_cursor(rows[records - 1][1]) if more else None,
    )
