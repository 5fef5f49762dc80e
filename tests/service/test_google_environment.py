"""Every function as Google starts it: by the bare command, with the variables that it sets.

Above all what it logs there: `LOG_EXECUTION_ID` has functions-framework configure logging after it
imported the function, and without a line there is no alert, no metric and no trail.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lib.accounts.keys import SigningSettings
from lib.accounts.tokens import Signer
from local.environment import ROOT
from local.functions import Function, read_functions
from local.servers import free_port
from tests import held
from tests.deployed import Deployed, Reply, await_answer, exchange

FUNCTIONS: Final = read_functions()
NO_DATABASE: Final = "postgresql+pg8000://nobody:nothing@127.0.0.1:1/nowhere"
TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
FALL_OVER: Final = "x-fall-over"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A good request, which needs the database."""

    method: str = "GET"
    target: str = "/"
    body: str = ""


def well_asked(function: Function) -> Asked:
    """Return what the function's folder shows first, with the method that the document has."""
    shown = next(iter(function.words.values())).examples[0]
    method = next(
        method
        for _, method, operation in held.document().operations()
        if f"{operation['operationId']}_".startswith(f"{function.name}_")
    )
    target = f"/{shown.id}?{shown.query}" if shown.query else f"/{shown.id}"
    body = "" if shown.body is None else json.dumps(shown.body)
    return Asked(method=method.upper(), target=target, body=body)


def broken(function: str) -> str:
    """Return a function's source, changed so that its handler fails when a header asks for it."""
    tree = ast.parse((ROOT / "functions" / function / "main.py").read_text(encoding="utf-8"))
    handler = next(
        node
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef) and node.name == function
    )
    fault = f"if {FALL_OVER!r} in {handler.args.args[0].arg}.headers: raise ZeroDivisionError"
    handler.body[:0] = ast.parse(fault).body
    return ast.unparse(tree)


@contextmanager
def as_google_starts_it(
    function: str, environment: dict[str, str], folder: Path
) -> Iterator[Deployed]:
    """Run a function until the end of the block."""
    port, log = free_port(), folder / "log"
    (folder / "main.py").write_text(broken(function), encoding="utf-8")
    googles = {
        "FUNCTION_SIGNATURE_TYPE": "http",
        "FUNCTION_TARGET": function,
        "K_CONFIGURATION": function.replace("_", "-"),
        "K_REVISION": f"{function.replace('_', '-')}-00001-abc",
        "K_SERVICE": function.replace("_", "-"),
        "LOG_EXECUTION_ID": "true",
        "PORT": str(port),
    }
    ours = {"HOST": "127.0.0.1", "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [str(Path(sys.executable).with_name("functions-framework"))],
            cwd=folder,
            env={**environment, **googles, **ours},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        server = Deployed(process=process, port=port, log=log)
        with held.known(port, function):
            await_answer(server)
            yield server
    finally:
        process.terminate()
        process.wait(20)


def ask(server: Deployed, asked: Asked, request_id: str, *headers: str) -> Reply:
    """Send a request that tells its id and its trace."""
    lines = [
        f"{asked.method} {asked.target} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(asked.body)}",
        f"X-Request-Id: {request_id}",
        f"X-Cloud-Trace-Context: {TRACE}/10;o=1",
        *headers,
    ]
    sent = "\r\n".join([*lines, "", asked.body]).encode()
    return exchange(server.port, sent, method=asked.method)


def line_of(server: Deployed, request_id: str, message: str) -> dict[str, Any]:
    """Return the one line that says this of the request."""
    lines = [json.loads(line) for line in server.logged().splitlines() if request_id in line]
    [line] = [line for line in lines if line["message"] == message]
    assert {line["logging.googleapis.com/trace"] for line in lines} == {TRACE}
    assert {line["logging.googleapis.com/spanId"] for line in lines} == {"000000000000000a"}
    found: dict[str, Any] = line
    return found


def assert_logs(function: str, environment: dict[str, str], folder: Path, token: str) -> None:
    """See that a refusal, a fault and an unforeseen fault of a function leave their lines."""
    folder.mkdir()
    credentials = f"Authorization: Bearer {token}"
    with as_google_starts_it(function, environment, folder) as server:
        asked = well_asked(FUNCTIONS[function])
        refused = ask(server, Asked(method="PUT"), "the-refusal")
        line = line_of(server, "the-refusal", "request refused")
        assert (refused.status, line["status"], line["severity"]) == (405, 405, "INFO")
        assert (line["code"], line["method"]) == ("METHOD_NOT_ALLOWED", "PUT")

        fallen = ask(server, asked, "the-unforeseen", credentials, f"{FALL_OVER}: 1")
        line = line_of(server, "the-unforeseen", "unforeseen fault")
        assert (fallen.status, line["severity"]) == (500, "ERROR")
        assert line["error_class"] == "ZeroDivisionError"
        assert "main.py" in line["stack_trace"]

        if FUNCTIONS[function].rights is not None:
            failed = ask(server, asked, "the-fault", credentials)
            line = line_of(server, "the-fault", "request failed")
            assert (failed.status, line["status"], line["severity"]) == (503, 503, "WARNING")
            assert line["code"] == "DATABASE_UNAVAILABLE"
    assert token not in server.logged()
    assert "Traceback" not in server.logged().replace('"stack_trace": "Traceback', "")


def test_every_function_leaves_a_line_of_each_refusal_and_fault(
    environment: dict[str, str], private_key_pem: str, tmp_path: Path
) -> None:
    signer = Signer(SigningSettings.from_env({"TOKEN_PRIVATE_KEY": private_key_pem}))
    token = signer.issue(1, "admin", now=datetime.now(UTC)).token
    without_database = {**environment, "DATABASE_URL": NO_DATABASE}

    with ThreadPoolExecutor(3) as threads:
        told = {
            function: threads.submit(
                assert_logs, function, without_database, tmp_path / function, token
            )
            for function in FUNCTIONS
        }

    for function, one in told.items():
        if fault := one.exception():
            fault.add_note(f"of {function}")
            raise fault
