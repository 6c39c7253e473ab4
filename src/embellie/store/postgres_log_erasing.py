"""What erasing a reader does to the log in PostgreSQL: the key of the marks, the rows removed, the mark left, refusals."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from embellie.ports import Traces
from embellie.store.log_erasing import Look, mark_left, remove
from embellie.store.log_rows import prepare
from embellie.store.postgres_log_writing import leave
from embellie.store.reader_marks import digest

_KEY_BYTES = 32

Rows = Callable[..., list[tuple[Any, ...]]]
"""Asks one query of the log."""


class PostgresMarks:
    """Makes marks with the log's own key, the same for all its servers; made when the first reader is erased.

    It has a table of its own, so that a dump can leave it out.

    Args:
        schema: The schema, quoted.
        read: Asks a query.
        write: Runs a statement with its parameters, at once.
    """

    def __init__(self, schema: str, *, read: Rows, write: Callable[[str, list[str]], None]) -> None:
        self._schema, self._read, self._write = schema, read, write
        self._key = b""

    def mark(self, site: str, reader: str) -> str:
        """Return the mark of a reader; the key is made when there is none."""
        if not self._known_key():
            # Of several servers that make one, the first one's holds.
            self._write(
                f"INSERT INTO {self._schema}.erasure_key (key) VALUES (%s) ON CONFLICT DO NOTHING",
                [secrets.token_hex(_KEY_BYTES)],
            )
        return digest(self._known_key(), site, reader)

    def known(self, site: str, reader: str) -> str:
        """Return the mark of a reader; `""` when there is no key yet, so that nobody can have been marked."""
        key = self._known_key()
        return digest(key, site, reader) if key else ""

    def _known_key(self) -> bytes:
        if not self._key:
            rows = self._read(f"SELECT key FROM {self._schema}.erasure_key")
            self._key = bytes.fromhex(rows[0][0]) if rows else b""
        return self._key


class Portable:
    """Runs SQL as it is written for SQLite and PostgreSQL both: `?` stands for a parameter, tables have no schema.

    Args:
        connection: Its `search_path` is the log's schema.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Run one statement."""
        return self._connection.execute(sql.replace("?", "%s"), parameters)


def erase(connection: Any, schema: str, site: str, reader: str, *, mark: str, now: datetime, looked: Look) -> Traces:
    """Remove all of a reader in one transaction, and leave their mark.

    Args:
        connection: In no transaction.
        schema: The schema, quoted.
        site: The site.
        reader: The reader's id.
        mark: Their mark.
        now: When.
        looked: What was found before, without the log's turn; only what came since is looked for here.
    """
    with connection.transaction():
        connection.execute(f"SET LOCAL search_path = {schema}")
        (before,) = connection.execute(f"SELECT last FROM {schema}.log FOR UPDATE").fetchone()
        log = Portable(connection)
        gone = remove(log, site, reader, looked)
        left = mark_left(log, site, mark, gone, now)
        if left:
            leave(connection, schema, prepare([left], received_at=now, rejected=()), before)
    return gone
