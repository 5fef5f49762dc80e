"""All real answers that there are: imported once, and then found unchanged without a write."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.catalogue.movie import TYPES
from lib.database.transactions import TransactionalDatabase
from lib.imports.orders import Order
from lib.imports.service import Importer
from local.demo_omdb.server import DemoOmdb
from tests.importing import by_ids, carry_out, counts, rows

SAMPLES = os.environ.get("MOVIES_OMDB_SAMPLES")


@pytest.mark.skipif(not SAMPLES, reason="MOVIES_OMDB_SAMPLES names no folder of real answers")
def test_real_answers_imported_twice_are_written_once(
    importers: Callable[..., Importer], database: TransactionalDatabase
) -> None:
    lines = Path(SAMPLES or "", "details.jsonl").read_bytes().splitlines()
    titles = [json.loads(line) for line in lines]
    imdb_ids = [title["imdbID"] for title in titles]
    # They are asked for again on another day.
    tombstones = sum(title["Title"] == "#DUPE#" for title in titles)
    sound = len(titles) - tombstones
    with DemoOmdb(titles, key="0a1b2c3d") as server:
        importer = importers(server.url, concurrency=16)
        first = carry_out(importer, by_ids(*imdb_ids, types=TYPES))
        before = rows(
            database, "select ctid::text, xmin::text, xmax::text, * from movies order by 4"
        )
        second = carry_out(importer, by_ids(*imdb_ids, types=TYPES))
        third = carry_out(importer, Order(kind="refresh", types=TYPES))
        after = rows(
            database, "select ctid::text, xmin::text, xmax::text, * from movies order by 4"
        )

    assert counts(first) == {"imported": sound, "pending": tombstones}
    assert counts(second) == {"unchanged": sound, "pending": tombstones}
    assert counts(third) == {"unchanged": sound}
    assert [str(row) for row in after] == [str(row) for row in before]
    assert len(after) == sound
