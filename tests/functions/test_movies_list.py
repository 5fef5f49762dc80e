"""`GET /movies.list`."""

from collections.abc import Callable

import httpx
import pytest

from lib.catalogue.listing import Cursor, Direction
from lib.catalogue.movie import Movie
from lib.catalogue.movies import Position
from lib.web.paging import LAST_PAGE, MOST_RECORDS

Store = Callable[..., Movie]


def ids(answer: httpx.Response) -> list[str]:
    return [movie["imdb_id"] for movie in answer.json()["data"]]


@pytest.fixture
def five(store: Store) -> None:
    for number, title in enumerate(["Écran", "alien", "Zodiac", "Ecran", "9"], start=1):
        store(f"tt000000{number}", title)


def test_an_empty_catalogue_is_an_empty_page(client: httpx.Client) -> None:
    answer = client.get("/movies.list")

    assert answer.status_code == 200
    assert answer.json() == {
        "data": [],
        "pagination": {
            "page": 1,
            "number_of_records": 10,
            "total_records": 0,
            "next_cursor": None,
        },
    }


@pytest.mark.usefixtures("five")
def test_movies_come_in_order_of_title_whatever_the_case_and_the_accents(
    client: httpx.Client,
) -> None:
    assert [m["title"] for m in client.get("/movies.list").json()["data"]] == [
        "9",
        "alien",
        "Écran",
        "Ecran",
        "Zodiac",
    ]


@pytest.mark.usefixtures("five")
def test_pages_follow_each_other_without_gap_or_repeat(client: httpx.Client) -> None:
    whole = ids(client.get("/movies.list"))
    pages = [
        client.get("/movies.list", params={"page": page, "number_of_records": 2})
        for page in (1, 2, 3, 4)
    ]

    assert [ids(page) for page in pages] == [whole[:2], whole[2:4], whole[4:], []]
    assert all(page.json()["pagination"]["total_records"] == 5 for page in pages)
    assert [page.json()["pagination"]["next_cursor"] is None for page in pages] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.usefixtures("five")
def test_next_links_lead_through_the_list_and_prev_links_back(client: httpx.Client) -> None:
    whole = ids(client.get("/movies.list"))
    first = client.get("/movies.list", params={"number_of_records": 2})
    cursor = first.json()["pagination"]["next_cursor"]
    second = client.get("/movies.list", params={"cursor": cursor, "number_of_records": 2})
    third = client.get(second.links["next"]["url"])
    back = client.get(third.links["prev"]["url"])

    assert [ids(first), ids(second), ids(third)] == [whole[:2], whole[2:4], whole[4:]]
    assert "next" not in third.links
    assert ids(back) == whole[2:4]
    assert "prev" not in client.get(back.links["prev"]["url"]).links
    assert ids(client.get(third.links["first"]["url"])) == whole[:2]


@pytest.mark.usefixtures("five")
def test_a_cursor_holds_its_place_when_movies_come_and_go(
    client: httpx.Client, store: Store, authorization: Callable[[str], dict[str, str]]
) -> None:
    first = client.get("/movies.list", params={"number_of_records": 2})
    rest = ids(client.get("/movies.list"))[2:]
    cursor = first.json()["pagination"]["next_cursor"]
    store("tt0000006", "Aardvark")
    client.delete(f"/movies.delete/{ids(first)[1]}", headers=authorization("editor"))

    assert ids(client.get("/movies.list", params={"cursor": cursor})) == rest


@pytest.mark.usefixtures("five")
def test_page_links_keep_the_route_that_was_called(client: httpx.Client) -> None:
    answer = client.get("/v1/movies.list", params={"page": 2, "number_of_records": 2})

    assert answer.links["next"]["url"] == "/v1/movies.list?page=3&number_of_records=2"
    assert answer.links["prev"]["url"] == "/v1/movies.list?page=1&number_of_records=2"
    assert answer.links["first"]["url"] == "/v1/movies.list?page=1&number_of_records=2"


