"""Number columns: whole columns of a table as numbers or texts; what is neither is refused with its column and row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embellie.domain.errors import TableError
from embellie.store.engine import quoted
from embellie.store.tables import Table, open_table


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of one table, row by row; `names` are those the table has beside them too."""

    numbers: Mapping[str, list[float]]
    texts: Mapping[str, list[str]]
    names: tuple[str, ...]

    def __len__(self) -> int:
        lengths = [len(column) for column in self.numbers.values()] + [len(column) for column in self.texts.values()]
        return lengths[0] if lengths else 0


def read_columns(
    source: str,
    *,
    numbers: Sequence[str] = (),
    texts: Sequence[str] = (),
    optional: Sequence[str] = (),
    gaps: Sequence[str] = (),
    order: str = "",
    where: str = "",
) -> Columns:
    """Read columns of a CSV or Parquet file, or of a table of a database.

    Args:
        source: As `open_table` reads it.
        numbers: Columns that hold numbers, none empty, none infinite.
        texts: Columns that hold names.
        optional: Those of both that may be absent; they are then left out.
        gaps: Those of the numbers that may be empty in some rows; NaN stands there.
        order: A column to sort rows by (numbers by value, times by time, else text); as they stand when empty.
        where: Only rows for which this SQL condition holds.

    Raises:
        TableError: A column is missing, or holds what cannot be read; says which row.
    """
    table = open_table(source)
    try:
        numbers = [name for name in numbers if name in table.columns or name not in optional]
        texts = [name for name in texts if name in table.columns or name not in optional]
        for name in (*numbers, *texts, *([order] if order else [])):
            table.require(name)
        rows = table.rows(_sql(numbers, texts, order, where))
        if not rows:
            raise TableError(
                f"`{table.name}` has no rows.", hint="Check the file, and `--where` if it is given.", at=table.name
            )
        found = Columns(
            numbers={name: _numbers(table, rows, name, place, gaps=name in gaps) for place, name in enumerate(numbers)},
            texts={name: _texts(table, rows, name, place) for place, name in enumerate(texts)},
            names=tuple(table.columns),
        )
    finally:
        table.close()
    return found


def _sql(numbers: Sequence[str], texts: Sequence[str], order: str, where: str) -> str:
    chosen = ["row_number() OVER () AS place"]
    for place, name in enumerate(numbers):
        chosen.append(f"TRY_CAST({quoted(name)} AS DOUBLE) AS n{place}, CAST({quoted(name)} AS VARCHAR) AS w{place}")
    chosen += [f"CAST({quoted(name)} AS VARCHAR) AS t{place}" for place, name in enumerate(texts)]
    if order:
        chosen.append(
            f"TRY_CAST({quoted(order)} AS DOUBLE) AS o1, TRY_CAST({quoted(order)} AS TIMESTAMP) AS o2, "
            f"CAST({quoted(order)} AS VARCHAR) AS o3"
        )
    inner = f"SELECT {', '.join(chosen)} FROM source" + (f" WHERE {where}" if where else "")
    return f"SELECT * FROM ({inner}) ORDER BY {'o1, o2, o3, ' if order else ''}place"


def _numbers(table: Table, rows: Sequence[Mapping[str, Any]], name: str, place: int, *, gaps: bool) -> list[float]:
    found = []
    for row in rows:
        value = row[f"n{place}"]
        if gaps and row[f"w{place}"] in (None, ""):
            found.append(math.nan)
            continue
        if value is None or not math.isfinite(value):
            written = row[f"w{place}"]
            what = "is empty" if written in (None, "") else f"holds `{written}`"
            raise TableError(
                f"Column `{name}` {what} in row {row['place']}.",
                hint="It needs a finite number in every row.",
                at=table.name,
            )
        found.append(float(value))
    return found


def _texts(table: Table, rows: Sequence[Mapping[str, Any]], name: str, place: int) -> list[str]:
    for row in rows:
        if row[f"t{place}"] in (None, ""):
            raise TableError(
                f"Column `{name}` is empty in row {row['place']}.", hint="It needs a value in every row.", at=table.name
            )
    return [str(row[f"t{place}"]) for row in rows]
