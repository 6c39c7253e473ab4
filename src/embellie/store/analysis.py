"""Analysis: the log as one DuckDB relation, `events`: the lake on disk, and what came since in memory; and views of it."""

import re
import shutil
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np

from embellie.domain.errors import EngineError
from embellie.ports import DailyView
from embellie.store.engine import engine, quoted
from embellie.store.event_columns import DEFINED, NAMED, typed_sql
from embellie.store.lake import files_sql, view_sql
from embellie.store.lake_manifest import Manifest, Partition, damaged, named_views, read_manifest, stamp_of, view_files
from embellie.store.log_records import Tail
from embellie.store.object_lake import LOST, ObjectLake

READY = 0.8
"""The share of the log from which a view counts as ready."""

ALONE = 5_000_000
"""Up to so many events in a lake that cannot be reached, the log alone is read instead; beyond, one says that it cannot be reached."""

_BATCH = 50_000
_UNREACHED = object()
"""What stands in the place of a manifest's stamp while a bucket does not answer."""

_PARAMETER = re.compile(r"\$(\w+)")
_TRIES = 20
"""How often a lake that is written anew meanwhile is looked at again."""

_FORGET = """
DELETE FROM {tail} WHERE kind <> 'erasure' AND reader <> ''
AND EXISTS (SELECT 1 FROM {tail} AS gone WHERE gone.kind = 'erasure' AND gone.seq > $after
            AND gone.site = {tail}.site AND gone.reader = {tail}.reader AND gone.seq > {tail}.seq)
"""

# Whoever is erased in the tail did everything in the lake before that.
_NOT_ERASED = """
ANTI JOIN (SELECT site, reader FROM {tail} WHERE kind = 'erasure' AND reader <> '') AS gone
ON held.site = gone.site AND held.reader = gone.reader AND {erasures}
"""


class _TailedLog(Protocol):
    """A log that can be read on from a sequence number, many events at a time."""

    def tail(self, after: int, limit: int) -> Tail:
        """Return at most `limit` events after `after`, as parallel lists."""
        ...


