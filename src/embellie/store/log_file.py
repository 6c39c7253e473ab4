"""The log's file: one SQLite database, its tables, and errors that teach when it cannot be opened."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embellie.domain.errors import Busy, EmbellieError, InputError

APPLICATION = 0x656D6265
"""`embe`, in the header of the file: tells a log from any other database."""

VERSION = 1
BUSY_SECONDS = 5.0

ERASED = """
CREATE TABLE IF NOT EXISTS erased (
  site        TEXT NOT NULL,
  hour        INTEGER NOT NULL,
  accepted    INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  refused     INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (site, hour)
) WITHOUT ROWID"""
"""What is no longer there of what the ledger counts, by site and hour of its arrival; and what was refused since."""

TABLES = f"""
CREATE TABLE events (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  site        TEXT NOT NULL,
  id          TEXT NOT NULL,
  kind        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  consent     TEXT NOT NULL,
  schema      INTEGER NOT NULL,
  reader      TEXT NOT NULL,
  visit       TEXT NOT NULL,
  article     TEXT NOT NULL,
  body        TEXT NOT NULL
);
CREATE TABLE quarantine (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  site        TEXT NOT NULL,
  id          TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  path        TEXT NOT NULL,
  payload     TEXT NOT NULL
);
CREATE TABLE ledger (
  site        TEXT NOT NULL,
  hour        INTEGER NOT NULL,
  received    INTEGER NOT NULL,
  accepted    INTEGER NOT NULL,
  duplicates  INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  PRIMARY KEY (site, hour),
  CHECK (received = accepted + duplicates + quarantined)
) WITHOUT ROWID;
{ERASED};
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""

INDEXES = """
CREATE UNIQUE INDEX events_by_id ON events (site, id);
CREATE INDEX events_by_kind ON events (kind);
CREATE INDEX quarantine_by_id ON quarantine (site, id);
"""


def open_log_file(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Open or create the log's file: WAL, synchronous FULL, no transaction begun.

    Raises:
        InputError: The file is no log, or cannot be read or written here.
        Busy: Another process keeps it locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, path) from None
    return _open(path, _prepare, busy_seconds=busy_seconds, cache=32_768)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing log for reading only: what is written meanwhile is seen by the next query.

    Raises:
        InputError: No such file, or it is no log.
    """
    if not path.is_file():
        raise InputError(
            "No log here yet.",
            hint="Check the path; `embellie serve` or `embellie log import` writes one.",
            at=str(path),
        )
    return _open(path, _prepare_reading, busy_seconds=BUSY_SECONDS, cache=4_096)


def _open(
    path: Path, prepare: Callable[[sqlite3.Connection, Path], None], *, busy_seconds: float, cache: int
) -> sqlite3.Connection:
    """Connect and prepare; a connection that cannot be prepared is closed, and the error explained."""
    connection = None
    try:
        # Transactions are begun and ended by hand; each connection has one owner, or a lock around it.
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        # In KiB: the writer holds the hot pages of the indexes, each thread that reads only a few.
        connection.execute(f"PRAGMA cache_size = -{cache}")
        prepare(connection, path)
    except (sqlite3.Error, EmbellieError) as error:
        if connection is not None:
            connection.close()
        raise (explain(error, path) if isinstance(error, sqlite3.Error) else error) from None
    return connection


def _prepare_reading(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA query_only = ON")
    _check(connection, path)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not empty:
        _check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if empty:
        _create(connection)
    elif not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'erased'").fetchone():
        connection.execute(ERASED)  # a log from before readers could be erased


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been faster between our look and our lock.
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        for statement in (TABLES + INDEXES).split(";"):
            connection.execute(statement)
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise InputError(
            f"`{path.name}` is a database, but not an embellie log.",
            hint="Give the data folder of an installation, or another name.",
            at=str(path),
        )
    if version > VERSION:
        raise InputError(
            f"`{path.name}` was written by a newer embellie (log version {version}, this one reads {VERSION}).",
            hint="Upgrade embellie.",
            at=str(path),
        )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says meanwhile into what a person can do."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: OSError | sqlite3.Error, path: Path) -> EmbellieError:
    """Turn what SQLite or the system says about the log's file into what a person can do."""
    said = str(error).lower()
    if "locked" in said or "busy" in said:
        return Busy(
            f"Another process keeps the log `{path.name}` locked.",
            hint="Wait for it to finish, or stop it; then try again.",
            at=str(path),
            code="log_locked",
        )
    if "not a database" in said or "malformed" in said:
        return InputError(
            f"`{path.name}` is not a log that can be read: {error}.",
            hint="Check the path; if the file was damaged, restore it with its `-wal` file from a backup.",
            at=str(path),
            code="log_unreadable",
        )
    if "full" in said or "no space" in said:
        return Busy(
            f"The disk that holds `{path.name}` is full; nothing of this batch was kept.",
            hint="Free some space; the sender may try again.",
            at=str(path),
            code="disk_full",
        )
    return InputError(
        f"The log `{path.name}` cannot be opened or written: {error}.",
        hint="Give a folder that this account may write to, on a local disk.",
        at=str(path),
        code="log_unwritable",
    )
