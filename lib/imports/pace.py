"""How many calls OMDb gets at once: fewer as it slows down or fails, none while it is down.

The limit grows by one call each time all calls at once went well, and is cut when one is slow or
fails (as TCP does with its window). After ten faults in a row with nothing good between them the
breaker opens: no call for a second, then a single one to see whether it is over; then for two,
four and eight seconds; then the run gives up and leaves the rest to the next.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

FAULTS_IN_A_ROW: Final = 10
PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
_SLOW_SECONDS: Final = 1.0  # faster is never slow,
_SLOW_TIMES: Final = 4  # and slower only when it is so many times slower than usual
_CUT_SECONDS: Final = 0.5  # between two cuts: calls that failed together are one event


class Pace:
    """What the threads of one process ask before each call, and tell after it.

    Attributes:
        given_up: Whether the breaker has opened more often than it is worth trying.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._changed = threading.Condition()
        self._limit = float(most)
        self._under_way = 0
        self._usual: float | None = None
        self._cut_at = -_CUT_SECONDS
        self._faults = 0
        self._openings = 0
        self._closed_until: float | None = None
        self.given_up = False

    @property
    def limit(self) -> int:
        """How many calls may be under way."""
        return max(1, int(self._limit))

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open: OMDb is down, so no fault is a single title's."""
        return self._openings > 0

    @property
    def faults(self) -> int:
        """How many calls have failed since the last good one."""
        return self._faults

    def reset(self) -> None:
        """Begin a run: what the last one has learned of OMDb's speed is kept, not its faults."""
        with self._changed:
            if not self._under_way:
                self._faults = self._openings = 0
                self._closed_until, self.given_up = None, False

    def go_one_by_one(self) -> None:
        """Make one call at a time until one went well."""
        with self._changed:
            self._limit, self._faults = 1.0, max(1, self._faults)

    def enter(self, is_over: Callable[[], bool]) -> bool:
        """Wait for the turn of one call; give up waiting, with False, once it is over."""
        with self._changed:
            while not is_over() and not self.given_up:
                wait = self._wait()
                if not wait:
                    self._under_way += 1
                    return True
                self._changed.wait(min(wait, 0.25))
        return False

    def leave(self, seconds: float, *, failed: bool, counts: bool = True) -> None:
        """Tell how a call went; one that says nothing about OMDb does not count."""
        with self._changed:
            self._under_way -= 1
            if counts and failed:
                self._note_fault()
            elif counts:
                self._note_success(seconds)
            self._changed.notify_all()

    def _wait(self) -> float:
        if self._closed_until is not None:
            left = self._closed_until - self._clock()
            if left > 0:
                return left
        return 0.0 if self._under_way < self.limit else 1.0

    def _note_success(self, seconds: float) -> None:
        if self._faults:
            # It was down or in doubt and is back: half of what it took before, and then slowly up.
            self._limit = max(self._limit, self._most / 2)
        if self._openings:
            log.info("OMDb breaker closed")
        self._faults = self._openings = 0
        self._closed_until = None
        usual = seconds if self._usual is None else self._usual
        self._usual = usual + (seconds - usual) / 20
        if seconds > max(_SLOW_SECONDS, _SLOW_TIMES * usual):
            self._cut(0.75)
        else:
            self._limit = min(self._most, self._limit + 1 / self._limit)

    def _note_fault(self) -> None:
        self._faults += 1
        self._cut(0.5)
        tried_again = self._closed_until is not None and self._clock() >= self._closed_until
        if tried_again or (self._closed_until is None and self._faults >= FAULTS_IN_A_ROW):
            self._break()

    def _cut(self, factor: float) -> None:
        if self._clock() - self._cut_at >= _CUT_SECONDS:
            self._cut_at = self._clock()
            self._limit = max(1.0, self._limit * factor)

    def _break(self) -> None:
        self._limit = 1.0
        self._openings += 1
        if self._openings > len(PAUSES):
            self.given_up = True
            return
        pause = PAUSES[self._openings - 1]
        self._closed_until = self._clock() + pause
        if self._openings == 1:
            log.error("OMDb breaker opened", extra={"fields": {"faults": self._faults}})
