"""The port: what any source of movies offers."""

from dataclasses import dataclass
from typing import Protocol

from lib.catalogue.movie import Movie


@dataclass(frozen=True, kw_only=True)
class SearchHit:
    """A title that a search found; `year_text` is as its source writes it, a range for a series."""

    imdb_id: str
    title: str
    year_text: str | None
    type: str


@dataclass(frozen=True, kw_only=True)
class SearchPage:
    """One page of a search; `total` counts the hits of all pages, where the source says so."""

    hits: tuple[SearchHit, ...]
    total: int | None


class MovieSource(Protocol):
    """Whatever knows movies; each method raises faults of `lib.errors` and no others."""

    def find_by_id(self, imdb_id: str) -> Movie:
        """Return the movie of an id; an alias is named among the movie's own."""
        ...

    def find_by_title(self, title: str, *, year: int | None = None) -> Movie:
        """Return the film that the source takes for the best match, of no other year than this."""
        ...

    def search(
        self,
        title: str,
        *,
        page: int,
        type: str | None = None,  # noqa: A002
        year: int | None = None,
    ) -> SearchPage:
        """Return a page, from 1, of the titles that match; an empty one past the end."""
        ...
