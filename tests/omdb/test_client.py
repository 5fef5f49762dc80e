import io
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
import responses
import urllib3.exceptions
from responses import matchers

from lib.errors import ServiceError
from lib.omdb.client import CallLimits, OmdbClient
from lib.omdb.faults import (
    OmdbAnswerUnreadable,
    OmdbAnswerUnusable,
    OmdbIdMalformed,
    OmdbKeyRefused,
    OmdbMovieNotFound,
    OmdbQuotaExceeded,
    OmdbTimeout,
    OmdbUnavailable,
)
from lib.omdb.settings import OmdbSettings
from lib.settings import Secret
from tests.omdb_payloads import answer, hit, page, refusal

if TYPE_CHECKING:
    from lib.catalogue.source import MovieSource

URL = "https://omdb.example/"
KEY = "5ecre7k3y"
SWIFT = CallLimits(backoff=0)
HTML = "<html>Web server is down</html>"


@pytest.fixture
def omdb() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def client() -> Iterator[OmdbClient]:
    client = OmdbClient(settings_for(URL), call_limits=SWIFT)
    yield client
    client.close()


def settings_for(url: str) -> OmdbSettings:
    return OmdbSettings(url=url, api_key=Secret(KEY), daily_budget=1000, concurrency=4)


def query(**parameters: str) -> Callable[..., Any]:
    """Match a request with these parameters beside the key, and no others."""
    return matchers.query_param_matcher({"apikey": KEY, **parameters}, strict_match=True)


def test_the_client_is_a_source_of_movies(client: OmdbClient) -> None:
    source: MovieSource = client

    assert source is client


# --- what is asked -----------------------------------------------------------------------------


def test_an_id_is_asked_for_in_lower_case(omdb: responses.RequestsMock, client: OmdbClient) -> None:
    omdb.get(URL, body=answer(), match=[query(i="tt9900001")])

    assert client.find_by_id("TT9900001").title == "The Lighthouse Ledger"


@pytest.mark.parametrize("imdb_id", ["", "tt1", "nm0000001", "tt99000011234", "tt9900001\n"])
def test_what_cannot_be_an_id_is_not_asked_for(client: OmdbClient, imdb_id: str) -> None:
    with responses.RequestsMock(), pytest.raises(OmdbIdMalformed):
        client.find_by_id(imdb_id)


def test_a_title_is_asked_for_as_a_film(omdb: responses.RequestsMock, client: OmdbClient) -> None:
    omdb.get(URL, body=answer(), match=[query(t="Ledger & Löve", type="movie")])
    omdb.get(URL, body=answer(), match=[query(t="Ledger", type="movie", y="2010")])

    client.find_by_title("Ledger & Löve")
    client.find_by_title("Ledger", year=2010)


def test_a_search_sends_only_what_it_was_given(
    omdb: responses.RequestsMock, client: OmdbClient
) -> None:
    omdb.get(URL, body=page(hit(), total="11"), match=[query(s="ledger", page="1")])
    omdb.get(
        URL,
        body=refusal("Series not found!"),
        match=[query(s="ledger", page="2", type="series", y="2010")],
    )

    assert client.search("ledger", page=1).total == 11
    assert client.search("ledger", page=2, type="series", year=2010).hits == ()


def test_a_title_is_spared_what_omdbs_server_takes_for_an_attack(
    omdb: responses.RequestsMock, client: OmdbClient
) -> None:
    omdb.get(URL, body=answer(), match=[query(t="I  3 You # &amp;", type="movie")])

    client.find_by_title("I <3 You&# &amp;")
    with pytest.raises(OmdbMovieNotFound):
        client.find_by_title(" < ")


def test_the_client_names_itself_and_keeps_no_cookie(
    omdb: responses.RequestsMock, client: OmdbClient
) -> None:
    omdb.get(URL, body=answer(), headers={"Set-Cookie": "__cf_bm=1; Path=/"})

    client.find_by_id("tt9900001")
    client.find_by_id("tt9900001")

    sent = [call.request.headers for call in omdb.calls]
    assert all(headers["User-Agent"].startswith("simple-movie-database/") for headers in sent)
    assert all("Cookie" not in headers for headers in sent)


def test_the_environment_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, omdb: responses.RequestsMock, client: OmdbClient
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    omdb.get(URL, body=answer())

    client.find_by_id("tt9900001")

    assert not omdb.calls[0].request.req_kwargs["proxies"]  # type: ignore[attr-defined]


