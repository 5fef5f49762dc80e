"""Equal questions, asked once for all who wait.

Who asks while an equal question is under way waits for the next, which is put when that one is
answered: for all together who have come by then. So nobody gets what was read before they asked,
and whoever has just written sees it; nobody waits for more than two; and however many ask, the
database hears one at a time. Nothing is kept: with its answer a question is forgotten.
"""

import asyncio
import contextvars
import functools
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Generic, TypeVar

from lib import limits
from lib.web import callers

T = TypeVar("T")


class Run(Generic[T]):
    """A question that is put once, for all who asked before it was sent.

    It is a task of its own, so that no caller who gives up ends it.

    Args:
        put: Puts the question, calls `note_sent`, and returns the answer.
        forget: Called with the run in the step in which it ends.

    Attributes:
        callers: Those who wait for it.
        is_sent: Whether it is too late to join, as what it reads may be older than who comes now.
    """

    def __init__(
        self, put: Callable[["Run[T]"], Awaitable[T]], forget: Callable[["Run[T]"], None]
    ) -> None:
        self.callers: Final[list[callers.Caller | None]] = []
        self.is_sent = False
        self._put, self._forget = put, forget
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[T] = self._loop.create_future()
        # What is logged on the way stands under the id of the first who asked.
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[None] | None = None
        self._next: Run[T] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def note_sent(self) -> None:
        """Let nobody join any more: said in the very step that sends the question."""
        self.is_sent = True

    def begin(self) -> None:
        """Put the question, unless that was done already."""
        if self._task is None:
            self._task = self._loop.create_task(self._run(), context=self._context)

    def let_follow(self, other: "Run[T]") -> None:
        """Have another begin when this one ends, or in a moment, as this one may hang."""
        self._next = other
        self._alarm = self._loop.call_later(limits.EQUAL_TIMEOUT, other.begin)

    async def join(self) -> T:
        """Wait for the answer; who gives up takes nothing from the others."""
        self.callers.append(callers.current.get())
        return await asyncio.shield(self._answer)

    async def _run(self) -> None:
        try:
            answer = await self._put(self)
        except Exception as error:  # noqa: BLE001  it is raised to each who waits
            self._end()
            self._answer.set_exception(error)
            self._answer.exception()  # nobody is missed if all have given up
        except BaseException:
            self._forget(self)  # the loop ends, and with it all who wait
            self._answer.cancel()
            raise
        else:
            self._end()
            self._answer.set_result(answer)

    def _end(self) -> None:
        # In the same step as the answer, as who came between would join what is over. The next is
        # on its way while this one's callers are answered.
        self._forget(self)
        if self._next is not None:
            self._next.begin()
        if self._alarm is not None:
            self._alarm.cancel()


class Sharing:
    """The questions to one database that are under way, of each the newest run."""

    def __init__(self) -> None:
        self._newest: dict[Hashable, Run[Any]] = {}

    async def ask(self, key: Hashable, put: Callable[[Run[T]], Awaitable[T]]) -> T:
        """Put a question, together with all who ask for the same.

        Args:
            key: What makes two questions the same.
            put: Puts it for a run; see there.

        Raises:
            Exception: What `put` raised, to each who waits for it.
        """
        # A server has one event loop; a process that tests several has more.
        place = (asyncio.get_running_loop(), key)
        run: Run[T] | None = self._newest.get(place)
        if run is None or run.is_sent:
            before, run = run, Run(put, functools.partial(self._forget, place))
            self._newest[place] = run
            if before is None:
                run.begin()
            else:
                before.let_follow(run)
        return await run.join()

    def _forget(self, place: Hashable, run: Run[Any]) -> None:
        if self._newest.get(place) is run:
            del self._newest[place]
