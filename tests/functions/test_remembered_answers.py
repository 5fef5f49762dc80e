"""What OMDb has answered `POST /movies.create`, remembered: no question costs a second call."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue.movie import Movie
from lib.catalogue.wanted import Wanted
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.omdb.memory import MOST_ANSWERS, STATEMENTS, Memory, NoMovie
from lib.omdb.questions import question
from lib.omdb.settings import OmdbSettings
from lib.settings import Secret
from local.demo_omdb.server import DemoOmdb
from tests.omdb_payloads import details, refusal

Store = Callable[..., Movie]
Body = dict[str, Any]


def change(database: TransactionalDatabase, sql: str) -> None:
    with database.begin() as connection:
        connection.execute(text(sql))


def pass_days(database: TransactionalDatabase, days: int) -> None:
    """Put everything that has a date so many days into the past."""
    change(database, f"update omdb_answers set expires_at = expires_at - interval '{days} days'")  # noqa: S608
    change(database, f"update movie_checks set due_at = due_at - interval '{days} days'")  # noqa: S608


def create(client: httpx.Client, **body: object) -> httpx.Response:
    return client.post("/movies.create", json=body)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"imdb_id": "tt0034583"}, {"imdb_id": "tt0034583"}),
        ({"title": "Casablanca"}, {"title": "Casablanca"}),
        ({"title": "Casablanca"}, {"title": "  CASA\u200bBLANCA "}),
        ({"title": "Casablanca"}, {"title": "Cäsablanca"}),
        ({"title": "Casablanca"}, {"imdb_id": "tt0034583"}),
        ({"title": "Casablanca", "year": 1942}, {"title": "casablanca", "year": 1942}),
    ],
)
def test_a_question_that_omdb_has_answered_costs_no_second_call(
    client: httpx.Client, omdb: DemoOmdb, first: Body, again: Body
) -> None:
    created = create(client, **first)
    answers = [create(client, **again) for _ in range(20)]

    assert created.status_code == 201
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {created.text}
    assert len(omdb.calls) == 1


def test_a_film_that_is_stored_and_fresh_answers_for_its_id(
    client: httpx.Client, omdb: DemoOmdb, store: Store
) -> None:
    create(client, title="Nobody knows this")
    store("tt0034583", "Casablanca")
    store("tt0000002", "Merged", aliases=("tt0000001",))

    assert create(client, imdb_id="tt0034583").status_code == 200
    assert create(client, imdb_id="tt0000001").status_code == 200
    assert len(omdb.calls) == 1


def test_what_another_omdb_has_answered_is_asked_for_once(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase, store: Store
) -> None:
    omdb.overrides["tt0000001"] = details(imdbID="tt0000002")
    create(client, imdb_id="tt0034583")
    store("tt0000002", "Merged", aliases=("tt0000001",))
    change(database, "update omdb_source set source = 'the demo'")
    change(database, "update omdb_answers set source = 'the demo'")
    asked = ["tt0034583", "tt0000001"]
    omdb.forget_calls()

    assert [create(client, imdb_id=asked[0]).status_code for _ in range(2)] == [200, 200]
    assert [create(client, imdb_id=asked[1]).status_code for _ in range(2)] == [200, 200]

    assert [call["i"] for call in omdb.calls] == asked


def test_our_own_matching_of_titles_is_no_answer_of_omdbs(
    client: httpx.Client, omdb: DemoOmdb, store: Store
) -> None:
    store("tt7777777", "Casablanca")
    answers = [create(client, title="Casablanca") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert {answer.json()["data"]["imdb_id"] for answer in answers} == {"tt0034583"}
    assert len(omdb.calls) == 1


def test_a_year_makes_another_question(client: httpx.Client, omdb: DemoOmdb) -> None:
    for body in ({"title": "Dune", "year": 1984}, {"title": "Dune", "year": 2021}) * 2:
        found = create(client, **body).json()["data"]
        assert found["year"] == body["year"]
    create(client, title="Dune")

    assert len(omdb.calls) == 3


@pytest.mark.parametrize("asked", [{"title": "Casablanca"}, {"imdb_id": "tt0034583"}])
def test_a_film_that_is_due_is_asked_for_and_refreshed(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase, asked: Body
) -> None:
    create(client, **asked)
    omdb.overrides["tt0034583"] = details(imdbID="tt0034583", imdbVotes="777,777")
    change(database, "update movie_checks set due_at = now()")
    answers = [create(client, **asked) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["data"]["imdb_votes"] for answer in answers} == {777_777}
    assert len(omdb.calls) == 2


def test_a_film_that_was_deleted_is_asked_for_again(
    client: httpx.Client, omdb: DemoOmdb, authorization: Callable[[str], dict[str, str]]
) -> None:
    create(client, title="Casablanca")
    client.delete("/movies.delete/tt0034583", headers=authorization("editor"))

    assert create(client, title="Casablanca").status_code == 201
    assert len(omdb.calls) == 2


UNKNOWN: dict[str, tuple[Body, bytes | None]] = {
    "title": ({"title": "No Such Film Exists"}, None),
    "title and year": ({"title": "Casablanca", "year": 1931}, None),
    "id": ({"imdb_id": "tt9999999"}, None),
    "no data": ({"title": "Casablanca"}, refusal("Error getting data.")),
    "tombstone": ({"imdb_id": "tt0034583"}, details(Title="#DUPE#")),
    "another year": ({"title": "Casablanca", "year": 1942}, details(Year="2009")),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_omdb_does_not_know_is_remembered_for_a_day(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase, case: str
) -> None:
    asked, override = UNKNOWN[case]
    if override is not None:
        omdb.overrides["tt0034583"] = override
    answers = [create(client, **asked) for _ in range(10)]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["error"]["code"] for answer in answers} == {"OMDB_MOVIE_NOT_FOUND"}
    assert len(omdb.calls) == 1
    assert client.get("/movies.list").json()["data"] == []

    pass_days(database, 1)
    omdb.overrides.clear()
    omdb.overrides["tt9999999"] = details(imdbID="tt9999999")
    again = create(client, **asked)

    assert len(omdb.calls) == 2
    assert again.status_code == (404 if case.startswith("title") else 201)


@pytest.mark.parametrize(
    "odd", ["No Such  Film", "no such film", "NO SUCH FILM", "No\u200b Such Film", " No Such Film "]
)
def test_what_omdb_does_not_know_is_known_in_another_spelling_of_the_same_letters(
    client: httpx.Client, omdb: DemoOmdb, odd: str
) -> None:
    answers = [create(client, title=title) for title in ("No Such Film", odd)]

    assert {answer.status_code for answer in answers} == {404}
    assert len(omdb.calls) == 1


def test_a_no_to_an_odd_spelling_hides_no_film_from_others(
    client: httpx.Client, omdb: DemoOmdb
) -> None:
    omdb.overrides["tt0034583"] = refusal("Movie not found!")
    assert create(client, title="Cásáblánca").status_code == 404
    omdb.overrides.clear()

    assert create(client, title="Cásáblánca").status_code == 404
    assert create(client, title="Casablanca").status_code == 201
    assert create(client, title="Cásáblánca").status_code == 200
    assert len(omdb.calls) == 2


@pytest.mark.parametrize(
    "fault",
    [
        (503, b"<html>The service is unavailable.</html>", {}),
        (200, b"", {}),
        (200, b'{"Response":"True"}', {}),
        (200, b'{"Title": "half', {}),
        (401, refusal("Invalid API key!"), {}),
    ],
)
def test_a_fault_is_not_remembered(
    client: httpx.Client, omdb: DemoOmdb, fault: tuple[int, bytes, dict[str, str]]
) -> None:
    omdb.overrides["tt0034583"] = fault
    failed = create(client, title="Casablanca")
    omdb.overrides.clear()

    assert failed.status_code == 502
    assert create(client, title="Casablanca").status_code == 201


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("Ame\u0301lie", "Amélie"),
        ("Singin´ in the Rain", "Singin' in the Rain"),
        ("Ocean’s – Eleven — “Twelve”…", 'Ocean\'s - Eleven - "Twelve"...'),
        ("„Face⁄Off‟ ‚x‛ ′ ″ ‐ ‑ ‒ ― −", "\"Face/Off\" 'x' ' \" - - - - -"),
        ("Am\u200bélie\u00ad \u2003 x", "Amélie x"),
    ],
)
def test_a_title_goes_to_omdb_composed_and_with_straight_marks(
    client: httpx.Client, omdb: DemoOmdb, asked: str, sent: str
) -> None:
    create(client, title=asked)

    assert [call["t"] for call in omdb.calls] == [sent]


def test_a_merged_id_is_found_under_both_ids(client: httpx.Client, omdb: DemoOmdb) -> None:
    omdb.overrides["tt10927122"] = details(imdbID="tt7133754")
    answers = [create(client, imdb_id="tt10927122") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len(omdb.calls) == 1
    for imdb_id in ("tt10927122", "tt7133754"):
        found = client.get("/movies.get", params={"imdb_id": imdb_id})
        assert found.status_code == 200
        assert found.json() == answers[-1].json()
        assert found.json()["data"]["imdb_id"] == "tt7133754"
        assert found.json()["data"]["aliases"] == ["tt10927122"]


@pytest.mark.parametrize("surplus", ["tt00034583", "tt000034583", "tt0000034583"])
def test_an_id_with_surplus_zeros_is_no_alias(
    client: httpx.Client, omdb: DemoOmdb, surplus: str
) -> None:
    omdb.overrides[surplus] = details(imdbID="tt0034583")
    answers = [create(client, imdb_id=surplus) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer.json()["data"]["aliases"] for answer in answers] == [[]] * 3
    assert client.get("/movies.get", params={"imdb_id": surplus}).status_code == 404
    assert len(omdb.calls) == 1


def test_aliases_gather_and_a_refresh_forgets_none(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    for imdb_id in ("tt7000009", "tt7000008", "tt7000001"):
        omdb.overrides[imdb_id] = details()
        change(database, "update movie_checks set due_at = now()")
        shown = create(client, imdb_id=imdb_id).json()["data"]

    assert shown["imdb_id"] == "tt7000001"
    assert shown["aliases"] == ["tt7000008", "tt7000009"]


def test_a_stored_film_of_the_very_id_goes_before_one_that_has_it_as_an_alias(
    client: httpx.Client, store: Store
) -> None:
    store("tt0000002", "Merged", aliases=("tt0000001",))
    store("tt0000001", "Stored")

    found = client.get("/movies.get", params={"imdb_id": "tt0000001"}).json()["data"]
    assert (found["title"], found["aliases"]) == ("Stored", [])


def test_deleting_takes_the_stored_id_only(
    client: httpx.Client, store: Store, authorization: Callable[[str], dict[str, str]]
) -> None:
    store("tt0000002", "Merged", aliases=("tt0000001",))
    editor = authorization("editor")

    assert client.delete("/movies.delete/tt0000001", headers=editor).status_code == 404
    assert client.delete("/movies.delete/tt0000002", headers=editor).status_code == 204
    assert client.get("/movies.get", params={"imdb_id": "tt0000001"}).status_code == 404


# --- the memory itself -------------------------------------------------------------------------


def memory(database: Database, *, url: str = "https://omdb.example/", key: str = "k") -> Memory:
    settings = OmdbSettings(url=url, api_key=Secret(key), daily_budget=1, concurrency=1)
    return Memory(database, settings)


@pytest.fixture
def remembering(settings: DatabaseSettings, database: Database) -> Database:
    """Return a database as the function has it."""
    assert database
    return Database(settings, statements=STATEMENTS)


def remember_none(known: Memory, title: str) -> None:
    asked = question(Wanted(title=title))
    known.remember_none(asked, NoMovie(spelling=asked.spelling).fault())


def test_an_answer_belongs_to_an_omdb_and_a_key(remembering: Database) -> None:
    asked = question(Wanted(title="Casablanca"))
    memory(remembering).store(asked, Movie(imdb_id="tt0000001", title="A", type="movie"))

    assert remembering.answer(memory(remembering).recall(asked)) is not None
    for other in (memory(remembering, key="another"), memory(remembering, url="http://demo/")):
        assert remembering.answer(other.recall(asked)) is None
    remembering.close()


def test_the_key_cannot_be_read_from_the_memory(
    remembering: Database, database: TransactionalDatabase
) -> None:
    remember_none(memory(remembering), "A")
    with database.begin() as connection:
        source = connection.execute(text("select source from omdb_answers")).scalar_one()

    other_url = memory(remembering, url="http://demo/")._source
    assert other_url.partition(" ")[2] == source.partition(" ")[2]  # nothing mixes both
    assert len(source.partition(" ")[2]) == 4
    remembering.close()


def test_what_has_expired_is_swept_a_few_at_a_time(
    remembering: Database, database: TransactionalDatabase
) -> None:
    known = memory(remembering)
    for number in range(25):
        remember_none(known, f"Film {number}")
    pass_days(database, 2)
    left = []
    for number in range(3):
        remember_none(known, f"New film {number}")
        with database.begin() as connection:
            left.append(connection.execute(text("select count(*) from omdb_answers")).scalar_one())

    assert left == [16, 7, 3]
    remembering.close()


def test_the_oldest_answers_make_room_for_new_ones(
    remembering: Database, database: TransactionalDatabase
) -> None:
    most = MOST_ANSWERS
    change(
        database,
        "insert into omdb_answers (source, question, expires_at) select 'x', n::text, "  # noqa: S608
        f"now() + interval '1 day' from generate_series(1, {most}) n",
    )
    known = memory(remembering)
    remember_none(known, "A")
    remember_none(known, "B")
    remember_none(known, "A")
    with database.begin() as connection:
        left, oldest = connection.execute(
            text("select count(*), min(number) from omdb_answers")
        ).one()

    assert left <= most
    assert oldest == 4
    remembering.close()
