"""Structured logs."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from lib import logs
from lib.logs import CloudFormatter, RequestContext, TerminalFormatter
from lib.settings import ServerSettings


@pytest.fixture
def request_context() -> Iterator[RequestContext]:
    context = RequestContext(request_id="r-1", trace="a" * 32, span="b" * 16)
    token = logs.current_request.set(context)
    yield context
    logs.current_request.reset(token)


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("lib.x", logging.WARNING, __file__, 1, message, (), None)
    made.fields = fields
    return made


def failing() -> logging.LogRecord:
    made = record("it failed")
    inner, outer = ValueError("pass" + "word"), RuntimeError("sec" + "ret")
    try:
        try:
            raise inner
        except ValueError as error:
            raise outer from error
    except RuntimeError:
        made.exc_info = sys.exc_info()
    return made


@pytest.mark.usefixtures("request_context")
def test_a_record_stands_with_its_request_and_trace() -> None:
    entry = json.loads(CloudFormatter("my-project").format(record("written", imdb_id="tt0000001")))

    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "severity": "WARNING",
        "message": "written",
        "logger": "lib.x",
        "imdb_id": "tt0000001",
        "request_id": "r-1",
        "logging.googleapis.com/trace": f"projects/my-project/traces/{'a' * 32}",
        "logging.googleapis.com/spanId": "b" * 16,
    }


def test_without_a_request_there_is_only_the_record() -> None:
    entry = json.loads(CloudFormatter(None).format(record("started")))

    assert set(entry) == {"severity", "message", "time", "logger"}


def test_a_stack_is_reported_without_the_words_of_the_exceptions() -> None:
    entry = json.loads(CloudFormatter(None).format(failing()))

    assert entry["error_class"] == "RuntimeError"
    assert entry["@type"].endswith("ReportedErrorEvent")
    assert "builtins.ValueError" in entry["stack_trace"]
    assert "builtins.RuntimeError" in entry["stack_trace"]
    assert __file__ in entry["stack_trace"]
    assert "secret" not in json.dumps(entry)
    assert "password" not in json.dumps(entry)


def test_one_record_is_one_line() -> None:
    message = 'a\nb\r\n{"severity": "ERROR"}\u2028'

    assert CloudFormatter(None).format(record(message)).splitlines() != []
    assert len(CloudFormatter(None).format(record(message)).splitlines()) == 1
    assert len(TerminalFormatter().format(record(message)).split("\n")) == 1


def test_a_terminal_shows_level_message_fields_and_stack() -> None:
    assert TerminalFormatter().format(record("written", id=5)).endswith("WARNING written id=5")
    assert "builtins.RuntimeError" in TerminalFormatter().format(failing())


@pytest.mark.parametrize("in_cloud", [True, False])
def test_what_is_not_a_terminal_gets_json(
    monkeypatch: pytest.MonkeyPatch, *, in_cloud: bool
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    logger = logging.getLogger("lib")
    before = (logger.handlers[:], logger.level, logger.propagate)
    try:
        logs.configure(ServerSettings(log_level="INFO", project=None, proxies=0, in_cloud=in_cloud))
        logging.getLogger("lib.anything").info("hello")
        logging.getLogger("lib.anything").debug("not this")
    finally:
        logger.handlers[:], logger.level, logger.propagate = before

    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == ["hello"]
