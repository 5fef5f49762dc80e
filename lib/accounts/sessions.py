"""The sessions of a user, and ending them: this one, another, all of them, or whose token one has.

Whoever asks by an access token was admitted before; whoever has the refresh token needs no other.
It is no fault that there is nothing to end any more.
"""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lib.accounts import audit
from lib.accounts.refresh_tokens import RefreshToken
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import Forbidden, InvalidRefreshToken, InvalidRequest
from lib.web.paging import decode_cursor, encode_cursor

if TYPE_CHECKING:
    from lib.accounts.tokens import Claims

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PLACE: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{32})", re.ASCII)
_LONGEST_CURSOR: Final = 100

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
# The one before the present one, too: whoever ends a session may not have got the present one.
_END_HELD: Final = Statement(
    repeatable=True,
    sql=f"""
        with ended as (
            delete from sessions
            where jti = :id and :digest::text in (digest, previous_digest)
            returning jti, user_id
        ), written as (
            {audit.writing("session.ended", of="ended", subject="jti", actor="user_id")}
        )
        select 1 from ended
    """,  # noqa: S608  built from constants
)
LISTING: Final = (_LIST,)
ENDING: Final = (_END_ONE, _END_ALL, _END_HELD)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of sessions, those that began last first, and where the list goes on."""

    sessions: list[dict[str, Any]]
    next_cursor: str | None


def list_sessions(
    claims: "Claims", *, username: str | None = None, cursor: str | None = None, records: int = 10
) -> Query[Page]:
    """Ask for the sessions that are not over: one's own, or as an administrator another's.

    The database must have been made with the statements of `LISTING`.

    Args:
        claims: Of a token that was admitted.
        username: In the form that it is stored in; a user who does not exist has no sessions.

    Raises:
        Forbidden: They are another's, and the caller is no administrator.
        InvalidRequest: The cursor is none that this list gave out.
    """
    if username is not None and claims.role != "admin":
        raise Forbidden(
            "The sessions of others are for administrators: leave username out for your own.",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        )
    begun, after = (None, None) if cursor is None else _read_place(cursor)

    def read(rows: Rows) -> Page:
        more = len(rows) > records
        return Page(
            sessions=[json.loads(shown) for shown, _ in rows[:records]],
            next_cursor=encode_cursor(rows[records - 1][1]) if more else None,
        )

    values: Values = {
        "user_id": claims.user_id,
        "session_id": claims.session_id,
        "username": username,
        "begun": begun,
        "id": after,
        "records": records,
    }
    return Query(statement=_LIST, values=values, read=read)


def end_session(claims: "Claims", *, address: str, session_id: object = None) -> Query[None]:
    """Ask to end a session: this one, another of one's own, or as an administrator anybody's.

    The database must have been made with the statements of `ENDING`, here and below.

    Args:
        session_id: None for the session of the token itself.

    Raises:
        InvalidRequest: It is not of the form of a session's id.
    """
    values: Values = {
        "id": claims.session_id if session_id is None else _read_id(session_id),
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


def end_held_session(refresh_token: object, *, address: str) -> Query[None] | None:
    """Ask to end the session of a refresh token; None where it is none, and nothing is to be done.

    Raises:
        InvalidRequest: It is no text.
    """
    try:
        held = RefreshToken.read(refresh_token)
    except InvalidRefreshToken:
        return None  # nothing is left of it: RFC 7009, section 2.2
    values: Values = {"id": held.session_id, "digest": held.digest, **audit.values(address)}
    return Query(statement=_END_HELD, values=values, read=_read_nothing)


def _read_nothing(_: Rows) -> None:
    return None


def _read_id(session_id: object) -> str:
    if isinstance(session_id, str) and _ID.fullmatch(session_id):
        return session_id
    what = "expected a session's id, 32 digits from 0 to f"
    raise InvalidRequest(f"The id is not accepted: {what}.", fields={"id": what})


def _read_place(cursor: str) -> tuple[int, str]:
    try:
        place = decode_cursor(cursor, longest=_LONGEST_CURSOR)
    except ValueError:
        place = ""
    found = _PLACE.fullmatch(place)
    if found is None or encode_cursor(place) != cursor:
        raise InvalidRequest(
            "The cursor is none that this list gave out. Start again without one.",
            fields={"cursor": "must be a next_cursor of this list"},
        )
    return int(found[1]), found[2]
