"""Made-up films, the same ones each time.

Titles are shaped as real ones are: articles of several languages, accents, numerals, sequels, and
about one film in four shares its title with others. What they are called and who made them is
chance.
"""

import random
from collections.abc import Iterator
from typing import Final

from lib.catalogue.movie import title_key

FIRST_ID: Final = 90_000_000  # IMDb has not come so far
_REMAKES: Final = 0.08  # of all films
_REMEMBERED: Final = 5_000  # titles that a remake may take


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_WORDS: Final = {
    "adjective": _words("""
        Last First Silent Broken Hidden Golden Crimson Lost Endless Burning Frozen Secret Wild Quiet
        Bitter Savage Distant Forgotten Electric Invisible Perfect Dangerous Gentle Hollow Midnight
        Naked Paper Restless Scarlet Tender Unholy Velvet Wicked Young Old Blue Black White Naïve
    """),
    "noun": _words("""
        Garden River Winter Summer Night Morning Road House Stranger Soldier Daughter Father Mother
        Brother Sister King Queen Thief Witness Letter Promise Shadow Mirror Island Train Bridge
        Harvest Orchard Machine Engine Circus Detective Doctor Teacher Dancer Fiancée Café Séance
        Mountain Valley Desert Ocean Harbour Lighthouse Castle Kingdom Empire Voyage Dream Memory
        Symphony Waltz Tango Game War Peace Revenge Redemption Affair Wedding Funeral Holiday Storm
    """),
    "place": _words("""
        Paris London Rome Berlin Tokyo Havana Lisbon Kraków Zürich Malmö Reykjavík Montréal Bogotá
        Córdoba Timbuktu Casablanca Shanghai Bombay Odessa Vienna Prague Dublin Glasgow Nashville
        Chicago Brooklyn Oklahoma Alaska Texas Tennessee Arizona Manhattan
    """),
    "first": _words("""
        Amélie Zoë José María Jürgen Søren Łukasz Bjørn Anna Peter Ada Grace Alan Edsger Barbara Ken
        Dennis Margaret Katherine Linus Frances Jean Radia Hedy Annie Claude Kurt Emmy Sofia Niels
    """),
    "last": _words("""
        Smith Müller García Nguyễn Kowalski O'Brien Dvořák Ångström Lovelace Turing Hopper Knuth
        Liskov Noether Gödel Curie Lamarr Hamilton Johnson Perlman Allen Easley Wing Sammet Bartik
        Clarke Borg Gosling Wirth Hoare Dijkstra Milner Backus Naur
    """),
    "french": _words("nuit forêt maison mémoire liberté vérité ombre guerre femme enfance été"),
    "german": _words("Straße Schönheit Brücke Lüge Wälder Mörder Stille Größe Tür Flügel Träume"),
    "spanish": _words("niña sueño montaña canción señora corazón mañana pasión noche sombra"),
    "numeral": _words("II III IV V 2 3 4 2000 3D"),
    "article": _words("The A My Our"),
    "language": _words("English French German Spanish Italian Japanese Hindi"),
    "country": _words("France Germany Spain Italy Japan India Poland Brazil"),
    "genre": _words("Comedy Drama Action Thriller Horror Romance Sci-Fi Western"),
    "rated": _words("PG-13 R PG G"),
}
# As often as they stand here.
_SHAPES: Final = (
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
        title = _fill(chance.choice(_SHAPES), chance)
        if chance.random() < _REMAKES and remembered:
            title = chance.choice(remembered)
        elif len(remembered) < _REMEMBERED:
            remembered.append(title)
        yield title


class _Chosen(dict[str, str]):
    """A word for each kind of word, another one each time."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def __missing__(self, kind: str) -> str:
        if kind == "number":
            return str(self._chance.randrange(10, 100))
        return self._chance.choice(_WORDS[kind])


def _fill(shape: str, chance: random.Random) -> str:
    return shape.format_map(_Chosen(chance))


def _film(number: int, title: str, chance: random.Random) -> dict[str, object]:
    chosen = _Chosen(chance)
    people = [_fill("{first} {last}", chance) for _ in range(6)]
    year = 2026 - int(chance.random() ** 2 * 120)  # ever more of them are made
    rating = chance.randrange(10, 100)
    return {
        "imdb_id": imdb_id(number),
        "title": title,
        "sort_key": title_key(title),
        "type": "movie",
        "year": year,
        "rated": chosen["rated"],
        "released": f"{year}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
        "runtime_minutes": chance.randrange(70, 200),
        "genres": [chosen["genre"], chosen["genre"]],
        "directors": people[:1],
        "writers": people[1:3],
        "actors": people[3:],
        "plot": _fill(_PLOT, chance),
        "languages": [chosen["language"]],
        "countries": [chosen["country"]],
        "awards": f"{number % 9} wins & {number % 17} nominations total",
        "poster_url": f"https://example.org/posters/{number:064x}.jpg",
        "ratings": [{"source": "Internet Movie Database", "value": f"{rating / 10}/10"}],
        "metascore": rating,
        "imdb_rating": rating / 10,
        "imdb_votes": int(10 ** (chance.random() * 6)),
        "aliases": [],
    }
