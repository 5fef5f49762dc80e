"""The environment, read once, checked, frozen.

No other module reads an environment variable. A function asks at start for just the groups it
uses (`require(DatabaseSettings)`), so that one never needs another's secrets.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

# Requests that one instance works on at once, each in a thread of its own; the connection pool is
# as large, so that none of them ever waits for another's connection.
HANDLER_THREADS = 8

# How the waits of a request nest, in seconds. Its turn (TURN for a thread, POOL on the event loop),
# the connection that is being warmed and a place in the pool (POOL each), a new connection
# (CLOUD_SQL) and an answer on it (SOCKET) stay below the time-out that a function has in
# ../terraform/functions.tf; movies_create also waits for OMDb (OMDB_CALL), and asks the database
# before its turn, in it, and after the call.
TURN_TIMEOUT = 3.0  # waiting in line before work is begun, beyond which a caller is told to return
CONNECT_TIMEOUT = 5.0  # opening a database connection, TLS and login included
CLOUD_SQL_TIMEOUT = 10.0  # the same through the connector, which asks Google's API before it
SOCKET_TIMEOUT = 10.0  # one read from the database: above STATEMENT, below the function's own
POOL_TIMEOUT = 3.0  # waiting for a free connection
STATEMENT_TIMEOUT = 5.0  # one statement, told to Postgres
LOCK_TIMEOUT = 2.0  # waiting for a lock, told to Postgres
OMDB_CONNECT_TIMEOUT = 2.0  # opening a connection to OMDb
OMDB_READ_TIMEOUT = 4.0  # silence while an answer is on its way
OMDB_ATTEMPT_TIMEOUT = 6.0  # one attempt, from first to last byte
OMDB_CALL_TIMEOUT = 10.0  # all attempts and the pauses between them
HEAD_TIMEOUT = 10.0  # receiving what a request begins with, its headers
BODY_TIMEOUT = 10.0  # receiving a request's body
MIGRATION_TIMEOUT = 60.0  # waiting for another's migration: far below the function's own


# In characters: the least that ASVS 5.0 (6.2.1) allows; it advises 15. A throttle slows guessing.
PASSWORD_LENGTH = 8
_IDENTIFIER_BYTES = 63  # what Postgres keeps of a name
# What is pasted with a key, and never part of it: blanks, line ends, quotes.
_AROUND_A_KEY = " \t\r\n\f\v\ufeff\u00a0\"'`\u2018\u2019\u201c\u201d"


class SettingsError(ValueError):
    """A variable is missing or malformed; the message is one line that names it."""


class Secret:
    """A value that shows itself only when asked by name."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value itself, for the one place that uses it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Group(Protocol):
    """Settings that belong together."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the group from an environment; raise `SettingsError` where it is wrong."""
        ...


G = TypeVar("G", bound=Group)


def require(group: type[G], env: Mapping[str, str] | None = None) -> G:
    """Read a group from the environment, or end the process with one line that says why not."""
    try:
        return group.from_env(os.environ if env is None else env)
    except SettingsError as error:
        raise SystemExit(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where the database is: a URL, or a Cloud SQL instance reached through its connector."""

    host: str = "localhost"
    port: int = 5432
    name: str = "movies"
    user: str | None = None
    password: Secret | None = None
    instance: str | None = None
    ip_type: str = "PUBLIC"
    ssl_mode: str = "disable"
    ssl_root_cert: str | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Prefer `CLOUD_SQL_INSTANCE` to `DATABASE_URL`, as one of them is the deployment's."""
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
            name=_text(env, "DB_NAME", "movies"),
            user=env.get("DB_USER") or None,
            password=Secret(password) if password else None,
            ip_type=_one_of(env, "DB_IP_TYPE", "PUBLIC", ("PUBLIC", "PRIVATE", "PSC")),
        )

    @classmethod
    def _from_url(cls, url: str) -> Self:
        from lib.database_url import parse  # noqa: PLC0415  the cloud does without

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


@dataclass(frozen=True, kw_only=True)
class OmdbSettings:
    """How to reach OMDb, and how much of it we may use.

    Attributes:
        daily_budget: Calls a day that all instances together may make.
        concurrency: Calls at once in an import.
        calls_per_caller: Calls an hour for those who ask from one network.
        import_share: Per cent of the budget that are the import's alone, and as much the creates'.
    """

    url: str
    api_key: Secret
    daily_budget: int
    concurrency: int
    calls_per_caller: int = 60
    import_share: int = 40

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Demand the key; the rest has defaults that suit OMDb's free plan."""
        url = _text(env, "OMDB_URL", "https://www.omdbapi.com/")
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
            raise SettingsError(f"OMDB_URL is {url!r}: expected an http or https address")
        return cls(
            url=url,
            api_key=_omdb_key(_needed(env, "OMDB_API_KEY", "the key that OMDb sent you")),
            daily_budget=_integer(env, "OMDB_DAILY_BUDGET", 1000, low=1, high=10_000_000),
            concurrency=_integer(env, "OMDB_CONCURRENCY", 8, low=1, high=64),
            calls_per_caller=_integer(env, "OMDB_CALLS_PER_CALLER", 60, low=1, high=10_000_000),
            import_share=_integer(env, "OMDB_IMPORT_SHARE", 40, low=0, high=50),
        )


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """How long one import run works, in seconds."""

    seconds: int
    lease_seconds: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Default to a run that ends well before a function's time-out of ten minutes."""
        return cls(
            seconds=_integer(env, "IMPORT_SECONDS", 480, low=1, high=3600),
            lease_seconds=_integer(env, "IMPORT_LEASE_SECONDS", 120, low=10, high=3600),
        )