class Analysis:
    """Run SQL over a log; reads on from where it stopped before each query.

    The relation `events` has the columns of `EVENT_COLUMNS`: times are UTC, `body` is the JSON text of the event's own
    fields, a text is `''` and a number null where a kind has none (for `exposure`, `reader` is the unit). What a reader
    did before their `erasure` is hidden. What is in the lake is read from its files; only what came since is in memory.
    A lake that appears, grows or is written anew, by whatever process, is taken up before the next query; one that is
    damaged or made from another log is passed over. Of a lake in a bucket what a query needs is brought first; when the bucket
    does not answer, and not all of it is here, the log alone is read. Safe to share between threads.

    Each of `views` is a relation too: read from the lake where it lies ready, computed from the rest of the events.

    Args:
        log: Has `tail(after, limit)`, as `SqliteLog` does.
        lake: The folder of the log's lake, which may be absent; or the lake in a bucket.
        views: Relations to show beside `events`.
        threads: At most so many threads of DuckDB; 0 leaves it to DuckDB.
        memory: At most so much memory, such as `"2GiB"`; `""` leaves it to DuckDB.
        spill: The folder for what does not fit in memory; it goes when this is closed.
    """

    def __init__(
        self,
        log: _TailedLog,
        *,
        lake: Path | ObjectLake | None = None,
        views: Sequence[DailyView] = (),
        threads: int = 0,
        memory: str = "",
        spill: Path | None = None,
    ) -> None:
        self._log, self._views, self._spill = log, tuple(views), spill
        self._elsewhere = lake if isinstance(lake, ObjectLake) else None
        self._lake = lake.folder if isinstance(lake, ObjectLake) else lake
        self._shown: set[str] = set()
        self._lock = threading.Lock()
        self._last = 0
        self._stamp: object = None
        self._manifest: Manifest | None = None
        self._generation = 0
        self._erasures = False
        self._connection = engine(threads=threads, memory=memory, spill=spill)
        self._connection.execute(f"CREATE TABLE {self._tail} ({DEFINED})")
        self._show()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Read the log's new events, then run one query; one dictionary per row."""
        for left in reversed(range(_TRIES)):
            self.refresh()
            if not self._bring(sql):
                continue
            with self._lock:
                cursor, generation = self._connection.cursor(), self._generation
            try:
                return fetch(cursor, sql, parameters)
            except duckdb.IOException:
                # A file was replaced or lost while it was being read: look at the lake again.
                if not left or self._lake is None:
                    raise
                self._look_again()
            except duckdb.CatalogException:
                # Another thread took up another lake just now, of which not all had been brought.
                if not left or self._elsewhere is None or generation == self._generation:
                    raise
            finally:
                cursor.close()
        raise AssertionError  # the last try returns or raises

    def _bring(self, sql: str) -> bool:
        """See that what a query reads of a lake in a bucket is here; whether it is, or the lake is to be looked at again.

        Raises:
            EngineError: The bucket does not answer, and its lake is too large to read the log in its place.
        """
        lake, manifest = self._elsewhere, self._manifest
        if lake is None or manifest is None:
            return True
        names = {name for name in ("events", *(view.name for view in self._views)) if re.search(rf"\b{name}\b", sql)}
        try:
            for name in names:
                lake.bring(self._files_of(name, manifest))
        except EngineError as error:
            if error.code == LOST:
                lake.look_again()
                with self._lock:
                    if lake.stamp() == self._stamp:
                        self._rest_on(None)
                return False
            if manifest.events > ALONE:
                raise
            with self._lock:
                self._rest_on(None)
                self._stamp = _UNREACHED
            return False
        with self._lock:
            if manifest is not self._manifest:
                return False
            if not names <= self._shown:
                self._shown |= names
                self._show()
        return True

    def _files_of(self, relation: str, manifest: Manifest) -> Mapping[str, int]:
        """Name the files that a relation is read from."""
        if relation == "events":
            return {each.file: each.bytes for each in manifest.partitions}
        view = next(one for one in self._views if one.name == relation)
        lying = named_views(manifest, view)
        ready = {one.file: one.bytes for one in lying.values()}
        return ready | {each.file: each.bytes for each in manifest.partitions if each not in lying}

    def _look_again(self) -> None:
        self._stamp = None
        if self._elsewhere:
            self._elsewhere.look_again()

    def refresh(self) -> int:
        """Take up the lake as it is now and read the log's new events; return the sequence number reached."""
        with self._lock:
            self._take_up_the_lake()
            start, erased = self._last, False
            while True:
                batch = self._log.tail(self._last, _BATCH)
                if not batch.seq:
                    break
                self._insert(batch)
                erased = erased or "erasure" in batch.kind
                self._last = batch.seq[-1]
                if len(batch.seq) < _BATCH:
                    break
            if erased and self._marked_since(start):
                self._read_anew()
            if erased:
                self._connection.execute(_FORGET.format(tail=self._tail), {"after": start})
                if not self._erasures:
                    self._erasures = True
                    self._show()
            return self._last

    def _marked_since(self, start: int) -> bool:
        """Tell whether the log says of someone that they are no longer in it, and does not name them."""
        sql = f"SELECT 1 FROM {self._tail} WHERE kind = 'erasure' AND reader = '' AND seq > ? LIMIT 1"
        return self._connection.execute(sql, [start]).fetchone() is not None

    def _read_anew(self) -> None:
        """Read once more what came after the lake: the log does not hold all of it any more."""
        upto, self._last = self._last, self.through
        self._connection.execute(f"DELETE FROM {self._tail}")
        while self._last < upto:
            batch = self._log.tail(self._last, _BATCH)
            if not batch.seq:
                break
            self._insert(batch)
            self._last = batch.seq[-1]

    @property
    def cut_off(self) -> bool:
        """Whether the lake lies in a bucket that did not answer when it was last asked."""
        return self._elsewhere is not None and self._elsewhere.trouble is not None

    @property
    def elsewhere(self) -> bool:
        """It computes here."""
        return False

    @property
    def ready(self) -> Collection[DailyView]:
        """The views of which most lies ready: what is to be computed yet is a small part of the log."""
        self.refresh()
        with self._lock:
            if not self._manifest or not self._lake:
                return ()
            least = READY * (self._manifest.events + self._last - self._manifest.through)
            lying = {view: self._lying(view) for view in self._views}
            return tuple(view for view, files in lying.items() if sum(each.events for each in files) > least)

    @property
    def through(self) -> int:
        """The sequence number up to which events are read from the lake; 0 without one."""
        return self._manifest.through if self._manifest else 0

    def close(self) -> None:
        """Let go of the memory, and of what was put aside from it."""
        with self._lock:
            self._connection.close()
        if self._spill:
            shutil.rmtree(self._spill, ignore_errors=True)

    @property
    def _tail(self) -> str:
        return f"tail_{self._generation}"

    def _take_up_the_lake(self) -> None:
        """Read the lake's manifest when it has changed, and keep in memory only what is not in its files."""
        if self._elsewhere:
            self._take_up_from(self._elsewhere)
            return
        if self._lake is None:
            return
        for _ in range(_TRIES):
            stamp = stamp_of(self._lake)
            if stamp == self._stamp:
                return
            manifest = self._sound_manifest(self._lake)
            # Files may go while we look at them, when another manifest has just taken this one's place.
            if stamp_of(self._lake) == stamp:
                self._rest_on(manifest)
                self._stamp = stamp
                return

    def _take_up_from(self, lake: ObjectLake) -> None:
        """Take up what the bucket holds; when it does not answer, what it held when it last did."""
        stamp = lake.stamp()
        if stamp == self._stamp or (self._stamp is _UNREACHED and lake.trouble):
            return
        manifest = self._of_this_log(lake.manifest_for_reading())
        try:
            for name in self._shown:
                lake.bring(self._files_of(name, manifest) if manifest else {})
        except EngineError as error:
            if error.code != LOST:
                return  # what is at hand will do: the log tells what came since
            manifest = None
        self._rest_on(manifest)
        self._stamp = stamp
        if not lake.trouble:
            lake.tidy(manifest)

    def _sound_manifest(self, lake: Path) -> Manifest | None:
        manifest = read_manifest(lake)
        return None if manifest and damaged(lake, manifest) else self._of_this_log(manifest)

    def _of_this_log(self, manifest: Manifest | None) -> Manifest | None:
        if manifest is None:
            return None
        last = self._log.tail(manifest.through - 1, 1)
        held = (last.seq, last.site, last.id)
        return manifest if held == ([manifest.through], [manifest.last_site], [manifest.last_id]) else None

    def _rest_on(self, manifest: Manifest | None) -> None:
        """Show these files and the events after them; queries that are running keep what they began with."""
        through = manifest.through if manifest else 0
        keep = f"seq > {through}" if self.through <= through <= self._last else "false"
        former, before = self._tail, (self._generation, self._manifest, self._erasures)
        self._connection.execute("BEGIN")
        try:
            self._generation += 1
            self._connection.execute(f"CREATE TABLE {self._tail} AS SELECT * FROM {former} WHERE {keep}")
            erasures = self._connection.execute(f"SELECT 1 FROM {self._tail} WHERE kind = 'erasure' LIMIT 1").fetchone()
            self._manifest, self._erasures = manifest, bool(erasures)
            self._show()
            self._connection.execute(f"DROP TABLE {former}")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            self._generation, self._manifest, self._erasures = before
            raise
        if keep == "false":
            self._last = through

    def _show(self) -> None:
        """Say what `events` is: the lake's files and the tail. Of a lake in a bucket, only what has been brought."""
        partitions = self._manifest.partitions if self._manifest else ()
        brought = self._shown if self._elsewhere and self._manifest else {"events", *(one.name for one in self._views)}
        if "events" in brought:
            self._connection.execute(f"CREATE OR REPLACE VIEW events AS {self._events_of(partitions)}")
        for view in self._views:
            if view.name not in brought:
                continue
            lying = self._lying(view)
            rest = self._events_of([each for each in partitions if each not in lying])
            parts = [f"SELECT * FROM ({view_sql(view, f'({rest})')})"]
            if lying:
                parts.insert(0, self._held(lying.values(), "*", erasures="true"))
            self._connection.execute(f"CREATE OR REPLACE VIEW {quoted(view.name)} AS {' UNION ALL '.join(parts)}")

    def _lying(self, view: DailyView) -> Mapping[Partition, Path]:
        """Find the files that a view is read from."""
        if not self._lake or not self._manifest:
            return {}
        if self._elsewhere:
            return {each: self._lake / one.file for each, one in named_views(self._manifest, view).items()}
        return view_files(self._lake, self._manifest, view)

    def _events_of(self, partitions: Collection[Partition]) -> str:
        """Write the query for the tail, and for the events of some of the lake's days."""
        parts = [f"SELECT {NAMED} FROM {self._tail}"]
        if partitions and self._lake:
            files = [self._lake / each.file for each in partitions]
            parts.insert(0, self._held(files, NAMED, erasures="held.kind <> 'erasure'"))
        return " UNION ALL ".join(parts)

    def _held(self, files: Collection[Path], columns: str, *, erasures: str) -> str:
        """Write the query for rows of the lake's files; where someone was erased since, without those of theirs that are meant."""
        held = f"SELECT {columns} FROM {files_sql([str(file) for file in files])} AS held"
        return held + (_NOT_ERASED.format(tail=self._tail, erasures=erasures) if self._erasures else "")

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
        self._connection.execute(f"INSERT INTO {self._tail} {typed_sql('batch')}")


def fetch(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Run one query; one dictionary per row. Only the parameters that the query names are passed on."""
    named = set(_PARAMETER.findall(sql))
    used = {name: value for name, value in (parameters or {}).items() if name in named}
    result = connection.execute(sql, used) if used else connection.execute(sql)
    names: Sequence[str] = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
