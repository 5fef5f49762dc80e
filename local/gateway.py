"""Every function on one port: what the load balancer does in the cloud.

Each function is the very app that functions-framework builds for it; the gateway only looks at the
path and hands the request on unchanged.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.answers import data, error_answer
from lib.errors import NotFound
from lib.tracing import request_context
from local.failure import Failure

ROUTES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "/movies.list": "movies_list",
        "/movies.get": "movies_get",
        "/movies.create": "movies_create",
        "/movies.delete": "movies_delete",
        "/movies.import": "movies_import",
        "/imports.get": "imports_get",
        "/imports.list": "imports_list",
        "/login": "login",
        "/brew-coffee": "brew_coffee",
        "/migrate": "migrate",
    }
)
WITH_ID: Final = frozenset({"/movies.delete"})  # the movie's id follows as a segment of its own


class Gateway:
    """An ASGI app that gives each request to the function that its path names."""

    def __init__(self, functions: Mapping[str, ASGIApp]) -> None:
        self._functions = functions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        answer = self._functions.get(function_for(scope["path"]) or "", _answer_itself)
        await answer(scope, receive, send)


def build(root: Path) -> Gateway:
    """Load every function below `root`/functions as functions-framework does.

    Raises:
        Failure: There is no function to serve.
        SystemExit: A function's settings are wrong; its one line says which.
    """
    functions: dict[str, ASGIApp] = {}
    for name in ROUTES.values():
        source = root / "functions" / name / "main.py"
        if source.exists():
            app: Any = functions_framework.aio.create_asgi_app(name, str(source))  # type: ignore[no-untyped-call]
            functions[name] = app
    if not functions:
        raise Failure(f"{root / 'functions'} holds no function")
    return Gateway(functions)


def function_for(path: str) -> str | None:
    """Name the function that a path belongs to."""
    path = path.removeprefix("/v1") if path.startswith("/v1/") else path
    parent, _, last = path.rpartition("/")
    if parent in WITH_ID and last:
        path = parent
    return ROUTES.get(path)


async def _answer_itself(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope)
    context = request_context(request.headers)
    routes = sorted(ROUTES)
    headers = {"X-Request-Id": context.request_id, "Cache-Control": "no-store"}
    if scope["path"] == "/" and request.method == "OPTIONS":  # of the whole server, too
        allow = {"Allow": "GET, HEAD, OPTIONS"}
        await Response(status_code=204, headers={**headers, **allow})(scope, receive, send)
        return
    if scope["path"] in {"/", "/v1", "/v1/"} and request.method in {"GET", "HEAD"}:
        answer = data({"routes": routes})
    else:
        message = (
            "Nothing is at this path. Paths, with or without /v1 before them, are "
            f"{', '.join(routes)}."
        )
        answer = error_answer(NotFound(message), context)
    response = Response(answer.body, answer.status, headers, media_type="application/json")
    await response(scope, receive, send)
