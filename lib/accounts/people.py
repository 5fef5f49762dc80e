"""Users as administrators see them, and the list of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lib.accounts.roles import ROLES
from lib.accounts.usernames import fold_username
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import InvalidRequest
from lib.web.paging import decode_cursor, encode_cursor

STATES: Final = ("active", "invited", "disabled")

_STATE: Final = """
    case when disabled_at is not null then 'disabled'
        when invited then 'invited' else 'active' end
"""
SHOWN: Final = f"""
    json_build_object(
        'username', username, 'role', role, 'state', {_STATE},
        'created_at', {utc_text("created_at")}, 'changed_at', {utc_text("changed_at")},
        'password_set_at', {utc_text("password_set_at")},
        'disabled_at', {utc_text("disabled_at")})
"""
_FILTERS: Final = f"""
    (:username::text is null or username = :username::text)
    and (:role::text is null or role = :role::text)
    and (:state::text is null or {_STATE} = :state::text)
"""
_LIST: Final = Statement(
    repeatable=True,
    sql=f"""
        select
            (select coalesce(json_agg(shown), '[]')::text from (
                select {SHOWN} as shown from users
                where {_FILTERS} and (:after::text is null or username collate "C" > :after::text)
                order by username collate "C" limit :records::bigint + 1) page),
            (select count(*) from users where {_FILTERS})
    """,  # noqa: S608  built from constants
)
LISTING: Final = (_LIST,)
_LONGEST_CURSOR: Final = 600  # of a name of a hundred characters


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a list, and where it goes on.

    Attributes:
        total_records: None where nobody counts.
    """

    records: list[Mapping[str, Any]]
    number_of_records: int
    total_records: int | None
    next_cursor: str | None

    def as_body(self) -> bytes:
        """Return the answer's body."""
        pagination = {
            "page": None,
            "number_of_records": self.number_of_records,
            "total_records": self.total_records,
            "next_cursor": self.next_cursor,
        }
        return json.dumps({"data": self.records, "pagination": pagination}).encode()


def list_users(
    *,
    username: str | None = None,
    role: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    records: int = 10,
) -> Query[Page]:
    """Ask for a page of users by name, some of them where filters say which.

    Raises:
        InvalidRequest: A filter or the cursor can be none.
    """
    _demand_one_of("role", role, ROLES)
    _demand_one_of("state", state, STATES)

    def read(rows: Rows) -> Page:
        [[shown, total]] = rows
        found = json.loads(shown)
        more = len(found) > records
        return Page(
            records=found[:records],
            number_of_records=records,
            total_records=total,
            next_cursor=encode_cursor(found[records - 1]["username"]) if more else None,
        )

    values: Values = {
        "username": None if username is None else fold_username(username),
        "role": role,
        "state": state,
        "after": None if cursor is None else _decode(cursor),
        "records": records,
    }
    return Query(statement=_LIST, values=values, read=read)


def _demand_one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        what = f"must be one of {', '.join(allowed)}"
        raise InvalidRequest(f"{name} {what}.", fields={name: what})


def _decode(cursor: str) -> str:
    try:
        after = decode_cursor(cursor, longest=_LONGEST_CURSOR)
        if encode_cursor(after) == cursor and fold_username(after) == after:
            return after
    except (ValueError, InvalidRequest):
        pass
    raise InvalidRequest(
        "The cursor is none that this list gave out. Start again without one.",
        fields={"cursor": "must be a next_cursor of this list"},
    )