# --- what is tried again -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"body": requests.ConnectionError()},
        {"body": requests.ConnectTimeout()},
        {"body": requests.exceptions.SSLError()},
        {"body": requests.exceptions.ChunkedEncodingError()},
    ],
)
def test_what_may_pass_at_once_is_tried_again(
    omdb: responses.RequestsMock, client: OmdbClient, fault: dict[str, Any]
) -> None:
    omdb.get(URL, **fault)
    omdb.get(URL, **fault)
    omdb.get(URL, body=answer())

    assert client.find_by_id("tt9900001").imdb_id == "tt9900001"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ({"body": requests.ConnectionError()}, OmdbUnavailable),
        ({"body": requests.ConnectTimeout()}, OmdbTimeout),
    ],
)
def test_after_the_last_attempt_the_fault_is_raised(
    omdb: responses.RequestsMock,
    client: OmdbClient,
    fault: dict[str, Any],
    raised: type[ServiceError],
) -> None:
    omdb.get(URL, **fault)

    with pytest.raises(raised):
        client.find_by_id("tt9900001")
    assert len(omdb.calls) == 3


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        ({"body": refusal("Movie not found!")}, OmdbMovieNotFound),
        ({"status": 401, "body": refusal("Request limit reached!")}, OmdbQuotaExceeded),
        ({"status": 401, "body": refusal("Invalid API key!")}, OmdbKeyRefused),
        ({"status": 500, "body": refusal("Request limit reached!")}, OmdbQuotaExceeded),
        ({"status": 503, "body": refusal("Movie not found!")}, OmdbMovieNotFound),
        ({"status": 403, "body": HTML}, OmdbUnavailable),
        ({"status": 404, "body": HTML}, OmdbUnavailable),
        ({"status": 500, "body": HTML}, OmdbUnavailable),
        ({"status": 503, "body": b"The service is unavailable."}, OmdbUnavailable),
        ({"status": 524, "body": HTML}, OmdbUnavailable),
        ({"status": 429, "body": HTML}, OmdbQuotaExceeded),
        ({"status": 200, "body": HTML}, OmdbUnavailable),
        ({"status": 204, "body": b""}, OmdbUnavailable),
        ({"status": 200, "body": b"{"}, OmdbAnswerUnreadable),
        ({"body": requests.ReadTimeout()}, OmdbTimeout),
        ({"body": requests.exceptions.ContentDecodingError()}, OmdbUnavailable),
    ],
)
def test_what_will_not_pass_is_asked_for_once(
    omdb: responses.RequestsMock,
    client: OmdbClient,
    reply: dict[str, Any],
    raised: type[ServiceError],
) -> None:
    omdb.get(URL, **reply)

    with pytest.raises(ServiceError) as caught:
        client.find_by_id("tt9900001")
    assert caught.type is raised
    assert len(omdb.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "http://169.254.169.254/computeMetadata/v1/", URL, "//x", "\x80"],
)
def test_a_redirect_is_not_followed(
    omdb: responses.RequestsMock, client: OmdbClient, status: int, target: str
) -> None:
    omdb.get(URL, status=status, headers={"Location": target}, body=HTML)

    with pytest.raises(OmdbUnavailable):
        client.find_by_id("tt9900001")
    assert len(omdb.calls) == 1


def test_attempts_end_where_the_whole_calls_time_does(omdb: responses.RequestsMock) -> None:
    omdb.get(URL, body=requests.ConnectionError())
    client = OmdbClient(settings_for(URL), call_limits=CallLimits(call_timeout=0))

    with pytest.raises(OmdbUnavailable):
        client.find_by_id("tt9900001")
    assert len(omdb.calls) == 1


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(
    omdb: responses.RequestsMock, client: OmdbClient
) -> None:
    body = answer()
    padding = SWIFT.body_bytes - len(body)
    omdb.get(URL, body=body + b" " * padding)
    omdb.get(URL, body=body + b" " * (padding + 1))

    assert client.find_by_id("tt9900001").imdb_id == "tt9900001"
    with pytest.raises(OmdbAnswerUnusable):
        client.find_by_id("tt9900001")


# --- what becomes of foreign exceptions, and of the key ----------------------------------------


def subclasses(of: type[Exception]) -> Iterator[type[Exception]]:
    yield of
    for one in of.__subclasses__():
        yield from subclasses(one)


