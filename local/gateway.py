"""Every function on one port: what the load balancer does in the cloud.

Each function is the very app that functions-framework builds for it; the gateway only looks at the
path and hands the request on unchanged.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.errors import NotFound
from lib.web.answers import answer_error
from lib.web.tracing import read_context
from local.failure import Failure
from local.functions import ID, Function, read_functions


def decode(path: str) -> str:
    """Decode a path, but for slashes within its segments, as those of a user's name may be."""
    return "/".join(unquote(segment).replace("/", "%2F") for segment in path.split("/"))


class Gateway:
    """An ASGI app that gives each request to the function that its path names."""

    def __init__(self, apps: Mapping[str, ASGIApp], functions: Iterable[Function]) -> None:
        self._apps = apps
        self._routes = {route: function.name for function in functions for route in function.routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        sent: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        path = decode(sent.partition(b"?")[0].decode("latin-1"))
        answer = self._apps.get(self.function_for(path) or "", self._refuse)
        await answer(scope, receive, send)

    def function_for(self, path: str) -> str | None:
        """Return the name of the function that a path belongs to.

        A route with an id has its function without one, too: that knows best what is missing.
        """
        path = path.removeprefix("/v1") or "/" if f"{path}/".startswith("/v1/") else path
        parent, _, last = path.rpartition("/")
        for route in (path, f"{path}/{ID}", f"{parent}/{ID}" if last else ""):
            if route in self._routes:
                return self._routes[route]
        return None

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        context = read_context(request.headers)
        headers = {"X-Request-Id": context.request_id, "Cache-Control": "no-store"}
        message = (
            "Nothing is at this path. Paths, with or without /v1 before them, are "
            f"{', '.join(sorted(self._routes))}."
        )
        answer = answer_error(NotFound(message), context)
        response = Response(answer.body, answer.status, headers, media_type="application/json")
        await response(scope, receive, send)


def build(root: Path, before_each: Callable[[str], None] = lambda _: None) -> Gateway:
    """Load every function below `root`/functions as functions-framework does.

    Args:
        before_each: Called with a function's name before that is loaded and reads its settings.

    Raises:
        Failure: There is no function to serve.
        SystemExit: A function's settings are wrong; its one line says which.
    """
    functions = read_functions(root)
    if not functions:
        raise Failure(f"{root / 'functions'} holds no function")
    apps: dict[str, ASGIApp] = {}
    for name in functions:
        source = root / "functions" / name / "main.py"
        before_each(name)
        app: Any = functions_framework.aio.create_asgi_app(name, str(source))  # type: ignore[no-untyped-call]
        apps[name] = app
    return Gateway(apps, functions.values())
