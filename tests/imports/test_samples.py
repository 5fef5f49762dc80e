"""All real answers that there are: imported once, and then found unchanged without a write."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.db import Database
from lib.imports.orders import ALL_TYPES, Order
from lib.imports.service import Importer
from local.demo_omdb.server import DemoOmdb
from tests.imports.support import by_ids, carry_out, counts, rows

SAMPLES = os.environ.get("MOVIES_OMDB_SAMPLES")


@pytest.mark.skipif(not SAMPLES, reason="MOVIES_OMDB_SAMPLES names no folder of real answers")
def test_real_answers_imported_twice_are_written_once(
    importers: Callable[..., Importer], database: Database
) -> None:
    lines = Path(SAMPLES or "", "details.jsonl").read_bytes().splitlines()
    titles = [json.loads(line) for line in lines]
    dupes = {title["imdbID"] for title in titles if title["Title"] == "#DUPE#"}
    sound = sorted({title["imdbID"] for title in titles} - dupes)
    with DemoOmdb(titles, key="0a1b2c3d") as server:
        importer = importers(server.url, concurrency=16)
        first = carry_out(importer, by_ids(*sound, types=ALL_TYPES))
        before = rows(
            database, "select ctid::text, xmin::text, xmax::text, * from movies order by 4"
        )
        second = carry_out(importer, by_ids(*sound, types=ALL_TYPES))
        third = carry_out(importer, Order(kind="refresh", types=ALL_TYPES))
        after = rows(
            database, "select ctid::text, xmin::text, xmax::text, * from movies order by 4"
        )

    assert counts(first) == {"imported": len(sound)}
    assert counts(second) == counts(third) == {"unchanged": len(sound)}
    assert [str(row) for row in after] == [str(row) for row in before]
    assert len(after) == len(sound)
