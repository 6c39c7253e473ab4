"""Tables: a CSV or Parquet file, or a table of a database, as a source for SQL."""

import math
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from embellie.domain.errors import TableError, unknown_name
from embellie.store.analysis import fetch
from embellie.store.engine import engine, literal, quoted

_BATCH = 100_000

_HASHES = 2**22
"""So many are sorted at once, so that a table of any length takes 64 MiB."""

_MEMORY = "2GiB"
"""What one table may take; sums over more units go through temporary files."""

_BITS = 2**27
_SPARSE = 64

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}


class Table:
    """One table, queried as `source`, whichever engine holds it.

    Args:
        name: What to call it in messages.
        columns: Each column's type, in DuckDB's words.
    """

    def __init__(self, *, name: str, columns: Mapping[str, str]) -> None:
        self.name = name
        self.columns = columns

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row.

        Raises:
            TableError: The table cannot be read to its end, or a number is too large.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the table."""

    def units_repeat(self, column: str, where: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a value of the column may stand in two rows; only False is certain."""
        return True

    def require(self, column: str) -> None:
        """Refuse a column that does not exist, or that exists twice.

        Raises:
            TableError: With the nearest name and all there are.
        """
        if column not in self.columns:
            wrong = unknown_name("column", column, self.columns)
            raise TableError(wrong.message, hint=self._header_is_odd() or wrong.hint, at=self.name)
        if f"{column}_1" in self.columns and self.header().count(column) > 1:
            raise TableError(f"Two columns are called `{column}`.", hint="Give each a name of its own.", at=self.name)

    def header(self) -> list[str]:
        """Return the columns' names as the file has them."""
        return list(self.columns)

    def _header_is_odd(self) -> str:
        name = next(iter(self.columns), "")
        if len(self.columns) == 1 and re.search(r"[,;\t|]", name):
            return f"There is one column only, `{name}`: some row has more or fewer cells than the first."
        if len(self.columns) == 1 and re.search(r"[^\w ]", name):
            return f"There is one column only, `{name}`: separate columns by a comma, a semicolon, a tab or `|`."
        if all(name[:1].isdigit() for name in self.columns):
            return f"The first line must name the columns; it holds {', '.join(f'`{name}`' for name in self.header())}."
        return ""


