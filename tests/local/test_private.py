"""A machine that others use as well, whose disk fills up or cannot be written to."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.environment import Environment, keep_password, prepare, provide_token_keys
from local.failure import Failure
from local.postgres import EmbeddedPostgres

Disk = Callable[[str], Path]


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mount a disk of some size; without root's rights these tests are left out."""
    folder = tmp_path / "disk"

    def mount(size: str) -> Path:
        folder.mkdir()
        if not run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)):
            pytest.skip("needs the right to mount")
        return folder

    yield mount
    run("umount", str(folder))


def make_read_only(folder: Path) -> None:
    assert run("mount", "-o", "remount,ro", str(folder))


def fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "filling").open("wb", 0) as file:
        while file.write(b"\0" * 65536):
            pass


def told(start: Callable[[], object]) -> str:
    with pytest.raises(Failure) as failure:
        start()
    message = str(failure.value)
    assert "\n" not in message
    assert "delete" not in message
    return message


def test_everything_kept_is_for_its_owner_alone_also_where_it_was_open(tmp_path: Path) -> None:
    folder = tmp_path / ".local"
    folder.mkdir()
    folder.chmod(0o777)
    variables = {"OMDB_API_KEY": "theirs", "OMDB_URL": "http://omdb.example/"}
    with prepare(folder, variables) as environment:
        keep_password(environment)
        for path in (folder, *folder.rglob("*")):
            assert path.lstat().st_mode & 0o077 == 0, path


def test_a_read_only_checkout_is_told_as_what_it_is(disk: Disk) -> None:
    folder = disk("1m")
    (folder / ".local").mkdir(mode=0o700)
    make_read_only(folder)
    variables = {"OMDB_API_KEY": "theirs"}
    said = told(lambda: prepare(folder / ".local", variables).__enter__())
    assert "the file system is read-only" in said
    said = told(lambda: prepare(folder / "elsewhere", variables).__enter__())
    assert said == f"{folder}/elsewhere cannot be made: the file system is read-only"
    said = told(lambda: provide_token_keys(folder / ".local", {}))
    assert said.endswith("token-key.pem cannot be used: the file system is read-only")


def test_a_full_disk_is_told_as_what_it_is_and_leaves_no_half_of_a_key(disk: Disk) -> None:
    folder = disk("1m")
    environment = Environment(folder=folder, variables={"ADMIN_PASSWORD": "a first password"})
    keep_password(environment)
    fill(folder)
    said = told(lambda: provide_token_keys(folder, {}))
    assert said.endswith("token-key.pem cannot be used: the disk is full: make room on it")
    environment.variables["ADMIN_PASSWORD"] = "another password"
    assert "the disk is full" in told(lambda: keep_password(environment))
    assert environment.password_file.read_text() == "a first password"
    assert {path.name for path in folder.iterdir()} == {"admin-password", "filling"}


def test_a_database_that_does_not_fit_is_told_as_what_it_is(disk: Disk) -> None:
    folder = disk("10m")
    assert "the disk is full" in told(EmbeddedPostgres(folder / "postgres").start)


def test_a_database_that_can_only_be_read_is_told_as_what_it_is(disk: Disk) -> None:
    folder = disk("100m")
    with EmbeddedPostgres(folder / "postgres", durable=False):
        pass
    make_read_only(folder)
    assert "the file system is read-only" in told(EmbeddedPostgres(folder / "postgres").start)
