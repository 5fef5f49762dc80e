"""What made-up films are called and who made them, as common and as rare as in real catalogues.

Words that exist, words that do not (there are a hundred thousand, few of them common), and three
hundred thousand people, a few of whom made hundreds of films. A word and a person have numbers, the
most common ones the smallest, and are computed from those: none is kept.
"""

import functools
import itertools
import random
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS: Final = 100_000
PEOPLE: Final = 300_000
_FIRST_NAMES: Final = 500
_LAST_NAMES: Final = 40_000
_SYLLABLES: Final = [
    "".join(parts)
    for parts in itertools.product(
        _words("b br c d f g h k l m n p r s sh st t v"),
        ("a", "e", "i", "o", "u", "ay", "ea", "oo"),
        ("", "", "n", "r", "l"),
    )
]
# Multiples of the first spread over all of 32 bits, of the pair over all pairs between 0 and 1: so
# what follows each other is not alike, and the same number is the same again.
_APART: Final = 2_654_435_761
_PAIR: Final = (0.754_877_666_246_693, 0.569_840_290_998_053)


KINDS: Final = {
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
        Anna Peter José María Grace Alan Ada Jean Ken Dennis Margaret Katherine Frances Barbara Zoë
        Amélie Jürgen Søren Łukasz Bjørn Edsger Linus Radia Hedy Annie Claude Kurt Emmy Sofia Niels
    """),
    "last": _words("""
        Smith Müller García Johnson Allen Clarke Hamilton Nguyễn Kowalski O'Brien Dvořák Ångström
        Lovelace Turing Hopper Knuth Liskov Noether Gödel Curie Lamarr Perlman Easley Wing Sammet
        Bartik Borg Gosling Wirth Hoare Dijkstra Milner Backus Naur
    """),
    "french": _words("nuit forêt maison mémoire liberté vérité ombre guerre femme enfance été"),
    "german": _words("Straße Schönheit Brücke Lüge Wälder Mörder Stille Größe Tür Flügel Träume"),
    "spanish": _words("niña sueño montaña canción señora corazón mañana pasión noche sombra"),
    "numeral": _words("II III IV V 2 3 4 2000 3D"),
    "article": _words("The The The A My Our"),
}
_MADE_UP: Final = {"adjective": 0.6, "noun": 0.6, "place": 0.3, "last": 0.5}  # how much of each


class Chosen(dict[str, str]):
    """A word for each kind of word, another one each time."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def __missing__(self, kind: str) -> str:
        if kind == "number":
            return str(self._chance.randrange(10, 100))
        if self._chance.random() < _MADE_UP.get(kind, 0):
            return made_up(int(WORDS * self._chance.random() ** 3)).capitalize()
        return self._chance.choice(KINDS[kind])


def fill(shape: str, chance: random.Random) -> str:
    """Put words where a shape, such as "The {noun}", has their kinds."""
    return shape.format_map(Chosen(chance))


def someone(chance: random.Random) -> str:
    """Return the name of a person, one of the busiest more often than another."""
    return person(int(PEOPLE * chance.random() ** 1.5))


@functools.lru_cache(None)
def made_up(number: int) -> str:
    """Return a word that is in no language: two syllables, or three."""
    spread = (number + 1) * _APART % 2**32
    count = 2 + (spread % 3 > 0)
    chosen = []
    for _ in range(count):
        spread, which = divmod(spread, len(_SYLLABLES))
        chosen.append(_SYLLABLES[which])
    return "".join(chosen)


def person(number: int) -> str:
    """Return the name of a person: John is more common than others, Smith not quite so much."""
    given, family = (number * step % 1 for step in _PAIR)
    first = _name("first", int(_FIRST_NAMES * given**2))
    return f"{first} {_name('last', int(_LAST_NAMES * family**2))}"


def _name(kind: str, number: int) -> str:
    known = KINDS[kind]
    if number < len(known):
        return known[number]
    return made_up(WORDS * len(kind) + number).capitalize()
