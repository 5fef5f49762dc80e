"""`GET /movies.search`."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue.movie import Movie
from lib.database.transactions import TransactionalDatabase
from lib.search.text import QUERY_LENGTH
from tests.support import store_all

Store = Callable[..., Movie]


def search(client: httpx.Client, **parameters: object) -> httpx.Response:
    answer = client.get("/movies.search", params={k: str(v) for k, v in parameters.items()})
    assert answer.status_code == 200, answer.text
    return answer


def titles(answer: httpx.Response) -> list[str]:
    return [movie["title"] for movie in answer.json()["data"]]


def ids(answer: httpx.Response) -> list[str]:
    return [movie["imdb_id"] for movie in answer.json()["data"]]


def gather(database: TransactionalDatabase) -> None:
    """Do what the import's tick does for the dictionary and the numbers of all."""
    with database.begin() as connection:
        connection.execute(text("select gather_words(100000)"))


FILMS: list[tuple[str, dict[str, Any]]] = [
    ("The Matrix", {"year": 1999, "imdb_votes": 2_100_000, "actors": ("Keanu Reeves",)}),
    ("The Matrix Reloaded", {"year": 2003, "imdb_votes": 650_000, "actors": ("Keanu Reeves",)}),
    ("Matrix of Evil", {"year": 2003, "imdb_votes": 12}),
    ("Inside the Matrix", {"year": 2001, "imdb_votes": 3_000}),
    ("The Godfather", {"year": 1972, "imdb_votes": 2_000_000}),
    ("The Godfather Part II", {"year": 1974, "imdb_votes": 1_400_000}),
    ("Amélie", {"year": 2001, "imdb_votes": 800_000, "languages": ("French",)}),
    ("Spider-Man", {"year": 2002, "imdb_votes": 900_000}),
    ("S.W.A.T.", {"year": 2003, "imdb_votes": 180_000}),
    ("WALL·E", {"year": 2008, "imdb_votes": 1_200_000}),
    ("Alien³", {"year": 1992, "imdb_votes": 330_000}),
    ("Fast & Furious", {"year": 2009, "imdb_votes": 300_000}),
    ("Die Hard with a Vengeance", {"year": 1995, "imdb_votes": 410_000}),
    ("Cidade de Deus", {"year": 2002, "imdb_votes": 800_000}),
    ("Halloween", {"year": 1978, "imdb_votes": 310_000}),
    ("Halloween", {"year": 2018, "imdb_votes": 170_000}),
    ("Halloween", {"year": 2007, "imdb_votes": 130_000}),
    ("Blade Runner 2049", {"year": 2017, "imdb_votes": 680_000}),
    ("It", {"year": 2017, "imdb_votes": 600_000}),
    ("It Happened One Night", {"year": 1934, "imdb_votes": 110_000}),
    ("Italian Spiderman", {"year": 2007, "imdb_votes": 5_000}),
    ("!!!", {"year": 2010, "imdb_votes": 7}),
    ("パンダ", {"year": 2011, "imdb_votes": 10}),
    ("ハンダ", {"year": 2012, "imdb_votes": 900}),
]


@pytest.fixture
def films(store: Store) -> None:
    for number, (title, details) in enumerate(FILMS, start=1):
        store(f"tt{number:07}", title, **details)


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("the matrix", "The Matrix"),
        ("Matrix, The", "The Matrix"),
        ("matrix", "The Matrix"),
        ("matr", "The Matrix"),
        ("matrix keanu", "The Matrix"),
        ("matrix reloaded", "The Matrix Reloaded"),
        ("The Matrix (2003)", "The Matrix Reloaded"),
        ("matrix evil", "Matrix of Evil"),
        ("AMELIE", "Amélie"),
        ("Amélie", "Amélie"),
        ("spider man", "Spider-Man"),
        ("spiderman", "Spider-Man"),
        ("Spider–Man", "Spider-Man"),
        ("swat", "S.W.A.T."),
        ("S.W.A.T", "S.W.A.T."),
        ("WALL-E", "WALL·E"),
        ("walle", "WALL·E"),
        ("Alien 3", "Alien³"),
        ("alien3", "Alien³"),
        ("Fast and Furious", "Fast & Furious"),
        ("Die Hard: With a Vengeance", "Die Hard with a Vengeance"),
        ("City of God (Cidade de Deus)", "Cidade de Deus"),
        ("godfather 2", "The Godfather Part II"),
        ("The Godfather: Part Two", "The Godfather Part II"),
        ("it", "It"),
        ("blade runner 2049", "Blade Runner 2049"),
        ("runner 2049", "Blade Runner 2049"),
        ("Blade Runner 2049 (2017)", "Blade Runner 2049"),
        ("!!!", "!!!"),
        ("パンダ", "パンダ"),
        ("ハン", "ハンダ"),
    ],
)
def test_the_film_that_is_meant_is_first(client: httpx.Client, query: str, first: str) -> None:
    answer = search(client, query=query)

    assert titles(answer)[0] == first
    assert answer.json()["corrected_query"] is None


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize(
    ("query", "years"),
    [
        ("halloween", [1978, 2018, 2007]),
        ("halloween 2018", [2018, 1978, 2007]),
        ("Halloween (2007)", [2007, 1978, 2018]),
        ("Halloween [2008]", [2007, 1978, 2018]),
    ],
)
def test_a_year_at_the_end_prefers_its_films_and_leaves_out_none(
    client: httpx.Client, query: str, years: list[int]
) -> None:
    assert [movie["year"] for movie in search(client, query=query).json()["data"]] == years


