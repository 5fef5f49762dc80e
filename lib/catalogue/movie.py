"""What a movie is: its fields, its id, and the key under which its title sorts and is found.

Questions to the catalogue of them are in `movies`.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final

TYPES: Final = ("movie", "series", "episode", "game")
TITLE_LENGTH: Final = 500  # characters; a longer key could outgrow a btree entry (2,704 bytes)
FIRST_YEAR: Final = 1850  # before the first film, above the typing errors
LAST_YEAR: Final = 2200

IMDB_ID: Final = re.compile(r"tt[0-9]{7,10}", re.ASCII)

# What typographers and keyboards write for marks that every keyboard has.
TYPOGRAPHIC: Final = {"'": "‘’ʼ`´", '"': "“”", "-": "‐‑‒–—−", "...": "…"}
# And letters that Unicode does not decompose.
_ALIKE: Final = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe",
        "þ": "th", **{odd: mark for mark, odds in TYPOGRAPHIC.items() for odd in odds},
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What one source thinks of a movie, in that source's own notation, such as "8.3/10"."""

    source: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Movie:
    """A movie as its source describes it; `None` and `()` mean that the source does not say.

    Attributes:
        imdb_id: "tt" and 7 to 10 digits: the movie's identity.
        type: One of `TYPES`.
        year: Year of release; of a series, its first.
        year_end: Last year of a series that has ended.
        imdb_rating: From 0 to 10 with one decimal.
        box_office_usd: Gross in the United States, in whole dollars.
        season: Of an episode, like `episode` and `series_id` (its series' imdb_id).
        aliases: Other ids that the source answers with this movie.
    """

    imdb_id: str
    title: str
    type: str
    year: int | None = None
    year_end: int | None = None
    rated: str | None = None
    released: date | None = None
    runtime_minutes: int | None = None
    genres: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    plot: str | None = None
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    awards: str | None = None
    poster_url: str | None = None
    ratings: tuple[Rating, ...] = ()
    metascore: int | None = None
    imdb_rating: float | None = None
    imdb_votes: int | None = None
    box_office_usd: int | None = None
    total_seasons: int | None = None
    website: str | None = None
    dvd_released: date | None = None
    production: str | None = None
    season: int | None = None
    episode: int | None = None
    series_id: str | None = None
    aliases: tuple[str, ...] = ()


def title_key(title: str) -> str:
    """Fold a title to the key it sorts by and is found under, whatever the case and the accents.

    Equal for "Amélie", "AMELIE" and "  amelie ", on every machine and Python version that has the
    letter. A title of nothing but marks and invisible characters keys as itself.
    """
    if title.isascii() and title.isprintable():
        # Most titles: nothing to decompose.
        return " ".join(title.lower().replace("`", "'").split())[:TITLE_LENGTH].rstrip() or title
    folded = unicodedata.normalize("NFKD", title).casefold().translate(_ALIKE)
    letters = "".join(
        c
        for c in unicodedata.normalize("NFKD", folded)
        if unicodedata.category(c)[:2] not in _UNSEEN
    )
    return " ".join(letters.split())[:TITLE_LENGTH].rstrip() or title


_UNSEEN: Final = frozenset({"Mn", "Me", "Cf", "Cc"})
