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
from lib.web.parsing import reject_unknown

_ID: Final = "imdb_id"  # there whether or not it is named
_RULE: Final = "must name members of a movie, each once, with a comma between them"


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The members that are wanted, in the order that a movie has them.

    Attributes:
        names: Without the id, unless nothing else is wanted; empty where all are.
        as_asked: Whether they were named so, and no other query means the same.
    """

    names: tuple[str, ...] = ()
    as_asked: bool = True

    @cached_property
    def link(self) -> str:
        """What a link's query needs behind it, to lead to as much of other movies."""
        return f"&fields={','.join(self.names)}" if self.names else ""

    def narrow(self, answer: Answer) -> Answer:
        """Return an answer with as much as is wanted of the movie, or movies, in its `data`."""
        if not self.names:
            return answer
        return replace(
            answer,
            body=self._cut(answer.body),
            tag=None,
            at_its_address=answer.at_its_address and self.as_asked,
        )

    def _cut(self, body: bytes) -> bytes:
        content = json.loads(body)
        found, names = content["data"], dict.fromkeys((_ID, *self.names))

        def cut(movie: Mapping[str, Any]) -> dict[str, Any]:
            return {name: movie[name] for name in names}

        content["data"] = cut(found) if isinstance(found, dict) else [cut(one) for one in found]
        return write_json(content)


ALL: Final = Fields()


def parse_fields(query: Mapping[str, str]) -> Fields:
    """Read `fields`, by default all; raise `InvalidRequest` for what a movie does not have."""
    if "fields" not in query:
        return ALL
    given = query["fields"].split(",")
    if "" in given or len(set(given)) < len(given):
        raise InvalidRequest(
            f"fields {_RULE}; there are {', '.join(MEMBERS)}.", fields={"fields": _RULE}
        )
    reject_unknown(given, MEMBERS, what="field", within="fields")
    names = tuple(name for name in MEMBERS if name in given and name != _ID) or (_ID,)
    return Fields(names=names, as_asked=list(names) == given and len(given) < len(MEMBERS) - 1)
