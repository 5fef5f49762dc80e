"""When a run is over: its deadline, or a wish to end that comes from outside."""

import signal
import threading
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Final, Literal

_terminated: Final = threading.Event()


@dataclass(frozen=True, kw_only=True)
class WorkingTime:
    """How long a run may take work.

    Attributes:
        ends_at: In the time of `time.monotonic`; None for a run that ends with its work.
        asked_to_stop: Set from outside.
    """

    ends_at: float | None = None
    asked_to_stop: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of_function(cls, seconds: float) -> "WorkingTime":
        """Work for so long, or until the instance is told to end."""
        return cls(ends_at=time.monotonic() + seconds, asked_to_stop=_terminated)

    @property
    def left(self) -> float:
        """Seconds that are left, at most an hour."""
        return 3600.0 if self.ends_at is None else self.ends_at - time.monotonic()

    def find_reason_to_stop(self) -> Literal["shutdown", "deadline"] | None:
        """Say why no more work may be taken; None while it may."""
        if self.asked_to_stop.is_set():
            return "shutdown"
        return "deadline" if self.left <= 0 else None

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than work may be taken."""
        self.asked_to_stop.wait(min(seconds, max(0.0, self.left)))


def notice_shutdown() -> None:
    """Let runs notice SIGTERM and Ctrl-C, which the server keeps to itself.

    The server waits for a request under way, but does not tell it to hurry. Its own signal handlers
    are installed after the fork, when this module is long imported; ours go before them with the
    first request. Called on the event loop, as that runs in the main thread, which alone may
    install any.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            _go_before_the_server(number)


def _go_before_the_server(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    if getattr(before, "is_ours", False) or before is signal.SIG_IGN:
        return

    def stop(_number: int, frame: FrameType | None) -> None:
        _terminated.set()
        if callable(before):
            before(number, frame)
        else:  # nobody else wants it: the default is to end
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    stop.is_ours = True  # type: ignore[attr-defined]
    signal.signal(number, stop)
