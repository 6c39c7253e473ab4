"""Analysis: the log as one DuckDB table, `events`, kept up to date as it grows."""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import duckdb
import numpy as np

from embellie.store.engine import engine
from embellie.store.event_columns import DEFINED, typed_sql
from embellie.store.log import Tail

_BATCH = 50_000
_PARAMETER = re.compile(r"\$(\w+)")

_CREATE = f"CREATE TABLE events ({DEFINED})"

_INSERT = f"INSERT INTO events {typed_sql('batch')}"

_FORGET = """
DELETE FROM events WHERE kind <> 'erasure' AND reader <> ''
AND EXISTS (SELECT 1 FROM events AS gone WHERE gone.kind = 'erasure' AND gone.seq > $after
            AND gone.site = events.site AND gone.reader = events.reader AND gone.seq > events.seq)
"""


class _TailedLog(Protocol):
    """A log that can be read on from a sequence number, many events at a time."""

    def tail(self, after: int, limit: int) -> Tail:
        """Return at most `limit` events after `after`, as parallel lists."""
        ...


class Analysis:
    """Run SQL over a log, in memory; reads on from where it stopped before each query.

    The table `events` has the columns of `EVENT_COLUMNS`: times are UTC, `body` is the JSON text of the event's own
    fields, a text is `''` and a number null where a kind has none (for `exposure`, `reader` is the unit). What a reader
    did before their `erasure` is dropped.
    Safe to share between threads.

    Args:
        log: Has `tail(after, limit)`, as `SqliteLog` does.
        threads: At most so many threads of DuckDB; 0 leaves it to DuckDB.
    """

    def __init__(self, log: _TailedLog, *, threads: int = 0) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._last = 0
        self._connection = engine(threads=threads)
        self._connection.execute(_CREATE)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Read the log's new events, then run one query; one dictionary per row."""
        self.refresh()
        with self._lock:
            cursor = self._connection.cursor()
        try:
            return fetch(cursor, sql, parameters)
        finally:
            cursor.close()

    def refresh(self) -> int:
        """Read the log's new events; return the sequence number reached."""
        with self._lock:
            start = self._last
            erased = False
            while True:
                batch = self._log.tail(self._last, _BATCH)
                if not batch.seq:
                    break
                self._insert(batch)
                erased = erased or "erasure" in batch.kind
                self._last = batch.seq[-1]
                if len(batch.seq) < _BATCH:
                    break
            if erased:
                self._connection.execute(_FORGET, {"after": start})
            return self._last

    def close(self) -> None:
        """Let go of the memory."""
        with self._lock:
            self._connection.close()

    def _insert(self, tail: Tail) -> None:
        # DuckDB reads a dictionary of arrays by its variable's name, without copying through Python objects.
        batch = {  # noqa: F841
            "seq": np.array(tail.seq, dtype=np.int64),
            "at": np.array(tail.at, dtype=np.int64),
            "received_at": np.array(tail.received_at, dtype=np.int64),
        } | {
            name: np.array(getattr(tail, name), dtype=object)
            for name in ("id", "site", "kind", "consent", "reader", "visit", "article", "body")
        }
        self._connection.execute(_INSERT)


def fetch(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Run one query; one dictionary per row. Only the parameters that the query names are passed on."""
    named = set(_PARAMETER.findall(sql))
    used = {name: value for name, value in (parameters or {}).items() if name in named}
    result = connection.execute(sql, used) if used else connection.execute(sql)
    names: Sequence[str] = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
