"""One PostgreSQL for the whole run, a database a worker, empty tables for each test."""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, text

from lib.accounts import ending, login
from lib.accounts.access import AUTHORIZING
from lib.accounts.keys import SigningSettings, VerifyingSettings
from lib.accounts.tokens import Signer, Verifier
from lib.accounts.users import AdminSettings
from lib.catalogue import statements
from lib.catalogue.movie import Movie
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.omdb.memory import STORE
from lib.schema.migrating import migrate
from lib.search import suggesting
from local import gateway
from local.demo_omdb.server import DemoOmdb
from local.environment import SETTINGS
from local.postgres import EmbeddedPostgres
from tests import held, support
from tests.ordering import arrange
from tests.support import ADMIN_PASSWORD, OMDB_KEY, REFRESH_KEY, database_settings

ROOT = Path(__file__).resolve().parent.parent
POSTGRES_FOLDER = "TEST_POSTGRES_FOLDER"

# How long an example takes says something about the machine, and fails at random on a busy one.
hypothesis.settings.register_profile(
    "movies", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("movies")

_postgres: EmbeddedPostgres | None = None
_folder: tempfile.TemporaryDirectory[str] | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that starts the workers, so that it outlives each of them."""
    global _postgres, _folder  # noqa: PLW0603
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    for name in list(os.environ):
        if name.startswith(SETTINGS):
            del os.environ[name]
    _folder = tempfile.TemporaryDirectory(prefix="movies-tests-")
    _postgres = EmbeddedPostgres(Path(_folder.name) / "postgres", durable=False)
    _postgres.start()
    os.environ[POSTGRES_FOLDER] = str(_postgres.folder)


@pytest.hookimpl(trylast=True)  # after the tests were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker is left alone with it at the end."""
    items[:] = arrange(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server with the run."""
    if hasattr(config, "workerinput"):
        return
    if _postgres is not None:
        _postgres.stop()
    if _folder is not None:
        _folder.cleanup()


@pytest.fixture(autouse=True)
def logs_of_this_test() -> None:
    """Let what `lib` logs reach this test, whoever served functions in this process before.

    A function that was built here has set a handler of its own, which writes to what pytest gave
    that test for its stdout.
    """
    logger = logging.getLogger("lib")
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Return the run's server; a test that stops a database starts one of its own."""
    with EmbeddedPostgres(Path(os.environ[POSTGRES_FOLDER]), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def database_url(postgres: EmbeddedPostgres, worker_id: str) -> str:
    """Return the address of this worker's database, migrated."""
    name = f"movies_{worker_id}"
    postgres.create_database(name)
    url = postgres.url(name)
    database = TransactionalDatabase(database_settings(url))
    migrate(database, AdminSettings(username="admin", password=None))
    database.close()
    return url


@pytest.fixture(scope="session")
def worker_database(database_url: str) -> Iterator[TransactionalDatabase]:
    """Return a database that can do all that any function can."""
    every_statement = [
        *statements.LISTING,
        *statements.FINDING,
        *suggesting.STATEMENTS,
        statements.BY_IDS,
        STORE,
        statements.DELETE,
        *AUTHORIZING,
        *ending.ENDING,
    ]
    database = TransactionalDatabase(database_settings(database_url), statements=every_statement)
    yield database
    database.close()


@pytest.fixture
def database(worker_database: TransactionalDatabase) -> Iterator[TransactionalDatabase]:
    """Return the worker's database; what the test leaves in it is gone with the test."""
    with worker_database.begin() as connection:
        # A create whose caller has left stores its movie all the same, perhaps after its test.
        if connection.execute(text("select exists (select from movies)")).scalar_one():
            empty(connection)
    yield worker_database
    with worker_database.begin() as connection:
        empty(connection)


def empty(connection: Connection) -> None:
    """Take everything out of the tables, as `truncate` of all does, but several times as fast."""
    found = connection.execute(
        text(
            "select quote_ident(tablename) from pg_tables where schemaname = 'public' "
            "and tablename <> 'alembic_version'"
        )
    )
    tables = list(found.scalars())
    # Whoever still writes has to come to an end before one can tell.
    connection.execute(text(f"lock table {', '.join(tables)}"))
    held = connection.execute(
        text("select " + ", ".join(f"exists (select from {table})" for table in tables))  # noqa: S608
    ).one()
    full = {table for table, is_full in zip(tables, held, strict=True) if is_full}
    if full:
        full.add("movies")  # whose trigger fills others anew
        connection.execute(text(f"truncate {', '.join(full)} restart identity cascade"))
    moved = connection.execute(
        text(
            "select quote_ident(sequencename) from pg_sequences where schemaname = 'public' "
            "and last_value is not null"
        )
    )
    for sequence in moved.scalars().all():
        connection.execute(text(f"alter sequence {sequence} restart"))


@pytest.fixture
def settings(database_url: str) -> DatabaseSettings:
    """Return the settings of the worker's database."""
    return database_settings(database_url)


@pytest.fixture(scope="session")
def private_key_pem() -> str:
    """Make the key that tokens are signed with in this run."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.fixture(scope="session")
def public_key_pem(private_key_pem: str) -> str:
    """Return the public half of the run's key."""
    key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.fixture(scope="session")
def worker_omdb() -> Iterator[DemoOmdb]:
    """Run a demo OMDb for this worker."""
    with DemoOmdb(key=OMDB_KEY) as server:
        yield server


@pytest.fixture
def omdb(worker_omdb: DemoOmdb) -> Iterator[DemoOmdb]:
    """Return the demo OMDb, answering well again after each test."""
    worker_omdb.forget_calls()
    yield worker_omdb
    worker_omdb.overrides.clear()
    worker_omdb.quota = None
    worker_omdb.latency = 0.0
    worker_omdb.key = OMDB_KEY


@pytest.fixture(scope="session")
def environment(
    database_url: str, worker_omdb: DemoOmdb, private_key_pem: str, public_key_pem: str
) -> dict[str, str]:
    """Return the variables that the functions run with."""
    return {
        "DATABASE_URL": database_url,
        "OMDB_URL": worker_omdb.url,
        "OMDB_API_KEY": OMDB_KEY,
        "OMDB_DAILY_BUDGET": "1000000",
        "OMDB_CALLS_PER_CALLER": "1000000",
        "TOKEN_PRIVATE_KEY": private_key_pem,
        "TOKEN_PUBLIC_KEYS": public_key_pem,
        "REFRESH_KEY": REFRESH_KEY,
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
    }


@pytest.fixture(scope="session")
def base_url(environment: dict[str, str]) -> Iterator[str]:
    """Serve every function, built by the framework itself, over real HTTP."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        app = gateway.build(ROOT)
    with held.serving(app) as server:
        yield server.url


@pytest.fixture
def client(
    base_url: str,
    database: TransactionalDatabase,  # noqa: ARG001
    omdb: DemoOmdb,  # noqa: ARG001
) -> Iterator[httpx.Client]:
    """Call the functions, held to the document; the tables are empty and OMDb is well."""
    with held.client(base_url) as session:
        yield session


@pytest.fixture
def store(database: TransactionalDatabase) -> Callable[..., Movie]:
    """Store a movie: `store("tt0111161", "The Shawshank Redemption", year=1994)`."""

    def store_movie(imdb_id: str, title: str, **details: object) -> Movie:
        movie = Movie(imdb_id=imdb_id, title=title, **{"type": "movie", **details})  # type: ignore[arg-type]
        support.store(database, movie)
        return movie

    return store_movie


@pytest.fixture
def signer(private_key_pem: str) -> Signer:
    """Sign tokens as `login` does."""
    return Signer(SigningSettings.from_env({"TOKEN_PRIVATE_KEY": private_key_pem}))


@pytest.fixture
def verifier(public_key_pem: str) -> Verifier:
    """Verify tokens as `movies_delete` does."""
    return Verifier(VerifyingSettings.from_env({"TOKEN_PUBLIC_KEYS": public_key_pem}))


@pytest.fixture
def authorization(
    database: TransactionalDatabase, signer: Signer
) -> Callable[[str], dict[str, str]]:
    """Log a new user of some role in and give the header: `authorization("editor")`."""

    def header(role: str) -> dict[str, str]:
        username = f"some {role}"
        support.create_user(database, username=username, password=ADMIN_PASSWORD, role=role)
        issued = login.login(
            database, signer, username=username, password=ADMIN_PASSWORD, address="192.0.2.1"
        )
        return {"Authorization": f"Bearer {issued.token}"}

    return header
