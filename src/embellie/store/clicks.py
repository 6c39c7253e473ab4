"""Click logs as columns: CSV, Parquet, or the project's own log."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from embellie.domain.errors import TableError, unknown_name
from embellie.store.engine import engine, quoted
from embellie.store.log_file import open_for_reading

if TYPE_CHECKING:
    import duckdb

Unit = Literal["ms", "s", "iso", "auto"]

_LATEST = 7_258_118_400_000_000
"""The year 2200 in microseconds: a later time tells of a wrong unit."""

_PER_UNIT = {"s": 1_000_000, "ms": 1_000, "us": 1}
_NAMES = {"s": "a time in seconds", "ms": "a time in milliseconds", "us": "a time", "iso": "an ISO 8601 time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that is no click: its line (rows from 2, the header is line 1), why, and what it held."""

    line: int
    reason: str
    column: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickTable:
    """Clicks in time order, as columns of one length.

    `reader`, `visit`, `article` are object arrays of text, `at` int64 microseconds since 1970 UTC; sorted by
    `at`, then by their order in the file. `reasons` says why each of the `skipped` rows was left out.
    """

    reader: np.ndarray[Any, np.dtype[np.object_]]
    visit: np.ndarray[Any, np.dtype[np.object_]]
    article: np.ndarray[Any, np.dtype[np.object_]]
    at: np.ndarray[Any, np.dtype[np.int64]]
    skipped: int = 0
    reasons: tuple[BadRow, ...] = ()

    def __len__(self) -> int:
        return len(self.at)


def read_clicks(
    path: Path,
    *,
    reader: str = "",
    visit: str = "",
    article: str = "",
    at: str = "",
    unit: Unit = "auto",
    where: str = "",
) -> ClickTable:
    """Read a click log into columns, ids as text.

    Args:
        path: CSV (`.gz` too), Parquet, or the project's own log (its `read` events; no columns to name).
        reader: The column of the reader's id.
        visit: The column of the visit's id.
        article: The column of the article's id.
        at: The column of the time.
        unit: What the time is written in; `auto` tells by the size of the numbers.
        where: A condition in SQL on the file's columns (text in a CSV), for instance `eventType = 'VIEW'`.

    Raises:
        TableError: No such file, it cannot be read, a column is missing or not named, an id was stored as a
            decimal number and has lost digits, or no row at all can be read.
    """
    if not path.is_file():
        raise TableError("No such file.", hint="Give a CSV, a Parquet file or a log.", at=str(path))
    if is_log(path):
        return _own_log(path, where)
    named = {"reader": reader, "visit": visit, "article": article, "at": at}
    for option, column in named.items():
        if not column:
            raise TableError(
                f"Which column holds the {_SAID[option]}?", hint=f"Name it with `--{option} COLUMN`.", at=path.name
            )
    return _table(path, named, unit=unit, where=where, parquet=_begins(path, b"PAR1"))


def is_log(path: Path) -> bool:
    """Tell whether a file is a database, as the project's own log is."""
    return _begins(path, b"SQLite format 3")


def _begins(path: Path, mark: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


_SAID = {"reader": "reader", "visit": "visit", "article": "article", "at": "time"}


def _own_log(path: Path, where: str) -> ClickTable:
    condition = f" AND ({where})" if where else ""
    connection = open_for_reading(path)
    try:
        rows = connection.execute(
            f"SELECT reader, visit, article, at FROM events WHERE kind = 'read'{condition} ORDER BY at, seq"
        ).fetchall()
    finally:
        connection.close()
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    return ClickTable(
        reader=np.array(columns[0], dtype=object),
        visit=np.array(columns[1], dtype=object),
        article=np.array(columns[2], dtype=object),
        at=np.array(columns[3], dtype=np.int64),
    )


def _table(path: Path, named: Mapping[str, str], *, unit: Unit, where: str, parquet: bool) -> ClickTable:
    import duckdb

    connection = engine()
    source = "read_parquet(?)" if parquet else "read_csv(?, all_varchar = true, header = true, store_rejects = true)"
    try:
        types = {
            str(name): str(type_)
            for name, type_, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}", [str(path)]).fetchall()
        }
        _require_columns(named, types, path)
        _load(connection, source, path, named=named, types=types, where=where)
        rejects = [] if parquet else _rejects(connection)
        time_unit = _unit(connection, unit, types[named["at"]])
        return _clicks(connection, named, time_unit, rejects, path)
    except duckdb.Error as error:
        raise TableError(
            f"Cannot be read: {str(error).splitlines()[0]}.",
            hint="Check the file, and the condition in `--where` if there is one.",
            at=str(path),
        ) from None
    finally:
        connection.close()


def _require_columns(named: Mapping[str, str], types: Mapping[str, str], path: Path) -> None:
    for column in named.values():
        if column not in types:
            wrong = unknown_name("column", column, types)
            raise TableError(wrong.message, hint=wrong.hint, at=path.name, code="unknown_column")


