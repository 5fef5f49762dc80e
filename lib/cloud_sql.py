"""Connections to Cloud SQL through Google's connector: TLS, short-lived certificates, IAM login.

https://github.com/GoogleCloudPlatform/cloud-sql-python-connector
"""

import asyncio
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import google.auth
import google.auth.transport.requests
from google.auth.credentials import Credentials
from google.cloud.sql.connector import Connector

from lib import settings as limits
from lib.db_connections import keep_alive
from lib.errors import InternalError
from lib.settings import DatabaseSettings

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

_SCOPES: Final = ("https://www.googleapis.com/auth/sqlservice.admin",)


class CloudSql:
    """Opens connections to one instance; its event loop runs in a thread of its own.

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
        self._user = settings.user
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="cloud-sql", daemon=True).start()
        # Lazy: a certificate is renewed when it is needed, as a throttled CPU runs no timers.
        self._connector = Connector(
            loop=self._loop,
            refresh_strategy="lazy",
            ip_type=settings.ip_type,
            enable_iam_auth=settings.password is None,
            timeout=int(limits.CLOUD_SQL_TIMEOUT),
            **connector_options,
        )

    def connect(self) -> "DBAPIConnection":
        """Open a connection, every wait of which ends.

        Raises:
            TimeoutError: Google's API or the instance did not answer in time.
        """
        opening = self._connector.connect_async(
            self._instance,
            "pg8000",
            user=self._login(),
            database=self._settings.name,
            password=self._settings.password.reveal() if self._settings.password else None,
            application_name="simple-movie-database",
            startup_params=self._server_settings,
        )
        future = asyncio.run_coroutine_threadsafe(opening, self._loop)
        try:
            connection: DBAPIConnection = future.result(limits.CLOUD_SQL_TIMEOUT)
        except TimeoutError:
            future.cancel()
            raise
        wire = connection._usock  # noqa: SLF001  pg8000 gives no other way to its socket
        keep_alive(wire)
        wire.settimeout(limits.SOCKET_TIMEOUT)
        return connection

    def close(self) -> None:
        """Close the connector and end its thread."""
        closing = asyncio.run_coroutine_threadsafe(self._connector.close_async(), self._loop)
        closing.result(limits.CONNECT_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _login(self) -> str:
        if self._user is None:
            self._user = own_database_user(google.auth.default(scopes=_SCOPES)[0])
        return self._user


def own_database_user(credentials: Credentials) -> str:
    """Give the database user of the service account that this process runs as.

    Cloud SQL names it like the account, without the ending that they all share.
    https://cloud.google.com/sql/docs/postgres/add-manage-iam-users
    """
    email = getattr(credentials, "service_account_email", None)
    if email == "default":  # the metadata server tells it with the first token
        credentials.refresh(google.auth.transport.requests.Request())  # type: ignore[no-untyped-call]
        email = getattr(credentials, "service_account_email", None)
    if not isinstance(email, str) or "@" not in email:
        raise InternalError("DB_USER is not set, and this process runs as no service account.")
    return email.removesuffix(".gserviceaccount.com")
