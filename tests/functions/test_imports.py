"""Each function loads what it uses and nothing else, as loading is most of a cold start."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from local.gateway import ROUTES

ROOT: Final = Path(__file__).resolve().parent.parent.parent
# Nobody's: they come with a dependency, and each would cost a tenth of a second or more.
NOBODY: Final = {"grpc", "sqlalchemy.orm", "google.cloud.sql", "aiohttp", "google.auth"}
ALL: Final = {"sqlalchemy", "pg8000", "requests", "jwt", "cryptography", "argon2", "alembic"}
DATABASE: Final = {"pg8000"}
TRANSACTIONS: Final = {"sqlalchemy"}
TOKENS: Final = {"jwt", "cryptography"}
USES: Final = {
    "brew_coffee": set[str](),
    "movies_list": DATABASE,
    "movies_get": DATABASE,
    "movies_create": DATABASE | TOKENS | {"requests"},
    "movies_import": DATABASE | TRANSACTIONS | {"requests"},
    "movies_delete": DATABASE | TOKENS,
    "imports_get": DATABASE | TOKENS,
    "imports_list": DATABASE | TOKENS,
    "login": DATABASE | TRANSACTIONS | TOKENS | {"argon2"},
    "migrate": DATABASE | TRANSACTIONS | {"argon2", "alembic"},
}
# Beyond the framework and its server; a tenth above what they load.
MOST_MODULES_OF_OURS: Final = {
    "brew_coffee": 16,
    "movies_list": 80,
    "movies_get": 80,
    "movies_create": 306,
}

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


@pytest.mark.parametrize("function", sorted(ROUTES.values()))
def test_a_function_loads_what_it_uses_and_nothing_else(
    function: str, environment: dict[str, str]
) -> None:
    count, modules = loaded(function, environment)

    nobodys = NOBODY - {"sqlalchemy.orm"} if function == "migrate" else NOBODY
    assert modules & nobodys == set()
    assert modules & ALL == USES[function]
    assert count <= MOST_MODULES_OF_OURS.get(function, 1000)
