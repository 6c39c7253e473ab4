"""The log in PostgreSQL: append-only, durable when acknowledged, each event once, with several servers writing at once."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Self, TypeVar

from embellie.domain.errors import Busy, EmbellieError
from embellie.domain.event import Event
from embellie.ports import Receipt, Rejected, Traces
from embellie.store.commit_queue import CommitQueue
from embellie.store.log_erasing import Dead, look
from embellie.store.log_records import Mend, Quarantined, Replayed
from embellie.store.log_retaining import pages_past, past_aside
from embellie.store.log_rows import Batch, mended, prepare
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_erasing import Portable, PostgresMarks, erase
from embellie.store.postgres_log_reading import PostgresReading
from embellie.store.postgres_log_retaining import PAGE, forget, forget_aside
from embellie.store.postgres_log_tables import (
    READING,
    SCHEMA,
    WRITING,
    connect,
    explain,
    holds_tables,
    is_passing,
    prepare_tables,
)
from embellie.store.postgres_log_writing import Staged, finish, fitting, release, stage, was_committed
from embellie.store.postgres_pool import closed

RETRY_SECONDS = 10.0
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0

_DoneT = TypeVar("_DoneT")


class PostgresLog(PostgresReading):
    """A `KeptLog` in PostgreSQL; several processes, on several machines, may read and write it at once.

    Safe to use from many threads. While the server restarts, what is queued is kept and written afterwards.

    Args:
        url: `postgresql://user@host/database`, as libpq reads it; the password may be in `~/.pgpass` or `PGPASSWORD`.
        schema: The schema that holds the log's tables; created when absent.
        limit: How many events may wait to be written before `submit` answers `Busy`.
        retry_seconds: How long a batch outlasts a server that does not answer.

    Raises:
        EngineError: The server cannot be reached or does not let us in, this user may not, or the extra is missing.
        InputError: The database or the schema is not one that can hold a log, or a newer version wrote it.
    """

    def __init__(
        self, url: str, *, schema: str = SCHEMA, limit: int = 50_000, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._url, self._retry_seconds = url, retry_seconds
        super().__init__(url, schema)
        self._writer: Any = connect(url, WRITING)
        try:
            prepare_tables(self._writer, url, schema)
        except BaseException:
            self._writer.close()
            raise
        self.marks = PostgresMarks(self._s, read=self._pool.rows, write=self._pool.at_once)
        """Makes the marks of erased readers."""
        self._dead = Dead(self.marks)
        self._writing = threading.Lock()
        self._careful = False
        self._down_since: float | None = None
        self._closing = threading.Event()
        self._queue: CommitQueue[Batch, Receipt] = CommitQueue(self._commit, limit=limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def submit(
        self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()
    ) -> "Future[Receipt]":
        """Queue a batch; what PostgreSQL could not hold of it is put aside alone."""
        return self._queue.submit(fitting(prepare(events, received_at=received_at, rejected=rejected)))

    def append(self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()) -> Receipt:
        """Submit and wait until it is durable."""
        return self.submit(events, received_at=received_at, rejected=rejected).result()

    def replay(self, mend: Mend, *, site: str | None = None) -> Replayed:
        """Try the quarantined events again."""
        accepted: list[Event] = []
        tried = duplicates = number = 0
        while page := self.quarantined(site=site, after=number, limit=500):
            number = page[-1].number
            tried += len(page)
            new, again = self._release(page, mend)
            accepted += new
            duplicates += again
        return Replayed(
            accepted=tuple(accepted), duplicates=duplicates, still_quarantined=tried - len(accepted) - duplicates
        )

    def erase(self, site: str, reader: str, *, now: datetime) -> Traces:
        """Remove a reader's events, and what was put aside that names them, in one step; every server refuses the id from then on.

        The rows are gone and their room may be used again (`VACUUM`); their bytes stay in the database's files until it is,
        or until `write_anew`. Archives of the server's own log, and its backups, are whoever runs it's to let go of.
        """
        mark = self.marks.mark(site, reader)
        with self._pool.as_of_now() as log:
            looked = look(log, site, reader)
        gone = self._in_turn(
            lambda connection: erase(connection, self._s, site, reader, mark=mark, now=now, looked=looked)
        )
        self.scrub()
        return gone

    def forget_past(self, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> int:
        """Take the names out of what is past its time; what it finds is found while all write."""
        done = 0
        with self._pool.afresh() as log:
            for page in pages_past(log, before, spare=spare, size=PAGE):
                done += self._in_turn(lambda connection, page=page: forget(connection, self._s, page))  # type: ignore[misc]
            numbers = [number for number, *_ in past_aside(log, before)]
        for start in range(0, len(numbers), PAGE):
            part = numbers[start : start + PAGE]
            done += self._in_turn(lambda connection, part=part: forget_aside(connection, self._s, part))  # type: ignore[misc]
        if done:
            self.scrub()
        return done

    def scrub(self) -> None:
        """Give free the room of rows that are gone; writers go on meanwhile."""
        self._pool.at_once(f"VACUUM {self._s}.events, {self._s}.quarantine")

    def write_anew(self) -> None:
        """Write the tables anew, without the bytes of rows that are gone (`VACUUM FULL`); writers and readers wait meanwhile."""
        self._pool.at_once(f"VACUUM FULL {self._s}.events, {self._s}.quarantine")

    def close(self) -> None:
        """Write what is queued and let go of the connections. Calling it twice does no harm."""
        self._closing.set()
        self._queue.close()
        self._pool.close()
        with self._writing:
            self._writer.close()

    def _commit(self, batches: Sequence[Batch]) -> Sequence[Receipt]:
        """Write a group, again while the server does not answer; an outage as a whole is outlasted for so long."""
        wait = _FIRST_WAIT
        while True:
            try:
                with self._writing:
                    receipts = self._write(batches)
            except Busy:
                self._down_since = self._down_since or time.monotonic()
                if time.monotonic() + wait > self._down_since + self._retry_seconds:
                    raise
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                self._down_since = None
                return receipts

    def _write(self, batches: Sequence[Batch]) -> Sequence[Receipt]:
        psycopg = driver()
        connection = self._connected()
        try:
            staged = stage(connection, self._s, batches, careful=self._careful, refusal=self._refusal)
        except psycopg.Error as error:
            self._writer.close()
            raise explain(error, self._url) from None
        try:
            finish(connection, self._s, staged)
        except psycopg.Error as error:
            self._writer.close()
            if not is_passing(error) or not self._committed(staged):
                raise explain(error, self._url) from None
        self._careful = staged.others  # where one is not new, the next ones seldom are: someone sends again
        return staged.receipts

    def _refusal(self, erasure: int, connection: Any, batch: Batch) -> tuple[Batch, int]:
        """Take out of a batch what is of erased readers."""
        connection.execute(f"SET LOCAL search_path = {self._s}")
        return self._dead.as_of(erasure, Portable(connection), batch)

    def _committed(self, staged: Staged) -> bool:
        """Find out what became of a transaction whose answer was lost; False, too, when nobody can say in time.

        It is then written again, or refused and sent again: each id counts once.
        """
        self._down_since = self._down_since or time.monotonic()
        wait = _FIRST_WAIT
        while True:
            try:
                return was_committed(self._connected(), self._s, staged)
            except (Busy, driver().Error):
                self._writer.close()
            if time.monotonic() + wait > self._down_since + self._retry_seconds:
                return False
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _connected(self) -> Any:
        """Give the writer's connection, opened again if need be; that may help for as long as an outage lasts."""
        if self._writer.closed or self._writer.broken:
            try:
                self._writer = connect(self._url, WRITING)
            except EmbellieError as error:
                raise Busy(error.message, hint=error.hint, code="log_unreachable") from None
        return self._writer

    def _release(self, page: Sequence[Quarantined], mend: Mend) -> tuple[list[Event], int]:
        good = [(each, batch) for each, batch in mended(page, mend) if fitting(batch).rows]
        return self._in_turn(lambda connection: release(connection, self._s, good))

    def _in_turn(self, work: Callable[[Any], _DoneT]) -> _DoneT:
        """Do something with the writer's connection, between two commits."""
        with self._writing:
            if self._closing.is_set():
                raise closed()
            try:
                return work(self._connected())
            except driver().Error as error:
                self._writer.close()
                raise explain(error, self._url) from None


def is_there(url: str, schema: str) -> bool:
    """Whether a database holds a log.

    Raises:
        EngineError: The server cannot be reached, or does not let us in.
    """
    connection = connect(url, READING)
    try:
        return holds_tables(connection, schema)
    finally:
        connection.close()
