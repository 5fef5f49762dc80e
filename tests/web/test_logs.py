"""Structured logs."""

import io
import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout

import pytest

from lib.web import logs
from lib.web.logs import CloudFormatter, RequestContext, TerminalFormatter
from lib.web.settings import ServerSettings


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


@pytest.mark.usefixtures("request_context")
def test_without_a_project_a_trace_stands_by_itself() -> None:
    entry = json.loads(CloudFormatter(None).format(record("written")))

    assert entry["logging.googleapis.com/trace"] == "a" * 32


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


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Return what is logged; how logging is configured is put back."""
    written = io.StringIO()
    ours, root = logging.getLogger("lib"), logging.getLogger()
    before = (ours.handlers[:], ours.level, ours.propagate, root.handlers[:], root.level)
    yield written
    ours.handlers[:], ours.level, ours.propagate, root.handlers[:], root.level = before


def configure(out: io.StringIO, *, in_cloud: bool = True) -> None:
    with redirect_stdout(out):
        logs.configure(ServerSettings(log_level="INFO", project=None, proxies=0, in_cloud=in_cloud))


def messages(out: io.StringIO) -> list[str]:
    return [json.loads(line)["message"] for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("in_cloud", [True, False])
def test_what_is_not_a_terminal_gets_json(out: io.StringIO, *, in_cloud: bool) -> None:
    configure(out, in_cloud=in_cloud)
    logging.getLogger("lib.anything").info("hello")
    logging.getLogger("lib.anything").debug("not this")

    assert messages(out) == ["hello"]


@pytest.mark.parametrize("rest", [{}, {"disable_existing_loggers": True}])
@pytest.mark.parametrize("times", [1, 2])
def test_who_configures_logging_after_us_silences_nobody(
    out: io.StringIO, rest: dict[str, bool], times: int
) -> None:
    early = logging.getLogger("lib.early")
    configure(out)
    theirs = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    for _ in range(times):
        logging.config.dictConfig(
            {"version": 1, "handlers": {"theirs": theirs}, "root": {"handlers": ["theirs"]}, **rest}
        )
    early.info("made before")
    logging.getLogger("lib.late").info("made after")

    assert messages(out) == ["made before", "made after"]


def test_who_silenced_us_before_we_came_is_overruled(out: io.StringIO) -> None:
    early = logging.getLogger("lib.early")
    early.disabled = logging.getLogger("lib").disabled = True

    configure(out)
    early.info("heard")

    assert messages(out) == ["heard"]
