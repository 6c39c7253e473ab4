"""Filling a log in PostgreSQL: a whole log written in one transaction, of which nobody sees anything before it is committed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from embellie.domain.errors import Conflict
from embellie.store.engine import quoted
from embellie.store.log_place import PostgresPlace
from embellie.store.log_transfer import PAGE, PARTS, Numbers, Rows
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_tables import (
    INDEXES,
    INDEXES_GONE,
    connect,
    explain,
    holds_tables,
    prepare_tables,
)

_UNHURRIED = {"statement_timeout": "0", "lock_timeout": "10s"}


@contextmanager
def filling(target: PostgresPlace, *, aside: str = "") -> Iterator["PostgresFilling"]:
    """Write a log where none is, or none but an empty one.

    Args:
        target: Where.
        aside: The schema to which one that is there is renamed, in the same transaction; it is refused otherwise.

    Raises:
        Conflict: There is a log already.
    """
    connection = connect(target.url, _UNHURRIED)
    try:
        with connection.transaction():
            if aside and holds_tables(connection, target.schema):
                connection.execute(f"ALTER SCHEMA {quoted(target.schema)} RENAME TO {quoted(aside)}")
            prepare_tables(connection, target.url, target.schema)
            connection.execute(f"SET LOCAL search_path = {quoted(target.schema)}")
            _require_empty(connection, target)
            connection.execute(INDEXES_GONE)
            yield PostgresFilling(connection)
        connection.execute(f"ANALYZE {quoted(target.schema)}.events")
    except driver().Error as error:
        raise explain(error, target.url) from None
    finally:
        connection.close()


def _require_empty(connection: Any, target: PostgresPlace) -> None:
    connection.execute("LOCK TABLE events, quarantine, ledger IN ACCESS EXCLUSIVE MODE")
    last = connection.execute("SELECT last FROM log FOR UPDATE").fetchone()[0]
    if last or connection.execute("SELECT 1 FROM ledger LIMIT 1").fetchone():
        raise Conflict(
            "There is a log already.",
            hint="Give another schema with `--schema`, or drop that one if nobody needs it.",
            at=str(target),
        )


class PostgresFilling:
    """A log being written.

    Args:
        connection: In a transaction; its `search_path` is the log's schema.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def write(self, part: str, rows: Iterator[Rows]) -> None:
        """Write one part of it."""
        columns, _ = PARTS[part]
        names = ", ".join(quoted(name) for name in columns.split(", "))
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {part} ({names}) FROM STDIN") as copying:
            for page in rows:
                for row in page:
                    copying.write_row(row)

    def finish(self, numbers: Numbers) -> None:
        """Make the indexes, and write down how far it has counted and the key of its marks."""
        self._connection.execute(INDEXES)
        self._connection.execute("UPDATE log SET last = %s, erasure = %s", [numbers.last, numbers.erasure])
        if numbers.aside:
            sequence = "SELECT setval(pg_get_serial_sequence('quarantine', 'number'), %s)"
            self._connection.execute(sequence, [numbers.aside])
        if numbers.key:
            self._connection.execute("DELETE FROM erasure_key")
            self._connection.execute("INSERT INTO erasure_key (key) VALUES (%s)", [numbers.key])

    def pages(self, part: str) -> Iterator[Rows]:
        """Read a part back."""
        columns, order = PARTS[part]
        names = ", ".join(quoted(name) for name in columns.split(", "))
        with self._connection.cursor(name="back") as cursor:
            cursor.itersize = PAGE
            cursor.execute(f"SELECT {names} FROM {part} ORDER BY {order}")
            while page := cursor.fetchmany(PAGE):
                yield page

    def held(self, rows: Rows) -> Rows:
        """Write NUL, which no text of PostgreSQL holds, as it is escaped; what was put aside may hold it."""
        if not any(isinstance(cell, str) and "\0" in cell for row in rows for cell in row):
            return rows
        return [tuple(cell.replace("\0", "\\x00") if isinstance(cell, str) else cell for cell in row) for row in rows]
