"""Where the database is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from lib.settings import Secret, SettingsError, read_integer, read_one_of, read_text


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where the database is: a URL, or a Cloud SQL instance reached through its connector.

    Attributes:
        connections: Places in the pool of one instance.
        wait_seconds: How long its start may wait for the first of them.
    """

    host: str = "localhost"
    port: int = 5432
    name: str = "movies"
    user: str | None = None
    password: Secret | None = None
    instance: str | None = None
    ip_type: str = "PUBLIC"
    ssl_mode: str = "disable"
    ssl_root_cert: str | None = None
    connections: int = 8
    wait_seconds: int = 0

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Prefer `CLOUD_SQL_INSTANCE` to `DATABASE_URL`, as one of them is the deployment's."""
        connections = read_integer(env, "DATABASE_CONNECTIONS", 8, low=1, high=64)
        # Cloud Run gives up an instance that has not opened its port after 240 seconds.
        # https://cloud.google.com/run/docs/configuring/healthchecks#tcp-startup-probe
        wait_seconds = read_integer(env, "DATABASE_WAIT_SECONDS", 0, low=0, high=200)
        place = cls._from_place(env)
        return replace(place, connections=connections, wait_seconds=wait_seconds)

    @classmethod
    def _from_place(cls, env: Mapping[str, str]) -> Self:
        instance = env.get("CLOUD_SQL_INSTANCE")
        if instance is not None:
            return cls._from_cloud_sql(instance, env)
        url = env.get("DATABASE_URL")
        if url is None:
            raise SettingsError(
                "DATABASE_URL is not set (nor is CLOUD_SQL_INSTANCE): expected "
                "postgresql+pg8000://user:password@host:port/database"
            )
        return cls._from_url(url)

    @classmethod
    def _from_cloud_sql(cls, instance: str, env: Mapping[str, str]) -> Self:
        if not re.fullmatch(r"([a-z0-9.-]+:)?[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]+", instance):
            raise SettingsError(
                f"CLOUD_SQL_INSTANCE is {instance!r}: expected project:region:instance"
            )
        password = env.get("DB_PASSWORD")
        return cls(
            instance=instance,
            name=read_text(env, "DB_NAME", "movies"),
            user=env.get("DB_USER") or None,
            password=Secret(password) if password else None,
            ip_type=read_one_of(env, "DB_IP_TYPE", "PUBLIC", ("PUBLIC", "PRIVATE", "PSC")),
        )

    @classmethod
    def _from_url(cls, url: str) -> Self:
        from lib.database.url import parse  # noqa: PLC0415  the cloud does without

        parts = parse(url)
        return cls(
            host=parts.host,
            port=parts.port,
            name=parts.name,
            user=parts.user,
            password=Secret(parts.password) if parts.password else None,
            ssl_mode=parts.ssl_mode,
            ssl_root_cert=parts.ssl_root_cert,
        )
