"""Decide what OMDb would answer to a query, as pure functions over a list of titles.

Of OMDb's parameters `apikey`, `i`, `t`, `s`, `type`, `y` and `page` are understood; `plot` and any
other are accepted and change nothing, for one plot is held of each title. Where OMDb is
inconsistent (https://github.com/omdbapi/OMDb-API/issues) the newest behaviour seen is followed.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, TypeAlias

Title: TypeAlias = Mapping[str, object]
Query: TypeAlias = Mapping[str, str]

PAGE_SIZE: Final = 10
SEARCH_KEYS: Final = ("Title", "Year", "imdbID", "Type", "Poster")

NO_KEY: Final = "No API key provided."
INVALID_KEY: Final = "Invalid API key!"
QUOTA_SPENT: Final = "Request limit reached!"
MOVIE_NOT_FOUND: Final = "Movie not found!"
SERIES_NOT_FOUND: Final = "Series not found!"
INCORRECT_ID: Final = "Incorrect IMDb ID."
NO_DATA: Final = "Error getting data."
TOO_MANY_RESULTS: Final = "Too many results."
SOMETHING_WRONG: Final = "Something went wrong."
NEGATIVE_OFFSET: Final = "The offset specified in a OFFSET clause may not be negative."


@dataclass(frozen=True)
class Answer:
    """Hold what is sent back.

    Attributes:
        status: The HTTP status.
        body: The bytes of the body.
        imdb_id: The id of the one title that was asked for and, by its title, found.
    """

    status: int
    body: bytes
    imdb_id: str | None = None


class Catalogue:
    """Keep the titles in the forms in which they are looked up."""

    def __init__(self, titles: Iterable[Title]) -> None:
        """Index the titles; of two titles with one id the later one counts."""
        by_id = {str(title["imdbID"]): title for title in titles}
        self.by_id: Mapping[str, Title] = MappingProxyType(by_id)
        self.by_votes: Sequence[Title] = sorted(by_id.values(), key=_votes, reverse=True)
        self._words = {imdb_id: _words(str(title["Title"])) for imdb_id, title in by_id.items()}

    def words_of(self, title: Title) -> Sequence[str]:
        """Return the words of a title, folded as `s=` and `t=` compare them."""
        return self._words[str(title["imdbID"])]


def answer(
    catalogue: Catalogue, query: Query, *, accepted_key: str, quota_left: int | None = None
) -> Answer:
    """Answer one call as OMDb would.

    Args:
        catalogue: The titles to answer from.
        query: The parameters by name; the names are case-blind.
        accepted_key: The one API key that is valid.
        quota_left: The calls the key may still make, this one included; `None` for no limit.
    """
    parameters = case_blind(query)
    refusal = _refusal(parameters, accepted_key=accepted_key, quota_left=quota_left)
    if refusal is not None:
        return _error(refusal, status=HTTPStatus.UNAUTHORIZED)
    # OMDb leaves the precedence undefined; with s= and i= together it has been seen to search.
    if "s" in parameters:
        return _search(catalogue, parameters)
    if "i" in parameters:
        return _by_id(catalogue, parameters["i"])
    if "t" in parameters:
        return _by_title(catalogue, parameters)
    return _error(INCORRECT_ID)


def case_blind(query: Query) -> dict[str, str]:
    """Return the parameters under lower-case names, the first of a name's spellings winning."""
    parameters: dict[str, str] = {}
    for name, value in query.items():
        parameters.setdefault(name.lower(), value)
    return parameters


def _refusal(parameters: Query, *, accepted_key: str, quota_left: int | None) -> str | None:
    key = parameters.get("apikey", "")
    if not key:
        return NO_KEY
    if key != accepted_key:
        return INVALID_KEY
    if quota_left is not None and quota_left <= 0:
        return QUOTA_SPENT
    return None


def _by_id(catalogue: Catalogue, asked: str) -> Answer:
    # OMDb drops the lower-case prefix and converts the rest to a number without looking at it.
    number = asked.strip().replace("tt", "")
    if number and not re.fullmatch(r"[0-9]+", number):
        return _conversion_error(number)
    imdb_id = _normal_id(asked.strip())
    if imdb_id is None:
        return _error(INCORRECT_ID)
    title = catalogue.by_id.get(imdb_id)
    return _error(NO_DATA, imdb_id=imdb_id) if title is None else _detail(title)


