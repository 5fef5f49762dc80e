"""`./dev serve`: the whole service on one port, with all that it needs."""

import contextlib
import errno
import json
import os
import re
import shlex
import socket
import threading
from collections.abc import Iterator, Mapping
from string import Template
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from lib.accounts.keys import RefreshSettings, SigningSettings, VerifyingSettings
from lib.accounts.users import AdminSettings
from lib.settings import require
from local import importing, migrating
from local.environment import ROOT, Environment, prepare
from local.failure import Failure
from local.postgres import EmbeddedPostgres

GRACE: Final = 5  # seconds that requests have to end after Ctrl-C
BANNER: Final = Template("""
The movie database listens on $base   (Ctrl-C ends it)

  $base/docs   shows every operation, and tries it

  curl '$base/movies.list?page=1&number_of_records=10'
  curl '$base/movies.get?title=The%20Godfather'
  curl '$base/movies.get_many?imdb_ids=tt0068646,tt0071562&fields=title,year'
  curl '$base/movies.search?query=godfahter&fields=title,year'
  curl '$base/movies.search?genre=Drama&year=1990..1999&sort=-imdb_rating&counts=true'
  curl '$base/movies.random?genre=Comedy'
  curl $base/movies.create -H 'Content-Type: application/json' -d '{"title": "Dune", "year": 2021}'
  curl $base/movies.import -H 'Content-Type: application/json' -d '{}'
  curl -X POST $base/brew-coffee
  curl -X POST $base/migrate

  # the rest needs a token, which lasts fifteen minutes
  SESSION=$$(curl -s $base/login -H 'Content-Type: application/json' \\
    -d $credentials)
  TOKEN=$$(printf %s "$$SESSION" | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')
  curl -i -X DELETE $base/movies.delete/tt0111161 -H "Authorization: Bearer $$TOKEN"
  curl $base/sessions.list -H "Authorization: Bearer $$TOKEN"
  curl $base/keys.list -H "Authorization: Bearer $$TOKEN"
  curl $base/keys.create -H "Authorization: Bearer $$TOKEN" -H 'Content-Type: application/json' \\
    -d '{"name": "nightly job", "role": "editor", "expires_in_days": 90}'

  curl $base/users.list -H "Authorization: Bearer $$TOKEN"
  CODE=$$(curl -s $base/users.create -H "Authorization: Bearer $$TOKEN" \\
    -H 'Content-Type: application/json' -d '{"username": "ana", "role": "editor"}' |
    sed 's/.*"code": *"\\([^"]*\\)".*/\\1/')
  curl -i $base/passwords.set -H 'Content-Type: application/json' \\
    -d "{\\"code\\": \\"$$CODE\\", \\"new_password\\": \\"tall giraffes eat acacia leaves\\"}"
  curl $base/audit.list -H "Authorization: Bearer $$TOKEN"

  # another token for as long, and the end of it all
  REFRESH_TOKEN=$$(printf %s "$$SESSION" | sed 's/.*"refresh_token": *"\\([^"]*\\)".*/\\1/')
  curl $base/sessions.refresh -H 'Content-Type: application/json' \\
    -d "{\\"refresh_token\\": \\"$$REFRESH_TOKEN\\"}"
  curl -i $base/sessions.end -H "Authorization: Bearer $$TOKEN" \\
    -H 'Content-Type: application/json' -d '{}'

$notes
""")


def run(variables: Mapping[str, str] = os.environ) -> None:
    """Serve until Ctrl-C, or until a part fails."""
    with _bind(variables) as listener, prepare(demo_admin=True) as environment:
        require(SigningSettings, environment.variables)  # before what is merely missing beside it
        require(VerifyingSettings, environment.variables)
        require(RefreshSettings, environment.variables)
        migrated = migrating.bring_up_to_date(environment)
        try:
            importing.fill_when_empty(environment)
        except Failure as failure:
            print(f"Not all of the first films are there yet: {failure}", flush=True)
        # Not earlier: a function reads its settings when it is imported.
        from local import gateway  # noqa: PLC0415

        app = gateway.build(ROOT)
        _listen(listener)
        print(banner(_address(listener), environment, migrated.admin_refused), flush=True)
        _serve(app, listener, environment.postgres)


def banner(base: str, environment: Environment, admin_refused: str | None = None) -> str:
    """Say where the service is and how to call it, in lines that can be pasted.

    Args:
        admin_refused: Why nobody is an administrator, although there is a password for one.
    """
    admin = require(AdminSettings, environment.variables)
    password = admin.password.reveal() if admin.password else ""
    credentials = shlex.quote(json.dumps({"username": admin.username, "password": password}))
    notes = [f"Administrator: {admin.username}, password: {password}"]
    if admin_refused:
        notes = [f"Administrator: none, so that no token can be had: {admin_refused}"]
    if environment.postgres:
        notes.append(f"Data: {environment.folder} (delete it to begin anew)")
        notes.append(f"Database: {environment.variables['DATABASE_URL']}")
    if environment.demo_omdb:
        notes.append(
            f"OMDb: OMDB_API_KEY is not set, so a demo OMDb at {environment.demo_omdb} answers"
        )
    return BANNER.substitute(base=base, credentials=credentials, notes="\n".join(notes))


def _serve(app: ASGIApp, listener: socket.socket, postgres: EmbeddedPostgres | None) -> None:
    config = uvicorn.Config(
        app,
        access_log=False,
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        ws="none",
    )
    server = uvicorn.Server(config)
    broken = threading.Event()
    if postgres:
        watch = (server, postgres, broken)
        threading.Thread(target=_end_with_database, args=watch, daemon=True).start()
    server.run(sockets=[listener])
    if broken.is_set() and postgres and not postgres.owned:
        raise Failure(
            "the database ended with the ./dev that had started it, and so does all the rest: "
            "start it again"
        )
    if broken.is_set():
        raise Failure("the database ended by itself, and so does all the rest")


def _end_with_database(
    server: uvicorn.Server, postgres: EmbeddedPostgres, broken: threading.Event
) -> None:
    postgres.wait()
    if not server.should_exit:
        broken.set()
        server.should_exit = True


@contextlib.contextmanager
def _bind(variables: Mapping[str, str]) -> Iterator[socket.socket]:
    """Take the port before anything slow begins; callers are let in by `_listen`."""
    host, text = variables.get("HOST") or "127.0.0.1", variables.get("PORT") or "8080"
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or int(text) > 65535:  # noqa: PLR2004
        raise Failure(f"PORT is {text!r}: expected a whole number from 0 to 65535")
    port = int(text)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise Failure(f"HOST is {host!r}, which is no address here: {error.strerror}") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            remedy = ": end what listens there, or choose another: PORT=8081 ./dev serve"
            what = f"port {port} of {host} cannot be had: {error.strerror}"
            raise Failure(what + remedy if taken else what) from error
        yield listener


def _listen(listener: socket.socket) -> None:
    try:
        listener.listen(2048)
    except OSError as error:
        raise Failure(f"another program took the port meanwhile: {error.strerror}") from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 (only compared)
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
