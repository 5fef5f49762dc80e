"""The same films in SQLite's FTS5, in this process: what is hard to beat on one machine.

Its rows are in the order of votes, so that the best of what matches come first and it can stop
after ten. It knows no typos, and answers with numbers of rows, not with films.
"""

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from lib.database.settings import DatabaseSettings
from local.bench.catalogue import connect
from local.bench.queries import WORD, Search

_TABLE: Final = """
    create virtual table films using fts5 (
        title, people, tags, year unindexed,
        tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')
"""
_FILMS: Final = """
    declare films cursor for
    select title, directors || writers || actors, genres, languages, countries, year from movies
    order by imdb_votes desc nulls last, imdb_id
"""
_CHUNK: Final = 10_000
_FOUND: Final = "from films where films match :match and year between :first and :last"
_FIND: Final = f"select rowid {_FOUND} order by rowid limit 10"
_COUNT: Final = f"select count(*) {_FOUND}"


class Fts5:
    """An index that is open for reading."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def find(self, search: Search) -> list[int]:
        """Return the ten best films: their places among all, by votes."""
        return [row for (row,) in self._connection.execute(_FIND, _values(search))]

    def count(self, search: Search) -> int:
        """Return how many films there are, all of them counted."""
        [found] = self._connection.execute(_COUNT, _values(search)).fetchone()
        return int(found)


def provide(settings: DatabaseSettings, path: Path) -> None:
    """Make sure that a file holds the index of a catalogue; it is kept for the next time."""
    if path.exists():
        return
    for older in path.parent.glob(f"*{path.suffix}"):
        older.unlink()
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    index = sqlite3.connect(unfinished)
    index.execute("pragma journal_mode = off")
    index.execute(_TABLE)
    numbers = itertools.count(1)
    rows = ((next(numbers), *_cells(film)) for film in _films(settings))
    index.executemany(
        "insert into films (rowid, title, people, tags, year) values (?, ?, ?, ?, ?)", rows
    )
    index.execute("insert into films (films) values ('optimize')")
    index.commit()
    index.close()
    unfinished.rename(path)


def _films(settings: DatabaseSettings) -> Iterator[Sequence[Any]]:
    with connect(settings) as connection:
        cursor = connection.cursor()
        cursor.execute("begin")
        cursor.execute(_FILMS)
        while True:
            cursor.execute(f"fetch {_CHUNK} from films")
            chunk = cursor.fetchall()
            if not chunk:
                break
            yield from chunk
        cursor.execute("commit")


def _cells(film: Sequence[Any]) -> tuple[object, ...]:
    title, people, genres, languages, countries, year = film
    named = {"genre": genres, "language": languages, "country": countries}
    tags = [_tag(name, value) for name, values in named.items() for value in values]
    return title, ", ".join(people), " ".join(tags), year


def _tag(name: str, value: str) -> str:
    """Return what stands for a value of a filter: one word, which no title and no name has."""
    return f"{name}{''.join(WORD.findall(value.casefold()))}0"


def _values(search: Search) -> dict[str, object]:
    filters = dict(search.filters)
    first, last = filters.pop("year", "0..9999").split("..")
    words = [f'"{word}"' for word in WORD.findall(search.words)]
    terms = [*words[:-1], *(f"{word} *" for word in words[-1:])]
    terms += [f'tags : "{_tag(name, value)}"' for name, value in filters.items()]
    return {"match": " AND ".join(terms), "first": int(first), "last": int(last)}
