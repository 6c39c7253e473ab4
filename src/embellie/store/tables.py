"""Tables: a CSV or Parquet file, or a table of a database, as a source for SQL."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from embellie.domain.errors import TableError, unknown_name
from embellie.store.analysis import fetch
from embellie.store.engine import engine, literal, quoted

_BATCH = 100_000


class Table:
    """One table, queried as `source`. CSV and SQLite columns are text: whoever reads numbers casts, and can say why not.

    Args:
        connection: Holds a view or a table named `source`.
        name: What to call it in messages.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, name: str) -> None:
        self._connection = connection
        self.name = name
        described = connection.execute("DESCRIBE source").fetchall()
        self.columns: Mapping[str, str] = {str(row[0]): str(row[1]) for row in described}

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row.

        Raises:
            TableError: The file cannot be read to its end.
        """
        try:
            return fetch(self._connection, sql, parameters)
        except duckdb.Error as error:
            raise _unreadable(self.name, error) from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def require(self, column: str) -> None:
        """Refuse a column that does not exist.

        Raises:
            TableError: With the nearest name and all there are.
        """
        if column not in self.columns:
            wrong = unknown_name("column", column, self.columns)
            raise TableError(wrong.message, hint=wrong.hint, at=self.name)


def open_table(source: str) -> Table:
    """Open a CSV (`.csv`, `.tsv`, `.gz`) or Parquet file, or `URL::table` of a database (`sqlite:///`, `duckdb:///`).

    Raises:
        TableError: It does not exist, or cannot be read; says what to do.
    """
    url, double_colon, name = source.rpartition("::")
    connection = engine()
    connection.execute("SET preserve_insertion_order = true")
    try:
        if double_colon:
            _attach(connection, url, name)
        else:
            _view(connection, Path(source))
        return Table(connection, name=name if double_colon else Path(source).name)
    except duckdb.Error as error:
        connection.close()
        raise _unreadable(source, error) from None
    except TableError:
        connection.close()
        raise


def _view(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    if not path.is_file():
        raise TableError(f"No file `{path}`.", hint="Give a CSV or Parquet file, or `URL::table` of a database.")
    place = literal(str(path))
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & {".parquet", ".pq"}:
        reading = f"read_parquet({place})"
    elif suffixes & {".csv", ".tsv", ".txt"}:
        if path.stat().st_size == 0:
            raise TableError(f"`{path.name}` is empty.", hint="Its first line must name the columns.")
        reading = f"read_csv({place}, all_varchar = true, header = true)"
    else:
        raise TableError(
            f"`{path.name}` is neither CSV nor Parquet.", hint="Save it as `.csv`, `.csv.gz` or `.parquet`."
        )
    connection.execute(f"CREATE VIEW source AS SELECT * FROM {reading}")


def _attach(connection: duckdb.DuckDBPyConnection, url: str, name: str) -> None:
    scheme, _, place = url.partition("://")
    path = Path(place.removeprefix("/") if not place.startswith("//") else place[1:])
    if scheme not in {"sqlite", "duckdb"}:
        raise TableError(
            f"`{scheme or url}` is no database this version reads.",
            hint="Use `sqlite:///file.db::table` or `duckdb:///file.duckdb::table`, or export to Parquet.",
        )
    if not path.is_file():
        raise TableError(f"No file `{path}`.", hint="Three slashes for a relative path, four for an absolute one.")
    if scheme == "sqlite":
        _copy_sqlite(connection, path, name)
        return
    connection.execute(f"ATTACH {literal(str(path))} AS outside (READ_ONLY)")
    parts = ".".join(quoted(part) for part in name.split("."))
    connection.execute(f"CREATE VIEW source AS SELECT * FROM outside.{parts}")


def _copy_sqlite(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Copy a table in batches, as text: SQLite's columns hold anything."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as outside:
            cursor = outside.execute(f"SELECT * FROM {quoted(name)}")
            names = [column[0] for column in cursor.description]
            columns = ", ".join(f"{quoted(column)} VARCHAR" for column in names)
            connection.execute(f"CREATE TABLE source ({columns})")
            for batch in _batches(cursor, len(names)):  # noqa: B007, DuckDB reads the variable by its name
                connection.execute("INSERT INTO source SELECT * FROM batch")
    except sqlite3.Error as error:
        raise TableError(
            f"Cannot read `{name}` of `{path}`: {error}.", hint="Check the name of the table and of the file."
        ) from None


def _batches(cursor: sqlite3.Cursor, width: int) -> Iterator[dict[str, Any]]:
    while rows := cursor.fetchmany(_BATCH):
        yield {
            f"c{place}": np.array([None if row[place] is None else str(row[place]) for row in rows], dtype=object)
            for place in range(width)
        }


def _unreadable(source: str, error: duckdb.Error) -> TableError:
    first_line = str(error).strip().splitlines()[0].rstrip(".")
    return TableError(
        f"Cannot read `{source}`: {first_line}.", hint="Check that it is a whole CSV or Parquet file in UTF-8."
    )
