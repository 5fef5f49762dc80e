"""The exchanges that the API's document shows are those that a catalogue of the first films has."""

import json
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
from tests.support import ADMIN_PASSWORD, OMDB_KEY, create_user, is_served, store_all

DOCUMENT: Final = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXCHANGES: Final = [
    (split.path + "?" + split.query, answer)
    for url, answer in re.findall(r"^\$ curl -s '(http://\S+)'\n(.+)$", DOCUMENT, re.MULTILINE)
    if is_served((split := urlsplit(url)).path)
]


def exchanges_of(paths: str) -> list[tuple[str, str, str, str]]:
    """Return method, target, the rest of the command and the answer of what is asked in turn.

    Answers without a body show their status.
    """
    return re.findall(
        rf"^\$ curl -s (?:-X (\w+) )?'?http://[^/]+(/(?:{paths})[^' ]*)'?([^\n]*)\n(.+)$",
        DOCUMENT,
        re.MULTILINE,
    )


PEOPLE: Final = exchanges_of(r"users\.|audit\.|passwords\.")
TOKEN: Final = r"eyJ[\w-]+\.[\w-]+\.[\w-]+"
REFRESH_TOKEN: Final = r"smr_[0-9a-f]{32}_[\w-]{43}"
SESSIONS: Final = exchanges_of(r"login|sessions\.|keys\.")


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


def masked(answer: str) -> str:
    """Leave out what is another each time: ids, moments and codes."""
    marks = {
        r'"request_id": ?"\w+"': '"request_id"',
        r'"\d{4}-\d\d-\d\dT[\d:]{8}Z"': "MOMENT",
        r"smc_[\w-]{43}": "CODE",
        REFRESH_TOKEN: "REFRESH_TOKEN",
        r"smk_[0-9a-f]{12}_[\w-]{43}": "KEY",
        TOKEN: "TOKEN",
        r'"id": ?"[0-9a-f]+"': '"id"',
    }
    for pattern, mark in marks.items():
        answer = re.sub(pattern, mark, answer)
    return answer


def test_administrators_have_the_exchanges_that_the_document_shows(
    client: httpx.Client, database: TransactionalDatabase
) -> None:
    create_user(database, username="admin", password=ADMIN_PASSWORD, role="admin")
    login = client.post("/login", json={"username": "admin", "password": ADMIN_PASSWORD})
    token = {"Authorization": f"Bearer {login.json()['data']['token']}"}

    told: list[str] = []
    for method, target, rest, _ in PEOPLE:
        sent = re.search(r"-d '(.*)'", rest)
        body = json.loads(sent[1]) if sent else None
        if body and "code" in body:
            body["code"] = json.loads(told[0])["data"]["code"]
        answer = client.request(
            method or ("POST" if body else "GET"),
            target,
            json=body,
            headers=token if "Authorization" in rest else {},
        )
        told.append(answer.text or str(answer.status_code))

    assert len(told) > 8
    assert [masked(one) for one in told] == [masked(shown) for *_, shown in PEOPLE]


def own_in_place_of(shown: str, told: str) -> dict[str, str]:
    """Return what a caller was told that goes into later questions, by what is shown of it."""
    found = (
        [re.search(pattern, answer) for answer in (shown, told)]
        for pattern in (REFRESH_TOKEN, r'(?<="id":")[0-9a-f]{12}(?=")')
    )
    return {theirs[0]: mine[0] for theirs, mine in found if theirs and mine}


def test_users_have_the_exchanges_about_sessions_and_keys_that_the_document_shows(
    client: httpx.Client, database: TransactionalDatabase
) -> None:
    create_user(database, username="admin", password=ADMIN_PASSWORD, role="admin")
    own: dict[str, str] = {}  # by what the document has in its place
    token = ""

    told: list[str] = []
    for method, target, rest, shown in SESSIONS:
        for theirs, mine in own.items():
            target, rest = target.replace(theirs, mine), rest.replace(theirs, mine)  # noqa: PLW2901
        sent = re.search(r"-d '(.*)'", rest)
        answer = client.request(
            method or ("POST" if sent else "GET"),
            target,
            json=json.loads(sent[1]) if sent else None,
            headers={"Authorization": f"Bearer {token}"} if "Authorization" in rest else {},
        )
        told.append(answer.text or str(answer.status_code))
        own |= own_in_place_of(shown, told[-1])
        if found := re.search(TOKEN, told[-1]):
            token = found[0]

    assert len(told) > 7
    assert [masked(one) for one in told] == [masked(shown) for *_, shown in SESSIONS]
