"""`./dev smoke` finds nothing wrong with a service that is well, and says what is with others."""

import json
import re
import time
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lib import limits
from local import gateway, smoke
from local.environment import ROOT
from local.failure import Failure
from local.functions import read_functions
from local.servers import Server


def test_every_route_of_a_service_that_is_well_passes(
    base_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    smoke.run(base_url + "/")
    printed = capsys.readouterr().out
    assert "FAIL" not in printed
    for function in read_functions().values():
        for route in function.routes:
            assert f"{base_url}{route.removesuffix('/{id}')}" in printed
            assert f"{base_url}/v1{route.removesuffix('/{id}')}" in printed


def test_functions_may_answer_under_urls_of_their_own(base_url: str, tmp_path: Path) -> None:
    urls = tmp_path / "urls.json"
    urls.write_text(json.dumps(dict.fromkeys(read_functions(), base_url)))
    smoke.run(None, urls)


def test_a_function_without_a_url_is_named(base_url: str, tmp_path: Path) -> None:
    urls = tmp_path / "urls.json"
    urls.write_text(json.dumps({"movies_lst": base_url}))
    with pytest.raises(Failure, match=f"names no URL of {next(iter(read_functions()))}"):
        smoke.run(None, urls)


def test_a_wrong_answer_is_told_and_fails(
    base_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everything is asked one level too deep, where nothing answers but the gateway itself.
    monkeypatch.setattr(smoke, "_PAUSE_SECONDS", 0.0)
    with pytest.raises(Failure, match="checks failed"):
        smoke.run(base_url + "/nowhere")
    assert "it answers 404, not " in capsys.readouterr().out


def test_a_service_that_is_not_there_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "_PAUSE_SECONDS", 0.0)
    with pytest.raises(Failure):
        smoke.run("http://127.0.0.1:9")
    assert "it does not answer: ConnectionError" in capsys.readouterr().out


class Late:
    """A service that Cloud Run turns callers away from until it has an instance."""

    def __init__(self, app: ASGIApp, refusals: float) -> None:
        self._app = app
        self._refusals = refusals
        self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or serve."""
        if self.refused < self._refusals:
            self.refused += 1
            refusal = PlainTextResponse("Rate exceeded.", (429, 500, 503)[self.refused % 3])
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@pytest.fixture
def functions(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ASGIApp:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(smoke, "_PAUSE_SECONDS", 0.01)
    return gateway.build(ROOT)


def test_a_service_whose_first_instance_comes_late_passes(functions: ASGIApp) -> None:
    late = Late(functions, refusals=3 * smoke._ATTEMPTS)
    with Server(late) as server:
        smoke.run(server.url)

    assert late.refused == 3 * smoke._ATTEMPTS


def test_a_service_that_never_comes_is_waited_for_once(
    functions: ASGIApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(smoke, "_PATIENCE_SECONDS", 1.0)
    late = Late(functions, refusals=float("inf"))
    started = time.monotonic()
    with Server(late) as server, pytest.raises(Failure, match=r"^(\d+) of \1 checks failed$"):
        smoke.run(server.url)
    waited = time.monotonic() - started
    checks = capsys.readouterr().out.count("FAIL")

    assert 1 <= waited < 10
    assert late.refused > smoke._ATTEMPTS * checks


def test_the_wait_of_a_start_ends_before_the_patience_does() -> None:
    # An instance opens its port after the wait, its last try and its own start.
    [seconds] = re.findall(
        r'DATABASE_WAIT_SECONDS = var.private_network \? "(\d+)"',
        (ROOT / "terraform" / "functions.tf").read_text(encoding="utf-8"),
    )
    assert int(seconds) + limits.CLOUD_SQL_TIMEOUT + 20 <= smoke._PATIENCE_SECONDS


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(Failure, match="is no base URL"):
        smoke.run("movies.example.com")
