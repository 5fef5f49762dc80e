"""Which movie a caller means: the rules for titles, ids and years at the edge."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeGuard

from lib.catalogue.fields import FIELDS
from lib.catalogue.movie import FIRST_YEAR, IMDB_ID, LAST_YEAR, TITLE_LENGTH
from lib.errors import InvalidRequest
from lib.web.inputs import Alternative, Input, Inputs
from lib.web.rules import Pattern, Text, Whole

TITLE: Final = Text(longest=TITLE_LENGTH)
YEAR: Final = Whole(low=FIRST_YEAR, high=LAST_YEAR)
ID_RULE: Final = "must be an IMDb id: tt and 7 to 10 digits, such as tt0111161"


def is_id(value: object) -> TypeGuard[str]:
    """Tell whether a value is an IMDb id."""
    return isinstance(value, str) and bool(IMDB_ID.fullmatch(value))


# In a path it is still percent-encoded: then it is none.
ID: Final = Pattern(IMDB_ID, ID_RULE)


def _refuse_mix(given: Collection[str]) -> NoReturn:
    if ("title" in given) == ("imdb_id" in given):
        raise InvalidRequest("Give either title or imdb_id.", fields={"title": "or imdb_id"})
    raise InvalidRequest(
        "A year narrows a title; an imdb_id needs none.", fields={"year": "only with title"}
    )


_WAYS: Final = (
    Alternative("by title", required=("title",), optional=("year",)),
    Alternative("by id", required=("imdb_id",)),
)

# What is asked of `movies.get`, in the order of our own links, `movies.create`, `movies.delete`.
GETTING: Final = Inputs(
    {
        "title": Input(
            rule=TITLE,
            about="The movie's title, in any case, with or without accents and an article. Either "
            "this or `imdb_id`.",
            example="The Godfather",
        ),
        "imdb_id": Input(rule=ID, about="The movie's IMDb id. Either this or `title`."),
        "year": Input(
            rule=YEAR, about="Narrows a title that several movies share. Only with `title`."
        ),
        "fields": FIELDS,
    },
    alternatives=_WAYS,
    refuse=_refuse_mix,
)
CREATING: Final = Inputs(
    {
        "title": Input(rule=TITLE, about="A film's title, as OMDb knows it."),
        "year": Input(rule=YEAR, about="Narrows a title that several films share."),
        "imdb_id": Input(
            rule=ID,
            about="The movie's IMDb id: of any film, and of a series, an episode or a game.",
        ),
    },
    alternatives=_WAYS,
    refuse=_refuse_mix,
)
DELETING: Final = Inputs(
    {"imdb_id": Input(rule=ID, about="The movie's IMDb id.", required=True, example="tt0111161")}
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A movie named by its id, or by its title and perhaps its year.

    Attributes:
        title: Without surplus blanks.
    """

    imdb_id: str | None = None
    title: str = ""
    year: int | None = None


def wanted_movie(values: Mapping[str, Any]) -> Wanted:
    """Return what the values of `GETTING` or `CREATING` ask for."""
    title = values["title"] or ""
    return Wanted(imdb_id=values["imdb_id"], title=" ".join(title.split()), year=values["year"])
