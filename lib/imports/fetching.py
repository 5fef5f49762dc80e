"""The threads that call OMDb: items in, what came of them out."""

import logging
import queue
import threading
import time
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lib.catalogue.movie import Movie
from lib.catalogue.source import KeyRefused, MovieSource, QuotaSpent, is_outage
from lib.errors import InternalError, ServiceError
from lib.imports.judging import Item
from lib.imports.pace import Pace

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came of an item: a movie, a fault, or neither when it was not fetched at all."""

    item: Item
    movie: Movie | None = None
    fault: ServiceError | None = None


class Fetchers:
    """As many threads as calls may be made at once, from `with` to its end."""

    def __init__(self, source: MovieSource, pace: Pace, *, threads: int) -> None:
        self._source = source
        self._pace = pace
        self._todo: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Fetched] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._threads = [
            # Each in the run's context, so that its records carry the request's id and trace.
            threading.Thread(target=copy_context().run, args=(self._work,), daemon=True)
            for _ in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        for _ in self._threads:
            self._todo.put(None)

    def add(self, item: Item) -> None:
        """Have an item fetched."""
        self._todo.put(item)

    def stop(self) -> None:
        """Make no further call; what waits comes back unfetched, what is under way as it ends."""
        self._stopping.set()

    def collect(self, *, most: int, first_within: float, rest_within: float) -> list[Fetched]:
        """Wait for a result, and a moment longer for those that come with it."""
        found: list[Fetched] = []
        ends = time.monotonic() + first_within
        while len(found) < most:
            try:
                found.append(self._done.get(timeout=max(0.0, ends - time.monotonic())))
            except queue.Empty:
                break
            if len(found) == 1:
                ends = time.monotonic() + rest_within
        return found

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            if self._pace.enter(self._stopping.is_set):
                self._done.put(self._fetch(item))
            else:
                self._done.put(Fetched(item=item))

    def _fetch(self, item: Item) -> Fetched:
        started = time.monotonic()
        fault: ServiceError | None = None
        try:
            return Fetched(item=item, movie=self._source.find_by_id(item.imdb_id))
        except ServiceError as error:
            fault = error
            if isinstance(error, QuotaSpent | KeyRefused):
                self.stop()  # at once: every further call would be refused as well
        except Exception:
            log.exception("unforeseen fault of a fetch")
            fault = InternalError("A fault of our own.")
        finally:
            self._pace.leave(
                time.monotonic() - started,
                failed=is_outage(fault),
                counts=not isinstance(fault, QuotaSpent | KeyRefused | InternalError),
            )
        return Fetched(item=item, fault=fault)