class LocalTable(Table):
    """A file, or a table of a file; CSV and SQLite columns are text: whoever reads numbers casts, and can say why not.

    Args:
        connection: Holds a view or a table named `source`.
        name: What to call it in messages.
        header_sql: Reads the names as they stand in the file, one row of one list.
        parsed: Each query reads text again, so that one query more is dear.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, name: str, header_sql: str = "", parsed: bool = False
    ) -> None:
        described = connection.execute("DESCRIBE source").fetchall()
        super().__init__(name=name, columns={str(row[0]): str(row[1]) for row in described})
        self._connection = connection
        self._header_sql = header_sql
        self._parsed = parsed

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row."""
        try:
            return fetch(self._connection, sql, parameters)
        except duckdb.OutOfRangeException:
            raise TableError(
                "A number is too large to be squared.", hint="Choose a larger unit.", at=self.name
            ) from None
        except duckdb.Error as error:
            raise _unreadable(self.name, error) from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def header(self) -> list[str]:
        """Return the columns' names as the file has them."""
        if not self._header_sql:
            return super().header()
        return [str(name) for (name,) in self._connection.execute(self._header_sql).fetchall()]

    def units_repeat(self, column: str, where: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a value of the column may stand in two rows; only False is certain.

        Whole numbers tick off a bit each, where they lie close together. Of anything else, 64-bit hashes are sorted, a few
        million at a time: two values of one hash are taken for one, and cost no more than the longer way.
        """
        name = quoted(column)
        if self.columns[column] in _WHOLE:
            (found,) = self.rows(
                f"SELECT count(*) AS n, min({name}) AS low, max({name}) AS high FROM source {where}", parameters
            )
            n, low, high = found["n"], found["low"], found["high"]
            if n and high - low < min(_BITS, _SPARSE * n):
                ticked = f"bit_count(bitstring_agg({name}, {low}, {high}))"
                return bool(
                    self.rows(f"SELECT {ticked} AS different FROM source {where}", parameters)[0]["different"] < n
                )
            halvings = _halvings(n)
        elif self._parsed:
            halvings = 0
        else:
            halvings = _halvings(self.rows(f"SELECT count(*) AS n FROM source {where}", parameters)[0]["n"])
        return any(self._hashes_repeat(name, where, parameters, (halvings, part)) for part in range(2**halvings))

    def _hashes_repeat(self, name: str, where: str, parameters: Mapping[str, Any], part: tuple[int, int]) -> bool:
        only = f"hash({name}) >> {64 - part[0]} = {part[1]}" if part[0] else "true"
        sql = f"SELECT hash({name}) AS hashed FROM source {where + ' AND' if where else 'WHERE'} {only}"
        try:
            found = self._connection.execute(sql, dict(parameters)) if parameters else self._connection.execute(sql)
            hashed = np.asarray(found.fetchnumpy()["hashed"])
        except duckdb.Error as error:
            raise _unreadable(self.name, error) from None
        hashed.sort()
        return bool((hashed[1:] == hashed[:-1]).any())


def _halvings(rows: int) -> int:
    return max(0, math.ceil(math.log2(max(1, rows) / _HASHES)))


def open_table(source: Any) -> Table:
    """Open a CSV (`.csv`, `.tsv`, `.gz`) or Parquet file, `URL::table` of a database, or a data frame.

    Raises:
        TableError: It does not exist, or cannot be read; says what to do.
    """
    if not isinstance(source, str | Path):
        from embellie.store.frame_engine import open_frame

        return open_frame(source)
    source = str(source)
    scheme, is_url, _ = source.partition("://")
    if not is_url:
        return _open_locally(Path(source).name, source, lambda connection: _view(connection, Path(source)))
    url, _, name = source.rpartition("::")
    if not url or not name:
        raise TableError(f"`{source}` names no table.", hint=f"Write `{source.rstrip(':')}::table`.")
    if scheme in {"sqlite", "duckdb"}:
        return _open_locally(name, source, lambda connection: _attach(connection, url, name))
    from embellie.store.engine_choice import open_remote_table

    remote = open_remote_table(url, name)
    if remote is not None:
        return remote
    raise TableError(
        f"`{scheme}` is no database this version reads.",
        hint="Use `postgresql://…::table`, `sc://host:port::table` (Spark), `sqlite:///file.db::table` or `duckdb:///file.duckdb::table`, or export to Parquet.",
    )


def _open_locally(name: str, source: str, show: Callable[[duckdb.DuckDBPyConnection], dict[str, Any]]) -> Table:
    connection = engine(memory=_MEMORY, spill=Path(tempfile.gettempdir()) / f"embellie-{os.getpid()}")
    connection.execute("SET preserve_insertion_order = true")
    try:
        return LocalTable(connection, name=name, **show(connection))
    except duckdb.Error as error:
        connection.close()
        raise _unreadable(source, error) from None
    except TableError:
        connection.close()
        raise


def _view(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise TableError(f"`{path}` is a folder.", hint="Name the file in it: CSV or Parquet.")
    if not path.is_file():
        raise TableError(f"No file `{path}`.", hint="Give a CSV or Parquet file, or `URL::table` of a database.")
    place = literal(str(path))
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & {".parquet", ".pq"}:
        reading = f"read_parquet({place})"
        header = f"SELECT name FROM parquet_schema({place}) WHERE num_children IS NULL"
        text = False
    elif suffixes & {".csv", ".tsv", ".txt"}:
        if path.stat().st_size == 0:
            raise TableError(f"`{path.name}` is empty.", hint="Its first line must name the columns.")
        reading = f"read_csv({place}, all_varchar = true, header = true)"
        first = f"(SELECT * FROM read_csv({place}, all_varchar = true, header = false) LIMIT 1)"
        header = f"UNPIVOT {first} ON COLUMNS(*) INTO NAME place VALUE name"
        header = f"SELECT name FROM ({header})"
        text = True
    else:
        raise TableError(
            f"`{path.name}` is neither CSV nor Parquet.", hint="Save it as `.csv`, `.csv.gz` or `.parquet`."
        )
    connection.execute(f"CREATE VIEW source AS SELECT * FROM {reading}")
    return {"header_sql": header, "parsed": text}


def _attach(connection: duckdb.DuckDBPyConnection, url: str, name: str) -> dict[str, Any]:
    scheme, _, place = url.partition("://")
    path = Path(place.removeprefix("/") if not place.startswith("//") else place[1:])
    if not path.is_file():
        raise TableError(f"No file `{path}`.", hint="Three slashes for a relative path, four for an absolute one.")
    if scheme == "sqlite":
        _copy_sqlite(connection, path, name)
        return {}
    connection.execute(f"ATTACH {literal(str(path))} AS outside (READ_ONLY)")
    parts = ".".join(quoted(part) for part in name.split("."))
    connection.execute(f"CREATE VIEW source AS SELECT * FROM outside.{parts}")
    return {}


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
    lines = str(error).strip().splitlines()
    first_line = lines[0].rstrip(".")
    if any("not utf-8" in line for line in lines):
        first_line = "its text is not UTF-8"
    return TableError(
        f"Cannot read `{source}`: {first_line}.", hint="Check that it is a whole CSV or Parquet file in UTF-8."
    )
