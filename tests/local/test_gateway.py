"""One port for every function: which path goes where, and what becomes of the others."""

import asyncio
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import httpx
import pytest

from local.environment import ROOT
from local.failure import Failure
from local.functions import FILE, ID, read_functions
from local.gateway import Gateway, build

ROUTES: Final = [
    (route.replace(ID, "tt0111161"), function.name)
    for function in read_functions().values()
    for route in function.routes
]
FUNCTION: Final = '''
import functions_framework.aio
from starlette.responses import JSONResponse

@functions_framework.aio.http
def {name}(request):
    """Tell who was called, and with which path."""
    return JSONResponse({{"function": "{name}", "path": request.url.path}})
'''


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for functions; what the framework leaves in the process is put back."""
    monkeypatch.setenv("FUNCTION_TARGET", "")
    monkeypatch.setattr("sys.path", sys.path.copy())
    monkeypatch.setitem(sys.modules, "main", ModuleType("main"))
    return tmp_path


@pytest.fixture
def gateway(root: Path) -> Gateway:
    """Build a gateway over functions that tell their names."""
    for name in read_functions():
        folder = root / "functions" / name
        folder.mkdir(parents=True)
        (folder / "main.py").write_text(FUNCTION.format(name=name))
        shutil.copy(ROOT / "functions" / name / FILE, folder)
    return build(root)


def _call(
    gateway: Gateway, path: str, *, method: str = "GET", request_id: str = ""
) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(gateway)
        headers = {"X-Request-Id": request_id} if request_id else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(call())


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(("route", "name"), ROUTES)
def test_a_route_leads_to_its_function_with_the_path_unchanged(
    gateway: Gateway, prefix: str, route: str, name: str
) -> None:
    answer = _call(gateway, f"{prefix}{route}?page=1")
    assert answer.json() == {"function": name, "path": f"{prefix}{route}"}


@pytest.mark.parametrize(
    "path", ["/users.delete/a%2Fb%20c", "/v1/users.delete/%2f", "/users%2Edelete/ana"]
)
def test_what_is_encoded_within_a_segment_stays_in_it(gateway: Gateway, path: str) -> None:
    assert _call(gateway, path, method="DELETE").json()["function"] == "users_delete"


def test_an_encoded_slash_parts_no_segments(gateway: Gateway) -> None:
    assert _call(gateway, "/users.delete%2Fana", method="DELETE").status_code == 404


def test_the_root_has_its_function_with_the_version_alone_as_well(gateway: Gateway) -> None:
    assert gateway.function_for("/v1") == gateway.function_for("/v1/") == gateway.function_for("/")


@pytest.mark.parametrize(
    "path",
    [
        "/movies",
        "/movies.list/",
        "/movies.list/tt0111161",
        "/movies.delete/",
        "/movies.delete/tt0111161/more",
        "/movies_list",
        "/MOVIES.LIST",
        "//movies.list",
        "/v1/v1/movies.list",
        "/v2/movies.list",
        "/v1movies.list",
        "/robots.txt",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_other_path_is_404_in_the_error_shape(gateway: Gateway, path: str, method: str) -> None:
    assert gateway.function_for(path) is None
    answer = _call(gateway, f"http://local{path}", method=method, request_id="mine-1")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "NOT_FOUND"
    assert all(route.replace("tt0111161", ID) in error["message"] for route, _ in ROUTES)
    assert error["request_id"] == answer.headers["X-Request-Id"] == "mine-1"


@pytest.mark.parametrize("request_id", ["", "with space", "x" * 129, "<script>"])
def test_a_request_id_that_is_not_sane_is_replaced(gateway: Gateway, request_id: str) -> None:
    answer = _call(gateway, "/nothing", request_id=request_id)
    assert answer.headers["X-Request-Id"] not in {"", request_id}


def test_a_folder_without_functions_is_one_line(root: Path) -> None:
    with pytest.raises(Failure, match="holds no function"):
        build(root)


def test_a_function_with_wrong_settings_ends_with_its_own_line(root: Path) -> None:
    folder = root / "functions" / "login"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("raise SystemExit('OMDB_API_KEY is not set')")
    (folder / FILE).write_text("{route: /login, invoker: public}")
    with pytest.raises(SystemExit, match="OMDB_API_KEY is not set"):
        build(root)
