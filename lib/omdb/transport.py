"""A `requests` session for one host that may misbehave: bounded in time and size, led nowhere.

`requests` knows a time-out for each read only, so that a peer which sends a byte now and then
holds a call for ever, in the headers as well as in the body; it follows redirects to any host;
and `urllib3` logs addresses, hence the API key in them.
"""

import http.client
import io
import logging
import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK: Final = 16 * 1024

_deadline: ContextVar[float] = ContextVar("_deadline", default=math.inf)


class OversizeError(Exception):
    """The body is larger than the caller wants to read."""


@contextmanager
def deadline(moment: float) -> Iterator[None]:
    """Let no read of this thread's answers go on beyond a moment of `time.monotonic`."""
    token = _deadline.set(moment)
    try:
        yield
    finally:
        _deadline.reset(token)


def open_session(*, connections: int, user_agent: str) -> requests.Session:
    """Make a session that threads may share; it connects when it is first used."""
    session = _Session()
    # Nothing but the settings decides where a call goes and with what: no proxy variables, which
    # would be shown the key, and no look at a .netrc on every call.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update(
        {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=connections))
    for name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_without_key)
    return session


def read_body(response: requests.Response, *, limit: int) -> bytes:
    """Read a body as it is after decompression, and stop where it grows beyond the limit."""
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > limit:
            raise OversizeError
    return bytes(body)


def _without_key(record: logging.LogRecord) -> bool:
    """Drop what urllib3 logs of addresses with a key, at DEBUG and, for bad headers, WARNING."""
    return "apikey=" not in record.getMessage()


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """See no redirect: even unfollowed, it has its whole body read, however large."""
        return None


class _TimedReader(io.RawIOBase):
    """Read a socket, waiting no longer than the deadline of the call that reads."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._socket = sock
        self._raw = raw
        self._silence = sock.gettimeout() or math.inf

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        left = _deadline.get() - time.monotonic()
        if left <= 0:
            raise TimeoutError
        wait = min(left, self._silence)
        self._socket.settimeout(wait if wait < math.inf else None)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(sock, raw))


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _TimedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
