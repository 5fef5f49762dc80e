"""Serve the demo OMDb over HTTP on the loopback interface."""

import json
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, cast
from urllib.parse import parse_qsl, urlsplit

from local.demo_omdb.catalogue import Answer, Catalogue, Title, answer, case_blind

FILMS: Final = Path(__file__).with_name("films.jsonl")
HEADERS: Final = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "public, max-age=3600",
    "access-control-allow-origin": "*",
    "vary": "*",
}
STOP_SECONDS: Final = 5.0

Override: TypeAlias = bytes | tuple[int, bytes, Mapping[str, str]]
Reply: TypeAlias = tuple[int, bytes, Mapping[str, str]]


def read_films(path: Path = FILMS) -> list[dict[str, Any]]:
    """Read the titles that come with the demo, in the order of the file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class DemoOmdb:
    """Run a demo OMDb in a thread, as a context manager or between `start` and `stop`.

    Attributes:
        key: The API key that is accepted.
        latency: The seconds every answer takes, each call by itself.
        overrides: What to answer instead for a title, by its id: a body, or status, body, headers.
    """

    def __init__(
        self, titles: Iterable[Title] | None = None, *, port: int = 0, key: str = "demo"
    ) -> None:
        """Prepare to answer from the given titles, or from those that come with the demo."""
        self.key = key
        self.latency = 0.0
        self.overrides: dict[str, Override] = {}
        self._catalogue = Catalogue(read_films() if titles is None else titles)
        self._port = port
        self._lock = threading.Lock()
        self._quota: int | None = None
        self._calls: list[dict[str, str]] = []
        self._fetches: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Return the address to call; the demo must be running."""
        if self._server is None:
            message = "The demo OMDb has no address before it is started."
            raise RuntimeError(message)
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def quota(self) -> int | None:
        """Return the calls left before "Request limit reached!", or `None` for no limit."""
        with self._lock:
            return self._quota

    @quota.setter
    def quota(self, calls: int | None) -> None:
        with self._lock:
            self._quota = calls

    @property
    def calls(self) -> list[dict[str, str]]:
        """Return a copy of the queries received so far, refused ones included."""
        with self._lock:
            return [dict(call) for call in self._calls]

    @property
    def fetches(self) -> Counter[str]:
        """Return how often each title was asked for, by id, refused calls left out."""
        with self._lock:
            return self._fetches.copy()

    def forget_calls(self) -> None:
        """Empty `calls` and `fetches`."""
        with self._lock:
            self._calls.clear()
            self._fetches.clear()

    def start(self) -> None:
        """Listen and answer in the background."""
        self._stopping.clear()
        self._server = _Server(self, port=self._port)
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="demo-omdb",
            daemon=True,
        ).start()

    def stop(self) -> None:
        """Stop listening and end every connection; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            self._stopping.set()
            server.shutdown()
            server.server_close()
            server.end_connections()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def reply(self, query: dict[str, str]) -> Reply:
        """Log one call, take its time and decide what to send."""
        given = self._answer(query)
        # An event instead of a sleep, so that stopping does not wait for slow answers.
        self._stopping.wait(self.latency)
        override = None if given.imdb_id is None else self.overrides.get(given.imdb_id)
        if override is None:
            return given.status, given.body, HEADERS
        if isinstance(override, bytes):
            return 200, override, HEADERS
        status, body, headers = override
        return status, body, HEADERS | {name.lower(): text for name, text in headers.items()}

    def _answer(self, query: dict[str, str]) -> Answer:
        with self._lock:
            self._calls.append(query)
            left = self._quota
            if left is not None and left > 0 and case_blind(query).get("apikey") == self.key:
                self._quota = left - 1
        given = answer(self._catalogue, query, accepted_key=self.key, quota_left=left)
        if given.imdb_id is not None:
            with self._lock:
                self._fetches[given.imdb_id] += 1
        return given


class _Server(ThreadingHTTPServer):
    """Accept connections, one thread each, and remember the open ones."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, demo: DemoOmdb, *, port: int) -> None:
        self.demo = demo
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # The inherited method looks up the name of the address, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A caller that gives up is its own business, above all where tests provoke time-outs.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def end_connections(self) -> None:
        with self._changed:
            for connection in self._open:
                with _gone_is_fine():
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, timeout=STOP_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    """Answer the calls of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "DemoOmdb"
    sys_version = ""
    disable_nagle_algorithm = True
    # Buffered, so that the head and the body of an answer leave in one packet.
    wbufsize = -1

    def do_GET(self) -> None:
        query = _first_of_each(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        status, body, headers = cast("_Server", self.server).demo.reply(query)
        length = headers.get("content-length", str(len(body)))
        self.send_response(status)
        for name, text in headers.items():
            if name != "content-length":
                self.send_header(name, text)
        self.send_header("content-length", length)
        self.end_headers()
        self.wfile.write(body)
        # A promised length that is not kept can only end with the connection.
        self.close_connection = self.close_connection or length != str(len(body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in pairs:
        query.setdefault(name, value)
    return query


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except OSError:
        return
