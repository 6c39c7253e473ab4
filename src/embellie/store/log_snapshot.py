"""Log snapshot: a whole log read as it stands at one moment, whatever is written meanwhile, for what moves into the lake."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from embellie.domain.errors import Busy, InputError
from embellie.store.engine import quoted
from embellie.store.lake_storage import LakeStorage
from embellie.store.log_file import explain, open_for_reading
from embellie.store.log_place import LogPlace, PostgresPlace

TURN = "2min"
"""How long one waits while another process compacts the same log into the same place."""


class LogSnapshot(Protocol):
    """Runs SQL that SQLite and PostgreSQL both understand over the table `events`; `?` stands for a parameter."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Read all rows."""
        ...

    def pages(self, sql: str, parameters: Sequence[object], *, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Read many rows, so many at a time."""
        ...


@contextmanager
def log_snapshot(place: LogPlace, lake: LakeStorage) -> Iterator[LogSnapshot]:
    """Open a log as it stands now.

    Args:
        place: Where it is.
        lake: Where it is compacted to: of several servers of one log in PostgreSQL, those that share a lake take turns.

    Raises:
        InputError: There is no log.
        Busy: Another process keeps the file locked, or compacts for too long.
        EngineError: PostgreSQL cannot be reached.
    """
    if isinstance(place, PostgresPlace):
        with _in_postgres(place, lake) as snapshot:
            yield snapshot
        return
    connection = open_for_reading(place)
    try:
        # One read transaction: all is seen as of now, whatever is written meanwhile.
        connection.execute("BEGIN")
        yield _InSqlite(connection)
    except sqlite3.Error as error:
        raise explain(error, place) from error
    finally:
        connection.close()


class _InSqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()

    def pages(self, sql: str, parameters: Sequence[object], *, size: int) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self._connection.execute(sql, parameters)
        while page := cursor.fetchmany(size):
            yield page


@contextmanager
def _in_postgres(place: PostgresPlace, lake: LakeStorage) -> Iterator[LogSnapshot]:
    from embellie.store.postgres_line import driver
    from embellie.store.postgres_log_tables import READING, check, connect, explain, holds_tables

    connection = connect(place.url, READING)
    psycopg = driver()
    try:
        if not holds_tables(connection, place.schema):
            raise InputError(
                "No log here yet.", hint="`embellie serve` or `embellie log import` writes one.", at=str(place)
            )
        check(connection, place.url, place.schema)
        connection.execute(f"SET search_path = {quoted(place.schema)}")
        connection.execute(f"SET lock_timeout = '{TURN}'")
        try:
            # Held until the connection ends, whatever becomes of this process; and taken before one looks.
            connection.execute(
                "SELECT pg_advisory_lock(hashtext(%s), hashtext(%s))",
                [f"embellie lake {place.schema}", lake.place if lake.copied else str(lake.folder.resolve())],
            )
        except psycopg.errors.LockNotAvailable:
            raise Busy(
                "Another process is compacting this log.",
                hint="Wait for it to finish; then try again.",
                at=lake.place,
                code="lake_locked",
            ) from None
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        yield _InPostgres(connection)
    except psycopg.Error as error:
        raise explain(error, place.url) from None
    finally:
        connection.close()


class _InPostgres:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._connection.execute(sql.replace("?", "%s"), parameters).fetchall()
        return found

    def pages(self, sql: str, parameters: Sequence[object], *, size: int) -> Iterator[list[tuple[Any, ...]]]:
        with self._connection.cursor(name="pages") as cursor:
            cursor.itersize = size
            cursor.execute(sql.replace("?", "%s"), parameters)
            while page := cursor.fetchmany(size):
                yield page
