"""Direct connections with TLS, by libpq's modes, against a Postgres behind a front that has it."""

import asyncio
import datetime as dt
import logging
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from lib.database.database import Database
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable
from local.environment import Environment
from local.failure import Failure
from local.migrating import bring_up_to_date
from local.postgres import EmbeddedPostgres
from tests.database.tls_front import TlsFront
from tests.support import ECHO, database_settings, echo

Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
Url = Callable[..., str]


def certify(name: str, *, by: Signer | None = None, hosts: tuple[str, ...] = ()) -> Signer:
    """Make a certificate: an authority's own, or one that an authority gives to hosts."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(by[1] if by else key, hashes.SHA256()), key


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority() -> Signer:
    return certify("an authority")


@pytest.fixture
def server(tmp_path: Path, authority: Signer, postgres: EmbeddedPostgres) -> Iterator[TlsFront]:
    certificate, key = certify("a database", by=authority, hosts=("localhost",))
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem(certificate) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with TlsFront(context, postgres.port) as front:
        yield front


@pytest.fixture
def url(postgres: EmbeddedPostgres, server: TlsFront) -> Url:
    """Return the address of the front: `url("?sslmode=require", host="127.0.0.1")`."""

    def of(query: str, host: str = "localhost") -> str:
        address = postgres.url("postgres").replace(f"127.0.0.1:{postgres.port}", host)
        return address.replace(host, f"{host}:{server.port}") + query

    return of


@pytest.fixture
def root_cert(tmp_path: Path, authority: Signer) -> Path:
    path = tmp_path / "authority.pem"
    path.write_bytes(pem(authority[0]))
    return path


def use(address: str, kind: type[Database] = Database) -> None:
    """Ask from a thread and from the event loop, for more than one TLS record holds."""
    database = kind(database_settings(address), statements=[ECHO])
    try:
        assert database.run(ECHO, value="é") == [["é"]]
        assert asyncio.run(_ask(database)) == ["x" * 50_000] * 5
    finally:
        database.close()


async def _ask(database: Database) -> list[str]:
    return [await database.ask(echo("x" * 50_000)) for _ in range(5)]


@pytest.mark.parametrize("kind", [Database, TransactionalDatabase])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?sslmode=disable",
        "?sslmode=prefer",
        "?sslmode=require",
        "?sslmode=verify-ca&sslrootcert={}",
        "?sslmode=verify-full&sslrootcert={}",
    ],
)
def test_a_mode_decides_whether_what_is_sent_can_be_read_on_the_way(
    server: TlsFront, url: Url, root_cert: Path, query: str, kind: type[Database]
) -> None:
    use(url(query.format(root_cert)), kind)
    assert server.encrypted == [query not in {"", "?sslmode=disable"}]


def test_transactions_go_through_tls(url: Url, server: TlsFront) -> None:
    database = TransactionalDatabase(database_settings(url("?sslmode=require")))
    with database.begin() as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
    database.close()
    assert server.encrypted == [True]


@pytest.mark.parametrize("mode", ["verify-ca", "require"])
def test_an_authority_alone_is_not_asked_about_the_hosts_name(
    url: Url, root_cert: Path, mode: str
) -> None:
    use(url(f"?sslmode={mode}&sslrootcert={root_cert}", host="127.0.0.1"))


UNKNOWN: Final = "unable to get local issuer certificate"


@pytest.mark.parametrize(
    ("query", "host", "reason"),
    [
        ("?sslmode=verify-full&sslrootcert={ours}", "127.0.0.1", "IP address mismatch"),
        ("?sslmode=verify-full&sslrootcert={other}", "localhost", UNKNOWN),
        ("?sslmode=verify-ca&sslrootcert={other}", "localhost", UNKNOWN),
        ("?sslmode=require&sslrootcert={other}", "localhost", UNKNOWN),
        ("?sslmode=verify-full", "localhost", UNKNOWN),
        ("?sslmode=verify-full&sslrootcert=system", "localhost", UNKNOWN),
    ],
)
def test_a_wrong_authority_or_host_is_one_clear_fault(  # noqa: PLR0917
    url: Url, root_cert: Path, query: str, host: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    other = root_cert.with_name("other.pem")
    other.write_bytes(pem(certify("another authority")[0]))
    database = Database(database_settings(url(query.format(ours=root_cert, other=other), host)))
    with caplog.at_level(logging.ERROR), pytest.raises(DatabaseUnavailable):
        database.run(ECHO, value="never")
    [line] = caplog.records
    assert line.__dict__["fields"]["reason"].startswith(reason)


def test_a_terminal_is_told_the_reason(url: Url, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": url("?sslmode=verify-full")}
    with pytest.raises(Failure, match=f"certificate verify failed: {UNKNOWN}"):
        bring_up_to_date(Environment(folder=tmp_path, variables=variables))


def test_a_server_without_tls_is_used_or_refused_as_the_mode_says(
    postgres: EmbeddedPostgres, root_cert: Path
) -> None:
    use(postgres.url("postgres") + "?sslmode=prefer")
    for query in ("?sslmode=require", f"?sslmode=verify-full&sslrootcert={root_cert}"):
        with pytest.raises(DatabaseUnavailable) as refusal:
            use(postgres.url("postgres") + query)
        assert "Server refuses SSL" in str(refusal.value.__cause__)
