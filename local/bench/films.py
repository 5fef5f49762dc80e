"""Made-up films, the same ones each time.

Titles are shaped as real ones are: articles of several languages, accents, numerals, sequels, and
about one film in four shares its title with others. What they are called and who made them is
chance, but what is common is as common as among real films: dramas, English, the films of late, and
those that hardly anybody voted for.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from lib.catalogue.movie import title_key
from local.bench.words import fill, someone

Name = TypeVar("Name", str, str | None)

FIRST_ID: Final = 90_000_000  # IMDb has not come so far
_REMAKES: Final = 0.08  # of all films
_REMEMBERED: Final = 5_000  # titles that a remake may take
# As often as they stand here.
_SHAPES: Final = (
    *("{adjective} {noun}",) * 6,
    *("The {noun}",) * 2,
    "{noun}",
    *("{article} {adjective} {noun} of {place}",) * 5,
    *("{first} {last}: The {adjective} {noun}",) * 4,
    *("{adjective} {noun} and {adjective} {noun}",) * 3,
    *("{noun} of the {adjective} {noun} {numeral}",) * 2,
    *("{noun} of the {adjective} {noun}, Part {numeral}",) * 2,
    *("{number} {adjective} {noun}s",) * 2,
    *("{noun} vs. {noun}: {place} 19{number}",) * 2,
    "The {adjective} {noun}",
    "Le {french} de la {french} & {first} {last}",
    "L'{french} — {french} à {place}",
    "Die {german} und die {german} von {first} {last}",
    "El {spanish} de la {spanish} de {first} {last}",
)
_FINE: Final = 20  # parts of a hundredth


def _as_often(hundredths: Mapping[Name, float]) -> list[Name]:
    """Return names to choose from, each as often as its share of a hundred films, roughly."""
    return [name for name, share in hundredths.items() for _ in range(round(share * _FINE))]


_TYPES: Final = _as_often({"movie": 70, "series": 12, "episode": 15, "game": 3})
_GENRES: Final = _as_often({
    "Drama": 30, "Comedy": 24, "Short": 14, "Documentary": 12, "Romance": 9, "Action": 8,
    "Thriller": 8, "Crime": 7, "Horror": 7, "Family": 5, "Adventure": 5, "Animation": 5, "Music": 4,
    "Mystery": 4, "Fantasy": 3, "Biography": 3, "History": 3, "Sci-Fi": 3, "War": 2, "Western": 2,
    "Sport": 1, "Musical": 1, "Reality-TV": 1, "News": 0.5, "Film-Noir": 0.2,
})  # fmt: skip
_LANGUAGES: Final = _as_often({
    "English": 52, "French": 8, "Spanish": 7, "German": 6, "Japanese": 5, "Hindi": 4, "Italian": 4,
    "Portuguese": 3, "Russian": 3, "Mandarin": 2, "Korean": 2, "Turkish": 1, "Swedish": 1,
    "Polish": 1, "Dutch": 1, "Tamil": 1, "Danish": 0.7, "Greek": 0.5, "Arabic": 0.5, "Czech": 0.5,
    "Persian": 0.4, "Finnish": 0.4, "Hebrew": 0.2, "Icelandic": 0.05,
})  # fmt: skip
_COUNTRIES: Final = _as_often({
    "United States": 36, "United Kingdom": 9, "France": 8, "Germany": 6, "India": 6, "Japan": 5,
    "Italy": 4, "Canada": 4, "Spain": 4, "Brazil": 3, "Mexico": 2, "Australia": 2, "South Korea": 2,
    "China": 2, "Hong Kong": 1, "Turkey": 1, "Sweden": 1, "Argentina": 1, "Poland": 1,
    "Denmark": 0.7, "Greece": 0.5, "Austria": 0.5, "Ireland": 0.4, "Iran": 0.4, "Iceland": 0.05,
})  # fmt: skip
_RATED: Final = _as_often({
    None: 50, "Not Rated": 15, "R": 10, "TV-14": 6, "PG-13": 5, "PG": 5, "Approved": 3, "TV-MA": 3,
    "TV-PG": 2, "G": 1,
})  # fmt: skip
_SEVERAL: Final = 0.4  # have more than one genre, language, country
_UNKNOWN: Final = 0.15  # of all films nobody has voted for
_MOST_VOTES: Final = 3_000_000
_PLOT: Final = (
    "In {place}, {first} {last} finds a {adjective} {noun} and loses everything else; years later "
    "{first} {last} comes back for it, and nobody will be the same {adjective} person again."
)


def imdb_id(number: int) -> str:
    """Return the id of a film by its number."""
    return f"tt{FIRST_ID + number}"


def films(count: int, *, first: int = 0) -> Iterator[dict[str, object]]:
    """Make films as `statements.upserting` takes them, numbered from the first.

    In no order, as the ids of real films do not follow the alphabet.
    """
    chance = random.Random(first)  # noqa: S311  chance is all that is wanted here
    titles = _titles(chance)
    for number in range(first, first + count):
        yield _film(number, next(titles), chance)


def _titles(chance: random.Random) -> Iterator[str]:
    remembered: list[str] = []
    while True:
        title = fill(chance.choice(_SHAPES), chance)
        if chance.random() < _REMAKES and remembered:
            title = chance.choice(remembered)
        elif len(remembered) < _REMEMBERED:
            remembered.append(title)
        yield title


def _film(number: int, title: str, chance: random.Random) -> dict[str, object]:
    people = [someone(chance) for _ in range(6)]
    year = 2026 - int(chance.random() ** 2 * 120)  # ever more of them are made
    rating = chance.randrange(10, 100)
    is_known = chance.random() > _UNKNOWN
    return {
        "imdb_id": imdb_id(number),
        "title": title,
        "sort_key": title_key(title),
        "type": chance.choice(_TYPES),
        "year": year,
        "rated": chance.choice(_RATED),
        "released": f"{year}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
        "runtime_minutes": chance.randrange(70, 200),
        "genres": _some(_GENRES, chance),
        "directors": people[:1],
        "writers": people[1:3],
        "actors": people[3:],
        "plot": fill(_PLOT, chance),
        "languages": _some(_LANGUAGES, chance),
        "countries": _some(_COUNTRIES, chance),
        "awards": f"{number % 9} wins & {number % 17} nominations total",
        "poster_url": f"https://example.org/posters/{number:064x}.jpg",
        "ratings": [{"source": "Internet Movie Database", "value": f"{rating / 10}/10"}],
        "metascore": rating,
        "imdb_rating": rating / 10 if is_known else None,
        "imdb_votes": _votes(chance) if is_known else None,
        "aliases": [],
    }


def _some(names: Sequence[str], chance: random.Random) -> list[str]:
    """Return one, two or three of these."""
    count = 1 + (chance.random() < _SEVERAL) + (chance.random() < _SEVERAL / 2)
    return list(dict.fromkeys(chance.choice(names) for _ in range(count)))


def _votes(chance: random.Random) -> int:
    """Return how many voted for a film: of 100 films five have a thousand."""
    return min(_MOST_VOTES, int(10 * (1 - chance.random()) ** -1.6))
