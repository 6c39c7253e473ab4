"""The lake: the log as Parquet files, one per site and day, for any tool that reads Parquet."""

import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from embellie.domain.errors import InputError
from embellie.domain.moment import micros, moment
from embellie.store.engine import engine, literal
from embellie.store.log_file import explain, open_for_reading
from embellie.store.log_writing import HOUR

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[int, int], None]
"""Told how many of how many events are done."""

DAY = 24 * HOUR
_PAGE = 50_000
_TEXTS = ("id", "site", "kind", "consent", "reader", "visit", "article", "body")
_NUMBERS = ("seq", "at", "received_at", "schema")
_COLUMNS = (*_TEXTS, *_NUMBERS)

_STAGE = """
CREATE TABLE staged (
  id VARCHAR, site VARCHAR, kind VARCHAR, consent VARCHAR, reader VARCHAR, visit VARCHAR, article VARCHAR,
  body VARCHAR, seq BIGINT, at_us BIGINT, received_us BIGINT, schema INTEGER
)
"""
_PARTITION = """
SELECT seq, id, site, kind, make_timestamp(at_us) AS "at", make_timestamp(received_us) AS received_at,
       schema, consent, reader, visit, article, body
FROM staged WHERE site = {site} AND at_us >= {low} AND at_us < {high} ORDER BY at_us, seq
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The events of one site and day (UTC, by `at`); its mark changes when its events do."""

    site: str
    day: date
    events: int
    mark: str

    @property
    def folder(self) -> str:
        """Where it lies in the lake, in the manner of Hive: `site=…/day=…`."""
        return f"site={quote(self.site, safe='')}/day={self.day.isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did: files written, files left as they were, events in all of them, events too recent for it."""

    written: tuple[Partition, ...]
    unchanged: int
    events: int
    too_recent: int = 0


def export(log: Path, folder: Path, *, before: datetime | None = None, progress: Progress | None = None) -> Exported:
    """Write the log as Parquet (zstd), a file per site and day; a day that has not changed is left alone.

    A file appears whole or not at all. Exporting again gives the same files.

    Args:
        log: The log's file.
        folder: The lake; created when absent.
        before: Only events received before this time (an hour that is over stays as it is); all by default.
        progress: Told how far it is.

    Raises:
        InputError: There is no log, or the folder cannot be written.
    """
    connection = open_for_reading(log)
    try:
        # One read transaction: all is seen as of now, whatever is written meanwhile.
        connection.execute("BEGIN")
        limit = micros(before) if before else 2**62
        partitions = list(_partitions(connection, limit))
        changed = [each for each in partitions if _mark_of(folder / each.folder) != each.mark]
        recent = connection.execute("SELECT count(*) FROM events WHERE received_at >= ?", [limit]).fetchone()[0]
        if changed:
            folder.mkdir(parents=True, exist_ok=True)
            _write(connection, folder, changed, limit, progress or _in_silence)
    except sqlite3.Error as error:
        raise explain(error, log) from error
    except OSError as error:
        raise InputError(
            f"The lake cannot be written: {error.strerror or error}.",
            hint="Give a folder that this account may write to.",
            at=str(folder),
        ) from None
    finally:
        connection.close()
    return Exported(
        written=tuple(changed),
        unchanged=len(partitions) - len(changed),
        events=sum(each.events for each in partitions),
        too_recent=recent,
    )


def _partitions(connection: sqlite3.Connection, limit: int) -> Iterable[Partition]:
    rows = connection.execute(
        f"SELECT site, (at - ((at % {DAY}) + {DAY}) % {DAY}) / {DAY}, count(*), max(seq), sum(received_at % 1000000007)"
        " FROM events WHERE received_at < ? GROUP BY 1, 2 ORDER BY 1, 2",
        [limit],
    )
    for site, day, events, last, arrivals in rows:
        mark = f"1-{events}-{last}-{arrivals}"
        yield Partition(site=site, day=moment(day * DAY).date(), events=events, mark=mark)


def _mark_of(folder: Path) -> str:
    """Read what an earlier export left beside its file."""
    try:
        return (folder / "_mark").read_text(encoding="ascii") if (folder / "events.parquet").is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _write(log: sqlite3.Connection, folder: Path, changed: list[Partition], limit: int, progress: Progress) -> None:
    total = sum(each.events for each in changed)
    staging = folder / f".staging-{os.getpid()}.duckdb"
    stage = engine()
    try:
        # On disk, so that a log larger than memory can be sorted into days.
        stage.execute(f"ATTACH {literal(str(staging))} AS staging; USE staging")
        stage.execute(_STAGE)
        done = _fill(stage, log, changed, limit, lambda events: progress(events // 2, total))
        for each in changed:
            _write_partition(stage, folder, each)
            done += each.events
            progress(done // 2, total)
    finally:
        stage.close()
        for file in (staging, staging.with_name(staging.name + ".wal")):
            file.unlink(missing_ok=True)


def _fill(
    stage: "duckdb.DuckDBPyConnection",
    log: sqlite3.Connection,
    changed: list[Partition],
    limit: int,
    progress: Callable[[int], None],
) -> int:
    """Copy the events of the changed days into the staging table; returns how many."""
    wanted = {(each.site, each.day.toordinal() - date(1970, 1, 1).toordinal()) for each in changed}
    cursor = log.execute(f"SELECT {', '.join(_COLUMNS)} FROM events WHERE received_at < ? ORDER BY seq", [limit])
    site, at, done = _COLUMNS.index("site"), _COLUMNS.index("at"), 0
    while page := cursor.fetchmany(_PAGE):
        rows = [row for row in page if (row[site], row[at] // DAY) in wanted]
        if rows:
            columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
            arrays = {name: np.array(columns[name], dtype=object) for name in _TEXTS}
            arrays |= {name: np.array(columns[name], dtype=np.int64) for name in _NUMBERS}
            stage.register("page", arrays)
            stage.execute("INSERT INTO staged SELECT * FROM page")
            stage.unregister("page")
        done += len(rows)
        progress(done)
    return done


def _write_partition(stage: "duckdb.DuckDBPyConnection", folder: Path, each: Partition) -> None:
    target = folder / each.folder
    target.mkdir(parents=True, exist_ok=True)
    low = (each.day.toordinal() - date(1970, 1, 1).toordinal()) * DAY
    query = _PARTITION.format(site=literal(each.site), low=low, high=low + DAY)
    unfinished = target / f".events-{os.getpid()}.unfinished"
    stage.execute(f"COPY ({query}) TO {literal(str(unfinished))} (FORMAT parquet, COMPRESSION zstd)")
    # Without its mark the file would be written again: the safe side, should we stop between the two.
    (target / "_mark").unlink(missing_ok=True)
    unfinished.replace(target / "events.parquet")
    (target / "_mark").write_text(each.mark, encoding="ascii")


def _in_silence(done: int, total: int) -> None:
    """Tell nobody."""
