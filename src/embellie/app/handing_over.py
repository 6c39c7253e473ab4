"""Handing over: what was shown goes to the log together with what else is shown meanwhile, and no reader waits for it."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from embellie.domain.errors import Busy, EmbellieError
from embellie.domain.event import Event
from embellie.ports import Receipt

AGAIN_SECONDS = 0.05
"""When to try again what the log was too busy to take."""

Lost = Callable[[], None]
"""Called when events did not reach the log."""


class Handover:
    """Submits events in lots: while one is being written the next gathers, so that under load many share the cost of one.

    What a busy log does not take is kept and tried again. Thread-safe.

    Args:
        submit: Queues events; the future resolves once they are written.
        limit: How many events may gather before `put` answers `Busy`.
    """

    def __init__(self, submit: Callable[[Sequence[Event]], "Future[Receipt]"], *, limit: int = 20_000) -> None:
        self._submit, self._limit = submit, limit
        self._waiting: list[Event] = []
        self._losing: list[Lost] = []
        self._flying = 0
        self._again: threading.Timer | None = None
        self._changed = threading.Condition()

    def put(self, events: Sequence[Event], *, lost: Lost | None = None) -> None:
        """Hand events over.

        Args:
            events: In the order in which they are to stand in the log.
            lost: What to do if they do not get there; not called when this raises.

        Raises:
            Busy: Too many wait to be written.
        """
        with self._changed:
            if len(self._waiting) + len(events) > self._limit:
                raise Busy(
                    f"{len(self._waiting)} slates wait to be written down.",
                    hint="Retry after 1 second.",
                    code="log_busy",
                )
            self._waiting.extend(events)
            if lost is not None:
                self._losing.append(lost)
            flying = self._flying
        if not flying:
            self.flush()

    def flush(self) -> None:
        """Submit what has gathered, whatever is being written."""
        with self._changed:
            if not self._waiting:
                return
            lot, losing = self._waiting, self._losing
            self._waiting, self._losing = [], []
            self._flying += 1
        try:
            written = self._submit(lot)
        except Busy:
            with self._changed:
                self._waiting, self._losing = lot + self._waiting, losing + self._losing
                self._flying -= 1
                if self._again is None:
                    self._again = threading.Timer(AGAIN_SECONDS, self._try_again)
                    self._again.daemon = True
                    self._again.start()
                self._changed.notify_all()
        except EmbellieError as error:  # the log is closed
            self._landed(error, losing)
        else:
            written.add_done_callback(lambda done: self._landed(done.exception(), losing))

    def _try_again(self) -> None:
        with self._changed:
            self._again = None
        self.flush()

    def _landed(self, error: BaseException | None, losing: Sequence[Lost]) -> None:
        """A lot is written, or never will be: the next one goes."""
        if error is not None:
            for lost in losing:
                lost()
        with self._changed:
            self._flying -= 1
            gathered = bool(self._waiting) and not self._flying
            self._changed.notify_all()
        if gathered:
            self.flush()

    def settle(self, seconds: float) -> bool:
        """Wait until everything is written; tell whether it is."""
        until = time.monotonic() + seconds
        self.flush()
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and not self._flying, max(0.0, until - time.monotonic())
            )
