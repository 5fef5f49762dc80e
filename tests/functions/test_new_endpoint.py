"""A new endpoint is a folder, and nothing else: a copy of the repository gets one more of them.

tests/terraform/test_terraform.py plans the same folder.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from lib.catalogue.movie import Movie
from lib.schema.settings import Grant
from local.environment import ROOT
from local.functions import grants
from local.servers import free_port
from tests.deployed import Deployed, await_answer
from tests.support import NEW_ENDPOINT

SERVED: Final = """
import sys
import uvicorn
from local import environment, gateway
uvicorn.run(gateway.build(environment.ROOT), port=int(sys.argv[1]), log_level="warning")
"""
TIMED: Final = "from local.bench.usual import usual_calls; print(*usual_calls())"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a copy of the repository with a folder more."""
    for name in ("functions", "lib", "local"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(NEW_ENDPOINT, tmp_path / "functions" / NEW_ENDPOINT.name)
    return tmp_path


@pytest.fixture
def served(repository: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve every function of the copy."""
    port, log = free_port(), repository / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-c", SERVED, str(port)],
            env={**os.environ, **environment, "PYTHONPATH": str(repository)},
            cwd=repository,
            stdout=output,
            stderr=output,
        )
    try:
        await_answer(Deployed(process=process, port=port, log=log))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def run(repository: Path, *arguments: str) -> str:
    """Run Python in the copy, as `./dev` there does."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", *arguments],
        env={**os.environ, "PYTHONPATH": str(repository)},
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_takes_fifteen_lines() -> None:
    lines = [
        line
        for file in NEW_ENDPOINT.iterdir()
        if file.is_file()
        for line in file.read_text(encoding="utf-8").splitlines()
        if line
    ]

    assert len(lines) <= 15


def test_it_is_served_and_asked_by_smoke(
    served: str, repository: Path, store: Callable[..., Movie]
) -> None:
    store("tt0034583", "Casablanca")

    assert httpx.get(f"{served}/movies.count").json() == {"data": {"movies": 1}}
    assert httpx.get(f"{served}/v1/movies.count").json() == {"data": {"movies": 1}}
    assert f"ok   GET    {served}/movies.count" in run(repository, "-m", "local", "smoke", served)


def test_it_is_listed(repository: Path) -> None:
    [row] = [
        line
        for line in run(repository, "-m", "local", "functions").splitlines()
        if line.startswith(NEW_ENDPOINT.name)
    ]

    assert row.split() == [
        *("movies_count", "/movies.count", "public", "-", "-"),
        *("movies:", "select;", "movie_totals:", "select"),
    ]


def test_it_is_timed_by_the_benchmarks(repository: Path) -> None:
    assert NEW_ENDPOINT.name in run(repository, "-c", TIMED).split()


def test_its_role_gets_its_rights(repository: Path) -> None:
    rights = {"movies": "select", "movie_totals": "select"}

    granted = grants({NEW_ENDPOINT.name: "fn-movies-count"}, repository)

    assert granted == {NEW_ENDPOINT.name: Grant(user="fn-movies-count", rights=rights)}
