"""Connections to Cloud SQL through Google's connector: TLS, short-lived certificates, IAM login.

https://github.com/GoogleCloudPlatform/cloud-sql-python-connector
"""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import google.auth
import google.auth.transport.requests
import pg8000.dbapi
from aiohttp import ClientResponseError
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.sql.connector import Connector
from google.cloud.sql.connector.exceptions import CloudSQLIPTypeError

from lib import limits
from lib.database.driver import keep_alive, wire_of
from lib.database.settings import DatabaseSettings
from lib.errors import DatabaseUnavailable
from lib.settings import SettingsError

log = logging.getLogger(__name__)

_SCOPES: Final = ("https://www.googleapis.com/auth/sqlservice.admin",)

# After a failure the connector asks Google's API for everything anew, whose quota is small: when
# it failed twice in a row, it may try once in so many seconds.
_PAUSE: Final = 1.0
_FAILURES_BEFORE_PAUSE: Final = 2
# What the API's refusals mean; it tells strangers no more than 403.
_MEANINGS: Final = {
    403: "there is no such instance, or this account may not connect to it "
    "(roles/cloudsql.client), or the Cloud SQL Admin API is not enabled",
    404: "there is no such instance",
}


class CloudSql:
    """Opens connections to one instance, one after the other.

    The connector does much of the opening on its event loop, blocking; to open several at once
    would gain little, and with an instance that hangs each would wait for the time-outs of all
    before it. So they take turns, and who waited while another failed shares its fault.

    Args:
        settings: Who logs in to which database.
        instance: "project:region:instance".
        server_settings: What the session asks of Postgres.
        connector_options: Further arguments for the connector, for tests.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        instance: str,
        server_settings: Mapping[str, str],
        **connector_options: Any,
    ) -> None:
        # The connector opens its sockets without a time-out of their own.
        socket.setdefaulttimeout(limits.CONNECT_TIMEOUT)
        self._settings = settings
        self._instance = instance
        self._server_settings = dict(server_settings)
        self._connector_options = connector_options
        self._user = settings.user or ""
        self._session: _Session | None = None
        self._turn = threading.Lock()
        self._failures, self._failed_at = 0, 0.0

    def connect(self) -> pg8000.dbapi.Connection:
        """Open a connection, every wait of which ends.

        Raises:
            DatabaseUnavailable: There is no way to the instance just now; the log says why.
            DatabaseError: The instance was reached, and its Postgres refuses.
        """
        asked = time.monotonic()
        if not self._turn.acquire(timeout=limits.CLOUD_SQL_TIMEOUT):
            raise _unavailable()
        try:
            if self._has_just_failed(asked):
                raise _unavailable()
            connection = self._open(asked + limits.CLOUD_SQL_TIMEOUT - time.monotonic())
            self._failures = 0
        finally:
            self._turn.release()
        return connection

    def close(self) -> None:
        """Close the connector and end its thread; the next use starts another."""
        with self._turn:
            session, self._session = self._session, None
        if session is not None:
            session.end()
            session.join(limits.CONNECT_TIMEOUT)

    def _has_just_failed(self, asked: float) -> bool:
        pause = _PAUSE if self._failures >= _FAILURES_BEFORE_PAUSE else 0.0
        return self._failures > 0 and asked - self._failed_at < pause

    def _open(self, seconds: float) -> pg8000.dbapi.Connection:
        try:
            return self._open_or_raise(seconds)
        except Exception as error:
            self._failures, self._failed_at = self._failures + 1, time.monotonic()
            if isinstance(error, pg8000.dbapi.DatabaseError):
                raise
            log.error(  # noqa: TRY400  the stack is Google's, the reason is ours
                "database unreachable",
                extra={
                    "fields": {"error_class": type(error).__name__, "reason": self._reason(error)}
                },
            )
            raise _unavailable() from error

    def _open_or_raise(self, seconds: float) -> pg8000.dbapi.Connection:
        session = self._session or self._start()
        password = self._settings.password
        opening = session.connector.connect_async(
            self._instance,
            "pg8000",
            user=self._user,
            database=self._settings.name,
            password=password.reveal() if password else None,
            application_name="simple-movie-database",
            startup_params=self._server_settings,
            ssl_context=False,  # or pg8000 asks for TLS once more, inside of the connector's
        )
        try:
            connection = session.run(opening, seconds)
        except _Stuck:
            # What still goes on in it may go on for minutes: begin anew, and let it end by itself.
            self._session = None
            session.end()
            raise
        wire = wire_of(connection)
        keep_alive(wire)
        wire.settimeout(limits.SOCKET_TIMEOUT)
        return connection

    def _start(self) -> "_Session":
        options = dict(self._connector_options)
        if "credentials" not in options:
            options["credentials"] = google.auth.default(scopes=_SCOPES)[0]
        # Here and with the same credentials: their token then serves the connector as well.
        self._user = self._user or own_database_user(options["credentials"])
        self._session = _Session(
            # Lazy: a certificate is renewed when it is needed, as a throttled CPU runs no timers.
            refresh_strategy="lazy",
            ip_type=self._settings.ip_type,
            enable_iam_auth=self._settings.password is None,
            **options,
        )
        return self._session

    def _reason(self, error: Exception) -> str:
        if isinstance(error, SettingsError):
            return str(error)
        if isinstance(error, GoogleAuthError):
            return "this process has no Google credentials, or they do not work just now"
        if isinstance(error, CloudSQLIPTypeError):
            return f"DB_IP_TYPE is {self._settings.ip_type!r}: the instance has no such address"
        return f"CLOUD_SQL_INSTANCE is {self._instance!r}: {_meaning(error)}"


class _Stuck(TimeoutError):
    """What ran on the event loop did not end in time, and perhaps goes on."""


class _Session:
    """A connector and its event loop, which has a thread of its own."""

    def __init__(self, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            self.connector = Connector(loop=self._loop, **options)
        except BaseException:
            self._loop.close()
            raise
        self._thread = threading.Thread(target=self._live, name="cloud-sql", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], seconds: float) -> Any:
        """Run a coroutine there and wait for it.

        Raises:
            _Stuck: It took too long, and was told to give up.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError as error:
            if future.done():  # a time-out of its own
                raise
            future.cancel()
            raise _Stuck from error

    def end(self) -> None:
        """Give up all that goes on and end the thread, as soon as nothing blocks it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def _live(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _end(self) -> None:
        try:
            # The connector forgets requests whose caller gave up: they would go on for minutes.
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self.connector.close_async()
            await self._loop.shutdown_default_executor()
        finally:
            self._loop.stop()


def own_database_user(credentials: Credentials) -> str:
    """Return the database user of the service account that this process runs as.

    Cloud SQL names it like the account, without the ending that they all share.
    https://cloud.google.com/sql/docs/postgres/add-manage-iam-users

    Raises:
        SettingsError: It runs as no service account.
    """
    email = getattr(credentials, "service_account_email", None)
    if email == "default":  # the metadata server tells it with the first token
        credentials.refresh(google.auth.transport.requests.Request())  # type: ignore[no-untyped-call]
        email = getattr(credentials, "service_account_email", None)
    if not isinstance(email, str) or "@" not in email:
        raise SettingsError("DB_USER is not set, and this process runs as no service account")
    return email.removesuffix(".gserviceaccount.com")


def _meaning(error: Exception) -> str:
    if isinstance(error, ClientResponseError):
        return _MEANINGS.get(error.status, f"Google's API answers {error.status}")
    if isinstance(error, ValueError) and "region" in str(error):
        return "the instance is in another region"
    if isinstance(error, TimeoutError):
        return "it, or Google's API, did not answer in time"
    return "it cannot be reached"


def _unavailable() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "The database cannot be reached. Try again in a moment.", retry_after_seconds=5
    )
