"""The step to finding, while the release before reads and writes, and back."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any, Final

import functions_framework.aio
import httpx
import pytest
from sqlalchemy import text

from lib.accounts.users import AdminSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import InternalError
from lib.schema import migrating
from lib.schema.migrating import migrate
from local.environment import ROOT
from local.functions import read_functions
from local.gateway import Gateway
from tests import held
from tests.schema.test_newer_schema import address
from tests.support import asks

if TYPE_CHECKING:
    from lib.schema.migrated import Migrated

CHANCE: Final = Random()  # noqa: S311  no secret
NOBODY: Final = AdminSettings(username="admin", password=None)
BEFORE: Final = "0007"
STORED: Final = 1_200
INSERT: Final = """
    insert into movies (imdb_id, title, sort_key, type, genres, actors, imdb_votes)
    select
        'tt' || (1000000 + n), 'Film ' || n, 'film', 'movie', '{Drama}',
        array['Ann ' || mod(n, 9)],
        case mod(n, 10) when 0 then 200000 when 1 then 2000 else n end
    from generate_series(cast(:first as integer), cast(:last as integer)) n
"""
# What each movie is found by, and the words of all, as they are kept and as they would be made now.
FOUND: Final = "select to_jsonb(found) from movie_search found order by imdb_id"
COUNTED: Final = """
    select word, movies from words union all select facet, movies from movie_facets order by 1
"""
ANEW: Final = """
    delete from words; delete from movie_facets; delete from movie_search;
    select search_movies(array(select imdb_id from movies));
