"""PostgreSQL as an engine: a table as `source`, or the log's typed columns as `events`; only sums come back."""

import threading
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from embellie.domain.errors import EmbellieError, EngineError, TableError, unknown_name
from embellie.ports import DailyView
from embellie.store.engine import quoted
from embellie.store.event_columns import EVENT_COLUMNS
from embellie.store.postgres_line import driver, first_line, place_of, refusal
from embellie.store.tables import Table
from embellie.store.translating import NotPortable, translate

_TYPES = {
    "bool": "BOOLEAN", "int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "FLOAT", "float8": "DOUBLE",
    "numeric": "DECIMAL", "text": "VARCHAR", "varchar": "VARCHAR", "bpchar": "VARCHAR", "name": "VARCHAR",
    "uuid": "UUID", "date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
"""PostgreSQL's types in DuckDB's words; others keep their name, in capitals."""

_TEXT = {"text", "varchar", "bpchar", "name"}

_COLUMNS = """
SELECT a.attname AS name, t.typname AS type
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

_TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END AS name
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1 LIMIT 1000
"""


class PostgresReader:
    """Run SQL in DuckDB's dialect on PostgreSQL, over one table. Safe to share between threads; only ever reads.

    Args:
        url: `postgresql://user:password@host:port/database`, as libpq reads it.
        table: `table` or `schema.table`.
        relation: What the SQL calls it.

    Raises:
        EngineError: The server cannot be reached, or does not let us in.
        TableError: There is no such table, or it may not be read.
    """

    def __init__(self, url: str, table: str, *, relation: str) -> None:
        self._url = url
        self._place = place_of(url)
        self._lock = threading.Lock()
        self._connection = self._connect()
        try:
            written = ".".join(quoted(part) for part in table.split("."))
            types = {str(row["name"]): str(row["type"]) for row in self._fetch(_COLUMNS, [written])}
            if not types:
                self._refuse(table)
        except BaseException:
            self.close()
            raise
        self.columns = {name: _TYPES.get(type_, type_.upper()) for name, type_ in types.items()}
        # Text is put in order byte by byte, as elsewhere: what "least" means must not depend on the database's locale.
        shown = ", ".join(
            f'{quoted(name)} COLLATE "C" AS {quoted(name)}' if type_ in _TEXT else quoted(name)
            for name, type_ in types.items()
        )
        self._relations = ((relation, f"(SELECT {shown} FROM {written})"),)
        self._booleans = frozenset(name for name, type_ in types.items() if type_ == "bool")

    @property
    def elsewhere(self) -> bool:
        """The server computes."""
        return True

    @property
    def ready(self) -> Collection[DailyView]:
        """Nothing: what is asked is computed from the events."""
        return ()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row. Only the parameters that the query names are passed on.

        Raises:
            NotPortable: It uses what is not translated.
            TableError: PostgreSQL refuses the query.
            EngineError: The connection is lost.
        """
        translated = translate(sql, "postgres", relations=self._relations, booleans=self._booleans)
        given = parameters or {}
        missing = [name for name in translated.parameters if name not in given]
        if missing:
            raise NotPortable(
                f"Parameter `${missing[0]}` has no value.", hint="Give every parameter that the SQL names."
            )
        return self._fetch(translated.sql, [_sent(given[name]) for name in translated.parameters])

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _connect(self) -> Any:
        psycopg = driver()
        try:
            connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10, application_name="embellie")
            connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            connection.execute("SET TIME ZONE 'UTC'")
        except psycopg.Error as error:
            raise refusal(error, url=self._url) from None
        return connection

    def _fetch(self, sql: str, values: list[Any]) -> list[dict[str, Any]]:
        psycopg = driver()
        with self._lock:
            if self._connection.closed:
                self._connection = self._connect()
            try:
                try:
                    return self._run(sql, values)
                except psycopg.OperationalError:
                    if not self._connection.closed:
                        raise
                    # The server was restarted, or the line was cut while nobody asked: once more.
                    self._connection = self._connect()
                    return self._run(sql, values)
            except psycopg.Error as error:
                raise _query_error(error, place=self._place) from None

    def _run(self, sql: str, values: list[Any]) -> list[dict[str, Any]]:
        psycopg = driver()
        with psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(sql, values or None)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, map(_received, row), strict=True)) for row in cursor.fetchall()]

    def _refuse(self, table: str) -> None:
        wrong = unknown_name("table", table, [str(row["name"]) for row in self._fetch(_TABLES, [])])
        raise TableError(wrong.message, hint=wrong.hint, at=self._place)


class PostgresTable(Table):
    """A table of PostgreSQL, queried as `source`.

    Args:
        url: `postgresql://…`.
        table: `table` or `schema.table`.
    """

    def __init__(self, url: str, table: str) -> None:
        self._reader = PostgresReader(url, table, relation="source")
        super().__init__(name=table, columns=self._reader.columns)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row."""
        return self._reader.rows(sql, parameters)

    def close(self) -> None:
        """Let go of the connection."""
        self._reader.close()


def postgres_events(url: str, *, table: str = "events") -> PostgresReader:
    """Open a table that holds the log's typed columns, to be queried as `events`.

    Raises:
        TableError: A column is missing, or is of another kind.
    """
    reader = PostgresReader(url, table or "events", relation="events")
    missing = [name for name in EVENT_COLUMNS if name not in reader.columns]
    if missing:
        reader.close()
        raise TableError(
            f"Table `{table}` has no column `{missing[0]}`.",
            hint="It must have the columns of the lake; `docs/how-to/engines.md` lists them.",
            at=place_of(url),
        )
    return reader


def _sent(value: Any) -> Any:
    """Give times as UTC without a zone, as the log's are."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _received(value: Any) -> Any:
    """Give numbers as other engines do: a whole one as `int`, another as `float`."""
    if isinstance(value, Decimal):
        return (
            int(value) if value.is_finite() and value == value.to_integral_value() and _whole(value) else float(value)
        )
    return value


def _whole(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= 0


def _query_error(error: Any, *, place: str) -> EmbellieError:
    said = first_line(str(error))
    state = str(error.sqlstate or "")
    if state == "42501":
        return TableError(f"PostgreSQL does not let this user read: {said}", hint="Ask for `GRANT SELECT`.", at=place)
    if state.startswith("22"):
        return TableError(
            f"PostgreSQL cannot compute this: {said}", hint="Choose a larger unit, or mend the column.", at=place
        )
    if state[:2] in {"", "08", "57"}:
        return EngineError(f"PostgreSQL at `{place}` broke off: {said}", hint="Try again; see whether the server runs.")
    return TableError(
        f"PostgreSQL refuses this query: {said}", hint="Check the table and the columns you named.", at=place
    )
