"""One PostgreSQL for the run, one database a worker, empty tables for each test."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import functions_framework.aio
import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lib import movies
from lib.db import Database
from lib.migrations.runner import migrate
from lib.settings import AdminSettings, DatabaseSettings, Secret
from local.demo_omdb.server import DemoOmdb
from local.postgres import EmbeddedPostgres
from tests.service import Service

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server
