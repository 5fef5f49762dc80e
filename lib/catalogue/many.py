"""What `movies.get_many` is asked, and what it answers: movies by their ids, in the order asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NoReturn

from lib.catalogue.fields import FIELDS
from lib.catalogue.statements import BY_IDS
from lib.catalogue.wanted import ID, is_id
from lib.database.statement import Query, Rows
from lib.errors import InvalidRequest
from lib.web.answers import tag_of
from lib.web.inputs import Input, Inputs
from lib.web.rules import Rule, Schema

MOST_IDS: Final = 100
_LONGEST_SHOWN: Final = 50  # of what is no id


class _IdsRule(Rule[Sequence[str]]):
    """Ids of movies, with a comma between them."""

    rule = f"must be 1 to {MOST_IDS} IMDb ids, each once, with a comma between them"

    def from_text(self, name: str, text: str) -> Sequence[str]:
        """Read the ids; raise `InvalidRequest` naming what is wrong with them."""
        given = text.split(",")
        wrong = next((one for one in given if not is_id(one)), None)
        if wrong is not None:
            shown = f"; {wrong[:_LONGEST_SHOWN]!a} is none" if wrong else ""
            self._refuse(name, f", such as tt0111161,tt0068646{shown}")
        if len(given) > MOST_IDS:
            self._refuse(name, f"; here are {len(given)}")
        if len(set(given)) < len(given):
            repeated = next(one for one in given if given.count(one) > 1)
            self._refuse(name, f"; {repeated} stands more than once")
        return given

    def from_json(self, name: str, value: object) -> Sequence[str]:
        """Read the ids; what is no text is read as an empty one."""
        return self.from_text(name, value if isinstance(value, str) else "")

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        ids = ID.schema()
        return {
            "type": "array", "items": ids, "minItems": 1, "maxItems": MOST_IDS, "uniqueItems": True
        }  # fmt: skip

    def _refuse(self, name: str, why: str) -> NoReturn:
        raise InvalidRequest(f"{name} {self.rule}{why}.", fields={name: self.rule})


PARAMETERS: Final = Inputs(
    {
        "imdb_ids": Input(
            rule=_IdsRule(),
            about="The movies' IMDb ids, with a comma between them, in the order of the answer.",
            required=True,
            example=["tt0111161", "tt0068646"],
        ),
        "fields": FIELDS,
    }
)


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


def find_many(imdb_ids: Sequence[str]) -> Query[FoundMany]:
    """Ask for movies by ids, of which some may be missing."""

    def read(rows: Rows) -> FoundMany:
        [[movies, missing]] = rows
        return FoundMany(movies_json=f"[{movies or ''}]", missing_json=f"[{missing or ''}]")

    return Query(statement=BY_IDS, values={"imdb_ids": ",".join(imdb_ids)}, read=read)