def test_neither_an_unknown_beginning_nor_a_famous_stray_word_comes_first(
    client: httpx.Client, store: Store
) -> None:
    store("tt0000001", "Heat of Anybody", imdb_votes=3)
    store("tt0000002", "The Dark Knight", imdb_votes=2_500_000, actors=("Heath Ledger",))
    store("tt0000003", "Heathers", imdb_votes=200_000)
    store("tt0000004", "The Last Heath", imdb_votes=90_000)

    assert titles(search(client, query="heath")) == [
        "Heathers",
        "The Dark Knight",
        "The Last Heath",
    ]
    assert titles(search(client, query="heat"))[-1] == "Heat of Anybody"


def test_a_title_as_it_is_written_goes_before_one_with_more_votes(
    client: httpx.Client, store: Store
) -> None:
    store("tt0000001", "Tár", imdb_votes=100)
    store("tt0000002", "Tar", imdb_votes=100_000)
    store("tt0000003", "The Tar", imdb_votes=1_000_000)

    assert titles(search(client, query="Tár")) == ["Tár", "Tar", "The Tar"]
    assert titles(search(client, query="tar")) == ["Tar", "Tár", "The Tar"]
    assert titles(search(client, query="Tar, The")) == ["The Tar", "Tar", "Tár"]


# --- Typos ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize(
    ("query", "first", "corrected"),
    [
        ("godfahter", "The Godfather", "godfather"),
        ("teh godfather", "The Godfather", "the godfather"),
        ("the godfathe part ii", "The Godfather Part II", "the godfather part ii"),
        ("matirx reloaded", "The Matrix Reloaded", "matrix reloaded"),
        ("hallowen", "Halloween", "halloween"),
        ("keanu matrixreloaded", "The Matrix Reloaded", "keanu matrix reloaded"),
        ("Haloween (2018)", "Halloween", "halloween"),
    ],
)
def test_a_typo_is_forgiven_when_nothing_else_is_found_and_told(
    client: httpx.Client,
    database: TransactionalDatabase,
    query: str,
    first: str,
    corrected: str,
) -> None:
    gather(database)
    answer = search(client, query=query)

    assert titles(answer)[0] == first
    assert answer.json()["corrected_query"] == corrected


def test_every_page_of_a_corrected_search_tells_so(
    client: httpx.Client, database: TransactionalDatabase, store: Store
) -> None:
    for number in range(1, 8):
        store(f"tt000000{number}", f"Nightingale {number}", imdb_votes=number)
    gather(database)
    answer = search(client, query="nightingal", number_of_records=3)
    seen = ids(answer)
    assert answer.json()["corrected_query"] is None  # it is a beginning

    answer = search(client, query="nihgtingale", number_of_records=3, counts="true")
    seen = ids(answer)
    assert answer.json()["pagination"]["total_records"] == 7
    while "next" in answer.links:
        assert answer.json()["corrected_query"] == "nightingale"
        answer = client.get(answer.links["next"]["url"])
        seen += ids(answer)
    assert answer.json()["corrected_query"] == "nightingale"
    assert seen == [f"tt000000{number}" for number in range(7, 0, -1)]


