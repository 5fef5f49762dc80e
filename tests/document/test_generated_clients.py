"""Clients that are generated from the document work against `./dev serve`.

`docs/clients.md` tells how they are made. MOVIES_NPM names the folder `node_modules` that npm makes
of `tests/npm`; without it the test of TypeScript is skipped.
"""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from local.openapi.command import WRITTEN
from tests.document.conftest import Served

FILM: Final = "tt0024216"  # King Kong, which is none of the first films
NPM: Final = os.environ.get("MOVIES_NPM", "")
USE: Final = Path(__file__).with_name("use.ts")


def run(folder: Path, *command: str | Path) -> str:
    """Run a program in a folder, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls ruff
    done = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Generate a client in Python, and return what loads a module of it."""
    generator = Path(sys.executable).with_name("openapi-python-client")
    made = ("--path", WRITTEN, "--output-path", tmp_path / "movies_client", "--meta", "none")
    said = run(tmp_path, generator, "generate", *made)
    assert "WARNING" not in said
    monkeypatch.syspath_prepend(tmp_path)

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"movies_client.{name}")

    yield load
    for name in [name for name in sys.modules if name.startswith("movies_client")]:
        del sys.modules[name]


def test_a_client_in_python_creates_reads_and_deletes(generated: Any, served: Served) -> None:
    movies, models = generated("api.movies"), generated("models")
    for name in ("movies_create", "movies_delete", "movies_get", "movies_list", "movies_search"):
        generated(f"api.movies.{name}")
    clients = generated("client")
    anybody = clients.Client(base_url=served.url)
    editor = clients.AuthenticatedClient(base_url=served.url, token=served.log_in())

    with anybody, editor:
        body = models.MoviesCreateById(imdb_id=FILM)
        created = movies.movies_create.sync_detailed(client=anybody, body=body)
        listed = movies.movies_list.sync(client=anybody, number_of_records=2)
        found = movies.movies_search.sync(client=anybody, query="king kong")
        refused = movies.movies_get.sync(client=anybody, imdb_id="x")
        deleted = movies.movies_delete.sync_detailed(FILM, client=editor)
        missing = movies.movies_get.sync(client=anybody, imdb_id=FILM)

    assert (created.status_code, created.parsed.data.title) == (201, "King Kong")
    assert created.parsed.data.released.year == 1933
    assert len(listed.data) == 2
    assert listed.pagination.total_records >= 99
    assert found.data[0].imdb_id == FILM
    assert isinstance(refused, models.InvalidRequest)
    assert refused.error.fields["imdb_id"]
    assert deleted.status_code == 204
    assert isinstance(missing, models.MovieNotFound)


@pytest.mark.skipif(not NPM, reason="MOVIES_NPM is not set: it names npm's folder of packages")
def test_a_client_in_typescript_creates_reads_and_deletes(served: Served, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NPM)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(USE, tmp_path)
    tools = tmp_path / "node_modules" / ".bin"

    run(tmp_path, tools / "openapi-typescript", WRITTEN, "--output", "api.d.ts")
    strictly = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck")
    run(tmp_path, tools / "tsc", *strictly, USE.name)
    told = json.loads(run(tmp_path, "node", "use.js", served.url, served.log_in()))

    assert told == {
        "created": 201,
        "title": "Little Women",
        "years": 2,
        "genres": ["Drama", "Family", "Romance"],
        "refused": 401,
        "deleted": 204,
        "fault": "MOVIE_NOT_FOUND",
    }
