"""An importer as one process has it, and a demo OMDb with films of the test's own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.imports.service import Importer
from local.demo_omdb.server import DemoOmdb
from tests.importing import film, make_importer
from tests.support import OMDB_KEY

MakeImporter = Callable[..., Importer]


@pytest.fixture
def films() -> Iterator[DemoOmdb]:
    """Run a demo OMDb that holds two thousand films."""
    with DemoOmdb([film(number) for number in range(2000)], key=OMDB_KEY) as server:
        yield server


@pytest.fixture
def importers(database: Database, settings: DatabaseSettings) -> Iterator[MakeImporter]:
    """Make importers, each as a process has it, and close them with the test."""
    assert database
    made: list[Importer] = []

    def make(url: str, **changes: Any) -> Importer:
        made.append(make_importer(settings, url, **changes))
        return made[-1]

    yield make
    for importer in made:
        importer.close()
        importer.database.close()


@pytest.fixture
def importer(importers: MakeImporter, films: DemoOmdb) -> Importer:
    """Return an importer that asks the demo OMDb."""
    return importers(films.url)
