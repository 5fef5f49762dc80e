"""Work that waits, for OMDb or in a transaction, kept off the event loop.

So many pieces of it are at work at once; the others wait in line. Nobody waits there for longer
than a caller would: who does not get a turn in time is told to come back. Work that nobody waits
for any more is dropped when its turn comes. What was begun is finished.
"""

import asyncio
import contextvars
import functools
import logging
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from lib import limits
from lib.errors import Overloaded
from lib.limits import HANDLER_THREADS
from lib.web import callers
from lib.web.callers import Caller

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 5

# They start with the first work, which comes after the server's fork.
_threads: Final = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="work")


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """A piece of work that several callers wait for."""

    result: asyncio.Future[Any]
    callers: list[Caller | None]


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """What one event loop has under way."""

    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HANDLER_THREADS))
    shared: dict[Hashable, _Shared] = field(default_factory=dict)


# A server has one event loop; a process that tests several has more.
_desks: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk]] = WeakKeyDictionary()


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work that waits without holding up the event loop.

    Raises:
        Overloaded: Its turn did not come in time.
        ClientDisconnect: Its turn came when its caller had left.
    """
    run = functools.partial(work, *args, **kwargs)
    return await _in_turn(_desk().turns, run, [callers.current.get()])


async def once_at_a_time(key: Hashable, work: Callable[[], T]) -> T:
    """Do work in a thread; whoever asks for the same meanwhile gets the same result or fault.

    Args:
        key: What makes two pieces of work the same.

    Raises:
        Overloaded: Its turn did not come in time.
        ClientDisconnect: Its turn came when all who asked for it had left.
    """
    desk = _desk()
    shared = desk.shared.get(key)
    if shared is None:
        waiting: list[Caller | None] = []
        result = asyncio.ensure_future(_for_all(desk, key, work, waiting))
        shared = desk.shared[key] = _Shared(result=result, callers=waiting)
    shared.callers.append(callers.current.get())
    # One caller that goes away must not take the result from the others.
    got: T = await asyncio.shield(shared.result)
    return got


async def _for_all(
    desk: _Desk, key: Hashable, work: Callable[[], T], waiting: list[Caller | None]
) -> T:
    try:
        return await _in_turn(desk.turns, work, waiting)
    finally:
        # In the same step as the result: who came later would join what was dropped already.
        del desk.shared[key]


async def _in_turn(
    turns: asyncio.Semaphore, work: Callable[[], T], waiting: list[Caller | None]
) -> T:
    await _take(turns, waiting)
    try:
        await callers.drop_if_all_have_left(waiting)
        run = functools.partial(contextvars.copy_context().run, work)
        begun = asyncio.get_running_loop().run_in_executor(_threads, run)
    except BaseException:
        turns.release()
        raise
    begun.add_done_callback(lambda _: turns.release())
    return await asyncio.shield(begun)


async def _take(turns: asyncio.Semaphore, waiting: list[Caller | None]) -> None:
    try:
        async with asyncio.timeout(limits.TURN_TIMEOUT):
            await turns.acquire()
    except TimeoutError:
        await callers.drop_if_all_have_left(waiting)
        log.warning("overloaded", extra={"fields": {"seconds": limits.TURN_TIMEOUT}})
        raise Overloaded(
            "More is under way than can be begun in time. Try again in a moment.",
            retry_after_seconds=_RETRY_SECONDS,
        ) from None


def _desk() -> _Desk:
    loop = asyncio.get_running_loop()
    desk = _desks.get(loop)
    if desk is None:
        desk = _desks[loop] = _Desk()
    return desk
