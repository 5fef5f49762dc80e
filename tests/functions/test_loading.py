"""Each function loads what it uses and nothing else, as loading is most of a cold start."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from local.functions import Function, read_functions

ROOT: Final = Path(__file__).resolve().parent.parent.parent
# Nobody's: they come with a dependency, and each would cost a tenth of a second or more.
NOBODY: Final = {
    *("grpc", "sqlalchemy.orm", "google.cloud.sql", "aiohttp", "google.auth"),
    *("flask_openapi", "pydantic"),
}
ALL: Final = {"sqlalchemy", "pg8000", "requests", "jwt", "cryptography", "argon2", "alembic"}
LOADED: Final = """
import sys
import functions_framework.aio, gunicorn.app.base, uvicorn_worker
import uvicorn.middleware.proxy_headers, uvicorn.protocols.http.auto
before = len(sys.modules)
functions_framework.aio.create_asgi_app(sys.argv[1], sys.argv[2])
print(len(sys.modules) - before, *sys.modules)
"""


def loaded(function: str, environment: dict[str, str]) -> tuple[int, set[str]]:
    """Load a function as the server does, and give how many modules that took, and all of them."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LOADED, function, str(ROOT / "functions" / function / "main.py")],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    count, *names = done.stdout.split()
    return int(count), set(names)


@pytest.mark.parametrize(
    "function",
    [function for function in read_functions().values() if function.imports],
    ids=lambda function: function.name,
)
def test_a_function_loads_what_it_uses_and_nothing_else(
    function: Function, environment: dict[str, str]
) -> None:
    assert function.imports
    count, modules = loaded(function.name, environment)

    nobodys = NOBODY - {"sqlalchemy.orm"} if "alembic" in function.imports.only else NOBODY
    assert modules & nobodys == set()
    assert modules & ALL == function.imports.only
    assert count <= (function.imports.most_modules or 1000)
