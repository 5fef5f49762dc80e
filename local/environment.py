"""The environment of the `./dev` commands: what the caller set, and made-up values for the rest."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from local.failure import Failure
from local.postgres import EmbeddedPostgres
from local.private import make_folder, why, write_new

ROOT: Final = Path(__file__).resolve().parent.parent
DATABASE: Final = "movies"
# How the names of the variables begin that `lib.settings` reads, and that may name a service which
# is neither to be tested nor to be measured.
SETTINGS: Final = (
    "DATABASE_", "CLOUD_SQL_", "DB_", "OMDB_", "IMPORT_", "TOKEN_", "REFRESH_", "ADMIN_",
    "LOG_LEVEL",
)  # fmt: skip


@dataclass(kw_only=True)
class Environment:
    """What runs beside the service, and what is kept for the next start.

    Attributes:
        folder: Where keys, passwords and the database are kept.
        postgres: The embedded server, unless the caller named a database.
        demo_omdb: The address of the demo OMDb, unless the caller has a key.
    """

    folder: Path
    postgres: EmbeddedPostgres | None = None
    demo_omdb: str | None = None
    variables: MutableMapping[str, str] = field(default_factory=dict)

    @property
    def password_file(self) -> Path:
        """Where the first administrator's password is kept: with the database, if it is ours."""
        return (self.postgres.folder if self.postgres else self.folder) / "admin-password"


@contextlib.contextmanager
def prepare(
    folder: Path = ROOT / ".local",
    variables: MutableMapping[str, str] = os.environ,
    *,
    demo_admin: bool = False,
) -> Iterator[Environment]:
    """Fill the environment and run what it needs, until the end of the block.

    Args:
        folder: Where what must outlive this process is kept.
        variables: What is filled, and read by all that runs in the block.
        demo_admin: Whether to make up an administrator in a database of the caller's, too.
    """
    with contextlib.ExitStack() as stack:
        environment = Environment(folder=folder, variables=variables)
        make_folder(folder)
        _provide_database(environment, stack)
        provide_token_keys(folder, variables)
        provide_refresh_key(folder, variables)
        if demo_admin or environment.postgres:
            provide_password(environment)
        _provide_omdb(environment, stack)
        yield environment


def provide_token_keys(folder: Path, variables: MutableMapping[str, str]) -> None:
    """Set the pair of keys that tokens are signed and verified with, unless the caller did."""
    if "TOKEN_PRIVATE_KEY" in variables:
        return
    pem = keep(folder / "token-key.pem", _new_private_key)
    variables["TOKEN_PRIVATE_KEY"] = pem
    # Keys that the caller verifies with are kept: a rotation can be tried that way.
    earlier = variables.get("TOKEN_PUBLIC_KEYS", "")
    variables["TOKEN_PUBLIC_KEYS"] = _public_key(folder / "token-key.pem", pem) + earlier


def provide_refresh_key(folder: Path, variables: MutableMapping[str, str]) -> None:
    """Set the key that refresh tokens are derived with, unless the caller did."""
    if "REFRESH_KEY" not in variables:
        variables["REFRESH_KEY"] = keep(folder / "refresh-key", secrets.token_urlsafe)


def provide_password(environment: Environment) -> None:
    """Set the first administrator's password, unless the caller did.

    The embedded database's administrator keeps the password that it was made with.
    """
    variables, path = environment.variables, environment.password_file
    if path.exists() and (environment.postgres or not variables.get("ADMIN_PASSWORD")):
        variables["ADMIN_PASSWORD"] = keep(path, str)
    elif not variables.get("ADMIN_PASSWORD"):
        variables["ADMIN_PASSWORD"] = secrets.token_urlsafe(12)


def keep_password(environment: Environment) -> None:
    """Remember the password, now that there is an administrator who has it."""
    path = environment.password_file
    try:
        write_new(path, environment.variables["ADMIN_PASSWORD"]).replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {why(error)}") from error


def keep(path: Path, make: Callable[[], str]) -> str:
    """Read a secret, or make it: complete or not at all, and for its owner's eyes only."""
    try:
        if not path.exists():
            new = write_new(path, make())
            with contextlib.suppress(FileExistsError):  # another process was faster: take its
                os.link(new, path)
            new.unlink()
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path} cannot be used: {why(error)}") from error
    except UnicodeDecodeError as error:
        remedy = "delete it to have a new one made"
        raise Failure(f"{path} cannot be used: it is no text of ours: {remedy}") from error


def _provide_database(environment: Environment, stack: contextlib.ExitStack) -> None:
    variables = environment.variables
    if "CLOUD_SQL_INSTANCE" in variables or "DATABASE_URL" in variables:
        return
    postgres = stack.enter_context(EmbeddedPostgres(environment.folder / "postgres"))
    if not postgres.has_database(DATABASE):
        postgres.create_database(DATABASE)
    environment.postgres = postgres
    variables["DATABASE_URL"] = postgres.url(DATABASE)


def _provide_omdb(environment: Environment, stack: contextlib.ExitStack) -> None:
    if environment.variables.get("OMDB_API_KEY"):
        return
    from local.demo_omdb.server import DemoOmdb  # noqa: PLC0415 (it reads its films)

    demo = stack.enter_context(DemoOmdb())
    environment.demo_omdb = demo.url
    environment.variables.update(OMDB_URL=demo.url, OMDB_API_KEY=demo.key)
    # The demo has no quota, and nobody should have to wait a day for a count of our own.
    environment.variables.setdefault("OMDB_DAILY_BUDGET", "1000000")


def _new_private_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _public_key(path: Path, pem: str) -> str:
    try:
        key = serialization.load_pem_private_key(pem.encode("ascii"), password=None)
    except ValueError as error:
        raise Failure(f"{path} holds no key: delete it to have a new one made") from error
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
    )