@dataclass(frozen=True, kw_only=True)
class SigningSettings:
    """What `login` signs tokens with."""

    private_key: Secret

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Demand a private key in PEM, whose line ends may be written as a backslash and an n."""
        pem = _needed(env, "TOKEN_PRIVATE_KEY", "an Ed25519 private key in PEM").replace(
            "\\n", "\n"
        )
        # Here: only who signs or verifies loads cryptography.
        from lib.keys import load_private_key  # noqa: PLC0415

        load_private_key(pem)
        return cls(private_key=Secret(pem))


@dataclass(frozen=True, kw_only=True)
class VerifyingSettings:
    """The public keys that a token may be signed for: the present one, and the last in rotation."""

    public_keys: tuple[str, ...]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Split the concatenated PEM blocks."""
        text = _needed(env, "TOKEN_PUBLIC_KEYS", "one or more Ed25519 public keys in PEM")
        keys = re.findall(
            r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----",
            text.replace("\\n", "\n"),
            re.DOTALL,
        )
        if not keys:
            raise SettingsError(
                "TOKEN_PUBLIC_KEYS is malformed: expected one or more Ed25519 public keys in PEM"
            )
        from lib.keys import load_public_key  # noqa: PLC0415

        for key in keys:
            load_public_key(key)
        return cls(public_keys=tuple(keys))


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """The first administrator, made by the migration when there is no user yet."""

    username: str
    password: Secret | None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Make no administrator when there is no password."""
        password = env.get("ADMIN_PASSWORD")
        if password and len(password) < PASSWORD_LENGTH:
            raise SettingsError(
                f"ADMIN_PASSWORD is too short: expected at least {PASSWORD_LENGTH} characters"
            )
        return cls(
            username=_text(env, "ADMIN_USERNAME", "admin"),
            password=Secret(password) if password else None,
        )


@dataclass(frozen=True, kw_only=True)
class GrantSettings:
    """Which database user each deployed function logs in as; None where roles are not used."""

    members: Mapping[str, str] | None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read `DATABASE_GRANTS`, a JSON object: {"movies_list": "movies-list@project.iam"}."""
        text = env.get("DATABASE_GRANTS")
        if text is None:
            return cls(members=None)
        try:
            members = json.loads(text)
        except ValueError:
            members = None
        if not isinstance(members, dict) or not all(
            isinstance(user, str) and 1 <= len(user.encode()) <= _IDENTIFIER_BYTES
            for user in members.values()
        ):
            raise SettingsError(
                f"DATABASE_GRANTS is {text[:200]!r}: expected a JSON object of database users by "
                'function, such as {"movies_list": "movies-list@project.iam"}'
            )
        return cls(members=members)


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What every function has around it.

    Attributes:
        log_level: The least severity that is logged.
        project: The Google Cloud project that traces belong to, where there is one.
        proxies: How many proxies in front append to `X-Forwarded-For`; the caller's address is
            that many entries from its right end, as all further left is the caller's own word.
        in_cloud: Whether this is a Cloud Run instance, whose logs are read by a machine.
    """

    log_level: str
    project: str | None
    proxies: int
    in_cloud: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Recognise Cloud Run by `K_SERVICE`, which it sets: one proxy stands before it."""
        in_cloud = bool(env.get("K_SERVICE"))
        return cls(
            log_level=_one_of(
                env, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
            ),
            project=env.get("GOOGLE_CLOUD_PROJECT") or None,
            proxies=_integer(env, "TRUSTED_PROXIES", 1 if in_cloud else 0, low=0, high=9),
            in_cloud=in_cloud,
        )


def _omdb_key(written: str) -> Secret:
    """Take a key out of what people copy with it: blanks, a line feed, quotes, `apikey=`."""
    key = written.strip(_AROUND_A_KEY)
    key = re.sub(r"\A(?:https?://\S+)?[?&]?apikey\s*=", "", key, flags=re.IGNORECASE)
    key = key.strip(_AROUND_A_KEY)
    if not re.fullmatch(r"[A-Za-z0-9._~@-]{1,100}", key, re.ASCII):
        # The value is not repeated: most of it may be the key.
        raise SettingsError(
            "OMDB_API_KEY is malformed: expected the key alone, letters and digits without blanks, "
            "as OMDb sent it to you"
        )
    return Secret(key)


def _text(env: Mapping[str, str], name: str, default: str) -> str:
    value = env.get(name, default)
    if not value.strip():
        raise SettingsError(f"{name} is blank: expected a text, or leave it unset for {default!r}")
    return value


def _needed(env: Mapping[str, str], name: str, what: str) -> str:
    value = env.get(name, "")
    if not value.strip():
        raise SettingsError(f"{name} is {'blank' if name in env else 'not set'}: expected {what}")
    return value


def _integer(env: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    value = env.get(name)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or not low <= int(value) <= high:
        raise SettingsError(f"{name} is {value!r}: expected a whole number from {low} to {high}")
    return int(value)


def _one_of(env: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = env.get(name, default)
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}: expected one of {', '.join(allowed)}")
    return value
