"""Take a function's start step by step, and print what each took: a program of its own.

Its arguments are the time at which it was started, by the clock that all processes share, then the
function's target and source; its input is the first request.
"""

import time

BEGUN = time.monotonic()

# ruff: noqa: E402  nothing may be imported before the first look at the clock
import asyncio
import importlib.util
import json
import sys
from typing import Any


def main() -> None:
    """Print the answer's status and the seconds of each step as JSON."""
    started, target, source = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    sent = sys.stdin.buffer.read()
    marks = [("interpreter", started, BEGUN)]

    def step(name: str) -> None:
        marks.append((name, marks[-1][2], time.monotonic()))

    import functions_framework.aio  # noqa: F401, PLC0415  as the server loads them
    import gunicorn.app.base  # noqa: F401, PLC0415
    import uvicorn_worker  # noqa: F401, PLC0415
    from starlette.requests import Request  # noqa: PLC0415

    step("framework")
    spec = importlib.util.spec_from_file_location(target, source)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(source)
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    step("imports")
    database = getattr(module, "database", None)
    if database is not None:
        database.warm()
    step("connect")
    answer = asyncio.run(getattr(module, target)(Request(*_asgi(sent))))
    step("first request")
    seconds = {name: end - begin for name, begin, end in marks}
    print(json.dumps({"status": answer.status_code, "seconds": seconds}))


def _asgi(sent: bytes) -> tuple[dict[str, Any], Any]:
    """Return an HTTP request as the server hands it to the function."""
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, target, _ = first.decode().split(" ")
    path, _, query = target.partition("?")
    headers = [line.split(b": ", 1) for line in lines]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("127.0.0.1", 0),
    }, receive


if __name__ == "__main__":
    main()
