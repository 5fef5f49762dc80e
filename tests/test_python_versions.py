"""One Python is deployed and one is the oldest that will do, wherever that is written."""

import re
import subprocess
from pathlib import Path

import pytest

from local.environment import ROOT


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_oldest_and_the_newest_are_the_same_for_all_who_name_them() -> None:
    [named] = re.findall(r"Python (3\.\d+(?:, 3\.\d+)* or 3\.\d+) are all", read("README.md"))
    taken = re.findall(r"^is_supported\(\) \{ case \$1 in (.+?)\) ;;", read("dev"), re.MULTILINE)
    [needed] = re.findall(r'^requires-python = ">=(.+)"$', read("pyproject.toml"), re.MULTILINE)
    [typed] = re.findall(r'^python_version = "(.+)"$', read("pyproject.toml"), re.MULTILINE)
    [linted] = re.findall(r'^target-version = "py3(\d+)"$', read("pyproject.toml"), re.MULTILINE)
    versions = re.split(r", | or ", named)

    assert taken == [" | ".join(versions)]
    assert {needed, typed, f"3.{linted}"} == {versions[0]}


def test_what_is_deployed_is_what_the_pipeline_tries() -> None:
    module = read("terraform/modules/function/main.tf")
    [deployed] = re.findall(r'^ *runtime *= *"python3(\d+)"$', module, re.MULTILINE)
    tried = {
        version
        for file in ROOT.glob("cloudbuild*.yaml")
        for version in re.findall(r"\bpython:(\d+\.\d+)", file.read_text(encoding="utf-8"))
    }

    assert tried == {f"3.{deployed}"}


def find(version: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603
        [str(ROOT / ".ci" / "find-python"), version],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("place", ["path", "pyenv"])
def test_a_python_is_found_behind_a_shim_that_fails(tmp_path: Path, place: str) -> None:
    programs, root = tmp_path / "bin", tmp_path / "a root"
    files = {programs / "python3.99": "exit 127", programs / "python3": "exit 1"}
    where = {"path": programs / "python3", "pyenv": root / "versions" / "3.99.1" / "bin" / "python"}
    files[where[place]] = "echo found"
    for file, does in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{does}\n")
        file.chmod(0o755)

    assert find("3.99", PATH=f"{programs}:/usr/bin:/bin", PYENV_ROOT=str(root)) == (0, "found\n")


def test_a_python_that_is_not_there_is_not_found() -> None:
    assert find("3.98", PATH="/usr/bin:/bin", HOME="/nowhere") == (1, "")
