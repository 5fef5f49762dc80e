"""The client against a server that misbehaves on the wire, in times of a test."""

import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib.errors import ServiceError
from lib.omdb.client import CallLimits, OmdbClient
from lib.omdb.faults import OmdbAnswerUnusable, OmdbTimeout, OmdbUnavailable
from lib.omdb.settings import OmdbSettings
from lib.settings import Secret
from tests.misbehaving_server import BOMB, Behaviour, MisbehavingServer, Peer
from tests.omdb_payloads import answer

KEY = "5ecre7k3y"
# For faults that only time ends, and for those that must be seen as they are on a busy machine.
HASTY = CallLimits(
    connect_timeout=0.2, read_timeout=0.15, attempt_timeout=0.25, call_timeout=0.5, backoff=0.01
)
PATIENT = CallLimits(body_bytes=100_000, backoff=0.01)
SLACK = 0.4  # of a busy machine
EVERY = 0.05


def client_for(url: str, limits: CallLimits = PATIENT) -> OmdbClient:
    settings = OmdbSettings(url=url, api_key=Secret(KEY), daily_budget=1000, concurrency=4)
    return OmdbClient(settings, call_limits=limits)


@contextmanager
def client_of(
    behaviour: Behaviour, limits: CallLimits = PATIENT
) -> Iterator[tuple[OmdbClient, MisbehavingServer]]:
    with MisbehavingServer(behaviour) as server:
        client = client_for(server.url, limits)
        yield client, server
        client.close()


