"""Which movie a caller means: the rules for titles, ids and years at the edge."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from lib.catalogue.movie import FIRST_YEAR, IMDB_ID, LAST_YEAR, TITLE_LENGTH
from lib.errors import InvalidRequest
from lib.web.parsing import parse_integer_member, parse_integer_parameter, parse_text_member

ID_RULE: Final = "must be an IMDb id: tt and 7 to 10 digits, such as tt0111161"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A movie named by its id, or by its title and perhaps its year."""

    imdb_id: str | None = None
    title: str = ""
    year: int | None = None


def parse_get_query(query: Mapping[str, str]) -> Wanted:
    """Read the parameters of `movies.get`, or raise `InvalidRequest` naming the wrong one."""
    _demand_one_of(query)
    year = None
    if "year" in query:
        year = parse_integer_parameter(query["year"], "year", low=FIRST_YEAR, high=LAST_YEAR)
    return _parse_wanted(query, year)


def parse_create_body(body: Mapping[str, Any]) -> Wanted:
    """Read the body of `movies.create`, or raise `InvalidRequest` naming the wrong member."""
    _demand_one_of(body)
    return _parse_wanted(body, parse_integer_member(body, "year", low=FIRST_YEAR, high=LAST_YEAR))


def parse_imdb_id_from_path(path: str) -> str:
    """Read the id from a path's last segment; an encoded or extra segment is refused.

    Args:
        path: Still percent-encoded, so that `%2F` is no separator.
    """
    return check_id(path.rpartition("/")[2])


def is_id(value: object) -> TypeGuard[str]:
    """Tell whether a value is an IMDb id."""
    return isinstance(value, str) and bool(IMDB_ID.fullmatch(value))


def check_id(value: object) -> str:
    """Return the id when it is one, or raise `InvalidRequest`."""
    if not is_id(value):
        raise InvalidRequest(f"imdb_id {ID_RULE}.", fields={"imdb_id": ID_RULE})
    return value


def _demand_one_of(given: Mapping[str, Any]) -> None:
    if ("title" in given) == ("imdb_id" in given):
        raise InvalidRequest("Give either title or imdb_id.", fields={"title": "or imdb_id"})
    if "imdb_id" in given and "year" in given:
        raise InvalidRequest(
            "A year narrows a title; an imdb_id needs none.", fields={"year": "only with title"}
        )


def _parse_wanted(given: Mapping[str, Any], year: int | None) -> Wanted:
    if "imdb_id" in given:
        return Wanted(imdb_id=check_id(given["imdb_id"]))
    title = parse_text_member(given, "title", longest=TITLE_LENGTH)
    return Wanted(title=re.sub(r"\s+", " ", title or "").strip(), year=year)
