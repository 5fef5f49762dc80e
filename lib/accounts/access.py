"""Who may do what: the token first, then its session and its user's present role."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from lib.accounts.roles import ROLES
from lib.accounts.tokens import LEEWAY_SECONDS, Claims, invalid_token
from lib.database.database import Database
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import Forbidden

_ROLE_IN_SESSION: Final = Statement(
    repeatable=True,
    sql=f"""
        select users.role from sessions join users on users.id = sessions.user_id
        where sessions.jti = :jti and sessions.user_id = :user_id::bigint
            and sessions.expires_at > now() - interval '{LEEWAY_SECONDS} seconds'
    """,  # noqa: S608  built from a constant
)
_END_SESSION: Final = Statement(repeatable=True, sql="delete from sessions where jti = :jti")
AUTHORIZING: Final = (_ROLE_IN_SESSION,)
LOGGING_OUT: Final = (_END_SESSION,)


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
        if role not in roles:
            allowed = " or ".join(known for known in ROLES if known in roles)
            raise Forbidden(
                f"This needs the role {allowed}; yours is {role}.",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )
        return replace(claims, role=role)

    values: Values = {"jti": claims.jti, "user_id": claims.user_id}
    return Query(statement=_ROLE_IN_SESSION, values=values, read=read)


def log_out(database: Database, jti: str) -> None:
    """Make a token worthless before it expires; it may be so already.

    The database must have been made with the statements of `LOGGING_OUT`.
    """
    database.run(_END_SESSION, jti=jti)
