"""The SQL that turns any table into aggregates: rows → units → variants; and the check of its cells before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from embellie.domain.errors import InputError, TableError
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Needs, moments_sql

Missing = Literal["refuse", "zero"]

_SUMMABLE = (
    "VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """What the columns of a table mean.

    Either `unit` names the column of the unit (several rows of a unit are summed first), or `trials` the column that
    counts units: then a row stands for that many units, and a metric's column for how many of them did something.
    """

    variant: str
    unit: str = ""
    trials: str = ""
    segment: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    missing: Missing = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How the table's columns are written in SQL: quoted names and, for those to sum, expressions that give numbers."""

    quoted: Mapping[str, str]
    numbers: Mapping[str, str]


def parse_metric(text: str, columns: Sequence[str]) -> Metric:
    """Read a metric of a table: a column, or `num/den` for a ratio of means.

    >>> parse_metric("orders/sessions", ["orders", "sessions"]).denominator
    'sessions'
    """
    if text in columns or "/" not in text:
        return Metric(metric=text, numerator=text)
    numerator, _, denominator = text.partition("/")
    if not numerator or not denominator:
        raise InputError(f"`{text}` is no metric.", hint="Write a column, or `orders/sessions` for a ratio of means.")
    return Metric(metric=text, numerator=numerator.strip(), denominator=denominator.strip())


def columns_sql(types: Mapping[str, str], summed: Sequence[str], *, missing: Missing) -> Columns:
    """Write the expressions of the columns; text is cast where it can be, and is null where it cannot.

    Raises:
        TableError: A column to sum holds dates, lists or the like.
    """
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in types}
    numbers = {}
    for name in summed:
        if not types[name].startswith(_SUMMABLE):
            raise TableError(
                f"Column `{name}` holds {types[name]} values, not numbers.", hint="Name a column of numbers."
            )
        number = f"TRY_CAST(trim({quoted[name]}) AS DOUBLE)" if types[name] == "VARCHAR" else quoted[name]
        number = f"CAST({number} AS DOUBLE)"
        numbers[name] = f"CASE WHEN {quoted[name]} IS NULL THEN 0 ELSE {number} END" if missing == "zero" else number
    return Columns(quoted=quoted, numbers=numbers)


def where_sql(spec: TableSpec, columns: Columns) -> tuple[str, dict[str, str]]:
    """Write the filter and its parameters."""
    parts = [f"CAST({columns.quoted[name]} AS VARCHAR) = $w{place}" for place, name in enumerate(spec.where)]
    values = {f"w{place}": value for place, value in enumerate(spec.where.values())}
    return ("WHERE " + " AND ".join(parts) if parts else ""), values


def check_sql(spec: TableSpec, columns: Columns) -> str:
    """Write the query that counts what is wrong with the cells, all at once."""
    where, _ = where_sql(spec, columns)
    keys = [spec.variant, *([spec.unit] if spec.unit else []), *([spec.segment] if spec.segment else [])]
    found = [f"count(*) - count({columns.quoted[name]}) AS absent{place}" for place, name in enumerate(keys)]
    for place, (name, number) in enumerate(columns.numbers.items()):
        found.append(f"count(*) - count({columns.quoted[name]}) AS empty{place}")
        found.append(f"count(*) - count({number}) AS unread{place}")
        found.append(f"count(*) FILTER (NOT isfinite({number})) AS infinite{place}")
    return f"SELECT count(*) AS rows, {', '.join(found)} FROM source {where}"


def refuse_bad_cells(spec: TableSpec, columns: Columns, found: Mapping[str, Any], *, name: str) -> str:
    """Refuse a table whose cells cannot all be used; return the column of text to be shown, if there is one.

    Raises:
        TableError: Naming the column, how many rows, and what to do.
    """
    if not found["rows"]:
        hint = "Check `--where`." if spec.where else "Give a table with a row for each unit."
        raise TableError(f"`{name}` has no row to analyse.", hint=hint, at=name)
    for place, key in enumerate([spec.variant, spec.unit, spec.segment] if spec.unit else [spec.variant, spec.segment]):
        if key and found.get(f"absent{place}"):
            raise TableError(
                f"Column `{key}` is empty in {_rows(found[f'absent{place}'])}.",
                hint="Every row needs it; leave those rows out, and ask why they are there.",
                at=name,
            )
    for place, column in enumerate(columns.numbers):
        empty = found[f"empty{place}"]
        if empty and spec.missing == "refuse":
            raise TableError(
                f"Column `{column}` is empty in {_rows(empty)}.",
                hint="If empty means nothing happened, add `--missing zero`; else leave those rows out.",
                at=name,
            )
        if found[f"unread{place}"] > (empty if spec.missing == "refuse" else 0):
            return column
        if found[f"infinite{place}"]:
            raise TableError(
                f"Column `{column}` is infinite or not a number (NaN) in {_rows(found[f'infinite{place}'])}.",
                hint="Mend the export: a mean over such values does not exist.",
                at=name,
            )
    return ""


