"""The exchanges that the API's document shows are those that a catalogue of the first films has."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from lib.database.transactions import TransactionalDatabase
from lib.imports.first_movies import FIRST_IDS
from lib.omdb.reading import read_movie
from local.demo_omdb.server import DemoOmdb
from local.environment import ROOT
from tests.support import OMDB_KEY, is_served, store_all

DOCUMENT: Final = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXCHANGES: Final = [
    (split.path + "?" + split.query, answer)
    for url, answer in re.findall(r"^\$ curl -s '(http://\S+)'\n(.+)$", DOCUMENT, re.MULTILINE)
    if is_served((split := urlsplit(url)).path)
]


@pytest.fixture(scope="session")
def first_films(worker_omdb: DemoOmdb) -> Callable[[TransactionalDatabase], None]:
    """Return what stores the films that `./dev serve` begins with."""
    with httpx.Client(base_url=worker_omdb.url) as asking:
        asked = {"apikey": OMDB_KEY}
        answers = [asking.get("/", params={**asked, "i": imdb_id}) for imdb_id in FIRST_IDS]
    films = [read_movie(answer.status_code, answer.content) for answer in answers]

    def fill(database: TransactionalDatabase) -> None:
        store_all(database, films)
        with database.begin() as connection:
            connection.execute(text("select gather_words(100000)"))  # as the import does

    return fill


def shown(answer: str) -> str:
    """Leave out what is each caller's own, and what follows the first members of a movie."""
    return re.sub(r'"request_id":"\w+"', "", answer).partition(", ...")[0]


def test_there_are_exchanges() -> None:
    assert len(EXCHANGES) > 5


@pytest.mark.parametrize(("target", "answer"), EXCHANGES, ids=[target for target, _ in EXCHANGES])
def test_an_exchange_is_as_the_document_shows_it(
    client: httpx.Client,
    database: TransactionalDatabase,
    first_films: Callable[[TransactionalDatabase], None],
    target: str,
    answer: str,
) -> None:
    first_films(database)

    told = shown(client.get(target).text)

    assert told.startswith(shown(answer)) if ", ..." in answer else told == shown(answer)
