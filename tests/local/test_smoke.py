"""`./dev smoke` finds nothing wrong with a service that is well, and says what is with others."""

import json
from pathlib import Path

import pytest

from local import smoke
from local.failure import Failure
from local.functions import read_functions


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


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(Failure, match="is no base URL"):
        smoke.run("movies.example.com")