@pytest.mark.usefixtures("films")
def test_what_nobody_has_is_an_empty_page(
    client: httpx.Client, database: TransactionalDatabase
) -> None:
    gather(database)
    answer = search(client, query="xzqwvkj plumbo", counts="true")

    assert answer.json() == {
        "data": [],
        "pagination": {
            "number_of_records": 10,
            "next_cursor": None,
            "total_records": 0,
            "total_is_exact": True,
        },
        "corrected_query": None,
        "facets": {
            kind: [] for kind in ("types", "genres", "decades", "languages", "countries", "rated")
        },
    }


# --- Pages ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize(
    "asked",
    [
        {"query": "the"},
        {"query": "the", "sort": "-year"},
        {"query": "Halloween (2018)", "year": "1970..2020"},
        {"sort": "title", "type": "movie|series"},
        {"sort": "imdb_votes"},
        {"language": "French|English\\, British\\|"},
    ],
)
def test_links_lead_on_and_to_the_first_page_and_carry_all(
    client: httpx.Client, asked: dict[str, str]
) -> None:
    size = {"number_of_records": "1", "counts": "true"}
    answer = client.get("/v1/movies.search", params={**asked, **size})
    whole = ids(search(client, **asked))
    seen = ids(answer)
    while "next" in answer.links:
        link = answer.links["next"]["url"]
        assert link.startswith("/v1/movies.search?")
        asked_for = dict(httpx.URL(link).params)
        assert asked_for.pop("cursor") == answer.json()["pagination"]["next_cursor"]
        assert asked_for == {**asked, **size}
        answer = client.get(link)
        assert answer.headers["Cache-Control"].startswith("public")  # written as caches know it
        assert answer.json()["pagination"]["total_records"] is not None
        seen += ids(answer)

    assert seen[: len(whole)] == whole
    assert len(set(seen)) == len(seen)
    assert ids(client.get(answer.links["first"]["url"])) == whole[:1]


@pytest.mark.usefixtures("films")
def test_a_cursor_goes_with_its_search_alone(client: httpx.Client) -> None:
    asked = {"query": "halloween", "year": "1970..2020", "sort": "-year"}
    cursor = search(client, **asked, number_of_records=1).json()["pagination"]["next_cursor"]

    for more in ({}, {"number_of_records": "2"}, {"counts": "true"}):
        answer = search(client, **asked, **more, cursor=cursor)
        assert [movie["year"] for movie in answer.json()["data"]] == [2007, 1978]
    for other in (
        {**asked, "query": "the"},
        {**asked, "year": "1970..2021"},
        {**asked, "sort": "year"},
        {**asked, "genre": "Drama"},
        {"query": "halloween", "year": "1970..2020"},
        {"year": "1970..2020", "sort": "-year"},
    ):
        answer = client.get("/movies.search", params={**other, "cursor": cursor})
        assert answer.status_code == 400
        assert "cursor" in answer.json()["error"]["fields"]


def test_a_cursor_holds_its_place_when_movies_come_and_go(
    client: httpx.Client, store: Store, database: TransactionalDatabase
) -> None:
    for number in range(1, 7):
        store(f"tt000000{number}", f"Film {number}", imdb_votes=number * 1_000)
    first = search(client, query="film", number_of_records=2)
    assert ids(first) == ["tt0000006", "tt0000005"]
    store("tt0000009", "Film 9", imdb_votes=9_000)
    with database.begin() as connection:
        connection.execute(text("delete from movies where imdb_id = 'tt0000005'"))
    following = client.get(first.links["next"]["url"])

    assert ids(following) == ["tt0000004", "tt0000003"]


def test_beyond_a_thousand_hits_the_number_is_none_that_was_counted(
    client: httpx.Client, database: TransactionalDatabase
) -> None:
    some = [
        Movie(imdb_id=f"tt{n:07}", title=f"Film {n}", type="movie", genres=("Drama",))
        for n in range(1, 1_102)
    ]
    store_all(database, some)
    for asked in ({"query": "film"}, {"genre": "drama"}):
        answer = search(client, **asked, counts="true").json()
        assert answer["pagination"]["total_records"] == 1_000
        assert answer["pagination"]["total_is_exact"] is False
        assert answer["facets"]["genres"] == [{"value": "Drama", "movies": 1_000}]
    gather(database)
    answer = search(client, counts="true").json()  # of all movies it is kept
    assert answer["pagination"]["total_records"] == 1_101
    assert answer["facets"]["types"] == [{"value": "movie", "movies": 1_101}]


