"""Handing over: what was shown goes to the log together with what else is shown meanwhile, and no reader waits for it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from embellie.domain.errors import Busy
from embellie.domain.event import Event
from embellie.ports import Receipt

GATHER_SECONDS = 0.02
"""How long what is shown gathers before it goes to the log: a write of one costs nearly as much as one of twenty."""

FULL_SECONDS = 0.05
"""When to try again what a log that had no room at the moment did not take."""

FAILED_SECONDS = 1.0
"""When to try again what could not be written: the disk is full, the file is locked, the database restarts."""

Lost = Callable[[], None]
"""Called when events did not reach the log."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was handed over at once, and who is to be told if it does not get there."""

    events: Sequence[Event]
    lost: Lost | None


class Handover:
    """Submits events in lots: what is shown within a moment, or while a lot is being written, goes together.

    What a log does not take, or cannot write now, is kept and tried again. When too much waits the oldest is dropped, and
    counted in `dropped`: readers are never refused for it. Thread-safe.

    Args:
        submit: Queues events; the future resolves once they are written.
        limit: How many events may wait.
        gather_seconds: How long a lot gathers.
    """

    def __init__(
        self,
        submit: Callable[[Sequence[Event]], "Future[Receipt]"],
        *,
        limit: int = 20_000,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self.dropped = 0
        """How many events never reached the log."""
        self._submit, self._limit, self._gather_seconds = submit, limit, gather_seconds
        self._waiting: deque[_Shown] = deque()
        self._count = self._flying = 0
        self._not_before = 0.0
        self._told = self._idle = False
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._carrier: threading.Thread | None = None

    def put(self, events: Sequence[Event], *, lost: Lost | None = None) -> None:
        """Hand events over.

        Args:
            events: In the order in which they are to stand in the log.
            lost: What to do if they do not get there.
        """
        with self._changed:
            self._waiting.append(_Shown(events, lost))
            self._count += len(events)
            dropped, closed = self._make_room(), self._closing.is_set()
            if self._carrier is None:
                self._carrier = threading.Thread(target=self._carry, name="embellie-handover", daemon=True)
                self._carrier.start()
            elif self._idle:  # else it comes by itself: to wake it for each slate would cost more than to write one
                self._changed.notify_all()
        self._lose(dropped)
        if closed:
            self.flush()

    def flush(self) -> None:
        """Submit what has gathered, whatever is being written."""
        with self._changed:
            if not self._waiting:
                return
            lot = tuple(self._waiting)
            self._waiting.clear()
            self._count = 0
            self._flying += 1
        try:
            written = self._submit([event for shown in lot for event in shown.events])
        except Exception as error:  # noqa: BLE001 -- whatever it is, what comes after is still carried
            self._landed(lot, error, FULL_SECONDS)
        else:
            written.add_done_callback(lambda done: self._landed(lot, done.exception(), FAILED_SECONDS))

    def settle(self, seconds: float) -> bool:
        """Wait until everything is written; tell whether it is."""
        until = time.monotonic() + seconds
        self.flush()
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and not self._flying, max(0.0, until - time.monotonic())
            )

    def close(self, seconds: float) -> bool:
        """Wait until everything is written, then carry nothing any more; tell whether it is."""
        settled = self.settle(seconds)
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        return settled

    def _carry(self) -> None:
        """Give lots to the log, one after another."""
        while True:
            with self._changed:
                self._idle = True
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
                self._idle = False
            if self._closing.wait(max(self._gather_seconds, self._not_before - time.monotonic())):
                return
            if not self._flying and time.monotonic() >= self._not_before:
                self.flush()

    def _landed(self, lot: Sequence[_Shown], error: BaseException | None, again: float) -> None:
        """A lot is written, waits again, or never will be."""
        dropped: Sequence[_Shown] = ()
        with self._changed:
            self._flying -= 1
            if isinstance(error, Busy):
                self._waiting.extendleft(reversed(lot))
                self._count += _count(lot)
                dropped = self._make_room()
                self._not_before = time.monotonic() + again
            elif error is not None:
                dropped = lot
            else:
                self._told = False
            self._changed.notify_all()
        self._lose(dropped)

    def _make_room(self) -> list[_Shown]:
        dropped = []
        while self._count > self._limit and len(self._waiting) > 1:
            dropped.append(self._waiting.popleft())
            self._count -= len(dropped[-1].events)
        return dropped

    def _lose(self, dropped: Sequence[_Shown]) -> None:
        if not dropped:
            return
        with self._changed:
            self.dropped += _count(dropped)
            told, self._told = self._told, True
        if not told:
            _log.warning("What readers are shown does not reach the log, and some of it never will.")
        for shown in dropped:
            if shown.lost is not None:
                shown.lost()


def _count(shown: Iterable[_Shown]) -> int:
    return sum(len(one.events) for one in shown)
