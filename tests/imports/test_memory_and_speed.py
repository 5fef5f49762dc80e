"""What an import takes: memory and time. At full size with MOVIES_FULL_SIZE=1."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from lib.database.transactions import TransactionalDatabase
from lib.imports.service import Importer
from local.demo_omdb.server import DemoOmdb
from tests.importing import by_ids, carry_out, change, counts, film, film_ids, rows
from tests.support import OMDB_KEY

ROOT: Final = Path(__file__).resolve().parents[2]
FULL: Final = bool(os.environ.get("MOVIES_FULL_SIZE"))
IMPORTED: Final = 5000 if FULL else 400
MOST_KB: Final = 150 * 1024


def peak_kb(database_url: str, omdb_url: str, *, queued: int, imported: int) -> int:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "tests.imports.memory", str(queued), str(imported)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url, "OMDB_URL": omdb_url},
        capture_output=True,
        check=True,
        timeout=240,
    )
    peak: int = json.loads(done.stdout)["peak_kb"]
    return peak


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells it on Linux only")
def test_memory_does_not_grow_with_what_is_queued(
    database: TransactionalDatabase, database_url: str
) -> None:
    with DemoOmdb([film(number) for number in range(IMPORTED + 500)], key=OMDB_KEY) as omdb:
        many = peak_kb(database_url, omdb.url, queued=100_000, imported=IMPORTED)
        [(state_rows,)] = rows(database, "select count(*) from import_items")
        change(database, "truncate imports, import_items, movies cascade")
        few = peak_kb(database_url, omdb.url, queued=IMPORTED + 500, imported=IMPORTED)

    assert state_rows == 100_000
    assert many < MOST_KB
    # The body itself and its ids, of which nothing is kept once they are in the ledger.
    assert many - few < 40 * 1024


def test_an_import_takes_little_longer_than_its_calls(
    importers: Callable[..., Importer], films: DemoOmdb
) -> None:
    number, seconds = (1000, 0.1) if FULL else (320, 0.1)
    films.latency = seconds
    importer = importers(films.url, concurrency=16)
    started = time.monotonic()
    content = carry_out(importer, by_ids(*film_ids(number)))
    took = time.monotonic() - started

    assert counts(content) == {"imported": number}
    # 1.3 times where the machine is ours; two cores that other tests use as well get some slack.
    assert took < number * seconds / 16 * (1.3 if FULL else 2)
