"""What the migration grants, and to whom."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

from lib.settings import SettingsError

_IDENTIFIER_BYTES = 63  # what Postgres keeps of a name
# They become SQL. The same pattern stands in ../functions/function.schema.json.
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_ACTION: Final = r"(?:select|insert|update|delete)(?: \([a-z0-9_]+(?:, [a-z0-9_]+)*\))?"
_ACTIONS: Final = re.compile(rf"{_ACTION}(?:, {_ACTION})*", re.ASCII)
_BETWEEN: Final = re.compile(r", (?![^(]*\))")  # two actions, and not two columns of one
# As Cloud SQL names the users of people and groups: by their addresses, in lower case.
_PERSON: Final = re.compile(r"[a-z0-9._%+'-]+@[a-z0-9.-]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a function's database role may do, and for whom.

    Attributes:
        user: The database user that the deployed function logs in as.
        rights: "select, insert (column)" and so on by table, "execute" by function().
    """

    user: str
    rights: Mapping[str, str]

    @classmethod
    def of(cls, function: str, content: object) -> Self:
        """Check an entry of `DATABASE_GRANTS`; raise `SettingsError` where it is wrong."""
        match content:
            case {"user": str(user), "rights": dict(rights), **rest} if not rest:
                sound = _NAME.fullmatch(function) and 1 <= len(user.encode()) <= _IDENTIFIER_BYTES
                if sound and all(_is_right(name, actions) for name, actions in rights.items()):
                    return cls(user=user, rights=rights)
        raise SettingsError(
            f"DATABASE_GRANTS is wrong about {function[:100]!r}: expected such as "
            '{"user": "movies-list@project.iam", "rights": {"movies": "select"}}'
        )

    def each(self) -> Iterator[tuple[str, str]]:
        """Yield each right by itself, such as ("users", "select (id, role)")."""
        for name, actions in self.rights.items():
            for action in _BETWEEN.split(actions):
                yield name, action


def _is_right(name: str, actions: object) -> bool:
    if not isinstance(actions, str) or not _NAME.fullmatch(name.removesuffix("()")):
        return False
    if name.endswith("()"):
        return actions == "execute"
    return bool(_ACTIONS.fullmatch(actions))


@dataclass(frozen=True, kw_only=True)
class GrantSettings:
    """Whom the migration gives rights.

    Attributes:
        grants: What the functions' roles may do; None where roles are left alone.
        operators: The database users of people who may help by hand; None where that role is.
    """

    grants: Mapping[str, Grant] | None
    operators: frozenset[str] | None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read `DATABASE_GRANTS` and `DATABASE_OPERATORS`.

        The one is a JSON object, {"movies_list": {"user": …, "rights": …}}, the other an array.
        """
        return cls(
            grants=_read_grants(env.get("DATABASE_GRANTS")),
            operators=_read_operators(env.get("DATABASE_OPERATORS")),
        )


def _read_grants(text: str | None) -> Mapping[str, Grant] | None:
    if text is None:
        return None
    content = _parse(text)
    if not isinstance(content, dict):
        raise SettingsError(
            f"DATABASE_GRANTS is {text[:200]!r}: expected a JSON object by function"
        )
    return {name: Grant.of(name, entry) for name, entry in content.items()}


def _read_operators(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    people = _parse(text)
    if not isinstance(people, list) or not all(_is_person(person) for person in people):
        raise SettingsError(
            f"DATABASE_OPERATORS is {text[:200]!r}: expected a JSON array of addresses in lower "
            'case, of at most 63 characters each, such as ["ana@example.com"]'
        )
    return frozenset(people)


def _is_person(person: object) -> bool:
    return (
        isinstance(person, str)
        and len(person) <= _IDENTIFIER_BYTES
        and bool(_PERSON.fullmatch(person))
    )


def _parse(text: str) -> object:
    try:
        content: object = json.loads(text)
    except ValueError:
        return None
    return content
