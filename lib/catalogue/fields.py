"""What callers want to see of each movie: `fields=title,year`.

The database reads whole movies, so that all who ask for one page share one reading whatever they
want to see of it; the rest is cut away for each.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from lib.catalogue.document import MEMBERS
from lib.errors import InvalidRequest
from lib.web.answers import Answer, write_json
from lib.web.inputs import Input
from lib.web.parsing import reject_unknown
from lib.web.rules import Rule, Schema

_ID: Final = "imdb_id"  # there whether or not it is named


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The members that are wanted, in the order that a movie has them.

    Attributes:
        names: Without the id, unless nothing else is wanted; empty where all are.
    """

    names: tuple[str, ...] = ()

    @cached_property
    def link(self) -> str:
        """What a link's query needs behind it, to lead to as much of other movies."""
        return f"&fields={','.join(self.names)}" if self.names else ""

    def narrow(self, answer: Answer) -> Answer:
        """Return an answer with as much as is wanted of the movie, or movies, in its `data`."""
        if not self.names:
            return answer
        return replace(answer, body=self._cut(answer.body), tag=None)

    def _cut(self, body: bytes) -> bytes:
        content = json.loads(body)
        found, names = content["data"], dict.fromkeys((_ID, *self.names))

        def cut(movie: Mapping[str, Any]) -> dict[str, Any]:
            return {name: movie[name] for name in names}

        content["data"] = cut(found) if isinstance(found, dict) else [cut(one) for one in found]
        return write_json(content)


ALL: Final = Fields()


class _FieldsRule(Rule[Fields]):
    """Names of a movie's members, with a comma between them."""

    rule = "must name members of a movie, each once, with a comma between them"

    def from_text(self, name: str, text: str) -> Fields:
        """Read the names; raise `InvalidRequest` for what a movie does not have."""
        given = text.split(",")
        if "" in given or len(set(given)) < len(given):
            raise InvalidRequest(
                f"{name} {self.rule}; there are {', '.join(MEMBERS)}.", fields={name: self.rule}
            )
        reject_unknown(given, MEMBERS, what="field", within=name)
        return Fields(names=tuple(one for one in MEMBERS if one in given and one != _ID) or (_ID,))

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        names = {"type": "string", "enum": [*MEMBERS]}
        return {"type": "array", "items": names, "minItems": 1, "uniqueItems": True}


def _write(fields: Fields) -> str:
    # Who names all of them is answered what all get.
    return ",".join(fields.names) if len(fields.names) < len(MEMBERS) - 1 else ""


FIELDS: Final = Input(
    rule=_FieldsRule(),
    about="Which members to answer of each movie, beside its `imdb_id`; all, by default.",
    default=ALL,
    write=_write,
)


def wanted_fields(query: Mapping[str, Any]) -> Fields:
    """Return what the values of a query ask for that takes `FIELDS`."""
    fields: Fields = query["fields"]
    return fields
