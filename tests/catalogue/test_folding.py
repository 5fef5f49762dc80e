"""How titles are folded, in Python and in SQL."""

import json
import unicodedata
from collections.abc import Sequence

import hypothesis
import pytest
from hypothesis import strategies
from sqlalchemy import text

from lib.catalogue.folding import fold, loose, split_words
from lib.database.transactions import TransactionalDatabase

IN_SQL = """
    select
        fold_title(title), loose_title(title),
        array_remove(folded_words(fold_title(title)), '')
    from json_array_elements_text(cast(:titles as json)) with ordinality given (title, place)
    order by place
"""
# Articles and marks that mean something to the rules, between any letters.
ODD = (" ", "  ", ",", ", The", " , l'", ", A", "the ", "An ", "&", "+", "½", "³", "a", "Die ", "-")
PIECES = strategies.one_of(strategies.text(max_size=4), strategies.sampled_from(ODD))
TITLES = strategies.lists(PIECES, max_size=8).map("".join)


def words(folded: str) -> set[str]:
    """Return all that a title is found by."""
    split = list(split_words(folded))
    return {part for parts in split for part in parts} | {"".join(parts) for parts in split}


def differing(database: TransactionalDatabase, titles: Sequence[str]) -> list[object]:
    """Return the titles that are folded otherwise in SQL, both ways."""
    with database.begin() as connection:
        connection.execute(text("set local statement_timeout = 0"))
        folded = connection.execute(text(IN_SQL), {"titles": json.dumps(titles)}).all()
    return [
        (title, in_python, in_sql)
        for title, in_sql in zip(titles, ((*row[:2], set(row[2])) for row in folded), strict=True)
        if (in_python := (fold(title), loose(title), words(fold(title)))) != in_sql
    ]


@pytest.mark.parametrize(
    ("title", "folded"),
    [
        ("Amélie", "amelie"),
        ("  AMÉLIE \t", "amelie"),
        ("Singin´ in the Rain", "singin' in the rain"),
        ("Die „Feuerzangenbowle“", 'die "feuerzangenbowle"'),
        ("Face∕Off", "face/off"),
        ("WALL·E", "wall.e"),
        ("Alien³", "alien 3"),
        ("8½", "8 1/2"),
        ("½ Mensch", "1/2 mensch"),
        ("Ærø", "aero"),
        ("Die Straße", "die strasse"),
        ("İstanbul", "istanbul"),
        ("Ёлки", "елки"),
        ("A\u200bB\u202e", "ab"),
        ("Ｆａｔｅ：２", "fate:2"),
        ("ﾊﾟﾝﾀﾞ", "パンダ"),
        ("パンダ", "パンダ"),
        ("ハンダ", "ハンダ"),
        ("हिन्दी", "हिन्दी"),
        ("น้ำ", unicodedata.normalize("NFKC", "น้ำ")),
        ("!!!", "!!!"),
        ("\u200b", "\u200b"),
        ("É" * 600, "e" * 500),
    ],
)
def test_a_title_is_folded(title: str, folded: str) -> None:
    assert fold(title) == folded


@pytest.mark.parametrize(
    "written",
    [
        ("The Godfather", "Godfather, The", "godfather", "the god-father"),
        ("Schindler's List", "Schindlers List", "Schindler’s List"),
        ("M*A*S*H", "MASH", "m.a.s.h."),
        ("(500) Days of Summer", "500 Days of Summer"),
        ("Fast & Furious", "Fast and Furious"),
        ("Romeo + Juliet", "Romeo & Juliet", "Romeo and Juliet"),
        ("WALL·E", "WALL-E", "Wall E"),
        ("L'avventura", "Avventura, L'", "Lavventura"),
        ("La Dolce Vita", "Dolce Vita, La"),
        ("Alien³", "Alien 3", "alien3"),
    ],
)
def test_titles_that_differ_in_marks_and_articles_are_one_loosely(written: Sequence[str]) -> None:
    assert len({loose(title) for title in written}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("Die Hard", "Hard"), ("The", "A"), ("!!!", "???"), ("パンダ", "ハンダ"), ("A", "B")],
)
def test_titles_of_other_films_are_not_one(one: str, other: str) -> None:
    assert loose(one) != loose(other)


def test_every_character_is_folded_in_sql_as_in_python(
    worker_database: TransactionalDatabase,
) -> None:
    with worker_database.begin() as connection:
        connection.execute(text("set local statement_timeout = 0"))
        known_there = connection.execute(
            text("""
                select chr(point) from generate_series(1, 1114111) point
                where point not between 55296 and 57343 and unicode_assigned(chr(point))
            """)
        ).scalars()
        known = [c for c in known_there if is_known(c)]
    # A few a title, so that there are not as many titles as characters.
    titles = [
        " ".join(f"x{c}y" for c in known[first : first + 16]) for first in range(0, len(known), 16)
    ]

    assert len(known) > 140_000
    assert differing(worker_database, titles) == []


@hypothesis.settings(max_examples=25)
@hypothesis.given(strategies.lists(TITLES, max_size=40))
def test_any_title_is_folded_in_sql_as_in_python(
    worker_database: TransactionalDatabase, titles: list[str]
) -> None:
    # Python's Unicode is no newer than PostgreSQL's, and has no such letters as that does not know.
    known = ["".join(c for c in title if c != "\0" and is_known(c)) for title in titles]
    assert differing(worker_database, known) == []


def is_known(character: str) -> bool:
    return unicodedata.category(character) not in {"Cn", "Co", "Cs"}


@hypothesis.given(TITLES)
def test_what_is_folded_stays_as_it_is(title: str) -> None:
    assert len(fold(title)) <= 500
    assert fold(fold(title)) == fold(title)
