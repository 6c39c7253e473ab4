"""Settling: the event loop waits for what another thread does, and is woken once for many answers."""

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import Any


class _Bell:
    """Brings what is settled to one event loop; rung again and again before the loop looks, it wakes it once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._settled: deque[tuple[asyncio.Future[Any], Any]] = deque()
        self._rung = False

    def ring(self, waiting: "asyncio.Future[Any]", done: Any) -> None:
        """Tell, from any thread, that something is settled."""
        self._settled.append((waiting, done))
        if not self._rung:  # two threads may both find it so: the loop then looks twice, the second time for nothing
            self._rung = True
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self.loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._rung = False  # before looking: what comes from now on rings again
        while self._settled:
            waiting, done = self._settled.popleft()
            if waiting.done():  # given up
                continue
            error = done.exception()
            if error is None:
                waiting.set_result(done.result())
            else:
                waiting.set_exception(error)


_own = threading.local()


async def settled(future: Any) -> Any:
    """Wait on the event loop for what another thread settles; to wait no longer undoes nothing."""
    loop = asyncio.get_running_loop()
    bell: _Bell | None = getattr(_own, "bell", None)
    if bell is None or bell.loop is not loop:
        bell = _own.bell = _Bell(loop)
    waiting: asyncio.Future[Any] = loop.create_future()
    ring = bell.ring
    future.add_done_callback(lambda done: ring(waiting, done))
    return await waiting
