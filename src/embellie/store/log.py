"""The log in one SQLite file: append-only, durable when acknowledged, each event once."""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any, Self
from weakref import WeakSet

from embellie.domain.errors import Busy, Conflict
from embellie.domain.event import Event
from embellie.domain.moment import moment
from embellie.ports import LedgerRow, Receipt, Rejected, Traces
from embellie.store.commit_queue import CommitQueue
from embellie.store.log_erasing import Dead, erase, find, look, own_visits, quarantined_numbers, truncate_wal
from embellie.store.log_file import BUSY_SECONDS, explain, explained, open_for_reading, open_log_file
from embellie.store.log_records import Imbalance, Mend, PastTime, Quarantined, Replayed, Tail
from embellie.store.log_retaining import forget, forget_aside, look_past, pages_past
from embellie.store.log_rows import HOUR, Batch, event_of, mended, prepare, quarantined_of, tail_of
from embellie.store.log_writing import write, write_mended
from embellie.store.reader_marks import FILE as MARKS_FILE
from embellie.store.reader_marks import ReaderMarks

FILE = "log.sqlite"
"""The log's name in the data folder."""

_PAGE = 4_000
_EVENT_COLUMNS = "seq, id, site, kind, at, received_at, consent, schema, body"
_TAIL_COLUMNS = "seq, id, site, kind, at, received_at, consent, reader, visit, article, body, schema"


