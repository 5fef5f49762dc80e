"""What `./dev` does before Python takes over, shown with a Python that only pretends."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PRETENDING_PYTHON: Final = r"""#!/usr/bin/env bash
case "$*" in
*version_info*) echo "${FAKE_VERSION:-3.12}" ;;
*"import ensurepip, venv"*) exit "${FAKE_VENV:-0}" ;;
*"-m venv "*) mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python" ;;
*"-m pip install "*)
    echo install >>"$FAKE_LOG"
    echo "Collecting something==1"
    sleep "${FAKE_SECONDS:-0}"
    exit "${FAKE_PIP:-0}"
    ;;
*) echo "python in $PWD: $*" ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A folder with the script, and what it needs to believe that it is the project."""

    folder: Path
    python: Path
    log: Path

    def start(
        self,
        *arguments: str,
        script: Path | None = None,
        cwd: Path | None = None,
        **variables: str,
    ) -> subprocess.Popen[str]:
        """Run ./dev without waiting for its end."""
        return subprocess.Popen(  # noqa: S603
            [str(script or self.folder / "dev"), *arguments],
            cwd=cwd or self.folder,
            env=self.environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        *arguments: str,
        script: Path | None = None,
        cwd: Path | None = None,
        **variables: str,
    ) -> tuple[int, str, str]:
        """Run ./dev; give its exit code and what it wrote to both streams."""
        process = self.start(*arguments, script=script, cwd=cwd, **variables)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return a plain environment in which PYTHON is the pretending one."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHON": str(self.python),
            "FAKE_LOG": str(self.log),
            **variables,
        }

    def installations(self) -> int:
        """Count how often pip was run."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    shutil.copy(ROOT / "dev", folder / "dev")
    (folder / "requirements.txt").write_text("something==1\n")
    (folder / "requirements-dev.txt").write_text("another==2\n")
    python = tmp_path / "python"
    python.write_text(PRETENDING_PYTHON)
    python.chmod(0o755)
    return Checkout(folder, python, tmp_path / "log")


def test_help_names_every_command(checkout: Checkout) -> None:
    code, output, _ = checkout.run("help", PYTHON="/nowhere")
    assert code == 0
    commands = ("serve", "test", "setup", "migrate", "import", "check", "format", "bench", "lock")
    assert all(f"\n  {command}" in output for command in commands)


def test_an_unknown_command_is_refused_before_any_setup(checkout: Checkout) -> None:
    code, output, errors = checkout.run("srve")
    assert (code, output) == (1, "")
    assert errors.endswith("dev: there is no command 'srve'\n")
    assert checkout.installations() == 0


def test_the_first_setup_shows_its_progress_and_the_second_says_nothing(checkout: Checkout) -> None:
    code, _, errors = checkout.run("setup", FAKE_SECONDS="0.5")
    assert code == 0
    assert "Setting up" in errors
    assert "Fetching 2 packages" in errors
    assert checkout.run("setup") == (0, "", "")
    assert checkout.installations() == 1


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_changed_requirements_are_installed_anew(checkout: Checkout, name: str) -> None:
    checkout.run("setup")
    (checkout.folder / name).write_text("something==2\n")
    checkout.run("setup")
    assert checkout.installations() == 2


def test_another_python_is_set_up_anew(checkout: Checkout) -> None:
    checkout.run("setup")
    checkout.run("setup", FAKE_VERSION="3.13")
    assert checkout.installations() == 2


def test_a_failed_setup_shows_why_and_is_redone(checkout: Checkout) -> None:
    code, _, errors = checkout.run("setup", FAKE_PIP="7")
    assert code == 1
    assert "Collecting something" in errors
    assert errors.splitlines()[-1].startswith("dev: the packages cannot be installed")
    assert checkout.run("setup")[0] == 0
    assert checkout.installations() == 2


