"""What `movies.get_many` is asked, and what it answers: movies by their ids, in the order asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from lib.catalogue.statements import BY_IDS
from lib.catalogue.wanted import is_id
from lib.database.statement import Query, Rows
from lib.errors import InvalidRequest
from lib.web.answers import tag_of

MOST_IDS: Final = 100
_RULE: Final = f"must be 1 to {MOST_IDS} IMDb ids, each once, with a comma between them"
_LONGEST_SHOWN: Final = 50  # of what is no id


@dataclass(frozen=True, kw_only=True)
class FoundMany:
    """Movies, as a JSON array, and the ids under which there is none, as another.

    A movie that was asked for under an alias as well stands at both places.
    """

    movies_json: str
    missing_json: str

    @property
    def is_complete(self) -> bool:
        """Whether each id led to a movie."""
        return self.missing_json == "[]"

    @cached_property
    def body(self) -> bytes:
        """The answer's body."""
        return f'{{"data": {self.movies_json}, "missing": {self.missing_json}}}'.encode()

    @cached_property
    def tag(self) -> str:
        """The body's entity tag."""
        return tag_of(self.body)


def parse_ids(query: Mapping[str, str]) -> Sequence[str]:
    """Read `imdb_ids`, or raise `InvalidRequest` naming what is wrong with them."""
    given = query.get("imdb_ids", "").split(",")
    wrong = next((one for one in given if not is_id(one)), None)
    if wrong is not None:
        shown = f"; {wrong[:_LONGEST_SHOWN]!a} is none" if wrong else ""
        raise _refusal(f"imdb_ids {_RULE}, such as tt0111161,tt0068646{shown}.")
    if len(given) > MOST_IDS:
        raise _refusal(f"imdb_ids {_RULE}; here are {len(given)}.")
    if len(set(given)) < len(given):
        repeated = next(one for one in given if given.count(one) > 1)
        raise _refusal(f"imdb_ids {_RULE}; {repeated} stands more than once.")
    return given


def find_many(imdb_ids: Sequence[str]) -> Query[FoundMany]:
    """Ask for movies by ids, of which some may be missing."""

    def read(rows: Rows) -> FoundMany:
        [[movies, missing]] = rows
        return FoundMany(movies_json=f"[{movies or ''}]", missing_json=f"[{missing or ''}]")

    return Query(statement=BY_IDS, values={"imdb_ids": ",".join(imdb_ids)}, read=read)


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest(message, fields={"imdb_ids": _RULE})
