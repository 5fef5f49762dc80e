"""`DELETE /movies.delete/<imdb_id>`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lib.catalogue.movie import Movie
from lib.database.transactions import TransactionalDatabase
from tests.support import set_role

Store = Callable[..., Movie]
Authorization = Callable[[str], dict[str, str]]
MOVIE = "/movies.delete/tt0111161"


@pytest.mark.parametrize("role", ["editor", "admin"])
def test_editors_and_administrators_may_delete(
    client: httpx.Client, store: Store, authorization: Authorization, role: str
) -> None:
    store("tt0111161", "The Shawshank Redemption")

    answer = client.delete(MOVIE, headers=authorization(role))

    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/movies.list").json()["pagination"]["total_records"] == 0


def test_a_movie_is_deleted_once(
    client: httpx.Client, store: Store, authorization: Authorization
) -> None:
    store("tt0111161", "The Shawshank Redemption")
    headers = authorization("editor")

    statuses = [client.delete(MOVIE, headers=headers).status_code for _ in range(2)]

    assert statuses == [204, 404]


def test_of_two_at_once_one_deletes(
    client: httpx.Client, store: Store, authorization: Authorization
) -> None:
    store("tt0111161", "The Shawshank Redemption")
    headers = authorization("editor")

    with ThreadPoolExecutor(8) as threads:
        statuses = threads.map(
            lambda _: client.delete(MOVIE, headers=headers).status_code, range(8)
        )

    assert sorted(statuses) == [204] + [404] * 7


def test_without_a_token_the_answer_says_where_to_get_one(
    client: httpx.Client, store: Store
) -> None:
    store("tt0111161", "The Shawshank Redemption")

    answer = client.delete(MOVIE)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    assert "/login" in answer.json()["error"]["message"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/movies.list").json()["pagination"]["total_records"] == 1


def test_a_viewer_may_not_delete(
    client: httpx.Client, store: Store, authorization: Authorization
) -> None:
    store("tt0111161", "The Shawshank Redemption")

    answer = client.delete(MOVIE, headers=authorization("viewer"))

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "FORBIDDEN"
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_role_that_was_lowered_counts_at_once(
    client: httpx.Client,
    store: Store,
    authorization: Authorization,
    database: TransactionalDatabase,
) -> None:
    store("tt0111161", "The Shawshank Redemption")
    headers = authorization("editor")
    set_role(database, username="some editor", role="viewer")

    assert client.delete(MOVIE, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/movies.delete",
        "/movies.delete/",
        "/movies.delete/0111161",
        "/movies.delete/tt0111161%2F..",
        "/movies.delete/tt0111161%00",
        "/movies.delete/TT0111161",
    ],
)
def test_a_path_without_an_id_is_refused(
    client: httpx.Client, authorization: Authorization, path: str
) -> None:
    answer = client.delete(path, headers=authorization("editor"))

    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["code"] in {"INVALID_REQUEST", "NOT_FOUND"}
