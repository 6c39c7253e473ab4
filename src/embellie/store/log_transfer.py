"""Log transfer: a whole log brought from one place to another, a file or PostgreSQL, with its numbers; all of it or nothing."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from embellie.domain.errors import Conflict, InputError
from embellie.store.archive import require_unused
from embellie.store.lake_storage import FolderLake
from embellie.store.log_file import INDEXES, TABLES, explain, open_log_file
from embellie.store.log_place import LogPlace, PostgresPlace
from embellie.store.log_snapshot import LogSnapshot, log_snapshot
from embellie.store.postgres_log_writing import KEY_BYTES
from embellie.store.reader_marks import FILE as MARKS_FILE

PAGE = 10_000

PARTS = {
    "events": ("seq, site, id, kind, at, received_at, consent, schema, reader, visit, article, body", "seq"),
    "quarantine": ("number, site, id, received_at, reason, path, payload", "number"),
    "ledger": ("site, hour, received, accepted, duplicates, quarantined", "site, hour"),
    "erased": ("site, hour, accepted, quarantined, refused", "site, hour"),
}
"""What a log consists of: of each table the columns, and the order in which it is read and compared."""

Progress = Callable[[int, int], None]
"""Told how many of how many rows are done; each counts twice, written and read back."""

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How far a log has counted, which is further than its last row once that is erased; and the key of its marks (hex)."""

    last: int
    aside: int
    erasure: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """A log brought over: how many rows of each part, its last number, and the SHA-256 of all rows, the same on both sides."""

    rows: dict[str, int]
    last: int
    sha256: str


class Filling(Protocol):
    """A new log, not yet there for others."""

    def write(self, part: str, rows: Iterator[Rows]) -> None:
        """Write one part of it."""
        ...

    def finish(self, numbers: Numbers) -> None:
        """Write down how far it has counted."""
        ...

    def pages(self, part: str) -> Iterator[Rows]:
        """Read a part back."""
        ...

    def held(self, rows: Rows) -> Rows:
        """Write rows as it holds them."""
        ...


def transfer_log(
    source: LogPlace, target: LogPlace, *, aside: str = "", still: bool = True, progress: Progress | None = None
) -> Transferred:
    """Bring a whole log to another place: events, quarantine, ledger, what was erased, numbers and times, and the key of the marks.

    Nothing is there for others before all is, and has been read back and compared. Interrupted, it leaves nothing.

    Args:
        source: The log.
        target: Where it is to be, and no log is.
        aside: For PostgreSQL: the schema to which a log that is there is renamed.
        still: Refuse if someone wrote to the source meanwhile; otherwise the copy is of the moment at which it began.
        progress: Told how far it is.

    Raises:
        InputError: There is no log, it holds what PostgreSQL cannot, or it reads back otherwise.
        Conflict: There is a log at the target, or someone wrote to the source.
    """
    tell = progress or _in_silence
    if isinstance(source, Path) and source.is_file():
        open_log_file(source).close()  # a log of an older version gets its newer tables
    with log_snapshot(source, FolderLake(_ASIDE_FROM_LAKES)) as snapshot:
        numbers = _numbers(snapshot, source)
        total = 2 * sum(int(snapshot.rows(f"SELECT count(*) FROM {part}")[0][0]) for part in PARTS)
        if isinstance(source, Path) and isinstance(target, PostgresPlace):
            _require_fitting(snapshot)
        with _filling(target, aside, numbers) as filling:
            told, counts, sums = 0, dict.fromkeys(PARTS, 0), {}
            for part in PARTS:
                summed = _Sum()

                def passing(part: str = part, summed: _Sum = summed) -> Iterator[Rows]:
                    nonlocal told
                    for found in _pages(snapshot, part):
                        page = filling.held(found)
                        summed.add(page)
                        counts[part] += len(page)
                        told += len(page)
                        tell(told, total)
                        yield page

                filling.write(part, passing())
                sums[part] = summed.hex
            filling.finish(numbers)
            for part in PARTS:
                back = _Sum()
                for page in filling.pages(part):
                    back.add(page)
                    told += len(page)
                    tell(told, total)
                if back.hex != sums[part]:
                    raise InputError(
                        f"The {part} read back otherwise than written; nothing was kept.",
                        hint="Try again; check the disk.",
                        at=str(target),
                    )
            if still:
                _require_still(source, numbers)
    whole = hashlib.sha256("".join(sums.values()).encode()).hexdigest()
    return Transferred(rows=counts, last=numbers.last, sha256=whole)


def key_of_marks(log: LogPlace) -> str:
    """Read the key with which a log's marks are made (hex), `""` when there is none yet.

    Raises:
        InputError: There is no log.
    """
    with log_snapshot(log, FolderLake(_ASIDE_FROM_LAKES.with_suffix(".key"))) as snapshot:
        return _numbers(snapshot, log).key


_ASIDE_FROM_LAKES = Path("transfer")
"""What transfers of one log take turns by."""