"""


def ask(database: TransactionalDatabase, sql: str) -> list[Any]:
    with database.begin() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def gather(database: TransactionalDatabase) -> None:
    while ask(database, "select gather_words(2000)") != [(0,)]:
        pass


@pytest.fixture
def filled(empty: TransactionalDatabase) -> TransactionalDatabase:
    """Return a database with movies, as the release before has left it."""
    migrate(empty, NOBODY, revision=BEFORE)
    with empty.begin() as connection:
        connection.execute(text(INSERT), {"first": 1, "last": STORED})
    return empty


@pytest.fixture
def is_whole(filled: TransactionalDatabase) -> Callable[[], bool]:
    """Tell whether all is found by what it would be found by if that were made now."""

    def tell() -> bool:
        gather(filled)
        kept = [ask(filled, FOUND), ask(filled, COUNTED)]
        with filled.begin() as connection:
            connection.exec_driver_sql(ANEW)
        gather(filled)
        assert len(kept[0]) == ask(filled, "select count(*) from movies")[0][0]
        return kept == [ask(filled, FOUND), ask(filled, COUNTED)]

    return tell


def test_the_best_known_are_found_first(filled: TransactionalDatabase) -> None:
    while "search of the famous" in migrate(filled, NOBODY, seconds=0).left[0]:
        pass

    [(fewest, found)] = ask(filled, "select min(votes), count(*) from movie_search")
    assert (fewest, found) == (200_000, STORED / 10)


@pytest.fixture
def client(
    filled: TransactionalDatabase, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    """Serve what finds films, on that database."""
    for name, value in {**environment, "DATABASE_URL": address(filled)}.items():
        monkeypatch.setenv(name, value)
    served = [read_functions()[name] for name in ("movies_get", "movies_search", "movies_random")]
    apps = {
        one.name: functions_framework.aio.create_asgi_app(  # type: ignore[no-untyped-call]
            one.name, str(ROOT / "functions" / one.name / "main.py")
        )
        for one in served
    }
    with held.serving(Gateway(apps, served)) as server, held.client(server.url) as client:
        yield client


@asks("/movies.get", "/movies.search", "/movies.random")
def test_meanwhile_titles_are_found_and_searches_say_that_they_cannot_be_answered(
    filled: TransactionalDatabase, client: httpx.Client
) -> None:
    with filled.begin() as connection:
        connection.execute(
            text("""
                update movies set title = 'Tár', sort_key = 'tar', year = 2022, imdb_votes = 5
                where imdb_id >= 'tt1001199'
            """)
        )
    migrate(filled, NOBODY, seconds=0)

    early = {title: client.get("/movies.get", params={"title": title}).json() for title in TITLES}
    told = {title: (movie["data"]["title"], movie["match"]) for title, movie in early.items()}
    assert told == {"Tár": ("Tár", "exact"), "TAR": ("Tár", "folded"), "Film 10": EXACT}
    others = [film["imdb_id"] for film in early["Tár"]["alternatives"]]
    assert (early["Tár"]["data"]["imdb_id"], others) == ("tt1001199", ["tt1001200"])
    missing = client.get("/movies.get", params={"title": "Tár", "year": "1999"})
    assert (missing.status_code, missing.json()["error"]["suggestions"]) == (404, [])
    for path in SEARCHES:
        refused = client.get(path)
        assert refused.status_code == 503, path
        assert refused.json()["error"]["code"] == "DATABASE_UNAVAILABLE"
        assert int(refused.headers["Retry-After"]) > 0

    migrate(filled, NOBODY)
    assert [client.get(path).status_code for path in SEARCHES] == [200] * len(SEARCHES)
    found = client.get("/movies.search", params={"query": "tar", "fields": "title"}).json()["data"]
    assert found == [{"imdb_id": f"tt100{n}", "title": "Tár"} for n in (1199, 1200)]
    later = client.get("/movies.get", params={"title": "Tár", "year": "1999"}).json()["error"]
    assert {film["title"] for film in later["suggestions"]} == {"Tár"}


TITLES: Final = ("Tár", "TAR", "Film 10")
EXACT: Final = ("Film 10", "exact")
SEARCHES: Final = ("/movies.search?query=tar", "/movies.search?genre=Drama", "/movies.random")


def test_what_is_written_meanwhile_is_found_as_well(
    filled: TransactionalDatabase, is_whole: Callable[[], bool]
) -> None:
    migrate(filled, NOBODY, seconds=0)
    runs: list[Future[Migrated]] = []

    def write(number: int) -> None:
        first = 10_000 * number
        for turn in range(1000):
            with filled.begin() as connection:
                connection.execute(text(INSERT), {"first": first + turn, "last": first + turn})
            with filled.begin() as connection:
                connection.execute(
                    text("""
                        update movies set title = title || '!', imdb_votes = 5 where imdb_id in (
                            select imdb_id from movies where imdb_id >= :imdb_id
                            order by imdb_id limit 9 for update)
                    """),
                    {"imdb_id": f"tt{1_000_000 + CHANCE.randrange(STORED)}"},
                )
                connection.execute(
                    text("delete from movies where imdb_id = :imdb_id"),
                    {"imdb_id": f"tt{1_000_000 + first + CHANCE.randrange(turn + 1)}"},
                )
            if turn > 5 and all(run.done() for run in runs):
                return

    with ThreadPoolExecutor(4) as threads:
        runs += [threads.submit(migrate, filled, NOBODY) for _ in range(2)]
        writers = [threads.submit(write, number) for number in (1, 2)]
        assert [run.result().left for run in runs] == [(), ()]
        assert [writer.result() for writer in writers] == [None, None]

    assert is_whole()


def test_what_is_taken_back_is_done_anew(
    filled: TransactionalDatabase, is_whole: Callable[[], bool]
) -> None:
    migrate(filled, NOBODY)
    migrate(filled, NOBODY, revision=BEFORE)
    with filled.begin() as connection:
        connection.execute(text(INSERT), {"first": STORED + 1, "last": STORED + 9})
        connection.execute(text("update movies set title = 'New' where imdb_id < 'tt1000009'"))
    migrate(filled, NOBODY)

    assert is_whole()


def test_a_server_that_is_too_old_is_told_so_and_left_alone(
    empty: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LEAST_POSTGRES", 99)
    with pytest.raises(InternalError) as caught:
        migrate(empty, NOBODY)

    [(version,)] = ask(empty, "show server_version")
    said = f"PostgreSQL 99 or later is needed, and this server is {version}."
    assert caught.value.message == said
    assert ask(empty, "select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
