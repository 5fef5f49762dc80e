"""`./dev openapi` writes the document, and `--check` says why the one that is there will not do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib.web.paging import LAST_PAGE
from local.failure import Failure
from local.openapi import command

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a copy of the document in a folder of this test's, which is the last release's, too."""
    copy = Path(shutil.copy(command.WRITTEN, tmp_path))
    monkeypatch.setattr(command, "WRITTEN", copy)
    monkeypatch.setattr(command, "RELEASED", shutil.copy(copy, tmp_path / "released.json"))
    return copy


def release(written: Path, change: Change) -> None:
    """Have a document of the last release that differs from the present one."""
    document = json.loads(written.read_text(encoding="utf-8"))
    change(document)
    command.RELEASED.write_text(command.write(document), encoding="utf-8")


def test_what_is_committed_will_do() -> None:
    command.run(check=True)


def test_what_is_written_is_what_is_committed(written: Path) -> None:
    committed = written.read_bytes()
    written.unlink()

    command.run(check=False)

    assert written.read_bytes() == committed


def test_what_is_stale_will_not_do(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = written.read_text(encoding="utf-8")
    written.write_text(text.replace(f'"maximum": {LAST_PAGE}', '"maximum": 1000'), encoding="utf-8")

    with pytest.raises(Failure, match="will not do: see above"):
        command.run(check=True)

    assert capsys.readouterr().out == (
        "it is not what the code says: write it with ./dev openapi\n"
    )


def test_what_breaks_callers_will_not_do(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release(written, lambda released: released["paths"].update({"/movies.count": {"get": {}}}))

    with pytest.raises(Failure):
        command.run(check=True)

    assert capsys.readouterr().out == (
        "it breaks callers, without a new first number of its version: GET /movies.count is gone\n"
    )


def test_without_the_last_releases_nobody_could_tell(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written.with_name("released.json").unlink()

    with pytest.raises(Failure):
        command.run(check=True)

    assert capsys.readouterr().out == (
        "there is no document of the last release, released.json, to compare it with\n"
    )


def test_a_new_version_may_break_callers(written: Path) -> None:
    def change(released: dict[str, Any]) -> None:
        released["paths"]["/movies.count"] = {"get": {}}
        released["info"]["version"] = "0.9.0"

    release(written, change)

    command.run(check=True)


def without_title(document: dict[str, Any]) -> str:
    del document["info"]["title"]
    return 'it is no valid OpenAPI: at /info: "title" is a required property'


def of_an_unknown_type(document: dict[str, Any]) -> str:
    """Have what its own examples cannot be held against."""
    document["paths"]["/movies.list"]["get"]["parameters"][0]["schema"]["type"] = "whole"
    return "it is no valid OpenAPI: at /type: 'whole' is not valid under any of the given schemas"


@pytest.mark.parametrize("change", [without_title, of_an_unknown_type])
def test_what_is_no_openapi_will_not_do(
    written: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], str],
) -> None:
    built = json.loads(written.read_text(encoding="utf-8"))
    told = change(built)
    monkeypatch.setattr(command, "build", lambda _: built)

    with pytest.raises(Failure):
        command.run(check=True)

    assert told in capsys.readouterr().out
