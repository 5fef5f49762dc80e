"""Users as administrators see them, the list of them, and what is asked to change them."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from lib.accounts.roles import ROLES
from lib.accounts.usernames import USERNAME, USERNAME_TO_DELETE, fold_username
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import InvalidRequest
from lib.web.inputs import Alternative, Input, Inputs
from lib.web.paging import DEFAULT_RECORDS, NUMBER_OF_RECORDS, decode_cursor, encode_cursor
from lib.web.rules import Flag, OneOf, Rule, Schema

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


class _CursorRule(Rule[str]):
    """A cursor of the list, which stays as it was sent."""

    rule = "must be a next_cursor of this list"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        del name
        _decode(text)
        return text

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "minLength": 1, "maxLength": _LONGEST_CURSOR}


def refuse_to_change_nothing(given: Collection[str]) -> NoReturn:
    """Say what can be changed of a user."""
    del given
    raise InvalidRequest("Nothing is to be changed: give role, disabled or new_username.")


_ROLE: Final = Input(rule=OneOf(ROLES), about="What they may do.", required=True, example="editor")
_NAME: Final = Input(
    rule=USERNAME, about="The user's name, in any case.", required=True, example="ana"
)
LIST_PARAMETERS: Final = Inputs(
    {
        "username": Input(rule=USERNAME, about="Only the user of this name."),
        "role": Input(rule=OneOf(ROLES), about="Only users of this role."),
        "state": Input(
            rule=OneOf(STATES),
            about="Only users in this state; who is `invited` has chosen no password yet.",
        ),
        "number_of_records": NUMBER_OF_RECORDS,
        "cursor": Input(
            rule=_CursorRule(), about="A `next_cursor` of an earlier answer, to go on from there."
        ),
    }
)
# What is asked of `users.create`, `users.update`, `users.reset_password`, `users.delete`.
CREATING: Final = Inputs(
    {
        "username": _NAME._replace(about="What the user will log in as: compared in any case."),
        "role": _ROLE,
    }
)
UPDATING: Final = Inputs(
    {
        "username": _NAME,
        "role": _ROLE._replace(required=False, about="What they may do from now on."),
        "disabled": Input(
            rule=Flag(),
            about="Whether nobody is let in as this user. Their sessions, keys and code end then.",
        ),
        "new_username": Input(rule=USERNAME, about="What the user will log in as from now on."),
    },
    # Each in one way, whatever of them is given.
    alternatives=(
        Alternative("the role, and more", ("role",), ("disabled", "new_username")),
        Alternative("the state, and perhaps the name", ("disabled",), ("new_username",)),
        Alternative("the name", ("new_username",)),
    ),
    refuse=refuse_to_change_nothing,
)
RESETTING: Final = Inputs(
    {
        "username": _NAME,
        "end_sessions": Input(
            rule=Flag(), about="Whether the user's sessions end at once.", default=False
        ),
    }
)
DELETING: Final = Inputs({"username": _NAME._replace(rule=USERNAME_TO_DELETE)})


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
    number_of_records: int = DEFAULT_RECORDS,
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
        more = len(found) > number_of_records
        return Page(
            records=found[:number_of_records],
            number_of_records=number_of_records,
            total_records=total,
            next_cursor=encode_cursor(found[number_of_records - 1]["username"]) if more else None,
        )

    values: Values = {
        "username": None if username is None else fold_username(username),
        "role": role,
        "state": state,
        "after": None if cursor is None else _decode(cursor),
        "records": number_of_records,
    }
    return Query(statement=_LIST, values=values, read=read)


def _demand_one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        what = f"must be one of {', '.join(allowed)}"
        raise InvalidRequest(f"{name} {what}.", fields={name: what})


def _decode(cursor: str) -> str:
    try:
        after = decode_cursor(cursor, longest=_LONGEST_CURSOR)
        if fold_username(after) == after:
            return after
    except (ValueError, InvalidRequest):
        pass
    raise InvalidRequest(
        "The cursor is none that this list gave out. Start again without one.",
        fields={"cursor": _CursorRule.rule},
    )
