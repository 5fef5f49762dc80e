"""What a movie is found by follows whatever is done to it; words and facets do when gathered."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any, Final

import pytest
from sqlalchemy import text

from lib.catalogue import movies, statements
from lib.catalogue.movie import Movie
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.search import suggesting
from local.bench import films
from tests.catalogue.test_movies import BARE, FULL
from tests.support import store

CHANCE: Final = Random()  # noqa: S311  no secret
UPSERT: Final = Statement(repeatable=True, sql=statements.upserting())
GATHER: Final = "select gather_words(2000)"
Change = Callable[..., None]
FILM: Final = Movie(
    imdb_id="tt0000001",
    title="Spider-Man & the Flâneur's Return³",
    type="movie",
    year=1994,
    rated="PG-13",
    released=date(1994, 10, 5),
    runtime_minutes=142,
    genres=("Sci-Fi", "Drama"),
    directors=("Jean-Luc Ångström",),
    writers=("Ann O'Brien",),
    actors=("Jean-Luc Ångström", "Þór"),
    languages=("English",),
    countries=("Côte d'Ivoire",),
    imdb_rating=9.3,
    imdb_votes=1_234_567,
)
OTHER: Final = replace(FULL, imdb_id="tt0000002")
THIRD: Final = replace(BARE, imdb_id="tt0000003")


@pytest.fixture
def upsert(settings: DatabaseSettings) -> Iterator[Callable[..., None]]:
    """Store movies, several in one statement."""
    writing = Database(settings, statements=[UPSERT])

    def run(*chosen: Movie) -> None:
        writing.run(UPSERT, movies=movies.as_records(chosen))

    yield run
    writing.close()


@pytest.fixture
def change(database: TransactionalDatabase) -> Change:
    """Do something by hand."""

    def run(sql: str, **values: object) -> None:
        with database.begin() as connection:
            connection.execute(text(sql), values)

    return run


def ask(database: TransactionalDatabase, sql: str) -> list[Any]:
    with database.begin() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def row_of(database: TransactionalDatabase, imdb_id: str) -> dict[str, Any]:
    with database.begin() as connection:
        asked = text("select *, tsvector_to_array(tokens) as lexemes from movie_search")
        rows = connection.execute(asked).mappings()
        return next(dict(row) for row in rows if row["imdb_id"] == imdb_id)


def test_a_movie_is_found_by_its_titles_words_its_people_and_what_it_is_filtered_by(
    database: TransactionalDatabase,
) -> None:
    store(database, FILM)
    row = row_of(database, FILM.imdb_id)

    assert set(row["lexemes"]) == {
        *("spider", "man", "spiderman", "and", "the", "flaneur", "s", "flaneurs", "return", "3"),
        *("@jean", "@luc", "@jeanluc", "@angstrom", "@ann", "@o", "@brien", "@obrien", "@thor"),
        *("#d/jean-luc angstrom", "#w/ann o'brien", "#a/jean-luc angstrom", "#a/thor"),
        *("#g/sci-fi", "#g/drama", "#l/english", "#c/cote d'ivoire", "#t/movie", "#r/pg-13"),
        *("#y/1994", "#e/1990", "#i/9", "#m/140"),
    }
    facets = ["g/Sci-Fi", "g/Drama", "l/English", "c/Côte d'Ivoire", "t/movie", "r/PG-13", "e/1990"]
    assert sorted(row["facets"]) == sorted(facets)
    shown = ("folded", "loose", "votes", "released", "year", "runtime", "rating")
    assert [row[name] for name in shown] == [
        "spider-man & the flaneur's return 3",
        "spidermanandtheflaneursreturn3",
        *(1_234_567, 19_941_005, 1994, 142, 93),
    ]


def test_what_is_not_known_of_a_movie_is_nothing(database: TransactionalDatabase) -> None:
    store(database, BARE)
    row = row_of(database, BARE.imdb_id)

    shown = ("votes", "released", "year", "runtime", "rating")
    assert [row[name] for name in shown] == [0] * 5
    assert row["facets"] == [f"t/{BARE.type}"]
    assert not [lexeme for lexeme in row["lexemes"] if lexeme[:2] in {"#y", "#e", "#i", "#m", "#r"}]


def test_the_row_is_of_all_that_is_known_and_not_of_the_last_answer_alone(
    database: TransactionalDatabase,
) -> None:
    store(database, FILM)
    store(database, Movie(imdb_id=FILM.imdb_id, title=FILM.title, type="movie", genres=("War",)))

    assert {"@thor", "#g/war", "#y/1994"} <= set(row_of(database, FILM.imdb_id)["lexemes"])
    assert "#g/drama" not in row_of(database, FILM.imdb_id)["lexemes"]


OTHERWISE: Final[dict[str, Any]] = {
    "title": "Other", "type": "series", "year": 2001, "rated": "R", "released": date(2001, 1, 2),
    "runtime_minutes": 7, "imdb_rating": 1.5, "imdb_votes": 5,
    **dict.fromkeys(
        ("genres", "directors", "writers", "actors", "languages", "countries"), ("Other",)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_whatever_changes_of_it_the_row_follows(
    database: TransactionalDatabase, upsert: Callable[..., None], name: str
) -> None:
    upsert(FILM, OTHER)
    changed = replace(FILM, **{name: OTHERWISE[name]})
    upsert(changed, OTHER)
    followed = row_of(database, FILM.imdb_id)
    with database.begin() as connection:
        connection.execute(text("truncate movies"))
    upsert(changed)

    assert followed == row_of(database, FILM.imdb_id)


def test_an_unchanged_movie_costs_no_row(
    database: TransactionalDatabase, upsert: Callable[..., None], change: Change
) -> None:
    upsert(FILM, OTHER, THIRD)
    change(GATHER)
    place = "select imdb_id, ctid::text, xmin::text from movie_search order by imdb_id"
    before = ask(database, place)
    upsert(FILM, replace(OTHER, awards="Won another."), THIRD)
    change("update movies set document = null")

    assert ask(database, place) == before
    assert ask(database, "select count(*) from search_moves") == [(0,)]


def test_who_changes_a_movie_by_hand_changes_what_it_is_found_by(
    database: TransactionalDatabase, upsert: Callable[..., None], change: Change
) -> None:
    upsert(FILM, OTHER, THIRD)
    change("update movies set imdb_id = 'tt0000077' where imdb_id = 'tt0000001'")
    change("delete from movies where imdb_id = 'tt0000002'")

    left = {"tt0000077", THIRD.imdb_id}
    assert {imdb_id for (imdb_id,) in ask(database, "select imdb_id from movie_search")} == left
    change(GATHER)
    change("truncate movies")
    for table in ("movie_search", "search_moves", "words", "movie_facets"):
        assert ask(database, f"select count(*) from {table}") == [(0,)]  # noqa: S608


def counted(database: TransactionalDatabase) -> tuple[Counter[str], Counter[str]]:
    """Count words and facets of all movies anew."""
    words: Counter[str] = Counter()
    facets: Counter[str] = Counter()
    for lexemes, shown in ask(
        database, "select tsvector_to_array(tokens), facets from movie_search"
    ):
        words.update(lexeme.lstrip("@") for lexeme in lexemes if not lexeme.startswith("#"))
        facets.update(shown)
    return words, facets


def kept(database: TransactionalDatabase) -> tuple[Counter[str], Counter[str]]:
    asked = ("select word, movies from words", "select facet, movies from movie_facets")
    words, facets = (Counter(dict(ask(database, sql))) for sql in asked)
    return words, facets


def test_words_and_facets_are_those_of_the_movies_whatever_was_done_to_them(
    database: TransactionalDatabase, upsert: Callable[..., None], change: Change
) -> None:
    pool = [Movie(**film) for film in map(_as_movie, films.films(40))]
    for _ in range(30):
        chosen = CHANCE.sample(pool, 5)
        upsert(*(replace(movie, title=CHANCE.choice(pool).title) for movie in chosen))
        change("delete from movies where imdb_id = :imdb_id", imdb_id=CHANCE.choice(pool).imdb_id)
        change(f"select gather_words({CHANCE.choice((0, 1, 3, 2000))})")
    change(GATHER)

    assert kept(database) == counted(database)
    assert ask(database, "select count(*) from search_moves") == [(0,)]


def _as_movie(film: dict[str, object]) -> dict[str, Any]:
    names = ("imdb_id", "title", "type", "year", "rated", "genres", "directors", "actors")
    return {name: film[name] for name in names}


def test_the_words_to_correct_to_have_what_is_left_without_one_letter(
    database: TransactionalDatabase, change: Change
) -> None:
    store(database, replace(BARE, title="Alien an"))
    change(GATHER)

    assert ask(database, "select word, deletes from words order by word") == [
        ("alien", ["aien", "alen", "alie", "alien", "alin", "lien"]),
        ("an", ["an"]),
    ]


def test_a_word_whose_going_was_counted_before_its_coming_is_none_to_correct_to(
    database: TransactionalDatabase, change: Change
) -> None:
    change("insert into words (word, movies) values ('alien', -1), ('aliens', 1)")

    found = database.run(suggesting.LIKE_WORDS, words='["alein", "alienz"]')
    assert [(word, json.loads(near)) for word, near in found] == [
        ("alein", {}),
        ("alienz", {"aliens": 1}),
    ]


def test_of_two_that_gather_at_once_one_goes_on(database: TransactionalDatabase) -> None:
    store(database, FILM)
    with database.begin() as connection:
        connection.execute(text(GATHER))
        assert ask(database, GATHER) == [(0,)]

    assert kept(database) == counted(database)


def test_a_movie_whose_title_and_people_are_as_long_as_they_can_be_is_stored(
    database: TransactionalDatabase,
) -> None:
    wide = "\U00020000"
    actors = (5_000 * wide, 400 * "\ufdfa")
    store(database, replace(BARE, title=500 * wide, actors=actors, genres=(900 * "x",)))

    row = row_of(database, BARE.imdb_id)
    assert "#a/" + 200 * wide in row["lexemes"]
    assert row["folded"] == 500 * wide
