"""What can be asked of an import, and what makes two requests the same one."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR, TITLE_LENGTH, TYPES
from lib.catalogue.wanted import ID_RULE, is_id
from lib.errors import InvalidRequest
from lib.imports.first_movies import FIRST_IDS
from lib.web.parsing import parse_integer_member, parse_text_member

Kind = Literal["tick", "fill", "ids", "search", "refresh"]

MOST_IDS: Final = 100_000
MEMBERS: Final = ("imdb_ids", "search", "type", "year", "refresh", "older_than_days", "types")
_MEMBERS_OF: Final[Mapping[Kind, tuple[str, ...]]] = {
    "tick": (),
    "ids": ("imdb_ids", "types"),
    "search": ("search", "type", "year", "types"),
    "refresh": ("refresh", "older_than_days", "types"),
}
_LONGEST_SHOWN: Final = 50
_KEY: Final = re.compile(r"[!-+\--~](?:[ -+\--~]{0,253}[!-+\--~])?", re.ASCII)  # no comma


@dataclass(frozen=True, kw_only=True)
class Order:
    """One thing asked for.

    Attributes:
        kind: "tick" leaves it to the service what is most in need of doing.
        types: The kinds of titles that are wanted; others are rejected.
        due_only: Whether a refresh leaves out movies that are not due by their age.
    """

    kind: Kind
    types: tuple[str, ...] = ("movie",)
    imdb_ids: tuple[str, ...] = ()
    search: str | None = None
    search_type: str | None = None
    search_year: int | None = None
    older_than_days: int = 0
    due_only: bool = False

    @property
    def fingerprint(self) -> str:
        """Return a digest that equal orders share, whatever the sequence and repetition of ids."""
        asked = (
            self.kind,
            sorted(set(self.types)),
            self.search,
            self.search_type,
            self.search_year,
            self.older_than_days,
            self.due_only,
        )
        digest = hashlib.sha256(json.dumps(asked).encode())
        for imdb_id in sorted(set(self.imdb_ids)):
            digest.update(imdb_id.encode())
        return digest.hexdigest()


TICK: Final = Order(kind="tick")
FIRST_FILL: Final = Order(kind="fill", imdb_ids=FIRST_IDS)
STALEST: Final = Order(kind="refresh", types=TYPES, due_only=True)


def parse_import_body(body: Mapping[str, Any]) -> Order:
    """Read the body of `movies.import`, or raise `InvalidRequest` naming the wrong member."""
    kind = _find_kind(body)
    for name in body:
        if name not in _MEMBERS_OF[kind]:
            others = ", ".join(_MEMBERS_OF[kind]) or "none"
            rule = f"does not go with what is asked; allowed with it: {others}"
            raise InvalidRequest(f"{name} {rule}.", fields={name: rule})
    if kind == "ids":
        return Order(
            kind=kind, imdb_ids=_parse_ids(body["imdb_ids"]), types=_parse_types(body, ("movie",))
        )
    if kind == "search":
        return _parse_search(body)
    if kind == "refresh":
        return _parse_refresh(body)
    return TICK


def read_idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Return what tells a repeated request from a new one: the caller's key, or the scheduler's.

    A header that stands twice arrives joined by a comma, so a key holds none.
    """
    key = headers.get("idempotency-key")
    if key is not None:
        if not _KEY.fullmatch(key):
            rule = "must be one header of 1 to 255 printable ASCII characters without commas"
            raise InvalidRequest(f"Idempotency-Key {rule}.", fields={"Idempotency-Key": rule})
        return f"key {key}"
    job, time = (headers.get(f"x-cloudscheduler-{name}") for name in ("jobname", "scheduletime"))
    if job and time:
        return f"scheduler {hashlib.sha256(f'{job} {time}'.encode()).hexdigest()}"
    return None


def name_requester(headers: Mapping[str, str], address: str) -> str:
    """Say who asks, for the record: the scheduler's job by its name, others by their address."""
    job = headers.get("x-cloudscheduler-jobname", "")
    if job and job.isascii() and job.isprintable():
        return f"scheduler {job[:100]}"
    return f"request from {address}"


def _find_kind(body: Mapping[str, Any]) -> Kind:
    kinds: tuple[tuple[str, Kind], ...] = (
        ("imdb_ids", "ids"), ("search", "search"), ("refresh", "refresh"),
    )  # fmt: skip
    given = [(name, kind) for name, kind in kinds if name in body]
    if len(given) > 1:
        names = " and ".join(name for name, _ in given)
        raise InvalidRequest(
            f"Give one of imdb_ids, search and refresh; {names} came together.",
            fields={name: "must stand alone" for name, _ in given},
        )
    return given[0][1] if given else "tick"


def _parse_ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_IDS:
        rule = f"must be a list of 1 to {MOST_IDS:,} IMDb ids"
        raise InvalidRequest(f"imdb_ids {rule}.", fields={"imdb_ids": rule})
    bad = [place for place, imdb_id in enumerate(value) if not is_id(imdb_id)]
    if bad:
        wrong = f"item {bad[0] + 1}, {_show(value[bad[0]])}, is no IMDb id"
        if len(bad) > 1:
            wrong += f"; {len(bad) - 1:,} more {'is' if len(bad) == 2 else 'are'} none either"  # noqa: PLR2004
        rule = f"{wrong}: each {ID_RULE}"
        raise InvalidRequest(f"imdb_ids: {rule}.", fields={"imdb_ids": rule})
    return tuple(value)


def _show(value: object) -> str:
    """Show a value of the caller's, cut and in ASCII."""
    if isinstance(value, str):
        return ascii(value[:_LONGEST_SHOWN] + ("..." if len(value) > _LONGEST_SHOWN else ""))
    text = json.dumps(value)
    return text[:_LONGEST_SHOWN] + ("..." if len(text) > _LONGEST_SHOWN else "")


def _parse_search(body: Mapping[str, Any]) -> Order:
    title = parse_text_member(body, "search", longest=TITLE_LENGTH) or ""
    kind = body.get("type")
    if "type" in body and kind not in TYPES:
        rule = f"must be one of {', '.join(TYPES)}"
        raise InvalidRequest(f"type {rule}.", fields={"type": rule})
    return Order(
        kind="search",
        search=" ".join(title.split()),
        search_type=kind,
        search_year=parse_integer_member(body, "year", low=FIRST_YEAR, high=LAST_YEAR),
        types=_parse_types(body, (kind or "movie",)),
    )


def _parse_refresh(body: Mapping[str, Any]) -> Order:
    if body["refresh"] is not True:
        rule = "must be true, or be left out"
        raise InvalidRequest(f"refresh {rule}.", fields={"refresh": rule})
    days = parse_integer_member(body, "older_than_days", low=0, high=36_500)
    return Order(kind="refresh", older_than_days=days or 0, types=_parse_types(body, TYPES))


def _parse_types(body: Mapping[str, Any], default: tuple[str, ...]) -> tuple[str, ...]:
    if "types" not in body:
        return default
    given = body["types"]
    if not isinstance(given, list) or not given or any(one not in TYPES for one in given):
        rule = f"must be a list of one or more of {', '.join(TYPES)}"
        raise InvalidRequest(f"types {rule}.", fields={"types": rule})
    return tuple(dict.fromkeys(given))