class _Sum:
    """The SHA-256 of rows, told page by page; pages are of one size on both sides."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, page: Rows) -> None:
        self._digest.update(msgspec.json.encode(page))

    @property
    def hex(self) -> str:
        return self._digest.hexdigest()


def _pages(log: LogSnapshot, part: str) -> Iterator[Rows]:
    columns, order = PARTS[part]
    return log.pages(f"SELECT {columns} FROM {part} ORDER BY {order}", (), size=PAGE)


def _numbers(log: LogSnapshot, place: LogPlace) -> Numbers:
    erasure = int(log.rows("SELECT coalesce(max(seq), 0) FROM events WHERE kind = 'erasure'")[0][0])
    if isinstance(place, Path):
        counted = dict(log.rows("SELECT name, seq FROM sqlite_sequence"))
        key = ""
        with suppress(FileNotFoundError):
            key = (place.parent / MARKS_FILE).read_text().strip()
        return Numbers(
            last=int(counted.get("events", 0)), aside=int(counted.get("quarantine", 0)), erasure=erasure, key=key
        )
    sequence = log.rows("SELECT pg_get_serial_sequence('quarantine', 'number')")[0][0]
    aside = log.rows(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")[0][0]
    key = next((row[0] for row in log.rows("SELECT key FROM erasure_key")), "")
    return Numbers(last=int(log.rows("SELECT last FROM log")[0][0]), aside=int(aside), erasure=erasure, key=key)


def _require_fitting(log: LogSnapshot) -> None:
    """Refuse a file's log with an event that PostgreSQL could not hold; one that comes in there is put aside."""
    # Of bytes: a text ends at NUL for most functions.
    whole, names = "CAST(site || id AS BLOB)", "CAST(site || id || reader || visit || article AS BLOB)"
    sql = f"SELECT seq FROM events WHERE length({whole}) > ? OR instr({names}, x'00') LIMIT 1"
    if found := log.rows(sql, (KEY_BYTES,)):
        raise InputError(
            f"Event {found[0][0]} has a name that PostgreSQL cannot hold: NUL is in it, or it is too long.",
            hint="Erase the reader of that event; then copy again.",
        )


def _require_still(source: LogPlace, numbers: Numbers) -> None:
    with log_snapshot(source, FolderLake(_ASIDE_FROM_LAKES.with_suffix(".again"))) as log:
        now = _numbers(log, source)
    if now != numbers:
        raise Conflict(
            "Someone wrote to the log while it was copied; nothing was kept.",
            hint="Stop all servers, then copy again.",
            at=str(source),
        )


@contextmanager
def _filling(target: LogPlace, aside: str, numbers: Numbers) -> Iterator[Filling]:
    if isinstance(target, PostgresPlace):
        from embellie.store.postgres_log_filling import filling

        with filling(target, aside=aside) as new:
            yield new
        return
    with _filling_file(target, numbers.key) as file:
        yield file


@contextmanager
def _filling_file(target: Path, key: str) -> Iterator["_File"]:
    """Write a log's file under another name, which it keeps until it is whole."""
    _require_no_log(target, key)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.copying")
    beside.unlink(missing_ok=True)
    try:
        beside.touch(mode=0o600)
        with closing(sqlite3.connect(beside, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            for statement in TABLES.split(";"):
                connection.execute(statement)
            yield _File(connection)
            connection.execute("COMMIT")
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        if key and not (target.parent / MARKS_FILE).is_file():
            with os.fdopen(
                os.open(target.parent / MARKS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
            ) as new:
                new.write(f"{key}\n")
        for left in ("", "-wal", "-shm"):
            target.with_name(target.name + left).unlink(missing_ok=True)
        beside.replace(target)
    except sqlite3.Error as error:
        raise explain(error, target) from None
    finally:
        beside.unlink(missing_ok=True)


def _require_no_log(target: Path, key: str) -> None:
    if target.exists():
        require_unused(target)
        with closing(open_log_file(target)) as former:
            counted = former.execute("SELECT count(*) FROM sqlite_sequence WHERE seq > 0").fetchone()[0]
        if counted:
            raise Conflict(
                "There is a log already.", hint="Give a folder that holds none, or move that one away.", at=str(target)
            )
    marks = target.parent / MARKS_FILE
    if key and marks.is_file() and marks.read_text().strip() != key:
        raise Conflict(
            "The folder holds another log's key of marks.", hint="Give a folder that holds none.", at=str(marks)
        )


class _File:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(self, part: str, rows: Iterator[Rows]) -> None:
        columns, _ = PARTS[part]
        marks = ", ".join("?" * len(columns.split(", ")))
        for page in rows:
            self._connection.executemany(f"INSERT INTO {part} ({columns}) VALUES ({marks})", page)

    def finish(self, numbers: Numbers) -> None:
        for statement in INDEXES.split(";"):
            self._connection.execute(statement)
        for name, number in (("events", numbers.last), ("quarantine", numbers.aside)):
            self._connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))

    def pages(self, part: str) -> Iterator[Rows]:
        columns, order = PARTS[part]
        cursor = self._connection.execute(f"SELECT {columns} FROM {part} ORDER BY {order}")
        while page := cursor.fetchmany(PAGE):
            yield page

    def held(self, rows: Rows) -> Rows:
        return rows


def _in_silence(done: int, total: int) -> None:
    """Tell nobody."""
