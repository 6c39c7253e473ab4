"""PostgreSQL's pool: the connections with which one process asks a log, opened when needed and again when cut."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import LifoQueue
from typing import Any

from embellie.domain.errors import Conflict
from embellie.store.engine import quoted
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_erasing import Portable
from embellie.store.postgres_log_tables import READING, check, connect, explain

READERS = 4
"""How many queries one process asks at once."""

UNHURRIED = {"statement_timeout": "0"}
"""For what may take its time, and holds nobody up."""


class PostgresPool:
    """Asks a log in PostgreSQL, from many threads.

    Args:
        url: The database.
        schema: The schema that holds the log.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._closed = threading.Event()
        self._idle: LifoQueue[Any] = LifoQueue()
        for _ in range(READERS):
            self._idle.put(None)

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask one query; once more when the line was cut since the last one.

        Raises:
            Conflict: The log is closed.
            Busy: The server does not answer.
        """
        psycopg = driver()
        connection = self._idle.get()
        try:
            if self._closed.is_set():
                raise closed()
            fresh = connection is None or connection.closed
            if fresh:
                connection = self._connect()
            try:
                return _fetch(connection, sql, parameters)
            except psycopg.OperationalError:
                if fresh or not connection.closed:
                    raise
                connection = self._connect()
                return _fetch(connection, sql, parameters)
        except psycopg.Error as error:
            raise explain(error, self._url) from None
        finally:
            if connection is not None and self._closed.is_set():
                connection.close()
                connection = None
            self._idle.put(connection)

    @contextmanager
    def as_of_now(self) -> Iterator[Portable]:
        """Read what is there now, all of one moment."""
        with self.afresh() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            yield connection

    @contextmanager
    def afresh(self) -> Iterator[Portable]:
        """Read with a connection of one's own, each query what is there by then."""
        connection = self._connect()
        try:
            connection.execute(f"SET search_path = {quoted(self._schema)}")
            yield Portable(connection)
        except driver().Error as error:
            raise explain(error, self._url) from None
        finally:
            connection.close()

    def at_once(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run one statement that writes, outside the log's turns; it may take its time."""
        connection = connect(self._url, UNHURRIED)
        try:
            connection.execute(sql, parameters or None)
        except driver().Error as error:
            raise explain(error, self._url) from None
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of the connections; queries under way are waited for."""
        self._closed.set()
        for connection in [self._idle.get() for _ in range(READERS)]:
            if connection is not None:
                connection.close()
            self._idle.put(None)

    def _connect(self) -> Any:
        connection = connect(self._url, READING)
        check(connection, self._url, self._schema)
        return connection


def closed() -> Conflict:
    """Say that a log is closed."""
    return Conflict("The log is closed.", hint="Open it again.", code="log_closed")


def _fetch(connection: Any, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(sql, parameters or None).fetchall()
    return found