def _load(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    path: Path,
    *,
    named: Mapping[str, str],
    types: Mapping[str, str],
    where: str,
) -> None:
    """Load the four columns as text, numbered in the order of the file."""
    ids = ", ".join(
        f"{_text(quoted(named[name]), types[named[name]])} AS {name}" for name in ("reader", "visit", "article")
    )
    time = quoted(named["at"])
    micros = f"epoch_us(CAST({time} AS TIMESTAMPTZ))" if _is_time(types[named["at"]]) else "CAST(NULL AS BIGINT)"
    connection.execute(
        f"CREATE TEMP TABLE clicks AS SELECT _place AS number, {ids}, trim(CAST({time} AS VARCHAR)) AS written, {micros} AS micros"
        f" FROM (SELECT row_number() OVER () AS _place, * FROM {source})" + (f" WHERE ({where})" if where else ""),
        [str(path)],
    )
    for name in ("reader", "visit", "article"):
        if types[named[name]] in ("DOUBLE", "FLOAT"):
            _require_whole(connection, name, named[name], path)


def _text(column: str, type_: str) -> str:
    """Write an id as text; a decimal number only when it is whole and has lost no digit."""
    if type_ in ("DOUBLE", "FLOAT"):
        whole = f"{column} = floor({column}) AND abs({column}) < 9007199254740992"
        return (
            f"CASE WHEN {whole} THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) WHEN {column} IS NOT NULL THEN '?' END"
        )
    return f"trim(CAST({column} AS VARCHAR))"


def _require_whole(connection: "duckdb.DuckDBPyConnection", name: str, column: str, path: Path) -> None:
    found = connection.execute(f"SELECT number FROM clicks WHERE {name} = '?' LIMIT 1").fetchone()
    if found:
        raise TableError(
            f"The ids in `{column}` are decimal numbers that have lost digits.",
            hint="Write the file again with this column as text or whole numbers.",
            at=f"{path.name}:{found[0]}",
        )


def _is_time(type_: str) -> bool:
    return type_.startswith(("TIMESTAMP", "DATE"))


def _rejects(connection: "duckdb.DuckDBPyConnection") -> list[BadRow]:
    """Return the rows that are no rows: too many columns, too few, a quote that never ends."""
    return [
        BadRow(line=line, reason=f"{message}.", column="", cells={"row": text or ""})
        for line, message, text in connection.execute(
            "SELECT line, max(error_message), max(csv_line) FROM reject_errors GROUP BY line ORDER BY line"
        ).fetchall()
    ]


def _unit(connection: "duckdb.DuckDBPyConnection", unit: Unit, type_: str) -> str:
    if _is_time(type_):
        return "typed"
    if unit != "auto":
        return unit
    total, numbers, middle = connection.execute(
        "SELECT count(written), count(TRY_CAST(written AS DOUBLE)), median(abs(TRY_CAST(written AS DOUBLE))) FROM clicks"
    ).fetchall()[0]
    if 2 * numbers < total or not numbers:
        return "iso"
    return "s" if middle < 1e11 else "ms" if middle < 1e14 else "us"


def _clicks(
    connection: "duckdb.DuckDBPyConnection", named: Mapping[str, str], unit: str, rejects: list[BadRow], path: Path
) -> ClickTable:
    if unit == "iso":
        connection.execute("UPDATE clicks SET micros = epoch_us(TRY_CAST(written AS TIMESTAMPTZ))")
    elif unit != "typed":
        connection.execute(
            f"UPDATE clicks SET micros = TRY_CAST(round(TRY_CAST(written AS DECIMAL(30, 9)) * {_PER_UNIT[unit]}) AS BIGINT)"
        )
    good = f"reader <> '' AND visit <> '' AND article <> '' AND micros BETWEEN 0 AND {_LATEST}"
    bad = _bad_rows(connection, named, _NAMES.get(unit, "a time"), good, rejects)
    found = connection.execute(
        f"SELECT reader, visit, article, micros FROM clicks WHERE {good} ORDER BY micros, number"
    ).fetchnumpy()
    if bad and not len(found["micros"]):
        raise TableError(
            f"None of its {len(bad)} rows is a click; the first: {bad[0].reason}",
            hint="Check the columns and `--unit`.",
            at=f"{path.name}:{bad[0].line}",
        )
    text = {name: np.asarray(found[name], dtype=object) for name in ("reader", "visit", "article")}
    at = np.asarray(found["micros"], dtype=np.int64)
    return ClickTable(
        reader=text["reader"], visit=text["visit"], article=text["article"], at=at, skipped=len(bad), reasons=tuple(bad)
    )


def _bad_rows(
    connection: "duckdb.DuckDBPyConnection", named: Mapping[str, str], time: str, good: str, rejects: list[BadRow]
) -> list[BadRow]:
    rows = connection.execute(
        f"SELECT number, reader, visit, article, written FROM clicks WHERE NOT coalesce({good}, false) ORDER BY number"
    ).fetchall()
    bad = list(rejects)
    for number, *values in rows:
        cells = {column: value or "" for column, value in zip(named.values(), values, strict=True)}
        empty = next((column for column, value in cells.items() if not value), "")
        at = named["at"]
        reason = f"`{empty}` is empty." if empty else f"`{cells[at]}` in `{at}` is not {time} between 1970 and 2200."
        bad.append(BadRow(line=_line(number, rejects), reason=reason, column=empty or at, cells=cells))
    return sorted(bad, key=lambda row: row.line)


def _line(number: int, rejects: list[BadRow]) -> int:
    """Return the line of the row that is `number`-th among those that could be split."""
    line = number + 1
    for reject in rejects:
        if reject.line <= line:
            line += 1
    return line