def head(*headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"Content-Type: application/json", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def length(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def sound(peer: Peer) -> None:
    peer.send(head(length(answer())) + answer())


def drip_body(peer: Peer) -> None:
    peer.send(head())
    peer.drip(b" ", every=EVERY)


def drip_chunks(peer: Peer) -> None:
    peer.send(head(b"Transfer-Encoding: chunked"))
    peer.drip(b"1\r\n \r\n", every=EVERY)


def drip_chunk_length(peer: Peer) -> None:
    peer.send(head(b"Transfer-Encoding: chunked"))
    peer.drip(b"0", every=EVERY)


def drip_status(peer: Peer) -> None:
    peer.drip(b"HTTP/1.1 200 ", every=EVERY)


def drip_header(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    peer.drip(b"a", every=EVERY)


def drip_headers(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.drip(b"X: y\r\n", every=EVERY)


def drip_continues(peer: Peer) -> None:
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n", every=0.01)


def hang_at_once(peer: Peer) -> None:
    peer.hang()


def hang_in_the_body(peer: Peer) -> None:
    peer.send(head(length(answer())) + answer()[:100])
    peer.hang()


@pytest.mark.parametrize(
    "behaviour",
    [
        drip_body,
        drip_chunks,
        drip_chunk_length,
        drip_status,
        drip_header,
        drip_headers,
        drip_continues,
        hang_at_once,
        hang_in_the_body,
    ],
)
def test_an_answer_that_does_not_come_in_time_is_a_timeout(behaviour: Behaviour) -> None:
    with client_of(behaviour, HASTY) as (client, server):
        started = time.monotonic()
        with pytest.raises(OmdbTimeout):
            client.find_by_id("tt9900001")

        assert time.monotonic() - started < HASTY.attempt_timeout + SLACK
        assert len(server.requests) == 1


def test_silence_is_a_timeout_long_before_the_attempts_end() -> None:
    limits = CallLimits(read_timeout=0.15, attempt_timeout=4)
    with client_of(hang_in_the_body, limits) as (client, _):
        started = time.monotonic()
        with pytest.raises(OmdbTimeout):
            client.find_by_id("tt9900001")

        assert time.monotonic() - started < limits.read_timeout + SLACK


def test_a_port_that_accepts_nothing_is_a_timeout_within_the_whole_call() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address):  # the only place in the queue
            client = client_for(f"http://127.0.0.1:{address[1]}/", HASTY)
            started = time.monotonic()
            with pytest.raises(OmdbTimeout):
                client.find_by_id("tt9900001")

            assert time.monotonic() - started < HASTY.call_timeout + SLACK
            client.close()


def reset_at_once(peer: Peer) -> None:
    peer.reset()


def reset_in_the_headers(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-")
    peer.reset()


def reset_in_the_body(peer: Peer) -> None:
    peer.send(head(length(answer())) + answer()[:100])
    peer.reset()


def close_at_once(peer: Peer) -> None:
    del peer


def cut_off(peer: Peer) -> None:
    peer.send(head(length(answer())) + answer()[:100])


def cut_off_chunks(peer: Peer) -> None:
    peer.send(head(b"Transfer-Encoding: chunked") + b"64\r\n" + answer()[:100])


def garbage_chunks(peer: Peer) -> None:
    peer.send(head(b"Transfer-Encoding: chunked") + b"zz\r\n")


def garbage_status(peer: Peer) -> None:
    peer.send(b"\x00\xff\x16garbage\r\n\r\n")


def flood_headers(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.flood(b"X: y\r\n")


def unavailable(peer: Peer) -> None:
    peer.send(head(b"Content-Length: 4", status=b"503 Service Unavailable") + b"down")


@pytest.mark.parametrize(
    "behaviour",
    [
        reset_at_once,
        reset_in_the_headers,
        reset_in_the_body,
        close_at_once,
        cut_off,
        cut_off_chunks,
        garbage_chunks,
        garbage_status,
        flood_headers,
    ],
)
def test_a_broken_connection_is_tried_again_and_then_unavailable(behaviour: Behaviour) -> None:
    with client_of(behaviour) as (client, server):
        with pytest.raises(OmdbUnavailable) as caught:
            client.find_by_id("tt9900001")

        assert caught.type is OmdbUnavailable
        assert len(server.requests) == 3


class Counting:
    """Count the calls that are taken."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self) -> None:
        """Count one."""
        self.taken += 1

    def note(self, fault: ServiceError | None) -> ServiceError | None:
        """Let it be told as it is."""
        return fault


def bad_gateway(peer: Peer) -> None:
    peer.send(head(b"Content-Length: 0", status=b"502 Bad Gateway"))


@pytest.mark.parametrize(
    ("behaviours", "calls"),
    [
        ((reset_at_once,) * 3, 1),
        ((reset_in_the_headers, cut_off, close_at_once), 1),
        ((reset_at_once, sound), 1),
        ((unavailable,), 1),
        ((bad_gateway,), 1),
        ((reset_at_once, bad_gateway), 1),
        ((sound,), 1),
    ],
)
def test_a_question_costs_one_call_and_is_repeated_only_without_an_answer(
    behaviours: tuple[Behaviour, ...], calls: int
) -> None:
    turns = iter(behaviours)

    def next_turn(peer: Peer) -> None:
        next(turns)(peer)

    meter = Counting()
    with MisbehavingServer(next_turn) as server:
        settings = OmdbSettings(
            url=server.url, api_key=Secret(KEY), daily_budget=1000, concurrency=4
        )
        client = OmdbClient(settings, call_limits=PATIENT, meter=meter)
        with suppress(OmdbUnavailable):
            client.find_by_id("tt9900001")
        client.close()

        assert len(server.requests) == len(behaviours)
    assert meter.taken == calls


def test_nobody_at_the_address_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    client = client_for(url)

    with pytest.raises(OmdbUnavailable):
        client.find_by_id("tt9900001")
    client.close()


def flood_body(peer: Peer) -> None:
    peer.send(head())
    peer.flood(b" " * 65_536)


def bomb(peer: Peer) -> None:
    peer.send(head(b"Content-Encoding: gzip", length(BOMB)) + BOMB)


@pytest.mark.parametrize("behaviour", [flood_body, bomb])
def test_a_body_that_grows_too_large_is_given_up_early(behaviour: Behaviour) -> None:
    with client_of(behaviour) as (client, server):
        started = time.monotonic()
        with pytest.raises(OmdbAnswerUnusable):
            client.find_by_id("tt9900001")

        assert time.monotonic() - started < 2
        assert len(server.requests) == 1


def wrong_gzip(peer: Peer) -> None:
    peer.send(head(b"Content-Encoding: gzip", length(answer())) + answer())


def flooding_redirect(peer: Peer) -> None:
    peer.send(head(b"Location: http://169.254.169.254/", status=b"302 Found"))
    peer.flood(b" " * 65_536)


@pytest.mark.parametrize("behaviour", [wrong_gzip, flooding_redirect])
def test_other_nonsense_is_unavailable_at_once(behaviour: Behaviour) -> None:
    with client_of(behaviour) as (client, server):
        with pytest.raises(OmdbUnavailable):
            client.find_by_id("tt9900001")

        assert len(server.requests) == 1


def odd_headers(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n no name\r\nX\x00: \xff\r\n" + length(answer()) + b"\r\n\r\n")
    peer.send(answer())


@pytest.mark.parametrize(
    "behaviour", [sound, odd_headers, reset_in_the_body, garbage_status, bomb, unavailable]
)
def test_nothing_on_the_wire_brings_the_key_into_a_log(
    behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with client_of(behaviour) as (client, server):
        try:
            client.find_by_id("tt9900001")
        except ServiceError as fault:
            assert fault.__context__ is None  # noqa: PT017

        assert KEY.encode() in server.requests[0]
    assert KEY not in caplog.text
    assert not [record for record in caplog.records if KEY in repr(vars(record))]


def keep_answering(peer: Peer) -> None:
    sound(peer)
    while peer.read_request():
        sound(peer)


def test_threads_may_share_a_client() -> None:
    with client_of(keep_answering) as (client, server):
        with ThreadPoolExecutor(8) as threads:
            movies = threads.map(client.find_by_id, ["tt9900001"] * 80)
            assert {movie.imdb_id for movie in movies} == {"tt9900001"}

        assert len(server.requests) < 80


def test_connections_are_kept_alive_and_replaced_when_they_died() -> None:
    def twice_then_close(peer: Peer) -> None:
        sound(peer)
        peer.read_request()
        sound(peer)

    with client_of(twice_then_close) as (client, server):
        for _ in range(4):
            assert client.find_by_id("tt9900001").imdb_id == "tt9900001"

        assert len(server.requests) == 2


def test_the_client_recovers_after_every_fault() -> None:
    faults = iter([reset_in_the_body, bomb, garbage_status, sound, sound])

    def next_fault(peer: Peer) -> None:
        next(faults)(peer)

    with client_of(next_fault) as (client, _):
        outcomes = []
        for _ in range(3):
            try:
                outcomes.append(client.find_by_id("tt9900001").imdb_id)
            except ServiceError as fault:
                outcomes.append(type(fault).__name__)

    assert outcomes == ["OmdbAnswerUnusable", "tt9900001", "tt9900001"]


# --- over TLS, as towards OMDb itself ----------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for the loopback address, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "misbehaving")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("behaviour", [drip_body, drip_header, hang_at_once])
def test_the_deadline_holds_over_tls(
    behaviour: Behaviour, tls: ssl.SSLContext, certificate: Path
) -> None:
    with MisbehavingServer(behaviour, tls=tls) as server:
        client = client_for(server.url, HASTY)
        client._session.verify = str(certificate)
        started = time.monotonic()
        with pytest.raises(OmdbTimeout):
            client.find_by_id("tt9900001")

        assert time.monotonic() - started < HASTY.attempt_timeout + SLACK
        client.close()


def test_a_sound_answer_comes_over_tls(tls: ssl.SSLContext, certificate: Path) -> None:
    with MisbehavingServer(sound, tls=tls) as server:
        client = client_for(server.url)
        client._session.verify = str(certificate)

        assert client.find_by_id("tt9900001").imdb_id == "tt9900001"
        client.close()


def test_a_certificate_that_nobody_vouches_for_gets_no_key(tls: ssl.SSLContext) -> None:
    with MisbehavingServer(sound, tls=tls) as server:
        client = client_for(server.url)
        with pytest.raises(OmdbUnavailable):
            client.find_by_id("tt9900001")

        assert server.requests == []
        client.close()
