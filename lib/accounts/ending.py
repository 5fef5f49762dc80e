"""Ending sessions: this one, another, all of them, or whose token one has.

Whoever asks by an access token was admitted before; whoever has the refresh token needs no other.
It is no fault that there is nothing to end any more.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NoReturn

from lib.accounts import audit
from lib.accounts.refresh_tokens import REFRESH_TOKEN, RefreshToken, sound_alarm
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import InvalidRefreshToken, InvalidRequest
from lib.web.inputs import Alternative, Input, Inputs
from lib.web.rules import Flag, Pattern, Yes

if TYPE_CHECKING:
    from lib.accounts.tokens import Claims

_ID: Final = Pattern(
    re.compile(r"[0-9a-f]{32}", re.ASCII), "must be a session's id, 32 digits from 0 to f"
)


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


END_MEMBERS: Final = Inputs(
    {
        "id": Input(rule=_ID, about="Of one's own sessions; an administrator's, of all."),
        "refresh_token": Input(
            rule=REFRESH_TOKEN,
            about="The latest one of the session that is to end, or the one before it; one that is "
            "older ends it too, as stolen. It needs no token beside it.",
        ),
        "all": Input(rule=Yes(), about="All of one's own sessions."),
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
ENDING: Final = (_END_ONE, _END_ALL, _END_HELD)


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


def _read_nothing(_: Rows) -> None:
    return None
