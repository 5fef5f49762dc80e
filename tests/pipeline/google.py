"""A stand-in for what the pipeline asks of Google and of the repository's host.

Objects with generations and their preconditions, builds with their states, triggers that start
builds, a metadata server, and a repository that shows its branches to whoever has the token.
"""

import base64
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

PROJECT: Final = "movies-tests"
LOCATION: Final = "europe-west1"
BUCKET: Final = "movies-tests-movies-plans"
PLACE: Final = f"projects/{PROJECT}/locations/{LOCATION}"
REPOSITORY: Final = f"{PLACE}/connections/github/repositories/movies"
ACCESS_TOKEN: Final = "an-access-token"
READ_TOKEN: Final = "a-read-token"
COMMIT: Final = "c0ffee" + "0" * 34
OK, NOT_FOUND, CONFLICT, DENIED = 200, 404, 412, 401


@dataclass(kw_only=True)
class Google:
    """What is there, and what was asked.

    Attributes:
        builds: The state of each build.
        branches: Where each branch is.
        cancelled: The builds that somebody asked to be cancelled.
        started: The requests that ran a trigger.
        accepted: The token that the repository takes.
        meanwhile: What others do just before the next conditional changes, one by one.
        lose: How many writes are done without the writer hearing of it.
    """

    objects: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    builds: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    cancelled: list[str] = field(default_factory=list)
    started: list[dict[str, Any]] = field(default_factory=list)
    accepted: str = READ_TOKEN
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    lose: int = 0
    _generation: int = 1_700_000_000_000_000
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        """Listen."""
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def env(self, build: str, **more: str) -> dict[str, str]:
        """Return what a step of a build finds in its environment; the build runs from now on."""
        self.builds.setdefault(build, "WORKING")
        return {
            "PATH": os.environ["PATH"],
            "GCE_METADATA_HOST": self.url.removeprefix("http://"),
            "STORAGE_EMULATOR_HOST": self.url,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD": f"{self.url}/",
            "BUILD_ID": build,
            "BRANCH_NAME": "main",
            "COMMIT_SHA": COMMIT,
            "LOCATION": LOCATION,
            "PROJECT_ID": PROJECT,
            "_PLANS_BUCKET": BUCKET,
            "_REPOSITORY": REPOSITORY,
            **more,
        }

    def holder(self) -> str | None:
        """Return the build that the lock names."""
        found = self.objects.get("lock.json")
        return None if found is None else str(json.loads(found[1])["build"])

    def write(self, name: str, content: bytes, wanted: int | None) -> int | None:
        """Write an object, as Cloud Storage does: the check and the write are one."""
        with self._lock:
            current = self.objects.get(name, (0, b""))[0]
            if wanted is not None and wanted != current:
                return None
            self._generation += 1
            self.objects[name] = (self._generation, content)
            return self._generation

    def delete(self, name: str, wanted: int) -> int:
        """Delete an object; return the status."""
        with self._lock:
            if name not in self.objects:
                return NOT_FOUND
            if self.objects[name][0] != wanted:
                return CONFLICT
            del self.objects[name]
            return OK


def _packet(line: str) -> bytes:
    """Return a line as git sends it: after its length."""
    return f"{len(line) + 5:04x}{line}\n".encode()


class _Handler(BaseHTTPRequestHandler):
    stand_in: Google
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.startswith("/computeMetadata/"):
            assert self.headers["Metadata-Flavor"] == "Google"
            self._answer({"access_token": ACCESS_TOKEN, "expires_in": 3599})
        elif url.path == "/movies.git/info/refs":
            self._refs()
        elif not self._is_known():
            self._answer({"error": "who asks?"}, DENIED)
        elif url.path.startswith("/storage/"):
            self._object(unquote(url.path.rpartition("/o/")[2]), query)
        elif url.path == f"/v2/{REPOSITORY}":
            self._answer({"remoteUri": f"{self.stand_in.url}/movies.git"})
        else:
            self._build(url.path)

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._is_known():
            self._answer({"error": "who asks?"}, DENIED)
        elif url.path.startswith("/upload/"):
            self._upload(query, body)
        elif url.path == f"/v2/{REPOSITORY}:accessReadToken":
            self._answer({"token": READ_TOKEN})
        elif url.path.endswith(":cancel"):
            self.stand_in.cancelled.append(url.path.rpartition("/")[2].removesuffix(":cancel"))
            self._answer({})
        elif url.path.endswith(":run"):
            started = f"started-{len(self.stand_in.started)}"
            self.stand_in.builds[started] = "QUEUED"
            self.stand_in.started.append({"trigger": url.path, **json.loads(body)})
            self._answer({"metadata": {"build": {"id": started, "logUrl": f"https://{started}"}}})
        else:
            self._answer({}, NOT_FOUND)

    def do_DELETE(self) -> None:
        url = urlsplit(self.path)
        self._let_others()
        wanted = int(parse_qs(url.query)["ifGenerationMatch"][0])
        self._answer({}, self.stand_in.delete(unquote(url.path.rpartition("/o/")[2]), wanted))

    def _is_known(self) -> bool:
        return self.headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"

    def _object(self, name: str, query: dict[str, str]) -> None:
        generation, content = self.stand_in.objects.get(name, (0, b""))
        if not generation or query.get("generation", str(generation)) != str(generation):
            self._answer({"error": "No such object"}, NOT_FOUND)
        elif query.get("alt") == "media":
            self._send(OK, content)
        else:
            self._answer({"generation": str(generation)})

    def _upload(self, query: dict[str, str], body: bytes) -> None:
        self._let_others()
        wanted = query.get("ifGenerationMatch")
        expected = None if wanted is None else int(wanted)
        generation = self.stand_in.write(query["name"], body, expected)
        if self.stand_in.lose:
            self.stand_in.lose -= 1
            self.close_connection = True  # it is done, and nobody hears of it
        elif generation is None:
            self._answer({"error": "conditionNotMet"}, CONFLICT)
        else:
            self._answer({"generation": str(generation)})

    def _let_others(self) -> None:
        if self.stand_in.meanwhile:
            self.stand_in.meanwhile.pop(0)()

    def _build(self, path: str) -> None:
        build = path.rpartition("/")[2]
        if build in self.stand_in.builds:
            answer = {"status": self.stand_in.builds[build], "logUrl": f"https://log/{build}"}
            self._answer(answer)
        else:
            self._answer({}, NOT_FOUND)

    def _refs(self) -> None:
        login = base64.b64encode(f"x-access-token:{self.stand_in.accepted}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {login}":
            self._answer({}, DENIED)
            return
        refs = sorted(self.stand_in.branches.items())
        lines = [f"{commit} refs/heads/{name}" for name, commit in refs] or [f"{'0' * 40} x^{{}}"]
        lines[0] += "\0agent=stand-in"
        content = _packet("# service=git-upload-pack") + b"0000"
        content += b"".join(map(_packet, lines)) + b"0000"
        self._send(OK, content, "application/x-git-upload-pack-advertisement")

    def _answer(self, content: dict[str, Any], status: int = OK) -> None:
        self._send(status, json.dumps(content).encode())

    def _send(self, status: int, content: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002
        """Say nothing."""
