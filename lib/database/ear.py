"""How an event loop listens to a connection without beginning anew for each answer."""

import asyncio
import os
import socket
from typing import Final


class Ear:
    """Listens to one connection on behalf of one event loop.

    To begin and to end to listen takes as long as to send a statement, so it goes on while the
    connection rests. It ends by itself at what nobody waits for: an answer to a thread that has the
    connection, or the end of it; neither is read here.

    Args:
        wire: The connection's socket, which anybody may close at any time.

    Attributes:
        loop: Whose it is.
    """

    def __init__(self, wire: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: Final = loop
        # A number of our own: that of a closed socket goes to the next that is opened, which the
        # loop would then take for the one that it listens to.
        self._number: int | None = os.dup(wire.fileno())
        self._listens = False
        self._waiting: asyncio.Future[None] | None = None

    async def hear(self, deadline: float) -> None:
        """Wait until there is something to read.

        Raises:
            TimeoutError: Nothing came before that time of the loop.
        """
        self._waiting = self.loop.create_future()
        if not self._listens and self._number is not None:
            self.loop.add_reader(self._number, self._note)
            self._listens = True
        alarm = self.loop.call_at(deadline, reject, self._waiting)
        try:
            await self._waiting
        finally:
            self._waiting = None
            alarm.cancel()

    def end(self) -> None:
        """Listen no more; from any thread, and after the loop's end as well."""
        try:
            self.loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # the loop is closed, and has forgotten us
            self._close()

    def _note(self) -> None:
        if self._waiting is None:
            self._listen_no_more()
        else:
            resolve(self._waiting)

    def _end(self) -> None:
        self._listen_no_more()
        self._close()

    def _listen_no_more(self) -> None:
        if self._listens and self._number is not None:
            self.loop.remove_reader(self._number)
            self._listens = False

    def _close(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            os.close(number)


def resolve(waiting: "asyncio.Future[None]") -> None:
    """End a wait."""
    if not waiting.done():
        waiting.set_result(None)


def reject(waiting: "asyncio.Future[None]") -> None:
    """End a wait in vain."""
    if not waiting.done():
        waiting.set_exception(TimeoutError("the database fell silent"))