@pytest.mark.parametrize("asked", [str(MOST_RECORDS + 1), "100000", "1" + "0" * 30])
def test_more_records_than_are_given_are_clamped_and_told(client: httpx.Client, asked: str) -> None:
    answer = client.get("/movies.list", params={"number_of_records": asked})

    assert answer.status_code == 200
    assert answer.json()["pagination"]["number_of_records"] == MOST_RECORDS


@pytest.mark.usefixtures("five")
def test_far_past_the_end_is_an_empty_page_with_a_way_back(client: httpx.Client) -> None:
    answer = client.get("/movies.list", params={"page": LAST_PAGE, "number_of_records": 2})

    assert answer.status_code == 200
    assert ids(answer) == []
    assert "page=3&" in answer.links["prev"]["url"]


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize(
    "cursor",
    ["", "x", "bnVsbA", "W10", "YQ", "YXR0MDAwMDAwMSBh=", "é", "a" * 5000, "eHR0MDAwMDAwMSBh"],
)
def test_a_cursor_that_the_list_did_not_give_out_is_refused(
    client: httpx.Client, cursor: str
) -> None:
    answer = client.get("/movies.list", params={"cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_REQUEST"
    assert "cursor" in answer.json()["error"]["fields"]


def cursor(direction: Direction, sort_key: str) -> str:
    position = Position(sort_key=sort_key, imdb_id="tt0000009")
    return Cursor(direction=direction, position=position).encode()


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize("records", [2, 5, 100])
def test_a_cursor_past_the_end_leads_back_to_the_last_page(
    client: httpx.Client, records: int
) -> None:
    whole = ids(client.get("/movies.list"))
    beyond = client.get(
        "/movies.list", params={"cursor": cursor("after", "zzz"), "number_of_records": records}
    )

    assert ids(beyond) == []
    assert beyond.json()["pagination"]["next_cursor"] is None
    assert "next" not in beyond.links
    assert ids(client.get(beyond.links["prev"]["url"])) == whole[-records:]


@pytest.mark.usefixtures("five")
def test_a_cursor_whose_last_movie_is_gone_leads_back_to_those_of_its_title(
    client: httpx.Client,
) -> None:
    past = client.get("/movies.list", params={"cursor": cursor("after", "zodiac")})

    assert ids(past) == []
    assert ids(client.get(past.links["prev"]["url"]))[-1] == "tt0000003"


@pytest.mark.usefixtures("five")
def test_a_cursor_before_the_beginning_leads_on_to_the_first_page(client: httpx.Client) -> None:
    whole = ids(client.get("/movies.list"))
    before = client.get(
        "/movies.list", params={"cursor": cursor("before", "0"), "number_of_records": 2}
    )

    assert ids(before) == []
    assert "prev" not in before.links
    assert ids(client.get(before.links["next"]["url"])) == whole[:2]
    following = before.json()["pagination"]["next_cursor"]
    assert ids(client.get("/movies.list", params={"cursor": following})) == whole


@pytest.mark.parametrize("direction", ["after", "before"])
def test_in_an_empty_catalogue_a_cursor_leads_nowhere(
    client: httpx.Client, direction: Direction
) -> None:
    answer = client.get("/movies.list", params={"cursor": cursor(direction, "a")})

    assert list(answer.links) == ["first"]


def test_page_and_cursor_exclude_each_other(client: httpx.Client) -> None:
    answer = client.get("/movies.list", params={"cursor": "YXR0MDAwMDAwMSBh", "page": 1})

    assert answer.status_code == 400
    assert "not both" in answer.json()["error"]["message"]


def test_an_unknown_parameter_is_named_with_its_nearest_neighbour(client: httpx.Client) -> None:
    message = client.get("/movies.list", params={"pgae": 1}).json()["error"]["message"]

    assert "'pgae'" in message
    assert "Did you mean page?" in message
    assert "number_of_records" in message
