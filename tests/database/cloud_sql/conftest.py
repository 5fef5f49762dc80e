import socket
from collections.abc import Iterator
from typing import Any

import pytest
from google.auth.credentials import Credentials

from lib.database.database import Database
from local.cloud_sql.stand_in import AccountCredentials, CloudSqlStandIn
from tests.database.cloud_sql.pools import SLEEP, WHO, Connect
from tests.support import ECHO


@pytest.fixture(scope="package")
def worker_stand_in(database_url: str) -> Iterator[CloudSqlStandIn]:
    """Run a Cloud SQL before the worker's database."""
    with CloudSqlStandIn(database_url) as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(worker_stand_in: CloudSqlStandIn) -> Iterator[CloudSqlStandIn]:
    """Return the Cloud SQL, well again after each test."""
    default = socket.getdefaulttimeout()
    yield worker_stand_in
    socket.setdefaulttimeout(default)
    worker_stand_in.recover()


@pytest.fixture
def connect(stand_in: CloudSqlStandIn) -> Iterator[Connect]:
    """Make pools, closed after the test."""
    pools: list[Database] = []

    def make(*, credentials: Credentials | None = None, **changes: Any) -> Database:
        options = {
            "sqladmin_api_endpoint": stand_in.endpoint,
            "credentials": credentials or AccountCredentials(stand_in),
        }
        settings = stand_in.settings(**changes)
        pools.append(Database(settings, statements=[ECHO, WHO, SLEEP], connector_options=options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()
