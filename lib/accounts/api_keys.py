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
from lib.accounts.names import NAME
from lib.accounts.people import Page
from lib.accounts.roles import ROLES, forbidden
from lib.accounts.usernames import USERNAME, fold_username
from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import KeyNotFound, TooManyKeys
from lib.web.inputs import Input, Inputs
from lib.web.rules import OneOf, Pattern, Whole

if TYPE_CHECKING:
    from lib.accounts.tokens import Claims

PREFIX: Final = "smk_"
MOST_KEYS: Final = 20  # a user; a trigger holds it
MOST_DAYS: Final = 365
ROLES_OF_KEYS: Final = ("viewer", "editor")

_FORM: Final = re.compile(r"smk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)
_KEY_ID: Final = Pattern(_ID, "must be a key's id, 12 digits from 0 to f")

MEMBERS: Final = Inputs(
    {
        "name": Input(rule=NAME, about="What its owner calls it.", required=True, example="ci"),
        "role": Input(
            rule=OneOf(ROLES_OF_KEYS),
            about="What it may do at most: no more than its owner.",
            required=True,
            example="editor",
        ),
        "expires_in_days": Input(
            rule=Whole(low=1, high=MOST_DAYS),
            about="When it ends.",
            required=True,
            example=90,
        ),
    }
)
PARAMETERS: Final = Inputs(
    {"username": Input(rule=USERNAME, about="Whose keys, for administrators; else one's own.")}
)
IN_PATH: Final = Inputs({"id": Input(rule=_KEY_ID, about="The key's id.", required=True)})

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
    claims: "Claims", *, name: str, role: str, expires_in_days: int, address: str
) -> Query[CreatedKey]:
    """Ask to make a key; `TooManyKeys` where its owner has twenty.

    The database must have been made with the statements of `CREATING`.

    Args:
        claims: Of an editor's or administrator's token, which was admitted.

    Raises:
        Forbidden: The role is above one's own.
    """
    if ROLES.index(role) > ROLES.index(claims.role):
        raise forbidden(f"A key's role is not above its owner's; yours is {claims.role}.")
    values: Values = {
        "name": name,
        "role": role,
        "days": expires_in_days,
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


def list_keys(claims: "Claims", *, username: str | None = None) -> Query[Page]:
    """Ask for keys, the newest first: one's own, or as an administrator another's.

    All of them are on one page. The database must have been made with the statements of `LISTING`.

    Args:
        username: In any case; a user who does not exist has no keys.

    Raises:
        Forbidden: They are another's, and the caller is no administrator.
    """
    if username is not None and claims.role != "admin":
        raise forbidden("The keys of others are for administrators: leave username out for yours.")

    def read(rows: Rows) -> Page:
        keys = json.loads(rows[0][0])
        return Page(
            records=keys, number_of_records=MOST_KEYS, total_records=len(keys), next_cursor=None
        )

    values: Values = {
        "user_id": claims.user_id,
        "username": None if username is None else fold_username(username),
    }
    return Query(statement=_LIST, values=values, read=read)


def delete_key(claims: "Claims", key_id: str, *, address: str) -> Query[None]:
    """Ask to delete a key: one's own, or as an administrator anybody's; else it is `KeyNotFound`.

    The database must have been made with the statements of `DELETING`.
    """

    def read(rows: Rows) -> None:
        if not rows:
            raise KeyNotFound("There is no such key, or it is another user's.")

    values: Values = {
        "id": key_id,
        "actor_id": claims.user_id,
        "of_others": int(claims.role == "admin"),
        **audit.values(address),
    }
    return Query(statement=_DELETE, values=values, read=read)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()  # 256 bits by chance need no slow hash
