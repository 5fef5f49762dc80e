"""Refreshing a session: another access token and another refresh token for the present one.

In one statement, without SQLAlchemy and argon2, as every client asks for it each quarter of an
hour and this has to start fast. A refresh token that was used earlier tells that two have it, of
whom one is a thief: the session is ended, whoever it was that came.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lib.accounts import audit
from lib.accounts.granting import Granted
from lib.accounts.lifetimes import END_AFTER_REFRESH
from lib.accounts.refresh_tokens import (
    REFRESH_TOKEN,
    RefreshToken,
    invalid_refresh_token,
    sound_alarm,
)
from lib.database.statement import Query, Rows, Statement, Values
from lib.web.inputs import Input, Inputs

if TYPE_CHECKING:
    from lib.accounts.keys import RefreshSettings
    from lib.accounts.tokens import Signer

MEMBERS: Final = Inputs(
    {
        "refresh_token": Input(
            rule=REFRESH_TOKEN,
            about="The latest one of the session: each is good for one refresh.",
            required=True,
        )
    }
)

_REPEATS_SECONDS: Final = 10  # for which the one before the present one is answered alike
# Whoever waits for the row's lock judges by what the one before them has made of it. A successor
# that is not the one on record was derived with another key.
_REFRESH: Final = Statement(
    repeatable=True,  # a second time it is a repeat
    sql=f"""
        with found as (
            select sessions.jti, sessions.user_id, sessions.digest, sessions.previous_digest,
                sessions.rotated_at, users.username, users.role, {END_AFTER_REFRESH} as ends_at
            from sessions join users on users.id = sessions.user_id
            where sessions.jti = :session_id and sessions.digest is not null
                and sessions.expires_at > now() and users.disabled_at is null
            for update of sessions
        ), judged as (
            select *, case
                when digest = :digest::text then 'rotated'
                when previous_digest = :digest::text and digest = :next_digest::text
                    and rotated_at > now() - interval '{_REPEATS_SECONDS} seconds' then 'repeated'
                else 'reused'
            end as verdict
            from found where ends_at > now()
        ), rotated as (
            update sessions set
                digest = :next_digest::text, previous_digest = judged.digest, rotated_at = now(),
                last_used_at = now(), expires_at = judged.ends_at, address = :address::text
            from judged where sessions.jti = judged.jti and verdict = 'rotated'
        ), reused as (
            delete from sessions using judged
            where sessions.jti = judged.jti and verdict = 'reused'
            returning judged.jti, judged.user_id
        ), written as (
            {audit.writing("session.reused", of="reused", subject="jti", actor="user_id")}
        )
        select verdict, user_id, username, role, floor(extract(epoch from ends_at - now()))::integer
        from judged
    """,  # noqa: S608  built from constants
)
REFRESHING: Final = (_REFRESH,)


def refresh(
    settings: "RefreshSettings", signer: "Signer", *, refresh_token: str, address: str
) -> Query[Granted]:
    """Ask for the successors of a session's tokens.

    The database must have been made with the statements of `REFRESHING`. The answer is
    `InvalidRefreshToken` for whatever lets nobody in: one that is unknown or was used, and one
    whose session or user is gone, or disabled.

    Args:
        refresh_token: What was presented.

    Raises:
        InvalidRefreshToken: It is not of the form of one.
    """
    presented = RefreshToken.read(refresh_token)
    successor = presented.derive_next(settings)

    def read(rows: Rows) -> Granted:
        if not rows:
            raise invalid_refresh_token()
        [[verdict, user_id, username, role, seconds]] = rows
        if verdict == "reused":
            sound_alarm(presented, user_id, address)
            raise invalid_refresh_token()
        now, session_id = datetime.now(UTC), presented.session_id
        return Granted(
            token=signer.issue(user_id, role, now=now, session_id=session_id).token,
            session_id=session_id,
            refresh_token=successor.text,
            refresh_expires_in=seconds,
            username=username,
            role=role,
        )

    values = _values(presented, successor, address)
    return Query(statement=_REFRESH, values=values, read=read)


def _values(presented: RefreshToken, successor: RefreshToken, address: str) -> Values:
    return {
        "session_id": presented.session_id,
        "digest": presented.digest,
        "next_digest": successor.digest,
        **audit.values(address),
    }
