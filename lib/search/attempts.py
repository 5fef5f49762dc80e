"""The ways to understand what was asked for, and the values that the statements take for each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lib.catalogue.folding import loose, turn_article
from lib.catalogue.movie import TITLE_LENGTH
from lib.database.statement import Values
from lib.search.corrections import (
    Corrections,
    as_array,
    far_words,
    near_words,
    texts_of,
)
from lib.search.cursor import Cursor, Way
from lib.search.filters import Filters
from lib.search.statements import BEST, KNOWN, SMALL
from lib.search.text import (
    ANYTHING,
    NOTHING,
    Terms,
    Words,
    all_of,
    any_of,
    compose,
    lexeme,
    read_terms,
)

_MOST_TEXTS: Final = 200
_NO_YEAR: Final = -10  # next to none that a film has


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way to understand what was asked.

    Attributes:
        words: None where no text is looked for, as `terms` then is.
        titles: Letters and digits of the titles that are just what is asked.
        main: That of them which is meant first, if one is.
        beginnings: Letters and digits of the beginnings of titles that are good hits.
        corrected: What is looked for instead of what was asked, as far as it is known before.
    """

    way: Way = "asked"
    terms: Terms | None = None
    words: Words | None = None
    titles: tuple[str, ...] = ()
    main: str = ""
    beginnings: tuple[str, ...] = ()
    corrected: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether it may find anything."""
        return self.words is None or self.words.anywhere != NOTHING or bool(self.titles)


def as_asked(terms: Terms | None, filters: Filters) -> Attempt:
    """Look for what was asked, as it was."""
    return _plain("asked", terms, filters) if terms else Attempt()


def instead_of(terms: Terms, filters: Filters) -> Iterator[Attempt]:
    """Yield the attempts with a part of what was asked: a title without the one in brackets."""
    return (instead(text, terms, filters) for text in terms.titles[1:])


def instead(text: str, terms: Terms, filters: Filters) -> Attempt:
    """Look for another text than was asked for, of the same year."""
    return _plain("instead", read_terms(text, year=terms.year), filters, corrected=text)


def near(terms: Terms, found: Corrections) -> Attempt:
    """Look for the words with one of them mended, or those that no film has."""
    return _mended("near", terms, found, near_words(found))


def far(terms: Terms, found: Corrections) -> Attempt:
    """Look for the words with any of them mended."""
    return _mended("far", terms, found, far_words(found))


def _plain(way: Way, terms: Terms, filters: Filters, corrected: str = "") -> Attempt:
    return Attempt(
        way=way,
        terms=terms,
        words=compose(terms.words, is_typed=terms.is_typed, is_filtered=bool(filters.lexemes)),
        titles=terms.loose_titles,
        main=loose(terms.titles[0]),
        beginnings=(loose(terms.titles[0]),),
        corrected=corrected,
    )


def _mended(way: Way, terms: Terms, found: Corrections, words: Words) -> Attempt:
    texts = tuple(dict.fromkeys(map(loose, islice(texts_of(found), _MOST_TEXTS))))
    return Attempt(way=way, terms=terms, words=words, titles=texts, beginnings=texts)


def hit_values(attempt: Attempt, filters: Filters) -> dict[str, str | int | None]:
    """Return the values that tell which rows are hits."""
    words, lexemes = attempt.words, filters.lexemes
    indexed = [query for query in (words.indexed if words else "", lexemes) if query]
    return {
        **filters.values,
        "by": "tokens" if indexed else _by_bounds(filters),
        "indexed": all_of(indexed) or ANYTHING,
        "anywhere": words.anywhere if words and words.anywhere != words.indexed else ANYTHING,
        "filters": lexemes or ANYTHING,
        "loose_titles": as_array(attempt.titles),
    }


def _by_bounds(filters: Filters) -> str:
    """Return which index finds the hits of ranges of which rows have no lexemes."""
    if "released" not in filters.bounds:
        return "votes" if "votes" in filters.bounds else "all"
    # Few films are known; of votes from less on there are too many.
    return "votes" if filters.of("votes")[0] >= KNOWN else "released"


def relevance_values(
    attempt: Attempt, filters: Filters, cursor: Cursor | None, records: int
) -> Values:
    """Return the values of a page by relevance."""
    terms, words = attempt.terms, attempt.words
    assert terms is not None  # noqa: S101  without a text there is no relevance
    assert words is not None  # noqa: S101
    year = terms.year
    title = [query for query in (words.title_indexed, filters.lexemes) if query]
    return {
        **hit_values(attempt, filters),
        "title": words.title,
        "title_indexed": all_of(title),
        "whole_words": words.whole,
        "beginnings": as_array(attempt.beginnings),
        "year": year or _NO_YEAR,
        "in_year": any_of([lexeme(f"#y/{year}"), lexeme(str(year))]) if year else NOTHING,
        "whole": loose(terms.whole),
        "main": attempt.main,
        "folded": turn_article(terms.titles[0]),
        "text": terms.text,
        "score": int(cursor.value) if cursor else BEST,
        "imdb_id": cursor.imdb_id if cursor else "",
        "records": records,
    }


# Behind every id, every sort key and every number.
_LAST_ID: Final = "u"
_LAST_KEY: Final = "\U0010ffff" * (TITLE_LENGTH + 1)
_LAST_NUMBER: Final = 2**31 - 1
_LAST_SMALL: Final = 2**15 - 1


def column_values(
    attempt: Attempt,
    filters: Filters,
    column: str,
    *,
    descending: bool,
    cursor: Cursor | None,
    records: int,
) -> Values:
    """Return the values of a page in the order of a column."""
    place = _after(cursor) if cursor else _first(filters, column, descending=descending)
    values: dict[str, str | int | None] = {**hit_values(attempt, filters), "records": records}
    if column == "sort_key":
        return {**values, **place}
    if descending:
        return {**values, **place, "value": int(place["value"])}
    if cursor and cursor.value == "0":  # among the unknown, which stand at the end
        last = _LAST_SMALL if column in SMALL else _LAST_NUMBER
        return {**values, "value": last, "imdb_id": _LAST_ID, "unknown_after": cursor.imdb_id}
    return {**values, **place, "value": int(place["value"]), "unknown_after": ""}


def _after(cursor: Cursor) -> dict[str, str]:
    return {"value": cursor.value, "imdb_id": cursor.imdb_id}


def _first(filters: Filters, column: str, *, descending: bool) -> dict[str, str]:
    """Return the place before the first that may be a hit."""
    if column == "sort_key":
        return {"value": _LAST_KEY if descending else "", "imdb_id": ""}
    low, high = filters.of(column)
    if descending:
        last = min(high, _LAST_SMALL if column in SMALL else _LAST_NUMBER)
        return {"value": str(last), "imdb_id": _LAST_ID}
    # Behind those of 0, which are unknown.
    return {"value": str(low), "imdb_id": "" if low else _LAST_ID}
