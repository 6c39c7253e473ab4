"""Scorecard table: the rows of a scorecard as a CSV or Parquet file."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb

from embellie.domain.errors import InputError
from embellie.store.engine import engine, literal

Format = Literal["csv", "parquet"]

_TYPES = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}
_FORMATS: Mapping[Format, str] = {"csv": "FORMAT csv, HEADER", "parquet": "FORMAT parquet, COMPRESSION zstd"}

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is run as a formula by spreadsheets."""


def write_table(path: Path, columns: Mapping[str, type], rows: Sequence[Mapping[str, Any]], *, as_: Format) -> None:
    """Write rows to a file, whole or not at all; an older file is replaced.

    In CSV, a text that a spreadsheet would run as a formula gets an apostrophe before it.

    Args:
        path: The file.
        columns: Each column with what it holds: `str`, `bool`, `int` or `float`.
        rows: Values by column; `None` is an empty cell.
        as_: The file's format.

    Raises:
        InputError: The file cannot be written.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        try:
            _copy(beside, columns, rows, as_)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except (duckdb.IOException, OSError) as error:
        raise InputError(
            f"Cannot write `{path}`: {str(error).splitlines()[0]}.", hint="Give a file in a folder that exists."
        ) from None


def table_bytes(columns: Mapping[str, type], rows: Sequence[Mapping[str, Any]], *, as_: Format) -> bytes:
    """Return rows as the content of a file; see `write_table`."""
    with tempfile.TemporaryDirectory(prefix="embellie-") as folder:
        path = Path(folder) / f"rows.{as_}"
        _copy(path, columns, rows, as_)
        return path.read_bytes()


def _copy(path: Path, columns: Mapping[str, type], rows: Sequence[Mapping[str, Any]], as_: Format) -> None:
    names = ", ".join(f'"{name}" {_TYPES[held]}' for name, held in columns.items())
    connection = engine()
    try:
        connection.execute(f"CREATE TEMP TABLE rows ({names})")
        if rows:
            places = ", ".join("?" for _ in columns)
            cells = [[_safe(row.get(name), as_) for name in columns] for row in rows]
            connection.executemany(f"INSERT INTO rows VALUES ({places})", cells)
        connection.execute(f"COPY (SELECT * FROM rows) TO {literal(str(path))} ({_FORMATS[as_]})")
    finally:
        connection.close()


def _safe(cell: Any, as_: Format) -> Any:
    return f"'{cell}" if as_ == "csv" and isinstance(cell, str) and cell.startswith(_FORMULA) else cell
