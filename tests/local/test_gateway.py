"""One port for every function: which path goes where, and what becomes of the others."""

from pathlib import Path
from typing import Final

import httpx
import pytest

from local.failure import Failure
from local.gateway import ROUTES, Gateway, build, function_for

FUNCTION: Final = '''
import functions_framework.aio
from starlette.responses import JSONResponse

@functions_framework.aio.http
def {name}(request):
    """Tell who was called, and with which path."""
    return JSONResponse({{"function": "{name}", "path": request.url.path}})
'''


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Build a gateway over functions that tell their names; put back what the framework sets."""
    monkeypatch.setenv("FUNCTION_TARGET", "")
    monkeypatch.setattr("sys.path", ["/nowhere"])
    monkeypatch.setitem(__import__("sys").modules, "main", None)
    for name in ROUTES.values():
        folder = tmp_path / "functions" / name
        folder.mkdir(parents=True)
        (folder / "main.py").write_text(FUNCTION.format(name=name))
    return build(tmp_path)


@pytest.fixture
def client(gateway: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://local")
