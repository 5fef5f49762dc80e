"""Equal questions, asked once for all who wait.

Who asks while an equal question is under way waits for the next, which is put when that one is
answered: for all together who have come by then. So nobody gets what was read before they asked,
and whoever has just written sees it; nobody waits for more than two; and however many ask, the
database hears one at a time. Nothing is kept: with its answer a question is forgotten.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from lib import limits
from lib.web import callers

T = TypeVar("T")


class Run:
    """A question that is put once, for all who asked before it was sent.

    Attributes:
        asking: Those who wait for it.
        is_sent: Whether it is too late to join, as what it reads may be older than who comes now.
            Who puts it says so, in the very step that sends it.
        answer: What those get who wait together.
        task: Puts it for those who wait together. It is none of theirs: who gives up ends nothing.
        begin_next: Begins the run that follows, if that has not begun; so does `alarm`.
    """

    __slots__ = ("alarm", "answer", "asking", "begin_next", "is_sent", "task")
    answer: asyncio.Future[Any]

    def __init__(self, asking: list[callers.Caller | None], *, is_sent: bool = False) -> None:
        self.asking = asking
        self.is_sent = is_sent
        self.task: asyncio.Task[None] | None = None
        self.begin_next: Callable[[], None] | None = None
        self.alarm: asyncio.TimerHandle | None = None

    def note_sent(self) -> None:
        """Let nobody join any more."""
        self.is_sent = True


class Sharing:
    """The questions to one database that are under way, of each the newest run."""

    def __init__(self) -> None:
        self._newest: dict[Hashable, Run] = {}

    async def ask(self, key: Hashable, put: Callable[[Run], Awaitable[T]]) -> T:
        """Put a question, together with all who ask for the same.

        Args:
            key: What makes two questions the same.
            put: Puts it for a run: calls `note_sent` and returns the answer.

        Raises:
            Exception: What `put` raised, to each who waits for it.
        """
        loop, caller = asyncio.get_running_loop(), callers.current.get()
        place = (loop, key)  # a server has one loop; a process that tests several has more
        newest = self._newest.get(place)
        if newest is None:
            # Alone, at once, and without a task: that would cost a third of the question itself.
            run = self._newest[place] = Run([caller], is_sent=True)
            try:
                return await put(run)
            finally:
                self._end(place, run)
        if newest.is_sent:
            run = self._newest[place] = Run([])
            self._let_follow(newest, place, run, put)
        else:
            run = newest
        run.asking.append(caller)
        answer: T = await asyncio.shield(run.answer)
        return answer

    def _let_follow(
        self, before: Run, place: Hashable, run: Run, put: Callable[[Run], Awaitable[Any]]
    ) -> None:
        """Have a run begin when another ends, or in a moment, as that one may hang."""
        loop = asyncio.get_running_loop()
        run.answer = loop.create_future()
        # What is logged on its way stands under the id of the first who asked.
        context = contextvars.copy_context()

        def begin() -> None:
            if run.task is None:
                run.task = loop.create_task(self._answer_all(place, run, put), context=context)

        before.begin_next = begin
        before.alarm = loop.call_later(limits.EQUAL_TIMEOUT, begin)

    async def _answer_all(
        self, place: Hashable, run: Run, put: Callable[[Run], Awaitable[Any]]
    ) -> None:
        # It ends in the same step as the answer comes: who came between would join what is over.
        try:
            answer = await put(run)
        except Exception as error:  # noqa: BLE001  it is raised to each who waits
            self._end(place, run)
            run.answer.set_exception(error)
            run.answer.exception()  # nobody misses it if all have given up
        except BaseException:
            self._end(place, run)
            run.answer.cancel()  # the loop ends, and with it all who wait
            raise
        else:
            self._end(place, run)
            run.answer.set_result(answer)

    def _end(self, place: Hashable, run: Run) -> None:
        """Forget a run, and begin the next while this one's callers are answered."""
        if self._newest.get(place) is run:
            del self._newest[place]
        if run.begin_next is not None and run.alarm is not None:
            run.alarm.cancel()
            run.begin_next()
