"""Requests that Schemathesis makes up from the document, in all its phases, find nothing.

`schemathesis.toml` says what it is not to look at, and why. Ten requests of each kind are made up;
with MOVIES_FULL_SIZE=1 a hundred.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lib.catalogue.movie import Movie
from local.openapi.command import WRITTEN

CONFIGURATION: Final = Path(__file__).with_name("schemathesis.toml")
EXAMPLES: Final = 100 if os.environ.get("MOVIES_FULL_SIZE") else 10
# What leads from one operation's answer to another's request, so that sequences can be made up.
LINKS: Final = (
    ("POST /movies.create", "201", "movies_get", "imdb_id", "$response.body#/data/imdb_id"),
    ("POST /movies.create", "200", "movies_delete", "imdb_id", "$response.body#/data/imdb_id"),
    ("GET /movies.get", "200", "movies_delete", "imdb_id", "$response.body#/data/imdb_id"),
    ("GET /movies.list", "200", "movies_list", "cursor", "$response.body#/pagination/next_cursor"),
    ("GET /movies.list", "200", "movies_get", "imdb_id", "$response.body#/data/0/imdb_id"),
    ("GET /movies.search", "200", "movies_delete", "imdb_id", "$response.body#/data/0/imdb_id"),
    ("GET /imports.list", "200", "imports_get", "id", "$response.body#/data/0/id"),
    ("POST /keys.create", "201", "keys_delete", "id", "$response.body#/data/id"),
    (
        "DELETE /movies.delete/{imdb_id}", "204",
        "movies_get", "imdb_id", "$request.path.imdb_id",
    ),
)  # fmt: skip


def linked(folder: Path) -> Path:
    """Write the document with these links."""
    document = json.loads(WRITTEN.read_text(encoding="utf-8"))
    for place, status, target, name, expression in LINKS:
        method, path = place.split(" ")
        answer: dict[str, Any] = document["paths"][path][method.lower()]["responses"][status]
        link = {"operationId": target, "parameters": {name: expression}}
        answer.setdefault("links", {})[target] = link
    written = folder / "openapi.json"
    written.write_text(json.dumps(document), encoding="utf-8")
    return written


def test_what_is_made_up_is_answered_as_the_document_says(
    base_url: str,
    store: Callable[..., Movie],
    authorization: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> None:
    for number in range(1, 13):  # more than a page
        store(f"tt00000{number:02}", f"Film {number}", year=1970 + number, genres=("Drama",))
    tokens = {
        name: authorization(role)["Authorization"].removeprefix("Bearer ")
        for name, role in (("TOKEN", "admin"), ("TOKEN_TO_END", "editor"))
    }

    done = subprocess.run(  # noqa: S603
        [
            Path(sys.executable).with_name("schemathesis"),
            *("--config-file", CONFIGURATION, "run", linked(tmp_path)),
            *("--url", base_url, "--max-examples", str(EXAMPLES)),
        ],
        env={**os.environ, **tokens},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout
