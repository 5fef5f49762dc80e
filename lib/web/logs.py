"""Structured logs on stdout, in Cloud Logging's format; readable lines on a terminal.

Cloud Run logs every request by itself. Ours say what it cannot know, and carry the request's id
and trace, so that both stand together in the log explorer. What a record adds goes into
`extra={"fields": {...}}`; never a token, a password, a key, or a statement's parameters.

https://cloud.google.com/logging/docs/structured-logging
https://cloud.google.com/error-reporting/docs/formatting-error-messages
"""

import json
import logging
import logging.config
import sys
import traceback
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lib.web.settings import ServerSettings

_REPORTED_ERROR: Final = (
    "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"
)


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """What ties a record to the request that it was written for.

    Attributes:
        trace: W3C trace id, 32 hex digits, when the caller or the platform sent one.
        span: 16 hex digits.
    """

    request_id: str
    trace: str | None = None
    span: str | None = None


current_request: Final[ContextVar[RequestContext | None]] = ContextVar("request", default=None)


class CloudFormatter(logging.Formatter):
    """One JSON object a line, with the members that Cloud Logging gives a meaning."""

    def __init__(self, project: str | None) -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; the stack goes where Error Reporting looks for it."""
        entry: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            **_fields(record),
        }
        request = current_request.get()
        if request is not None:
            entry["request_id"] = request.request_id
            if request.trace:
                # Cloud Logging joins by the long name; without a project the bare id must do.
                where = f"projects/{self._project}/traces/" if self._project else ""
                entry["logging.googleapis.com/trace"] = where + request.trace
            if request.span:
                entry["logging.googleapis.com/spanId"] = request.span
        if record.exc_info and record.exc_info[1] is not None:
            entry["error_class"] = type(record.exc_info[1]).__name__
            entry["stack_trace"] = stack_without_values(record.exc_info[1])
            entry["@type"] = _REPORTED_ERROR
        return json.dumps(entry, ensure_ascii=True, default=str)


class TerminalFormatter(logging.Formatter):
    """A line for a person: time, level, what happened, what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, with the stack below it where there is one."""
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = f"{moment} {record.levelname:<7} {record.getMessage()}{fields}"
        # A message may repeat what a caller sent: no line break of theirs starts a line of ours.
        line = line.replace("\r", "\\r").replace("\n", "\\n")
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + stack_without_values(record.exc_info[1])
        return line


class SparingConfigurator(logging.config.DictConfigurator):
    """Configures logging as it is told to, but silences no logger that is there already.

    With `LOG_EXECUTION_ID`, which Google sets, functions-framework calls `dictConfig` once it has
    imported a function, and what that does by default is to disable all loggers that exist.
    """

    def configure(self) -> None:
        """Take the configuration over."""
        self.config["disable_existing_loggers"] = False
        super().configure()


# Where `dictConfig` looks for what does its work: the hook that the standard library documents.
logging.config.dictConfigClass = SparingConfigurator


def configure(settings: ServerSettings) -> None:
    """Send the records of `lib` and the functions to stdout, in the form its reader needs."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("lib."):
            logging.getLogger(name).disabled = False  # whoever silenced it was here before us
    handler = logging.StreamHandler(sys.stdout)
    terminal = not settings.in_cloud and sys.stdout.isatty()
    handler.setFormatter(TerminalFormatter() if terminal else CloudFormatter(settings.project))
    logger = logging.getLogger("lib")
    logger.handlers[:] = [handler]
    logger.disabled = False
    logger.setLevel(settings.log_level)
    logger.propagate = False


def stack_without_values(error: BaseException) -> str:
    """Return the traceback with the exceptions' classes but without their messages.

    A driver's message can hold an SQL parameter, that of requests the address with the API key.
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    lines: list[str] = []
    for part in reversed(chain):
        lines += ["Traceback (most recent call last):\n", *traceback.format_tb(part.__traceback__)]
        lines.append(f"{type(part).__module__}.{type(part).__qualname__}\n")
    return "".join(lines).rstrip("\n")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields
