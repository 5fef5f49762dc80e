"""`./dev import` and the first films, against a demo OMDb: what a person at the terminal sees."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from lib.db_transactions import TransactionalDatabase
from local import importing
from local.demo_omdb.server import DemoOmdb
from local.environment import Environment
from local.failure import Failure
from tests.imports.support import change, film, film_ids, rows
from tests.support import OMDB_KEY

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture
def films(database: TransactionalDatabase) -> Iterator[DemoOmdb]:
    assert database
    with DemoOmdb([film(number) for number in range(300)], key=OMDB_KEY) as server:
        yield server


@pytest.fixture
def variables(films: DemoOmdb, database_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "OMDB_URL": films.url,
        "OMDB_API_KEY": OMDB_KEY,
        "OMDB_DAILY_BUDGET": "10000",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def ids_file(tmp_path: Path) -> Path:
    path = tmp_path / "ids.txt"
    path.write_text("# some films\n" + "\n".join(film_ids(200)) + f"\n\n{film_ids(1)[0]} # again\n")
    return path


def start(variables: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", "local", "import", *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(variables: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    process = start(variables, *arguments)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def test_a_file_of_ids_is_imported_with_a_bar(variables: dict[str, str], ids_file: Path) -> None:
    code, output, errors = run(variables, "--ids", str(ids_file))

    assert code == 0
    assert output == ("200 imported, 0 updated, 0 unchanged, 0 not found, 0 rejected, 0 failed\n")
    assert "200/200" in errors
    assert "0 left, 0 errors" in errors
    assert "film/s" in errors


def test_ctrl_c_ends_in_order_and_says_how_to_go_on(
    variables: dict[str, str], ids_file: Path, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    films.latency = 0.3
    process = start(variables, "--ids", str(ids_file))
    while films.fetches.total() < 16:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Stopping once the calls under way have ended" in output + errors
    assert "left, as stopped here. Go on with: ./dev import" in output
    assert "Traceback" not in errors
    assert rows(database, "select count(*) from import_items where state = 'leased'") == [(0,)]
    films.latency = 0.0
    code, output, _ = run(variables)
    assert code == 0
    assert output.startswith("200 imported, ")
    assert films.fetches == dict.fromkeys(film_ids(200), 1)


def test_a_spent_quota_is_told(variables: dict[str, str], ids_file: Path, films: DemoOmdb) -> None:
    films.quota = 50
    code, output, _ = run(variables, "--ids", str(ids_file))

    assert code == 0
    assert "150 left, as OMDb's quota of the day is spent. Go on with: ./dev import" in output


def test_a_refused_key_is_one_line(variables: dict[str, str], ids_file: Path) -> None:
    code, _, errors = run(variables | {"OMDB_API_KEY": "wrong"}, "--ids", str(ids_file))

    assert code == 1
    assert errors.splitlines()[-1] == (
        "dev: the import stopped: OMDb refuses the API key in OMDB_API_KEY"
    )


def test_a_search_and_a_refresh_are_imported(variables: dict[str, str]) -> None:
    code, output, _ = run(variables, "--search", "Film 00001*")
    assert (code, output.split(",")[0]) == (0, "10 imported")
    code, output, _ = run(variables, "--refresh")
    assert (code, output.split(", ")[:3]) == (0, ["0 imported", "0 updated", "10 unchanged"])


@pytest.mark.parametrize("line", ["tt12", "0111161", "https://www.imdb.com/title/tt0111161/"])
def test_a_line_that_is_no_id_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(f"tt0111161\n{line}\n")
    with pytest.raises(Failure, match=r"line 2: .* is no IMDb id"):
        importing.run(path, None, refresh=False)


def test_the_first_films_come_once_and_an_interrupted_fill_goes_on(
    tmp_path: Path, database_url: str, database: TransactionalDatabase, omdb: DemoOmdb
) -> None:
    environment = Environment(
        folder=tmp_path,
        variables={
            "DATABASE_URL": database_url, "OMDB_URL": omdb.url, "OMDB_API_KEY": OMDB_KEY,
        },
    )  # fmt: skip
    omdb.quota = 40
    with pytest.raises(Failure, match="60 left, as OMDb's quota of the day is spent"):
        importing.fill_when_empty(environment)
    omdb.quota = None
    change(database, "update omdb_budget set probe_at = now()")
    importing.fill_when_empty(environment)
    assert rows(database, "select count(*) from movies") == [(100,)]
    omdb.forget_calls()
    importing.fill_when_empty(environment)
    assert not omdb.calls