def first_text_sql(spec: TableSpec, columns: Columns, column: str) -> str:
    """Write the query for the first cell of a column that is text, with its row (from 1, without the header)."""
    where, _ = where_sql(spec, columns)
    cell = columns.quoted[column]
    return f"""
SELECT row, cell FROM (
  SELECT row_number() OVER () AS row, {cell} AS cell, {columns.numbers[column]} AS number, * FROM source
) {where + " AND" if where else "WHERE"} cell IS NOT NULL AND number IS NULL ORDER BY row LIMIT 1
"""


def text_error(column: str, row: int, cell: object, *, name: str) -> TableError:
    """Build the error for text where a number is expected."""
    return TableError(
        f"Column `{column}` holds `{cell}` in row {row}, not a number.",
        hint="Write numbers with a point and no unit, such as 12.5.",
        at=name,
    )


def per_unit_sql(spec: TableSpec, columns: Columns, needs: Needs) -> str:
    """Write the query of a table with a row or more per unit.

    Returns rows `variant`, `segment` (null without segments), sums; rows with `variant` null count the excluded,
    whose `segment` then says why.
    """
    where, _ = where_sql(spec, columns)
    alias = {name: f"c{place}" for place, name in enumerate(needs.names)}
    sums = ", ".join(f"sum({columns.numbers[column]}) AS {name}" for column, name in alias.items())
    variant, unit = columns.quoted[spec.variant], columns.quoted[spec.unit]
    segment = columns.quoted[spec.segment] if spec.segment else ""
    several = f", min({segment}) AS segment, min({segment}) <> max({segment}) AS moved" if segment else ""
    nothing = ", ".join(["NULL"] * (len(needs.columns) + len(needs.pairs)))
    queries = [
        f"""
SELECT CAST(variant AS VARCHAR) AS variant, NULL AS segment, {moments_sql(needs, alias)}
FROM units WHERE NOT mixed GROUP BY ALL""",
        f"SELECT NULL, 'two_variants', count(*), {nothing} FROM units WHERE mixed",
    ]
    if segment:
        queries += [
            f"""
SELECT CAST(variant AS VARCHAR), CAST(segment AS VARCHAR), {moments_sql(needs, alias)}
FROM units WHERE NOT mixed AND NOT moved GROUP BY ALL""",
            f"SELECT NULL, 'two_segments', count(*), {nothing} FROM units WHERE NOT mixed AND moved",
        ]
    return f"""
WITH units AS MATERIALIZED (
  SELECT min({variant}) AS variant, min({variant}) <> max({variant}) AS mixed, {sums}{several}
  FROM source {where} GROUP BY {unit}
)
{" UNION ALL ".join(queries)}
"""


def counted_sql(spec: TableSpec, columns: Columns, needs: Needs) -> str:
    """Write the query of a table whose rows stand for many units, each of which did something or did not.

    Returns per variant the units and, per metric, how many of them did, with the worst of its rows: the
    smallest count, the largest excess over the units and whether all are whole.
    """
    where, _ = where_sql(spec, columns)
    trials = columns.numbers[spec.trials]
    parts = [f"sum({trials}) AS n, min({trials}) AS least, bool_and({trials} = floor({trials})) AS whole"]
    for place, column in enumerate(needs.names):
        done = columns.numbers[column]
        parts.append(f"sum({done}) AS s{place}, min({done}) AS least{place}, max({done} - {trials}) AS over{place}")
        parts.append(f"bool_and({done} = floor({done})) AS whole{place}")
    variant = f"CAST({columns.quoted[spec.variant]} AS VARCHAR)"
    return f"""
SELECT {variant} AS variant, {", ".join(parts)} FROM source {where} GROUP BY ALL
"""


def _rows(count: int) -> str:
    return f"{count} row{'s' if count != 1 else ''}"
