"""Keys for machines: `smk_<id>_<43 characters>`, shown once and known by digests only.

A key does what its role allows, and never more than its owner may just now. What touches users,
passwords, sessions or keys takes none. Its beginning lets scanners for secrets find it.
"""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lib.accounts import audit
from lib.accounts.names import read_name
from lib.accounts.roles import ROLES
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import Forbidden, InvalidRequest, KeyNotFound, TooManyKeys

if TYPE_CHECKING:
    from lib.accounts.tokens import Claims

PREFIX: Final = "smk_"
MOST_KEYS: Final = 20  # a user; a trigger holds it
MOST_DAYS: Final = 365
ROLES_OF_KEYS: Final = ("viewer", "editor")

_FORM: Final = re.compile(r"smk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)

_SHOWN: Final = f"""
    json_build_object(
        'id', api_keys.id, 'name', api_keys.name, 'role', api_keys.role,
        'created_at', {utc_text("api_keys.created_at")},
        'expires_at', {utc_text("api_keys.expires_at")})
"""
_CREATE: Final = Statement(
    repeatable=False,
    sql=f"""
        with made as (
            insert into api_keys (id, digest, user_id, name, role, expires_at)
            values (:id, :digest, :actor_id::bigint, :name, :role,
                now() + :days::integer * interval '1 day')
            returning *
        ), written as (
            {audit.writing("key.created", of="made", subject="id")}
        )
        select {_SHOWN}::text from made api_keys
    """,  # noqa: S608  built from constants
)
_LIST: Final = Statement(
    repeatable=True,
    sql=f"""
        select coalesce(
            json_agg({_SHOWN} order by api_keys.created_at desc, api_keys.id), '[]')::text
        from api_keys join users on users.id = api_keys.user_id
        where case when :username::text is null
            then users.id = :user_id::bigint else users.username = :username::text end
    """,  # noqa: S608  built from constants
)
_DELETE: Final = Statement(
    repeatable=False,
    sql=f"""
        with gone as (
            delete from api_keys
            where id = :id and (user_id = :actor_id::bigint or :of_others::integer = 1)
            returning id
        ), written as (
            {audit.writing("key.deleted", of="gone", subject="id")}
        )
        select id from gone
    """,  # noqa: S608  built from constants
)
CREATING: Final = (_CREATE,)
LISTING: Final = (_LIST,)
DELETING: Final = (_DELETE,)


@dataclass(frozen=True, kw_only=True)
class PresentedKey:
    """What somebody presents, in the form of a key; its text is kept nowhere."""

    id: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class CreatedKey:
    """A new key; its text is kept out of `repr`, and so out of logs."""

    key: str = field(repr=False)
    shown: dict[str, Any]

    def as_answer(self) -> dict[str, Any]:
        """Return what its owner is told, this once."""
        return {"key": self.key, **self.shown}


def read_key(text: str) -> PresentedKey | None:
    """Read what was presented; None for what is not of the form of a key."""
    found = _FORM.fullmatch(text)
    return PresentedKey(id=found[1], digest=_digest(text)) if found else None


def create_key(
    claims: "Claims", *, name: object, role: object, expires_in_days: object, address: str
) -> Query[CreatedKey]:
    """Ask to make a key; `TooManyKeys` where its owner has twenty.

    The database must have been made with the statements of `CREATING`.

    Args:
        claims: Of an editor's or administrator's token, which was admitted.

    Raises:
        InvalidRequest: Something breaks its rule.
        Forbidden: The role is above one's own.
    """
    values: Values = {
        "name": read_name(name, "name"),
        "role": _read_role(role, claims.role),
        "days": _read_days(expires_in_days),
        "actor_id": claims.user_id,
        **audit.values(address),
    }
    key_id = secrets.token_hex(6)
    text = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"

    def read(rows: Rows) -> CreatedKey:
        if not rows:
            raise TooManyKeys(f"You have {MOST_KEYS} keys, which is as many as one may have.")
        return CreatedKey(key=text, shown=json.loads(rows[0][0]))

    values = {**values, "id": key_id, "digest": _digest(text)}
    return Query(statement=_CREATE, values=values, read=read)


def list_keys(claims: "Claims", *, username: str | None = None) -> Query[list[dict[str, Any]]]:
    """Ask for keys, the newest first: one's own, or as an administrator another's.

    The database must have been made with the statements of `LISTING`.

    Args:
        username: In the form that it is stored in; a user who does not exist has no keys.

    Raises:
        Forbidden: They are another's, and the caller is no administrator.
    """
    if username is not None and claims.role != "admin":
        raise _forbidden("The keys of others are for administrators: leave username out for yours.")
    values: Values = {"user_id": claims.user_id, "username": username}
    return Query(statement=_LIST, values=values, read=lambda rows: json.loads(rows[0][0]))


def delete_key(claims: "Claims", key_id: str, *, address: str) -> Query[None]:
    """Ask to delete a key: one's own, or as an administrator anybody's; else it is `KeyNotFound`.

    The database must have been made with the statements of `DELETING`.

    Raises:
        KeyNotFound: It is not of the form of a key's id.
    """
    if not _ID.fullmatch(key_id):
        raise _not_found()

    def read(rows: Rows) -> None:
        if not rows:
            raise _not_found()

    values: Values = {
        "id": key_id,
        "actor_id": claims.user_id,
        "of_others": int(claims.role == "admin"),
        **audit.values(address),
    }
    return Query(statement=_DELETE, values=values, read=read)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()  # 256 bits by chance need no slow hash


def _read_role(role: object, own: str) -> str:
    if not (isinstance(role, str) and role in ROLES_OF_KEYS):
        raise _invalid("role", f"expected one of {', '.join(ROLES_OF_KEYS)}")
    if ROLES.index(role) > ROLES.index(own):
        raise _forbidden(f"A key's role is not above its owner's; yours is {own}.")
    return role


def _read_days(days: object) -> int:
    if type(days) is int and 1 <= days <= MOST_DAYS:  # True is an int, too
        return days
    raise _invalid("expires_in_days", f"expected a whole number from 1 to {MOST_DAYS}")


def _invalid(member: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"The {member} is not accepted: {what}.", fields={member: what})


def _forbidden(message: str) -> Forbidden:
    return Forbidden(message, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})


def _not_found() -> KeyNotFound:
    return KeyNotFound("There is no such key, or it is another user's.")
