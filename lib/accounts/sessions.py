"""The sessions of a user, and ending them: this one, another, all of them, or whose token one has.

Whoever asks by an access token was admitted before; whoever has the refresh token needs no other.
It is no fault that there is nothing to end any more.
"""

import json
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from lib.accounts import audit
from lib.accounts.people import Page
from lib.accounts.refresh_tokens import REFRESH_TOKEN, RefreshToken, sound_alarm
from lib.accounts.usernames import USERNAME, fold_username
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import Forbidden, InvalidRefreshToken, InvalidRequest
from lib.web.inputs import Alternative, Input, Inputs
from lib.web.paging import DEFAULT_RECORDS, NUMBER_OF_RECORDS, decode_cursor, encode_cursor
from lib.web.parsing import refuse
from lib.web.rules import Flag, Rule, Schema

if TYPE_CHECKING:
    from lib.accounts.tokens import Claims

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PLACE: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{32})", re.ASCII)
_LONGEST_CURSOR: Final = 100


class Place(NamedTuple):
    """Where a list of sessions goes on: behind one, by its beginning in microseconds and its id."""

    begun: int
    session_id: str


class _IdRule(Rule[str]):
    """A session's id."""

    rule = "must be a session's id, 32 digits from 0 to f"

    def from_text(self, name: str, text: str) -> str:
        """Read an id."""
        if not _ID.fullmatch(text):
            refuse(name, self.rule)
        return text

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "pattern": f"^{_ID.pattern}$"}


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
        if found is None or encode_cursor(place) != text:
            raise InvalidRequest(
                "The cursor is none that this list gave out. Start again without one.",
                fields={name: self.rule},
            )
        return Place(int(found[1]), found[2])

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "minLength": 1, "maxLength": _LONGEST_CURSOR}


class _YesRule(Rule[bool]):
    """What is there or not, and never false."""

    rule = "must be true"

    def from_text(self, name: str, text: str) -> bool:
        """Read a parameter."""
        return self.from_json(name, text == "true")

    def from_json(self, name: str, value: object) -> bool:
        """Read a member."""
        if value is not True:
            refuse(name, self.rule)
        return True

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "boolean", "const": True}


def _refuse_mix(given: Collection[str]) -> NoReturn:
    if "except_this" in given and "all" not in given:
        raise InvalidRequest(
            "except_this leaves one of all out: give all as well.",
            fields={"except_this": "only with all"},
        )
    raise InvalidRequest(
        "Give one of id, refresh_token and all, or none for the session of the token.",
        fields={name: "must stand alone" for name in ("id", "refresh_token") if name in given},
    )


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
END_MEMBERS: Final = Inputs(
    {
        "id": Input(rule=_IdRule(), about="Of one's own sessions; an administrator's, of all."),
        "refresh_token": Input(
            rule=REFRESH_TOKEN,
            about="The latest one of the session that is to end, or the one before it; one that is "
            "older ends it too, as stolen. It needs no token beside it.",
        ),
        "all": Input(rule=_YesRule(), about="All of one's own sessions."),
        "except_this": Input(
            rule=Flag(), about="Whether that of the token goes on.", default=False
        ),
    },
    alternatives=(
        Alternative("this session"),
        Alternative("a session", required=("id",)),
        Alternative("the session of a refresh token", required=("refresh_token",)),
        Alternative("all sessions", required=("all",), optional=("except_this",)),
    ),
    refuse=_refuse_mix,
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
_WRITTEN: Final = f"""
    written as ({audit.writing("session.ended", of="ended", subject="jti")})
    select 1 from ended
"""  # noqa: S608  built from constants
_END_ONE: Final = Statement(
    repeatable=True,
    sql=f"""
        with ended as (
            delete from sessions
            where jti = :id and (user_id = :actor_id::bigint or :of_others::integer = 1)
            returning jti
        ), {_WRITTEN}
    """,  # noqa: S608  built from constants
)
_END_ALL: Final = Statement(
    repeatable=True,
    sql=f"""
        with ended as (
            delete from sessions
            where user_id = :actor_id::bigint and jti is distinct from :but::text
            returning jti
        ), {_WRITTEN}
    """,  # noqa: S608  built from constants
)
# The one before the present one, too: whoever ends a session may not have got the present one. Any
# other is judged as where it is refreshed: one that was used earlier, and so two have it.
_END_HELD: Final = Statement(
    repeatable=True,
    sql=f"""
        with gone as (
            delete from sessions
            where jti = :id and digest is not null
                and (:digest::text in (digest, previous_digest) or expires_at > now())
            returning jti, user_id,
                coalesce(:digest::text in (digest, previous_digest), false) as is_held
        ), ended as (
            select * from gone where is_held
        ), written as (
            {audit.writing("session.ended", of="ended", subject="jti", actor="user_id")}
        ), reused as (
            select * from gone where not is_held
        ), told as (
            {audit.writing("session.reused", of="reused", subject="jti", actor="user_id")}
        )
        select user_id from reused
    """,  # noqa: S608  built from constants
)
LISTING: Final = (_LIST,)
ENDING: Final = (_END_ONE, _END_ALL, _END_HELD)


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
        raise Forbidden(
            "The sessions of others are for administrators: leave username out for your own.",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
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


def end_session(claims: "Claims", *, address: str, session_id: str | None = None) -> Query[None]:
    """Ask to end a session: this one, another of one's own, or as an administrator anybody's.

    The database must have been made with the statements of `ENDING`, here and below.

    Args:
        session_id: None for the session of the token itself.
    """
    values: Values = {
        "id": session_id or claims.session_id,
        "actor_id": claims.user_id,
        "of_others": int(claims.role == "admin"),
        **audit.values(address),
    }
    return Query(statement=_END_ONE, values=values, read=_read_nothing)


def end_all_sessions(claims: "Claims", *, address: str, except_this: bool = False) -> Query[None]:
    """Ask to end all sessions of a user, this one as well or not."""
    values: Values = {
        "actor_id": claims.user_id,
        "but": claims.session_id if except_this else None,
        **audit.values(address),
    }
    return Query(statement=_END_ALL, values=values, read=_read_nothing)


def end_held_session(refresh_token: str, *, address: str) -> Query[None] | None:
    """Ask to end the session of a refresh token; None where it is none, and nothing is to do.

    One that was used earlier ends it as well: else a thief who has refreshed it would keep what its
    owner believes to have ended.
    """
    try:
        held = RefreshToken.read(refresh_token)
    except InvalidRefreshToken:
        return None  # nothing is left of it: RFC 7009, section 2.2

    def read(rows: Rows) -> None:
        for [user_id] in rows:
            sound_alarm(held, user_id, address)

    values: Values = {"id": held.session_id, "digest": held.digest, **audit.values(address)}
    return Query(statement=_END_HELD, values=values, read=read)


def _read_page(rows: Rows, records: int) -> Page:
    more = len(rows) > records
    return Page(
        records=[json.loads(shown) for shown, _ in rows[:records]],
        number_of_records=records,
        total_records=None,
        next_cursor=encode_cursor(rows[records - 1][1]) if more else None,
    )


def _read_nothing(_: Rows) -> None:
    return None