class _Reader:
    """A thread's own connection; closed when its thread ends, or with the log, but never in the middle of a query."""

    __slots__ = ("__weakref__", "_connection", "_querying")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._querying = threading.Lock()

    def __del__(self) -> None:
        self.close()

    def rows(self, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._querying:
            return self._connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        with self._querying:
            self._connection.close()


class SqliteLog:
    """An `EventLog` in one SQLite file (WAL, synchronous FULL, group commit).

    Safe to use from many threads. A second process may read and write the same file: writers take turns.

    Args:
        path: The file; it and its folder are created when absent.
        limit: How many events may wait to be written before `submit` answers `Busy`.
        busy_seconds: How long to wait for another process that is writing.

    Raises:
        InputError: The file is no log, or the folder cannot be written.
        Busy: Another process keeps it locked.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        limit: int = 50_000,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.path = Path(path)
        self._writer = open_log_file(self.path, busy_seconds=busy_seconds)
        self.marks = ReaderMarks(self.path.parent / MARKS_FILE)
        """Makes the marks of erased readers."""
        self._dead = Dead(self.marks)
        self._writing = threading.Lock()
        self._own = threading.local()
        self._readers: WeakSet[_Reader] = WeakSet()
        self._reading = threading.Lock()
        self._closed = False
        self._queue: CommitQueue[Batch, Receipt] = CommitQueue(self._commit, limit=limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def submit(
        self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()
    ) -> "Future[Receipt]":
        """Queue a batch; the future resolves once it is durable."""
        return self._queue.submit(prepare(events, received_at=received_at, rejected=rejected))

    def append(self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()) -> Receipt:
        """Submit and wait until it is durable."""
        return self.submit(events, received_at=received_at, rejected=rejected).result()

    def scan(self, *, after: int = 0, kinds: Iterable[str] = ()) -> Iterator[tuple[int, Event]]:
        """Read (sequence number, event) in order, up to the last one at the time of the call."""
        wanted, upto = sorted(set(kinds)), self.last()
        if not wanted:
            return self._events(after, upto, "")
        streams = [self._events(after, upto, kind) for kind in wanted]
        return streams[0] if len(streams) == 1 else merge(*streams, key=itemgetter(0))

    def following(
        self, *, after: int, upto: int | None = None, limit: int, kinds: Iterable[str] = ()
    ) -> tuple[Sequence[Event], int]:
        """Read on, whoever wrote it: at most `limit` events of these kinds, or of all; and up to which number that is all."""
        upto = self.last() if upto is None else upto
        if upto <= after:
            return [], after
        wanted = tuple(kinds)
        # The plus keeps the index of kinds out of it: what came since is little, and lies together.
        which = f"AND +kind IN ({', '.join('?' * len(wanted))})" if wanted else ""
        sql = f"SELECT {_EVENT_COLUMNS} FROM events WHERE seq > ? AND seq <= ? {which} ORDER BY seq LIMIT ?"
        rows = self._rows(sql, after, upto, *wanted, limit)
        return [event_of(row) for row in rows], rows[-1][0] if len(rows) == limit else upto

    def tail(self, after: int, limit: int = 50_000) -> Tail:
        """Read at most `limit` events after a sequence number as parallel lists: the fast way in bulk."""
        rows = self._rows(f"SELECT {_TAIL_COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
        return tail_of(rows)

    def last(self) -> int:
        """Return the sequence number of the last event, 0 when empty."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM events")[0][0])

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
                " FROM ledger AS l LEFT JOIN erased AS e USING (site, hour) ORDER BY site, hour"
            )
        ]

    def verify(self) -> Sequence[Imbalance]:
        """Count the log anew, site by site and hour by hour."""
        rows = self._rows(
            f"""
            WITH found AS (
              SELECT site, received_at / {HOUR} - (received_at % {HOUR} < 0) AS hour, 'accepted' AS what, count(*) AS n
              FROM events GROUP BY 1, 2
              UNION ALL
              SELECT site, received_at / {HOUR} - (received_at % {HOUR} < 0), 'quarantined', count(*)
              FROM quarantine GROUP BY 1, 2
            ), said AS (
              SELECT site, hour, 'accepted' AS what, accepted AS n FROM ledger
              UNION ALL SELECT site, hour, 'quarantined', quarantined FROM ledger
              UNION ALL SELECT site, hour, 'accepted', -accepted FROM erased
              UNION ALL SELECT site, hour, 'quarantined', -quarantined FROM erased
            )
            SELECT site, hour, what, sum(ledger), sum(found) FROM (
              SELECT site, hour, what, n AS ledger, 0 AS found FROM said
              UNION ALL SELECT site, hour, what, 0, n FROM found
            ) GROUP BY 1, 2, 3 HAVING sum(ledger) <> sum(found) ORDER BY 1, 2, 3
            """
        )
        return [
            Imbalance(site=site, hour=moment(hour * HOUR), what=what, ledger=said, found=found)
            for site, hour, what, said, found in rows
        ]

    def quarantined(
        self, *, site: str | None = None, after: int = 0, limit: int = -1, newest: int = 0
    ) -> Sequence[Quarantined]:
        """Return what was put aside, oldest first."""
        order, most = ("DESC", newest) if newest else ("ASC", limit)
        rows = self._rows(
            "SELECT number, site, id, received_at, reason, path, payload FROM quarantine"
            f" WHERE number > ? AND (? IS NULL OR site = ?) ORDER BY number {order} LIMIT ?",
            after,
            site,
            site,
            most,
        )
        return [quarantined_of(row) for row in sorted(rows)]

    def quarantine_size(self, *, site: str | None = None) -> int:
        """Count what was put aside; of one site, or of all."""
        return int(self._rows("SELECT count(*) FROM quarantine WHERE ? IS NULL OR site = ?", site, site)[0][0])

    def replay(self, mend: Mend, *, site: str | None = None) -> Replayed:
        """Try the quarantined events again."""
        accepted: list[Event] = []
        tried = duplicates = 0
        number = 0
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
        return [row[0] for row in self._rows("SELECT DISTINCT site FROM ledger WHERE site <> '' ORDER BY 1")]

    def names_with(self, parts: Sequence[str]) -> set[str]:
        """Find the readers and visits that have one of these texts as a part of their id."""
        found: set[str] = set()
        for start in range(0, len(parts), 50):
            page = parts[start : start + 50]
            has = " OR ".join("instr(name, ?)" for _ in page)
            for column in ("reader", "visit"):
                sql = f"SELECT DISTINCT name FROM (SELECT {column} AS name FROM events) WHERE {has}"
                found |= {str(row[0]) for row in self._rows(sql, *page)}
        return found

    def quarantined_of(self, site: str, reader: str) -> Sequence[Quarantined]:
        """Return what was put aside that names a reader, or a visit of theirs alone."""
        with self._reading_anew() as connection:
            visits = own_visits(connection, site, reader)
            numbers = set(quarantined_numbers(connection, site, reader, visits=visits))
        return [each for each in self.quarantined() if each.number in numbers] if numbers else []

    def readers(self, site: str) -> Iterator[str]:
        """Name the readers a site's events are of, each once."""
        yield from (
            row[0] for row in self._rows("SELECT DISTINCT reader FROM events WHERE +site = ? AND reader <> ''", site)
        )

    def of_reader(self, site: str, reader: str) -> Iterator[tuple[int, Event]]:
        """Read a reader's (sequence number, event) in order: those that name them, and those without a name of their visits."""
        with self._reading_anew() as connection:
            numbers = look(connection, site, reader).numbers
        for start in range(0, len(numbers), 500):
            page = numbers[start : start + 500]
            for row in self._rows(
                f"SELECT {_EVENT_COLUMNS} FROM events WHERE seq IN ({', '.join('?' * len(page))}) ORDER BY seq", *page
            ):
                yield row[0], event_of(row)

    def traces(self, site: str, reader: str) -> Traces:
        """Count what is kept of a reader, events and what was put aside."""
        with self._reading_anew() as connection:
            return find(connection, site, reader)

    def erase(self, site: str, reader: str, *, now: datetime) -> Traces:
        """Remove a reader's events, and what was put aside that names them, in one step; put their mark in the log.

        From then on events under that id are refused. What was removed is overwritten in the file (`secure_delete`), and
        the file beside it emptied; `scrub` rewrites the file where bytes of it were left by earlier changes.

        Raises:
            Busy: The log is locked, or a process keeps reading what was there before.
        """
        with self._reading_anew() as connection:
            looked = look(connection, site, reader)
        with self._writing, explained(self.path):
            gone = erase(self._writer, site, reader, marks=self.marks, now=now, looked=looked)
        with explained(self.path):
            truncate_wal(self._writer)
        return gone

    def look_past(self, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> PastTime:
        """Count what is past its time, and change nothing."""
        with self._reading_anew() as connection:
            return look_past(connection, before, spare=spare)

    def forget_past(self, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> int:
        """Take the names out of what is past its time; what was changed is overwritten in the file."""
        done = 0
        with self._reading_anew() as connection:
            for page in pages_past(connection, before, spare=spare):
                with self._writing, explained(self.path):
                    done += forget(self._writer, page)
        with self._writing, explained(self.path):
            done += forget_aside(self._writer, before)
        with explained(self.path):
            truncate_wal(self._writer)
        return done

    def scrub(self) -> None:
        """Write the whole file anew, without what was once removed from it. Writers wait meanwhile.

        Raises:
            Busy: The log is locked.
        """
        with self._writing, explained(self.path):
            self._writer.execute("VACUUM")
            truncate_wal(self._writer)

    def write_anew(self) -> None:
        """Do the same: what scrubs a file leaves nothing."""
        self.scrub()

    @contextmanager
    def _reading_anew(self) -> Iterator[sqlite3.Connection]:
        """Read what is there now, with a connection of one's own."""
        connection = open_for_reading(self.path)
        try:
            with explained(self.path):
                yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Write what is queued and let go of the file. Calling it twice does no harm."""
        self._queue.close()
        with self._writing, self._reading:
            if self._closed:
                return
            self._closed = True
            for reader in list(self._readers):
                reader.close()
            self._writer.close()

    def _commit(self, batches: Sequence[Batch]) -> Sequence[Receipt]:
        try:
            with self._writing:
                return write(self._writer, batches, refusal=self._dead.without)
        except sqlite3.Error as error:
            told = explain(error, self.path)
            # Whatever ails the disk, the sender is not to blame: what was not kept is to be sent again.
            raise Busy(told.message, hint=told.hint, at=told.at, code=told.code) from error

    def _release(self, page: Sequence[Quarantined], mend: Mend) -> tuple[list[Event], int]:
        good = list(mended(page, mend))
        with self._writing:
            return write_mended(self._writer, good)

    def _events(self, after: int, upto: int, kind: str) -> Iterator[tuple[int, Event]]:
        which = "kind = ? AND" if kind else ""
        sql = f"SELECT {_EVENT_COLUMNS} FROM events WHERE {which} seq > ? AND seq <= ? ORDER BY seq LIMIT {_PAGE}"
        while rows := self._rows(sql, *((kind,) if kind else ()), after, upto):
            for row in rows:
                yield row[0], event_of(row)
            after = rows[-1][0]

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        reader: _Reader = getattr(self._own, "reader", None) or self._connect()
        try:
            return reader.rows(sql, parameters)
        except sqlite3.ProgrammingError:
            raise Conflict("The log is closed.", hint="Open it again.", code="log_closed") from None
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    def _connect(self) -> _Reader:
        """Give this thread its own connection: reads wait neither for one another nor for the writer."""
        with self._reading:
            if self._closed:
                raise Conflict("The log is closed.", hint="Open it again.", code="log_closed")
            reader = _Reader(open_for_reading(self.path))
            self._readers.add(reader)
        self._own.reader = reader
        return reader
