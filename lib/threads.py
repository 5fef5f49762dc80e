"""Work that waits, for OMDb or in a transaction, kept off the event loop."""

import asyncio
import contextvars
import functools
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from lib.settings import HANDLER_THREADS

P = ParamSpec("P")
T = TypeVar("T")

# They start with the first work, which comes after the server's fork.
_threads: Final = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="work")
_under_way: Final[dict[Hashable, asyncio.Future[Any]]] = {}


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work that waits without holding up the event loop."""
    run = functools.partial(contextvars.copy_context().run, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, run)


async def once_at_a_time(key: Hashable, work: Callable[[], T]) -> T:
    """Do work in a thread; whoever asks for the same meanwhile gets the same result or fault.

    Args:
        key: What makes two pieces of work the same.
    """
    future: asyncio.Future[T] | None = _under_way.get(key)
    if future is None:
        future = asyncio.ensure_future(in_thread(work))
        _under_way[key] = future
        future.add_done_callback(lambda _: _under_way.pop(key))
    # One caller that goes away must not take the result from the others.
    return await asyncio.shield(future)