def example_of(kind: type[Exception]) -> Exception:
    """Make an exception as `requests` would: with the address, and so the key, in its text."""
    text = f"GET {URL}?apikey={KEY} failed"
    if issubclass(kind, requests.JSONDecodeError):
        return kind(text, text, 0)
    return kind(text)


FOREIGN: list[Exception] = [
    *(example_of(kind) for kind in subclasses(requests.RequestException)),
    requests.ConnectionError(urllib3.exceptions.ReadTimeoutError(None, KEY, KEY)),  # type: ignore[arg-type]
    urllib3.exceptions.LocationParseError(KEY),
    urllib3.exceptions.ProtocolError(KEY),
    urllib3.exceptions.ReadTimeoutError(None, KEY, KEY),  # type: ignore[arg-type]
    ConnectionResetError(KEY),
    TimeoutError(KEY),
    OSError(KEY),
    ValueError(KEY),
    UnicodeEncodeError("idna", KEY, 0, 1, KEY),
]


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
def test_no_exception_of_requests_is_unmapped_or_shows_the_key(
    omdb: responses.RequestsMock,
    client: OmdbClient,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    caplog.set_level(logging.DEBUG)
    omdb.get(URL, body=error)

    with pytest.raises((OmdbUnavailable, OmdbTimeout)) as caught:
        client.find_by_id("tt9900001")

    timed_out = "Timeout" in type(error).__name__ or "ReadTimeout" in repr(error.args)
    assert caught.type is (OmdbTimeout if timed_out else OmdbUnavailable)
    assert_no_key(caught.value, caplog)
    assert caplog.records[0].__dict__["fields"]["error_class"] == type(error).__name__


@pytest.mark.parametrize(
    "reply",
    [
        {"status": 503, "body": KEY},
        {"status": 200, "body": f'{{"echo": "{KEY}"'},
        {"status": 200, "body": f'{{"Title": ["{KEY}"], "Response": "True"}}'},
        {"status": 401, "body": refusal(f"Invalid API key! {KEY}")},
        {"status": 302, "headers": {"Location": f"{URL}?apikey={KEY}"}},
        {"status": 200, "body": refusal("Error getting data.")},
    ],
)
def test_no_fault_of_an_answer_shows_the_key(
    omdb: responses.RequestsMock,
    client: OmdbClient,
    caplog: pytest.LogCaptureFixture,
    reply: dict[str, Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    omdb.get(URL, **reply)

    with pytest.raises(ServiceError) as caught:
        client.find_by_id("tt9900001")

    assert_no_key(caught.value, caplog)


def assert_no_key(fault: ServiceError, caplog: pytest.LogCaptureFixture) -> None:
    """Look for the key wherever a log, a debugger or an error tracker would find it."""
    assert fault.__cause__ is None
    assert fault.__context__ is None
    shown = [
        str(fault),
        repr(fault),
        repr(vars(fault)),
        "".join(traceback.format_exception(fault)),
        *(repr(vars(record)) + record.getMessage() for record in caplog.records),
        caplog.text,
    ]
    stack = traceback.TracebackException.from_exception(fault, capture_locals=True)
    ours = [frame for frame in stack.stack if "/lib/omdb" in frame.filename.replace("tests", "")]
    shown += [repr(frame.locals) for frame in ours]
    assert ours
    assert not [text for text in shown if KEY in text]


def test_a_refused_key_is_an_error_in_the_log_and_a_miss_is_nothing(
    omdb: responses.RequestsMock, client: OmdbClient, caplog: pytest.LogCaptureFixture
) -> None:
    omdb.get(URL, status=401, body=refusal("Invalid API key!"))
    omdb.get(URL, body=refusal("Movie not found!"))

    with pytest.raises(OmdbKeyRefused):
        client.find_by_id("tt9900001")
    with pytest.raises(OmdbMovieNotFound):
        client.find_by_id("tt9900001")

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert caplog.records[0].__dict__["fields"] == {
        "attempt": 1,
        "error_class": "OmdbKeyRefused",
        "status": 401,
    }


@pytest.mark.parametrize("logger", ["urllib3.connection", "urllib3.connectionpool"])
def test_urllib3_logs_no_address_with_a_key(client: OmdbClient, logger: str) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger(logger).addHandler(handler)
    try:
        logging.getLogger(logger).warning("Failed to parse headers (url=%s)", f"/?apikey={KEY}")
        logging.getLogger(logger).warning("Connection pool is full")
    finally:
        logging.getLogger(logger).removeHandler(handler)

    assert client
    assert written.getvalue() == "Connection pool is full\n"