def _normal_id(asked: str) -> str | None:
    """Return the id without surplus zeros, or `None` if it cannot be an id of IMDb's."""
    match = re.fullmatch(r"tt0*([0-9]{1,8})", asked)
    if match is None or len(asked) < len("tt0000001"):
        return None
    return f"tt{int(match[1]):07d}"


def _by_title(catalogue: Catalogue, parameters: Query) -> Answer:
    if not parameters["t"].strip():
        return _error(SOMETHING_WRONG)
    words = _words(parameters["t"])
    if not words:
        return _error(MOVIE_NOT_FOUND)
    kind = parameters.get("type", "").lower()
    # OMDb holds games and finds them by title, but never when they alone are asked for.
    found = [] if kind == "game" else _filter(catalogue, kind=kind, year=parameters.get("y", ""))
    exact = [title for title in found if catalogue.words_of(title) == words]
    near = [title for title in found if set(words) <= set(catalogue.words_of(title))]
    best = next(iter(exact + near), None)
    return _error(_not_found(kind)) if best is None else _detail(best)


def _search(catalogue: Catalogue, parameters: Query) -> Answer:
    term = parameters["s"].strip()
    if not term:
        return _error(INCORRECT_ID)
    words = _words(term)
    # The length that counts is the whole term's: "The Thing" is searched for, "It" is not.
    if len("".join(words)) <= 2:  # noqa: PLR2004
        return _error(TOO_MANY_RESULTS)
    page = parameters.get("page", "").strip() or "1"
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", page):
        return _conversion_error(page)
    offset = int((float(page) - 1) * PAGE_SIZE)
    if offset < 0:
        return _error(NEGATIVE_OFFSET)
    kind = parameters.get("type", "").lower()
    candidates = _filter(catalogue, kind=kind, year=parameters.get("y", ""))
    found = _match(catalogue, candidates, words=words, last_is_prefix=term.endswith("*"))
    return _found_page(found, offset=offset, kind=kind)


def _match(
    catalogue: Catalogue, candidates: Iterable[Title], *, words: Sequence[str], last_is_prefix: bool
) -> list[Title]:
    """Keep the titles that hold every word, those that are nothing else first."""
    whole, prefix = (words[:-1], words[-1]) if last_is_prefix else (words, "")
    found = []
    for title in candidates:
        held = catalogue.words_of(title)
        # Episodes have not been found by a search since 2015.
        if title["Type"] == "episode" or not set(whole) <= set(held):
            continue
        if any(word.startswith(prefix) for word in held):
            found.append(title)
    return sorted(found, key=lambda title: catalogue.words_of(title) != words)


def _found_page(found: Sequence[Title], *, offset: int, kind: str) -> Answer:
    page = found[offset : offset + PAGE_SIZE]
    if not page:
        return _error(_not_found(kind))
    items = [{key: title[key] for key in SEARCH_KEYS} for title in page]
    body = {"Search": items, "totalResults": str(len(found)), "Response": "True"}
    return Answer(HTTPStatus.OK, _dump(body))


def _filter(catalogue: Catalogue, *, kind: str, year: str) -> list[Title]:
    """Return the titles of one type and, for series, one first year, most votes first."""
    return [
        title
        for title in catalogue.by_votes
        if kind in ("", title["Type"]) and year in ("", str(title["Year"])[:4])
    ]


def _not_found(kind: str) -> str:
    return SERIES_NOT_FOUND if kind == "series" else MOVIE_NOT_FOUND


def _detail(title: Title) -> Answer:
    return Answer(HTTPStatus.OK, _dump(title), imdb_id=str(title["imdbID"]))


def _error(message: str, *, status: int = HTTPStatus.OK, imdb_id: str | None = None) -> Answer:
    return Answer(status, _dump({"Response": "False", "Error": message}), imdb_id=imdb_id)


def _conversion_error(value: str) -> Answer:
    # OMDb does not escape these quotation marks: the body is no JSON, on purpose here too.
    message = f"Conversion from string \"{value}\" to type 'Double' is not valid."
    return Answer(HTTPStatus.OK, f'{{"Response":"False","Error":"{message}"}}'.encode())


def _dump(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _words(text: str) -> Sequence[str]:
    """Split a text into words, without case and accents."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    folded = "".join(char for char in decomposed if not unicodedata.combining(char))
    return tuple(re.findall(r"[\w']+", folded))


def _votes(title: Title) -> int:
    votes = str(title["imdbVotes"]).replace(",", "")
    return int(votes) if votes.isdecimal() else 0
