"""`./dev serve` itself, for those who call it as strangers do."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from local.environment import ROOT, SETTINGS
from local.postgres import EmbeddedPostgres
from tests import held
from tests.support import ADMIN_PASSWORD

START_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """What `./dev serve` says of itself."""

    url: str
    username: str = "admin"
    password: str = ADMIN_PASSWORD

    def log_in(self) -> str:
        """Return an administrator's token."""
        login = {"username": self.username, "password": self.password}
        with held.client(self.url) as session:
            token: str = session.post("/login", json=login).json()["data"]["token"]
        return token


@pytest.fixture(scope="session")
def served(
    postgres: EmbeddedPostgres,
    worker_id: str,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """Run `./dev serve` on a database of its own, with the demo OMDb and the first films."""
    name, log = f"served_{worker_id}", tmp_path_factory.mktemp("served") / "log"
    postgres.create_database(name)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
    given = {key: environment[key] for key in ("TOKEN_PRIVATE_KEY", "TOKEN_PUBLIC_KEYS")}
    variables = {
        **kept,
        **given,
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "DATABASE_URL": postgres.url(name),
        "PORT": "0",
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "local", "serve"],
            env=variables,
            stdout=output,
            stderr=output,
        )
    try:
        url = await_address(process, log)
        with held.known(int(url.rpartition(":")[2])):
            yield Served(url=url)
    finally:
        process.terminate()
        process.wait(20)


def await_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address once the service listens there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        said = log.read_text(encoding="utf-8")
        if found := re.search(r"listens on (http://\S+)", said):
            return found[1]
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"./dev serve does not serve:\n{said}")
        time.sleep(0.05)
