"""The log in PostgreSQL: append-only, durable when acknowledged, each event once, with several servers writing at once."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from heapq import merge
from operator import itemgetter
from queue import LifoQueue
from typing import Any, Self

from embellie.domain.errors import Busy, Conflict, EmbellieError
from embellie.domain.event import Event
from embellie.domain.moment import moment
from embellie.ports import LedgerRow, Receipt, Rejected, Traces
from embellie.store.commit_queue import CommitQueue
from embellie.store.engine import quoted
from embellie.store.log_erasing import Dead, find, look, own_visits, quarantined_numbers
from embellie.store.log_records import Imbalance, Mend, Quarantined, Replayed, Tail
from embellie.store.log_rows import HOUR, Batch, event_of, mended, prepare, quarantined_of, tail_of
from embellie.store.own_writes import OwnWrites
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_erasing import Portable, PostgresMarks, erase
from embellie.store.postgres_log_tables import (
    READING,
    SCHEMA,
    WRITING,
    check,
    connect,
    explain,
    holds_tables,
    is_passing,
    prepare_tables,
)
from embellie.store.postgres_log_writing import Staged, finish, fitting, release, stage, was_committed

RETRY_SECONDS = 10.0
READERS = 4
"""How many queries one process asks at once."""

_PAGE = 4_000
_EVENT_COLUMNS = "seq, id, site, kind, at, received_at, consent, schema, body"
_TAIL_COLUMNS = "seq, id, site, kind, at, received_at, consent, reader, visit, article, body, schema"
_UNHURRIED = {"statement_timeout": "0"}
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0


class PostgresLog:
    """An `EventLog` in PostgreSQL; several processes, on several machines, may read and write it at once.

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
        self._url, self._schema, self._retry_seconds = url, schema, retry_seconds
        self._s = quoted(schema)
        self._writer: Any = connect(url, WRITING)
        try:
            prepare_tables(self._writer, url, schema)
        except BaseException:
            self._writer.close()
            raise
        self.marks = PostgresMarks(self._s, read=self._rows, write=self._at_once)
        """Makes the marks of erased readers."""
        self._dead = Dead(self.marks)
        self._writing = threading.Lock()
        self._own = OwnWrites()
        self._careful = False
        self._down_since: float | None = None
        self._closing = threading.Event()
        self._readers: LifoQueue[Any] = LifoQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._queue: CommitQueue[Batch, Receipt] = CommitQueue(self._commit, limit=limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def submit(
        self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()
    ) -> "Future[Receipt]":
        """Queue a batch; the future resolves once it is durable.

        Args:
            events: The good ones. Each is written once by (site, id); the earliest `received_at` is kept. Another
                event under an id already taken is quarantined, linked to that id.
            received_at: When the batch arrived, UTC and aware; it replaces the events' own.
            rejected: Those that could not be decoded, to be quarantined in the same transaction.

        Raises:
            Busy: Too many events wait to be written.
            Conflict: The log is closed.
        """
        return self._queue.submit(fitting(prepare(events, received_at=received_at, rejected=rejected)))

    def append(self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()) -> Receipt:
        """Submit and wait until it is durable."""
        return self.submit(events, received_at=received_at, rejected=rejected).result()

    def scan(self, *, after: int = 0, kinds: Iterable[str] = ()) -> Iterator[tuple[int, Event]]:
        """Read (sequence number, event) in the order of the log, up to the last one at the time of the call.

        Args:
            after: Only events with a higher sequence number.
            kinds: Only these kinds; all when none is named.

        Raises:
            EventError: An event cannot be read, for instance because a newer version wrote it.
        """
        wanted, upto = sorted(set(kinds)), self.last()
        if not wanted:
            return self._events(after, upto, "")
        streams = [self._events(after, upto, kind) for kind in wanted]
        return streams[0] if len(streams) == 1 else merge(*streams, key=itemgetter(0))

    def from_elsewhere(self, *, after: int, limit: int) -> tuple[Sequence[Event], int]:
        """Read what others have written since, at most `limit` events; and up to which number that is all."""
        spans, upto = self._own.others(after, self.last())
        if not spans:
            return [], upto
        columns = ", ".join(f"e.{name}" for name in _EVENT_COLUMNS.split(", "))
        rows = self._rows(
            f"SELECT {columns} FROM unnest(%s::bigint[], %s::bigint[]) AS span (first, last)"
            f" JOIN {self._s}.events AS e ON e.seq BETWEEN span.first AND span.last ORDER BY e.seq LIMIT %s",
            [first for first, _ in spans],
            [last for _, last in spans],
            limit,
        )
        return [event_of(row) for row in rows], rows[-1][0] if len(rows) == limit else upto

    def tail(self, after: int, limit: int = 50_000) -> Tail:
        """Read at most `limit` events after a sequence number as parallel lists: the fast way in bulk."""
        rows = self._rows(
            f"SELECT {_TAIL_COLUMNS} FROM {self._s}.events WHERE seq > %s ORDER BY seq LIMIT %s", after, limit
        )
        return tail_of(rows)

    def last(self) -> int:
        """Return the sequence number of the last event, 0 when empty."""
        return int(self._rows(f"SELECT last FROM {self._s}.log")[0][0])

    def ledger(self) -> Sequence[LedgerRow]:
        """Return the conservation ledger, by site and hour."""
        return [
            LedgerRow(
                site=site,
                hour=moment(hour * HOUR),
                received=received,
                accepted=accepted,
                duplicates=duplicates,
                quarantined=quarantined,
                erased=erased,
                refused=refused,
            )
            for site, hour, received, accepted, duplicates, quarantined, erased, refused in self._rows(
                "SELECT site, hour, received, l.accepted, duplicates, l.quarantined,"
                " coalesce(e.accepted + e.quarantined, 0), coalesce(refused, 0)"
                f" FROM {self._s}.ledger AS l LEFT JOIN {self._s}.erased AS e USING (site, hour) ORDER BY site, hour"
            )
        ]

    def verify(self) -> Sequence[Imbalance]:
        """Count the log anew, site by site and hour by hour; empty when the ledger tells the truth.

        What was erased since is taken off what the ledger says.
        """
        hour = f"received_at / {HOUR} - (received_at % {HOUR} < 0)::int"
        rows = self._rows(
            f"""
            SELECT site, hour, what, sum(said)::bigint, sum(found)::bigint FROM (
              SELECT site, {hour} AS hour, 'accepted' AS what, 0 AS said, count(*) AS found
              FROM {self._s}.events GROUP BY 1, 2
              UNION ALL SELECT site, {hour}, 'quarantined', 0, count(*) FROM {self._s}.quarantine GROUP BY 1, 2
              UNION ALL SELECT site, hour, 'accepted', accepted, 0 FROM {self._s}.ledger
              UNION ALL SELECT site, hour, 'quarantined', quarantined, 0 FROM {self._s}.ledger
              UNION ALL SELECT site, hour, 'accepted', -accepted, 0 FROM {self._s}.erased
              UNION ALL SELECT site, hour, 'quarantined', -quarantined, 0 FROM {self._s}.erased
            ) AS both_sides GROUP BY 1, 2, 3 HAVING sum(said) <> sum(found) ORDER BY 1, 2, 3
            """
        )
        return [
            Imbalance(site=site, hour=moment(hour * HOUR), what=what, ledger=said, found=found)
            for site, hour, what, said, found in rows
        ]

    def quarantined(
        self, *, site: str | None = None, after: int = 0, limit: int = -1, newest: int = 0
    ) -> Sequence[Quarantined]:
        """Return what was put aside, oldest first.

        Args:
            site: Only of this site.
            after: Only those with a higher number.
            limit: At most so many, from the oldest; -1 for all.
            newest: When above 0, at most so many, from the newest.
        """
        order, most = ("DESC", newest) if newest else ("ASC", limit if limit >= 0 else None)
        rows = self._rows(
            f"SELECT number, site, id, received_at, reason, path, payload FROM {self._s}.quarantine"
            f" WHERE number > %s AND (%s::text IS NULL OR site = %s) ORDER BY number {order} LIMIT %s",
            after,
            site,
            site,
            most,
        )
        return [quarantined_of(row) for row in sorted(rows)]

    def quarantine_size(self, *, site: str | None = None) -> int:
        """Count what was put aside; of one site, or of all."""
        sql = f"SELECT count(*) FROM {self._s}.quarantine WHERE %s::text IS NULL OR site = %s"
        return int(self._rows(sql, site, site)[0][0])

    def replay(self, mend: Mend, *, site: str | None = None) -> Replayed:
        """Try the quarantined events again; those now good are accepted with their own `received_at` and leave.

        Args:
            mend: Reads a quarantined event; raises `EmbellieError` when it is still bad, and it stays.
            site: Only those of this site.
        """
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

    def sites(self) -> list[str]:
        """Name the sites of which something was received."""
        return [row[0] for row in self._rows(f"SELECT DISTINCT site FROM {self._s}.ledger WHERE site <> '' ORDER BY 1")]

    def names_with(self, parts: Sequence[str]) -> set[str]:
        """Find the readers and visits that have one of these texts as a part of their id."""
        sql = (
            f"SELECT DISTINCT name FROM (SELECT reader AS name FROM {self._s}.events"
            f" UNION ALL SELECT visit FROM {self._s}.events) AS names"
            " WHERE EXISTS (SELECT 1 FROM unnest(%s::text[]) AS part WHERE strpos(name, part) > 0)"
        )
        return {str(row[0]) for row in self._rows(sql, list(parts))}

    def quarantined_of(self, site: str, reader: str) -> Sequence[Quarantined]:
        """Return what was put aside that names a reader, or a visit of theirs alone."""
        with self._as_of_now() as log:
            numbers = set(quarantined_numbers(log, site, reader, visits=own_visits(log, site, reader)))
        return [each for each in self.quarantined() if each.number in numbers] if numbers else []

    def readers(self, site: str) -> Iterator[str]:
        """Name the readers a site's events are of, each once."""
        sql = f"SELECT DISTINCT reader FROM {self._s}.events WHERE site = %s AND reader <> ''"
        yield from (row[0] for row in self._rows(sql, site))

    def of_reader(self, site: str, reader: str) -> Iterator[tuple[int, Event]]:
        """Read a reader's (sequence number, event) in order: those that name them, and those without a name of their visits."""
        with self._as_of_now() as log:
            numbers = look(log, site, reader).numbers
        sql = f"SELECT {_EVENT_COLUMNS} FROM {self._s}.events WHERE seq = ANY(%s) ORDER BY seq"
        for start in range(0, len(numbers), 500):
            for row in self._rows(sql, list(numbers[start : start + 500])):
                yield row[0], event_of(row)

    def traces(self, site: str, reader: str) -> Traces:
        """Count what is kept of a reader, events and what was put aside."""
        with self._as_of_now() as log:
            return find(log, site, reader)

    def erase(self, site: str, reader: str, *, now: datetime) -> Traces:
        """Remove a reader's events, and what was put aside that names them, in one step; put their mark in the log.

        From then on events under that id are refused, on every server. The rows are gone, and their room is given free
        (`VACUUM`); archives of the server's own log, and its backups, are whoever runs it's to let go of.

        Raises:
            Busy: The server does not answer.
        """
        mark = self.marks.mark(site, reader)
        with self._as_of_now() as log:
            looked = look(log, site, reader)
        with self._writing:
            if self._closing.is_set():
                raise _closed()
            try:
                gone = erase(self._connected(), self._s, site, reader, mark=mark, now=now, looked=looked)
            except driver().Error as error:
                self._writer.close()
                raise explain(error, self._url) from None
        self.scrub()
        return gone

    def scrub(self) -> None:
        """Give free the room of rows that are gone; writers go on meanwhile."""
        self._at_once(f"VACUUM {self._s}.events, {self._s}.quarantine", [])

    def close(self) -> None:
        """Write what is queued and let go of the connections. Calling it twice does no harm."""
        self._closing.set()
        self._queue.close()
        for connection in [self._readers.get() for _ in range(READERS)]:
            if connection is not None:
                connection.close()
            self._readers.put(None)
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
        self._own.begin(staged.before + 1)
        last = None
        try:
            finish(connection, self._s, staged)
            last = staged.last
        except psycopg.Error as error:
            self._writer.close()
            if not is_passing(error) or not self._committed(staged):
                raise explain(error, self._url) from None
            last = staged.last
        finally:
            self._own.end(last)
        self._careful = staged.others  # where one is not new, the next ones seldom are: someone sends again
        return staged.receipts

    def _refusal(self, erasure: int, connection: Any, batch: Batch) -> tuple[Batch, int]:
        """Take out of a batch what is of erased readers."""
        connection.execute(f"SET LOCAL search_path = {self._s}")
        return self._dead.as_of(erasure, Portable(connection), batch)

    def _at_once(self, sql: str, parameters: list[str]) -> None:
        """Run one statement outside the writer's transactions; it may take its time."""
        connection = connect(self._url, _UNHURRIED)
        try:
            connection.execute(sql, parameters or None)
        except driver().Error as error:
            raise explain(error, self._url) from None
        finally:
            connection.close()

    @contextmanager
    def _as_of_now(self) -> Iterator[Portable]:
        """Read what is there now, all of one moment."""
        connection = self._reader()
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute(f"SET LOCAL search_path = {self._s}")
            yield Portable(connection)
        except driver().Error as error:
            raise explain(error, self._url) from None
        finally:
            connection.close()

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
        with self._writing:
            if self._closing.is_set():
                raise _closed()
            try:
                return release(self._connected(), self._s, good)
            except driver().Error as error:
                self._writer.close()
                raise explain(error, self._url) from None

    def _events(self, after: int, upto: int, kind: str) -> Iterator[tuple[int, Event]]:
        which = "kind = %s AND" if kind else ""
        sql = (
            f"SELECT {_EVENT_COLUMNS} FROM {self._s}.events"
            f" WHERE {which} seq > %s AND seq <= %s ORDER BY seq LIMIT {_PAGE}"
        )
        while rows := self._rows(sql, *((kind,) if kind else ()), after, upto):
            for row in rows:
                yield row[0], event_of(row)
            after = rows[-1][0]

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask one query; once more when the line was cut since the last one."""
        psycopg = driver()
        connection = self._readers.get()
        try:
            if self._closing.is_set():
                raise _closed()
            fresh = connection is None or connection.closed
            if fresh:
                connection = self._reader()
            try:
                return self._fetch(connection, sql, parameters)
            except psycopg.OperationalError:
                if fresh or not connection.closed:
                    raise
                connection = self._reader()
                return self._fetch(connection, sql, parameters)
        except psycopg.Error as error:
            raise explain(error, self._url) from None
        finally:
            if connection is not None and self._closing.is_set():
                connection.close()
                connection = None
            self._readers.put(connection)

    def _fetch(self, connection: Any, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = connection.execute(sql, parameters or None).fetchall()
        return found

    def _reader(self) -> Any:
        connection = connect(self._url, READING)
        check(connection, self._url, self._schema)
        return connection


def _closed() -> Conflict:
    return Conflict("The log is closed.", hint="Open it again.", code="log_closed")


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
