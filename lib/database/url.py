"""`DATABASE_URL`, taken apart strictly: what is no URL is not looked up as a host.

No message repeats a part of the value, as any part of it may be a password's.
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import quote, unquote

from lib.settings import SettingsError

SSL_MODES: Final = ("disable", "prefer", "require", "verify-ca", "verify-full")
SYSTEM: Final = "system"  # the certificate authorities that this machine trusts
_SHAPE: Final = "postgresql+pg8000://user:password@host:port/database[?sslmode=...]"
_PARAMETERS: Final = ("sslmode", "sslrootcert")
_URL: Final = re.compile(
    r"postgresql(?:\+pg8000)?://(?P<user>[^:]+)(?::(?P<password>.*))?"
    r"@(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"/(?P<name>[^/?\s]+)(?:\?(?P<query>.*))?",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class DatabaseUrl:
    """The parts of an address, decoded."""

    user: str
    password: str | None
    host: str
    port: int
    name: str
    ssl_mode: str
    ssl_root_cert: str | None


def parse(url: str) -> DatabaseUrl:
    """Take an address apart.

    Raises:
        SettingsError: It is malformed; the message says by what.
    """
    url = url.strip()
    userinfo = url.partition("://")[2].rpartition("@")[0]
    odd = [mark for mark in "@/?#[] " if mark in userinfo] + ["#"] * ("#" in url)
    odd += ["%"] * bool(re.search(r"%(?![0-9A-Fa-f]{2})", url))
    if odd:
        marks = ", ".join(f"{mark!r} as {quote(mark, safe='')}" for mark in dict.fromkeys(odd))
        _refuse(f"write what stands in a user or a password percent-encoded: {marks}")
    parts = _URL.fullmatch(url)
    port = int(parts["port"] or 5432) if parts else 0
    if parts is None or not 1 <= port <= 65535:  # noqa: PLR2004
        _refuse("it has another shape")
    mode, root = _ssl(parts["query"])
    return DatabaseUrl(
        user=_decoded(parts["user"]),
        password=_decoded(parts["password"]) if parts["password"] else None,
        host=parts["host"].strip("[]").lower(),
        port=port,
        name=_decoded(parts["name"]),
        ssl_mode=mode,
        ssl_root_cert=root,
    )


def _ssl(query: str | None) -> tuple[str, str | None]:
    """Read the parameters as libpq means them, but for a default without TLS."""
    given: dict[str, str] = {}
    for pair in (query or "").split("&") if query is not None else ():
        name, _, value = pair.partition("=")
        if name not in _PARAMETERS or name in given or not value:
            _refuse(f"behind the ? may stand, each once: {', '.join(_PARAMETERS)}")
        given[name] = _decoded(value)
    mode, root = given.get("sslmode", "disable"), given.get("sslrootcert")
    if mode not in SSL_MODES:
        _refuse(f"sslmode must be one of {', '.join(SSL_MODES)}")
    if root is None:
        if mode == "verify-ca":
            _refuse("sslmode=verify-ca needs sslrootcert=FILE, the authority's certificate in PEM")
        return mode, SYSTEM if mode == "verify-full" else None
    if mode in {"disable", "prefer"} or (root == SYSTEM and mode != "verify-full"):
        _refuse("sslrootcert goes with sslmode=verify-full (or verify-ca, if it is a file)")
    if root != SYSTEM:
        _check_certificates(root)
    # A root certificate was not given for nothing: libpq, too, verifies with one.
    return ("verify-ca" if mode == "require" else mode), root


def _check_certificates(path: str) -> None:
    import ssl  # noqa: PLC0415  only who verifies needs it here

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        _refuse("sslrootcert names a file that holds no certificate in PEM")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "that is no path"
        _refuse(f"sslrootcert names a file that cannot be read: {why}")


def _decoded(part: str) -> str:
    try:
        text = unquote(part, errors="strict")
    except UnicodeDecodeError:
        _refuse("what is percent-encoded in it is no UTF-8")
    if "\0" in text:
        _refuse("it holds a NUL")
    return text


def _refuse(why: str) -> NoReturn:
    raise SettingsError(f"DATABASE_URL is malformed: {why}; expected {_SHAPE}") from None