def test_without_counts_there_are_none(client: httpx.Client, store: Store) -> None:
    store("tt0000001", "Alien")
    answer = search(client, query="alien").json()

    assert list(answer) == ["data", "pagination", "corrected_query", "facets"]
    assert answer["facets"] is None
    assert answer["pagination"] == {
        "number_of_records": 10,
        "next_cursor": None,
        "total_records": None,
        "total_is_exact": None,
    }


def test_a_movie_is_found_as_soon_as_it_is_stored_and_no_more_when_it_is_gone(
    client: httpx.Client, store: Store, database: TransactionalDatabase
) -> None:
    store("tt0000001", "Alien", genres=("Horror",))
    assert titles(search(client, query="alien", genre="horror")) == ["Alien"]
    store("tt0000001", "Aliens", genres=("Action",))
    assert titles(search(client, genre="horror")) == []
    assert titles(search(client, query="aliens", genre="ACTION")) == ["Aliens"]
    with database.begin() as connection:
        connection.execute(text("delete from movies"))
    assert titles(search(client, query="aliens")) == []


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"query": "a b c d e f g h i j k"}, "query"),
        ({"query": "a" * (QUERY_LENGTH + 1)}, "query"),
        ({"query": " "}, "query"),
        ({"sort": "relevance"}, "sort"),
        ({"query": "a", "sort": "-relevance"}, "sort"),
        ({"sort": "votes"}, "sort"),
        ({"counts": "yes"}, "counts"),
        ({"genre": "a,b|c"}, "genre"),
        ({"genre": "a,,b"}, "genre"),
        ({"type": "movie,series"}, "type"),
        ({"year": "1999..1990"}, "year"),
        ({"released": "1999"}, "released"),
        ({"imdb_rating": "7.55"}, "imdb_rating"),
        ({"cursor": "x"}, "cursor"),
        ({"number_of_records": "0"}, "number_of_records"),
        ({"titel": "a"}, "titel"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, asked: dict[str, str], wrong: str) -> None:
    answer = client.get("/movies.search", params=asked)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_REQUEST"
    assert list(answer.json()["error"]["fields"]) == [wrong]


def ask_at_once(client: httpx.Client, asked: list[tuple[str, dict[str, str]]]) -> list[Any]:
    """Ask each of these several times, all at the same time; return the first answer to each."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=20) as at_once:
            return await asyncio.gather(*(at_once.get(path, params=q) for path, q in 8 * asked))

    answers = [answer.json() for answer in asyncio.run(ask())]
    told = [answers[at :: len(asked)] for at in range(len(asked))]
    assert all("data" in answer or "suggestions" in answer["error"] for answer in answers)
    for equal in told:
        for answer in equal:
            answer.get("error", {}).pop("request_id", None)
    assert all(answer == equal[0] for equal in told for answer in equal)
    return [equal[0] for equal in told]


def test_who_asks_for_something_like_it_at_the_same_time_gets_an_answer_of_his_own(
    client: httpx.Client, store: Store, database: TransactionalDatabase
) -> None:
    store("tt0000001", "Star Wars")
    store("tt0000002", "!!!", year=2001)
    store("tt0000003", "!!!", year=2011)
    gather(database)

    queries = ("star wras", "wras star")
    found = ask_at_once(client, [("/movies.search", {"query": query}) for query in queries])
    assert [answer["corrected_query"] for answer in found] == ["star wars", "wars star"]
    years = ("2000", "2012")
    missed = ask_at_once(client, [("/movies.get", {"title": "!!!", "year": y}) for y in years])
    nearest = [answer["error"]["suggestions"][0]["year"] for answer in missed]
    assert nearest == [2001, 2011]


def test_a_letter_that_is_none_of_unicode_s_is_gone_on_from_as_any_other(
    client: httpx.Client, store: Store
) -> None:
    for number in range(1, 4):
        store(f"tt000000{number}", f"\ue000lien {number}", imdb_votes=number)

    asked = {"query": "nothing (\ue000lien)", "number_of_records": 2}
    first = search(client, **asked).json()
    assert first["corrected_query"] == "\ue000lien"
    rest = search(client, **asked, cursor=first["pagination"]["next_cursor"]).json()
    assert [movie["imdb_id"] for movie in rest["data"]] == ["tt0000001"]
    assert rest["corrected_query"] == "\ue000lien"
