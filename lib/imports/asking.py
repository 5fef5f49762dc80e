"""What `movies.import` is asked: from the members of its body, and its headers, to an order."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NoReturn

from lib.catalogue.movie import TYPES
from lib.catalogue.wanted import ID, TITLE, YEAR, is_id
from lib.errors import InvalidRequest
from lib.imports.orders import MOST_IDS, TICK, Order
from lib.web.inputs import Alternative, Input, Inputs
from lib.web.parsing import refuse
from lib.web.rules import OneOf, Rule, Schema, Whole, Yes

_LONGEST_SHOWN: Final = 50
_KEY: Final = re.compile(r"[!-+\--~](?:[ -+\--~]{0,253}[!-+\--~])?", re.ASCII)  # no comma


class _IdsRule(Rule[tuple[str, ...]]):
    """Many IMDb ids, in any sequence; a refusal shows the first that is none."""

    rule = f"must be a list of 1 to {MOST_IDS:,} IMDb ids"

    def from_text(self, name: str, text: str) -> tuple[str, ...]:
        """Read ids with commas between them."""
        return self.from_json(name, text.split(","))

    def from_json(self, name: str, value: object) -> tuple[str, ...]:
        """Read a member."""
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_IDS:
            refuse(name, self.rule)
        bad = [place for place, imdb_id in enumerate(value) if not is_id(imdb_id)]
        if bad:
            wrong = f"item {bad[0] + 1}, {_show(value[bad[0]])}, is no IMDb id"
            if len(bad) > 1:
                are = "is" if len(bad) == 2 else "are"  # noqa: PLR2004
                wrong += f"; {len(bad) - 1:,} more {are} none either"
            rule = f"{wrong}: each {ID.rule}"
            raise InvalidRequest(f"{name}: {rule}.", fields={name: rule})
        return tuple(value)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "array", "items": ID.schema(), "minItems": 1, "maxItems": MOST_IDS}


def _show(value: object) -> str:
    """Show a value of the caller's, cut and in ASCII."""
    if isinstance(value, str):
        return ascii(value[:_LONGEST_SHOWN] + ("..." if len(value) > _LONGEST_SHOWN else ""))
    text = json.dumps(value)
    return text[:_LONGEST_SHOWN] + ("..." if len(text) > _LONGEST_SHOWN else "")


class _TypesRule(Rule[tuple[str, ...]]):
    """Kinds of titles."""

    rule = f"must be a list of one or more of {', '.join(TYPES)}"

    def from_text(self, name: str, text: str) -> tuple[str, ...]:
        """Read kinds with commas between them."""
        return self.from_json(name, text.split(","))

    def from_json(self, name: str, value: object) -> tuple[str, ...]:
        """Read a member."""
        if not isinstance(value, list) or not value or any(one not in TYPES for one in value):
            refuse(name, self.rule)
        return tuple(dict.fromkeys(value))

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "array", "items": OneOf(TYPES).schema(), "minItems": 1}


_WAYS: Final = (
    Alternative("what is most in need of doing"),
    Alternative("by ids", required=("imdb_ids",), optional=("types",)),
    Alternative("by a search", required=("search",), optional=("type", "year", "types")),
    Alternative("a refresh", required=("refresh",), optional=("older_than_days", "types")),
)


def _refuse_company(given: Collection[str]) -> NoReturn:
    """Tell which members do not go together."""
    kinds = [way for way in _WAYS if way.required and way.required[0] in given]
    if len(kinds) > 1:
        names = [way.required[0] for way in kinds]
        raise InvalidRequest(
            f"Give one of imdb_ids, search and refresh; {' and '.join(names)} came together.",
            fields=dict.fromkeys(names, "must stand alone"),
        )
    way = kinds[0] if kinds else _WAYS[0]
    name = next(name for name in given if name not in way.names)
    others = ", ".join((*way.required, *way.optional)) or "none"
    refuse(name, f"does not go with what is asked; allowed with it: {others}")


MEMBERS: Final = Inputs(
    {
        "imdb_ids": Input(
            rule=_IdsRule(),
            about="Movies to import, in any sequence.",
        ),
        "search": Input(
            rule=TITLE,
            about="Words of titles: what OMDb's search finds by them is imported.",
        ),
        "type": Input(
            rule=OneOf(TYPES), about="What kind of title to search for.", example="movie"
        ),
        "year": Input(
            rule=YEAR,
            about="Of which year to search for titles.",
        ),
        "refresh": Input(
            rule=Yes("must be true, or be left out"),
            about="To fetch anew what is in the catalogue, the oldest first.",
        ),
        "older_than_days": Input(
            rule=Whole(low=0, high=36_500),
            about="How long ago a movie was fetched that is to be refreshed, at least.",
            default=0,
        ),
        "types": Input(
            rule=_TypesRule(),
            about="Kinds of titles to take: by default films, of a search what is searched for, of "
            "a refresh all. Others are rejected.",
        ),
    },
    alternatives=_WAYS,
    refuse=_refuse_company,
)


class _KeyRule(Rule[str]):
    """What tells a request from all others. A header that stands twice arrives with a comma."""

    rule = "must be one header of 1 to 255 printable ASCII characters without commas"

    def from_text(self, name: str, text: str) -> str:
        """Read a header."""
        if not _KEY.fullmatch(text):
            refuse(name, self.rule)
        return text

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "pattern": f"^{_KEY.pattern}$"}


_KEY_HEADER: Final = "Idempotency-Key"
HEADERS: Final = Inputs(
    {
        _KEY_HEADER: Input(
            rule=_KeyRule(),
            about="Tells a repeated request from a new one: who repeats a key goes on with the "
            "same import; with a key of another request, it is refused.",
        )
    }
)


def wanted_order(body: Mapping[str, Any]) -> Order:
    """Return what the values of `MEMBERS` ask for."""
    types, kind = body["types"], body["type"]
    if body["imdb_ids"] is not None:
        return Order(kind="ids", imdb_ids=body["imdb_ids"], types=types or ("movie",))
    if body["search"] is not None:
        return Order(
            kind="search",
            search=" ".join(body["search"].split()),
            search_type=kind,
            search_year=body["year"],
            types=types or (kind or "movie",),
        )
    if body["refresh"]:
        return Order(kind="refresh", older_than_days=body["older_than_days"], types=types or TYPES)
    return TICK


def read_idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Return what tells a repeated request from a new one: the caller's key, or the scheduler's.

    Args:
        headers: Names in lower case.

    Raises:
        InvalidRequest: The key is out of form.
    """
    if _KEY_HEADER.lower() in headers:
        rule = HEADERS.each[_KEY_HEADER].rule
        return f"key {rule.from_text(_KEY_HEADER, headers[_KEY_HEADER.lower()])}"
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
