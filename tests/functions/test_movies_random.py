"""`GET /movies.random`."""

from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue.movie import Movie
from lib.database.transactions import TransactionalDatabase
from lib.search.asking import RANDOM_PARAMETERS
from tests.support import store_all

Store = Callable[..., Movie]
MOST: int = RANDOM_PARAMETERS.each["number_of_records"].schema()["maximum"]


def draw(client: httpx.Client, **parameters: object) -> list[str]:
    answer = client.get("/movies.random", params={k: str(v) for k, v in parameters.items()})
    assert answer.status_code == 200, answer.text
    return [movie["imdb_id"] for movie in answer.json()["data"]]


def film(number: int, **details: object) -> Movie:
    return Movie(imdb_id=f"tt{number:07}", title=f"Film {number}", type="movie", **details)  # type: ignore[arg-type]


def test_no_match_is_an_empty_list(client: httpx.Client) -> None:
    answer = client.get("/movies.random", params={"genre": "Drama"})

    assert answer.status_code == 200
    assert answer.json() == {"data": []}


def test_nobody_keeps_what_was_drawn(client: httpx.Client, store: Store) -> None:
    store("tt0000001", "Alien")
    answer = client.get("/movies.random")

    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert answer.headers["X-Request-Id"]
    assert answer.json()["data"][0]["title"] == "Alien"


def test_each_is_drawn_once_and_all_where_there_are_fewer(
    client: httpx.Client, database: TransactionalDatabase
) -> None:
    store_all(database, [film(number) for number in range(1, 8)])

    assert sorted(draw(client, number_of_records=MOST)) == [f"tt{n:07}" for n in range(1, 8)]
    assert len(set(draw(client, number_of_records=5))) == 5


@pytest.mark.parametrize("rare", [False, True])
def test_every_match_has_the_same_chance(
    client: httpx.Client,
    database: TransactionalDatabase,
    rare: bool,  # noqa: FBT001
) -> None:
    # Wide rows and narrow ones, some of which have moved: their pages hold unlike many.
    actors = tuple(f"Somebody {'very ' * 20}{number}" for number in range(20))
    many = [
        film(n, actors=actors[: n % 20], genres=("Rare",) if n in {7, 300, 511} else ())
        for n in range(1, 601)
    ]
    store_all(database, many)
    store_all(database, [film(n, imdb_votes=n, actors=actors[:5]) for n in range(1, 601, 3)])
    with database.begin() as connection:
        connection.execute(text("delete from movies where right(imdb_id, 1) = '4'"))
    if rare:
        counted = Counter(draw(client, genre="Rare")[0] for _ in range(150))
        assert counted.keys() == {"tt0000007", "tt0000300", "tt0000511"}
        assert min(counted.values()) > 25
        return
    counted = Counter(
        one for _ in range(2700 // MOST) for one in draw(client, number_of_records=MOST)
    )
    # Five times each on the average: no film comes so often, nor are so many left out, by chance.
    assert max(counted.values()) < 20
    assert 540 - len(counted) < 20


@pytest.mark.parametrize("asked", ["0", "99999", "-1", "1.0", "٣", "", "x"])
def test_very_many_and_what_is_no_number_are_refused(client: httpx.Client, asked: str) -> None:
    answer = client.get("/movies.random", params={"number_of_records": asked})

    assert answer.status_code == 400
    assert "number_of_records" in answer.json()["error"]["fields"]


@pytest.mark.parametrize("parameter", ["query", "sort", "cursor", "counts", "page"])
def test_what_belongs_to_a_search_alone_is_refused(client: httpx.Client, parameter: str) -> None:
    answer = client.get("/movies.random", params={parameter: "title"})

    assert answer.status_code == 400
    assert parameter in answer.json()["error"]["fields"]
