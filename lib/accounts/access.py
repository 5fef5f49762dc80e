"""Who may do what: the token or key first, then its session and its user's present role."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from lib.accounts.api_keys import PresentedKey
from lib.accounts.roles import ROLES, forbidden
from lib.accounts.tokens import LEEWAY_SECONDS, Claims, invalid_token
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import Unauthorized

_ROLE_IN_SESSION: Final = Statement(
    repeatable=True,
    sql=f"""
        select users.role from sessions join users on users.id = sessions.user_id
        where sessions.jti = :session_id and sessions.user_id = :user_id::bigint
            and sessions.expires_at > now() - interval '{LEEWAY_SECONDS} seconds'
            and users.disabled_at is null
    """,  # noqa: S608  built from a constant
)
# A key is a viewer's or an editor's, so that the lesser role is a viewer's where either is.
_ROLE_OF_KEY: Final = Statement(
    repeatable=True,
    sql="""
        select case when 'viewer' in (api_keys.role, users.role) then 'viewer' else 'editor' end,
            users.id, extract(epoch from api_keys.expires_at)::bigint
        from api_keys join users on users.id = api_keys.user_id
        where api_keys.id = :id and api_keys.digest = :digest
            and api_keys.expires_at > now() and users.disabled_at is null
    """,
)
AUTHORIZING: Final = (_ROLE_IN_SESSION,)
AUTHORIZING_KEYS: Final = (_ROLE_OF_KEY,)


def check_permission(claims: Claims, *, roles: Collection[str]) -> Query[Claims]:
    """Ask whether a token's session still lives, and whether its user's present role allows this.

    A token is valid for a quarter of an hour, and a dismissed editor should not be. The answer is
    the claims with the role that the user has now, or `Unauthorized` or `Forbidden`. The database
    must have been made with the statements of `AUTHORIZING`.

    Args:
        claims: What a valid token says; see `Verifier.verify_header`.
        roles: Those that are allowed.
    """

    def read(rows: Rows) -> Claims:
        if not rows:
            raise invalid_token()
        role = str(rows[0][0])
        _demand_role(role, roles)
        return replace(claims, role=role)

    values: Values = {"session_id": claims.session_id, "user_id": claims.user_id}
    return Query(statement=_ROLE_IN_SESSION, values=values, read=read)


def check_key(key: PresentedKey, *, roles: Collection[str]) -> Query[Claims]:
    """Ask whether a key for machines is valid, and whether it and its owner's present role allow.

    The answer is what a token of its owner would say, with the lesser of both roles, or
    `Unauthorized` or `Forbidden`. The database must have been made with the statements of
    `AUTHORIZING_KEYS`.
    """

    def read(rows: Rows) -> Claims:
        if not rows:
            raise invalid_key()
        [[role, user_id, expires_at]] = rows
        _demand_role(role, roles)
        return Claims(
            user_id=user_id,
            role=role,
            jti=key.id,
            session_id=key.id,
            expires_at=datetime.fromtimestamp(expires_at, UTC),
        )

    values: Values = {"id": key.id, "digest": key.digest}
    return Query(statement=_ROLE_OF_KEY, values=values, read=read)


def invalid_key() -> Unauthorized:
    """Make the one refusal that all bad keys get: it does not say what gave them away."""
    return Unauthorized(
        "The key is not valid, or no longer: its owner makes another with POST /keys.create.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _demand_role(role: str, roles: Collection[str]) -> None:
    if role not in roles:
        allowed = " or ".join(known for known in ROLES if known in roles)
        raise forbidden(f"This needs the role {allowed}; yours is {role}.")
