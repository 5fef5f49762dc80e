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

from lib.database.transactions import TransactionalDatabase
from lib.imports.first_movies import FIRST_IDS
from local import importing
from local.demo_omdb.server import DemoOmdb
from local.environment import Environment
from local.failure import Failure
from tests.importing import change, film, film_id, film_ids, hurry, rows
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
    assert output == (
        "200 imported, 0 updated, 0 unchanged, 0 not found, 0 rejected, 0 failed\n"
        "Left out: 1 repeated id\n"
    )
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


def test_a_search_is_narrowed_by_year_and_type(
    variables: dict[str, str], database: TransactionalDatabase
) -> None:
    asked = "select search, search_year, search_type, types from imports"
    arguments = ("--search", "Film  0", "--year", "1994", "--type", "Series")
    assert run(variables, *arguments)[0] == 0
    assert rows(database, asked) == [("Film 0", 1994, "series", ["series"])]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--year", "1994"], 1, "dev: --year and --type narrow a search: give --search, too"),
        (["--refresh", "--type", "movie"], 1, "dev: --year and --type narrow a search: give"),
        (["--search", "x", "--year", "94"], 2, "./dev import: error: argument --year: expected a"),
        (["--search", "x", "--type", "film"], 2, "./dev import: error: argument --type: expected"),
    ],
)
def test_what_narrows_a_search_is_checked(
    variables: dict[str, str], arguments: list[str], code: int, told: str
) -> None:
    ended, _, errors = run(variables, *arguments)
    assert ended == code
    assert errors.splitlines()[-1].startswith(told)


def test_what_cannot_be_read_is_shown_before_anything_is_fetched_and_the_rest_goes_on(
    variables: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "watchlist.csv"
    rows = "".join(f"{number},{imdb_id}\r\n" for number, imdb_id in enumerate(film_ids(3)))
    path.write_text(f"Position,Const\r\n{rows}4,nm0000138\r\n")
    code, output, errors = run(variables, "--ids", str(path))

    assert code == 0
    assert errors.startswith(f"{path}: 1 line without an id, left out:\n  line 5: 4,nm0000138\n")
    assert "0 left, 0 errors, 1 line left out" in errors
    assert output.splitlines() == [
        "3 imported, 0 updated, 0 unchanged, 0 not found, 0 rejected, 0 failed",
        "Left out: 1 line without an id",
    ]


def test_standard_input_is_a_file_like_others(variables: dict[str, str]) -> None:
    process = subprocess.run(
        [sys.executable, "-P", "-m", "local", "import", "--ids", "-"],
        env=variables,
        input="https://www.imdb.com/title/" + "/\nimdb.com/title/".join(film_ids(2)),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert process.stdout.startswith("2 imported, ")


def test_series_are_left_out_with_a_hint_and_come_with_types(
    variables: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "ids.txt"
    kinds = ("movie", "series", "series", "episode")
    titles = [film(number, Type=kind) for number, kind in enumerate(kinds)]
    path.write_text("\n".join([*film_ids(4), film_id(4)]))
    with DemoOmdb(titles, key=OMDB_KEY) as server:
        server.overrides[film_id(4)] = b'{"Response":"False","Error":"Movie not found!"}'
        variables["OMDB_URL"] = server.url
        _, output, _ = run(variables, "--ids", str(path))
        assert output.splitlines()[1] == (
            "Left out: 2 of type series, 1 of type episode (to have them, too: "
            "--types movie,series,episode); 1 that OMDb does not know"
        )
        code, output, _ = run(variables, "--ids", str(path), "--types", "movie, series")
    assert code == 0
    assert output.startswith("2 imported, 0 updated, 1 unchanged, 1 not found, 1 rejected, ")


def test_types_are_checked_and_belong_to_something(variables: dict[str, str]) -> None:
    code, _, errors = run(variables, "--refresh", "--types", "film")
    assert (code, errors.splitlines()[-1]) == (
        2,
        "./dev import: error: argument --types: expected one or more of movie,series,episode,game",
    )
    code, _, errors = run(variables, "--types", "series")
    assert (code, errors) == (
        1,
        "dev: --types says what to take of --ids, --search or --refresh: give one of them\n",
    )


def test_a_search_that_omdb_refuses_is_one_line(variables: dict[str, str]) -> None:
    code, _, errors = run(variables, "--search", "It")
    assert code == 1
    assert errors.splitlines()[-1] == (
        "dev: the import failed: OMDb refuses the search: OMDb finds too many titles: give a "
        "longer text"
    )


def test_more_ids_than_an_import_takes_become_several(  # noqa: PLR0917
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, films: DemoOmdb,
    database: TransactionalDatabase, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(importing, "MOST_IDS", 20)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "ids.txt"
    path.write_text("\n".join(film_ids(50)))
    films.quota = 30
    importing.run(path, None, refresh=False)
    output = capsys.readouterr().out
    assert output.startswith("30 imported, ")
    assert "20 left, as OMDb's quota of the day is spent. Go on with: ./dev import" in output
    assert rows(database, "select total from imports order by id") == [(20,), (20,), (10,)]
    path.write_text("\n".join(film_ids(201)))
    with pytest.raises(Failure, match="holds more than 200 ids: import it in parts"):
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


def test_an_open_first_fill_is_gone_on_with_at_each_start_and_never_begun_twice(
    tmp_path: Path, database_url: str, database: TransactionalDatabase, omdb: DemoOmdb
) -> None:
    environment = Environment(
        folder=tmp_path,
        variables={
            "DATABASE_URL": database_url, "OMDB_URL": omdb.url, "OMDB_API_KEY": OMDB_KEY,
        },
    )  # fmt: skip
    waiting = FIRST_IDS[:2]
    for imdb_id in waiting:
        omdb.overrides[imdb_id] = b'{"Response":"False","Error":"Error getting data."}'
    with pytest.raises(Failure, match="2 left, as they are to be tried again later"):
        importing.fill_when_empty(environment)
    omdb.forget_calls()
    for _ in range(2):
        with pytest.raises(Failure, match="2 left, as they are to be tried again later"):
            importing.fill_when_empty(environment)
    assert not omdb.calls
    assert rows(database, "select count(*) from imports") == [(1,)]
    omdb.overrides.clear()
    hurry(database)
    importing.fill_when_empty(environment)
    assert omdb.fetches == dict.fromkeys(waiting, 1)
    assert rows(database, "select kind, state from imports") == [("fill", "done")]
