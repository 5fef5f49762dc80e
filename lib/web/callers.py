"""Whoever waits for an answer, and whether they still do.

A server under the functions framework does not end a handler when its caller leaves: who asked has
to be asked, and that is worth it before work is begun, not after.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect as ClientDisconnect  # noqa: PLC0414  for others, too


@dataclass(frozen=True, eq=False)
class Caller:
    """One request's caller.

    Attributes:
        has_left: Asks the server; right once the request's body was read.
    """

    has_left: Callable[[], Awaitable[bool]]


current: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


async def drop_if_all_have_left(callers: Sequence[Caller | None]) -> None:
    """End here when none of those who asked is there any more; somebody may join meanwhile.

    Raises:
        ClientDisconnect: They have all left.
    """
    asked = 0
    while asked < len(callers):
        caller = callers[asked]
        if caller is None or not await caller.has_left():
            return
        asked += 1
    raise ClientDisconnect
