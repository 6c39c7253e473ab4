"""Group commit: one writer thread that gathers what is waiting, writes it at once and answers everyone."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import Future
from typing import Generic, TypeVar

from embellie.domain.errors import Busy, Conflict

JobT = TypeVar("JobT", bound=Sized)
AnswerT = TypeVar("AnswerT")


class CommitQueue(Generic[JobT, AnswerT]):
    """A bounded queue before one writer.

    While one group is being written the next one gathers; under load the writer also waits a few milliseconds
    for company, so that many small batches share one flush to disk.

    Args:
        write: Writes a group of jobs durably and returns their answers in order; called in the writer's thread.
        limit: How much may wait, in the sizes of the jobs; more is refused with `Busy`.
        gather_seconds: How long to wait for company when there was some last time.
        group: The largest group, in the sizes of the jobs.
    """

    def __init__(
        self,
        write: Callable[[Sequence[JobT]], Sequence[AnswerT]],
        *,
        limit: int = 50_000,
        gather_seconds: float = 0.002,
        group: int = 5_000,
    ) -> None:
        self._write = write
        self._limit = limit
        self._gather_seconds = gather_seconds
        self._group = group
        self._waiting: deque[tuple[JobT, Future[AnswerT]]] = deque()
        self._size = 0
        self._wanted = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="embellie-log-writer", daemon=True)
        self._thread.start()

    def submit(self, job: JobT) -> "Future[AnswerT]":
        """Queue a job; its future resolves once written.

        Raises:
            Busy: Too much is waiting.
            Conflict: The queue is closed.
        """
        future: Future[AnswerT] = Future()
        # From here on it cannot be cancelled: what was received is written, whoever still listens.
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._closed:
                raise Conflict("The log is closed.", hint="Open it again.", code="log_closed")
            if self._waiting and self._size + len(job) > self._limit:
                raise Busy(
                    f"The log has {self._size} events waiting to be written.",
                    hint="Retry after 1 second; what was not acknowledged may be sent again.",
                    code="log_busy",
                )
            self._waiting.append((job, future))
            self._size += len(job)
            if self._size >= self._wanted:
                self._changed.notify_all()
        return future

    def close(self) -> None:
        """Write what is waiting, then stop. Calling it twice does no harm."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        company = False
        while group := self._take(company):
            company = len(group) > 1
            self._answer(group)

    def _take(self, company: bool) -> list[tuple[JobT, "Future[AnswerT]"]]:
        """Wait for work and take a group of it; empty when closed and done."""
        with self._changed:
            self._wanted = 0
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if company:
                self._wanted = self._group  # less is no reason to wake: it would take the interpreter from who submits
                until = time.monotonic() + self._gather_seconds
                while not self._closed and self._size < self._group and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)
            group: list[tuple[JobT, Future[AnswerT]]] = []
            taken = 0
            while self._waiting and (not group or taken + len(self._waiting[0][0]) <= self._group):
                group.append(self._waiting.popleft())
                taken += len(group[-1][0])
            self._size -= taken
            return group

    def _answer(self, group: Sequence[tuple[JobT, "Future[AnswerT]"]]) -> None:
        try:
            answers = self._write([job for job, _ in group])
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to those who wait
            for _, future in group:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(group, answers, strict=True):
                future.set_result(answer)