def test_two_setups_at_once_install_once(checkout: Checkout) -> None:
    both = [checkout.start("setup", FAKE_SECONDS="0.5") for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    assert checkout.installations() == 1


def test_what_is_kept_is_closed_to_others_also_where_it_was_open(checkout: Checkout) -> None:
    local, theirs = checkout.folder / ".local", checkout.folder / "theirs"
    theirs.write_text("untouched")
    local.mkdir()
    local.chmod(0o777)
    for name in ("setup.lock", "setup.log"):
        (local / name).symlink_to(theirs)
    with theirs.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert checkout.run("setup")[0] == 0
    assert local.stat().st_mode & 0o777 == 0o700
    assert not (local / "setup.lock").is_symlink()
    assert theirs.read_text() == "untouched"


def test_a_folder_that_nothing_can_be_kept_in_is_one_line(checkout: Checkout) -> None:
    (checkout.folder / ".local").touch()
    code, _, errors = checkout.run("setup")
    assert code == 1
    assert errors.startswith("dev: nothing can be kept in ")
    assert errors.rstrip().endswith("File exists")
    assert errors.count("\n") == 1


def test_it_works_through_a_link_from_another_folder(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "movies"
    link.symlink_to(Path("..") / checkout.folder.name / "dev")
    code, output, _ = checkout.run("import", "--ids", "ids.txt", script=link, cwd=elsewhere)
    assert code == 0
    assert output == f"python in {elsewhere}: -P -m local import --ids ids.txt\n"


def test_pytest_gets_its_arguments_at_the_root(checkout: Checkout, tmp_path: Path) -> None:
    code, output, _ = checkout.run("test", "-k", "two words", cwd=tmp_path)
    assert code == 0
    assert (
        output == f"python in {checkout.folder}: -m pytest -n auto --dist worksteal -k two words\n"
    )


def test_a_python_without_venv_is_told_what_to_install(checkout: Checkout) -> None:
    code, _, errors = checkout.run("setup", FAKE_VENV="1")
    assert code == 1
    assert errors.count("\n") == 1
    assert f"{checkout.python} (Python 3.12) lacks the venv module: install" in errors


@pytest.mark.parametrize("version", ["3.10", "3.14", "2.7"])
def test_a_python_of_another_version_is_refused(checkout: Checkout, version: str) -> None:
    code, _, errors = checkout.run("setup", FAKE_VERSION=version)
    assert code == 1
    assert errors == (
        f"dev: PYTHON is '{checkout.python}', a Python {version}: 3.11 to 3.13 is needed\n"
    )


def test_a_python_that_does_not_run_is_refused(checkout: Checkout) -> None:
    code, _, errors = checkout.run("setup", PYTHON="/nowhere/python")
    assert (code, errors) == (1, "dev: PYTHON is '/nowhere/python': that is no Python that runs\n")


def test_names_on_the_path_that_do_not_run_are_passed_over(
    checkout: Checkout, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3.13", "python3.12"):
        (programs / name).write_text("#!/bin/sh\nexit 127\n")
        (programs / name).chmod(0o755)
    (programs / "python3.11").symlink_to(checkout.python)
    path = f"{programs}:{os.environ['PATH']}"
    code, _, errors = checkout.run("setup", PYTHON="", PATH=path, FAKE_VERSION="3.11")
    assert code == 0
    assert "with Python 3.11 " in errors


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_virtual_environment_is_never_removed(
    checkout: Checkout, tmp_path: Path, kind: str
) -> None:
    precious = tmp_path / "precious"
    if kind == "folder":
        precious.mkdir()
        (precious / "photo").touch()
    else:
        precious.touch()
    code, output, errors = checkout.run("setup", DEV_VENV=str(precious))
    assert (code, output, checkout.installations()) == (1, "", 0)
    assert errors.startswith(f"dev: {precious} ")
    assert errors.count("\n") == 1
    assert precious.is_file() or (precious / "photo").exists()


def test_an_empty_folder_and_a_broken_environment_are_set_up(
    checkout: Checkout, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    assert checkout.run("setup", DEV_VENV=str(venv))[0] == 0
    for ours, other in ((".complete", "pyvenv.cfg"), ("pyvenv.cfg", ".complete")):
        (venv / ours).touch()
        (venv / other).unlink(missing_ok=True)
        (venv / "bin" / "python").unlink()
        (venv / "bin" / "python").symlink_to("/nowhere/python")
        assert checkout.run("setup", DEV_VENV=str(venv))[0] == 0
    assert checkout.installations() == 3


def test_a_set_up_that_ended_before_its_time_is_begun_anew(checkout: Checkout) -> None:
    assert checkout.run("setup", FAKE_PIP="7")[0] == 1
    assert checkout.run("setup")[0] == 0


def test_a_python_that_may_not_be_run_is_told_and_left(checkout: Checkout) -> None:
    checkout.run("setup")
    python = checkout.folder / ".venv" / "bin" / "python"
    python.chmod(0o644)
    code, _, errors = checkout.run("setup")
    assert code == 1
    assert "holds a Python that you may not run" in errors
    assert errors.count("\n") == 1
    assert python.exists()
    assert checkout.installations() == 1
