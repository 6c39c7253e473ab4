"""The SQL that turns any table into aggregates: rows → units → variants; and the check of its cells."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from embellie.domain.errors import InputError, TableError
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Needs, capped_sql, moments_sql
from embellie.measure.columns import Column

Missing = Literal["refuse", "zero"]

USUAL_CAP = 0.999
"""`capped(revenue)` counts the heaviest unit in a thousand of those above zero as the one before it."""

_SUMMABLE = (
    "VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip

_FORM = re.compile(
    r"(?P<word>share|median|p\d+(?:\.\d+)?|capped)\s*\(\s*(?P<column>.+?)\s*(?:,\s*(?P<cap>[^,()]+?)\s*)?\)"
)

_HOW_TO_WRITE = (
    "Write a column, `orders/sessions` for a ratio of means, `share(orders)`, `median(x)`, `p90(x)`, `capped(revenue)` or"
    " `capped(revenue, 99.5%)`."
)


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

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that no row may leave empty."""
        return tuple(name for name in (self.variant, self.unit, self.segment) if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How the table's columns are written in SQL: names and, for those to sum, expressions that give numbers."""

    quoted: Mapping[str, str]
    keys: Mapping[str, str]
    numbers: Mapping[str, str]


def parse_metric(text: str, columns: Sequence[str]) -> Metric:
    """Read a metric of a table: a column, `num/den`, or one of the forms of a column.

    >>> parse_metric("orders/sessions", ["orders", "sessions"]).denominator
    'sessions'
    >>> parse_metric("p90(load_ms)", ["load_ms"]).quantile
    0.9
    >>> parse_metric("capped(revenue, 99.5%)/sessions", ["revenue", "sessions"]).cap
    0.995

    Raises:
        InputError: It cannot be read.
    """
    if text in columns:
        return Metric(metric=text, numerator=text)
    top, slash, bottom = (part.strip() for part in text.partition("/"))
    if slash and not (top and bottom):
        raise InputError(f"`{text}` is no metric.", hint=_HOW_TO_WRITE)
    found = None if top in columns else _FORM.fullmatch(top)
    if found is None:
        if any("(" in part and part not in columns for part in (top, bottom)):
            raise InputError(f"`{text}` is no metric.", hint=_HOW_TO_WRITE)
        return Metric(metric=text, numerator=top, denominator=bottom)
    word, column = found["word"], found["column"]
    if (found["cap"] or bottom) and word != "capped":
        raise InputError(f"`{text}` is no metric: only means can be divided or capped.", hint=_HOW_TO_WRITE)
    if "(" in bottom and bottom not in columns:
        raise InputError(f"`{text}` is no metric: only what is above the line is capped.", hint=_HOW_TO_WRITE)
    if word == "share":
        return Metric(metric=text, numerator=column, form="share")
    if word == "capped":
        cap = _percentage(found["cap"], text) if found["cap"] else USUAL_CAP
        return Metric(metric=text, numerator=column, denominator=bottom, cap=cap)
    share = 0.5 if word == "median" else _percentage(f"{word[1:]}%", text)
    return Metric(metric=text, numerator=column, form="quantile", quantile=share)


def columns_sql(types: Mapping[str, str], summed: Sequence[str], *, missing: Missing) -> Columns:
    """Write the expressions of the columns; text is cast where it can be, and is null where it cannot.

    Raises:
        TableError: A column to sum holds dates, lists or the like.
    """
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in types}
    # No engine but DuckDB orders yes and no, and variants are ordered.
    keys = {
        name: f"CAST({written} AS VARCHAR)" if types[name] == "BOOLEAN" else written for name, written in quoted.items()
    }
    numbers = {}
    for name in summed:
        if not types[name].startswith(_SUMMABLE):
            raise TableError(
                f"Column `{name}` holds {types[name]} values, not numbers.", hint="Name a column of numbers."
            )
        number = f"TRY_CAST(trim({quoted[name]}) AS DOUBLE)" if types[name] == "VARCHAR" else quoted[name]
        if types[name] == "BOOLEAN":
            number = f"CAST({number} AS INTEGER)"
        number = number if types[name] in {"DOUBLE", "VARCHAR"} else f"CAST({number} AS DOUBLE)"
        numbers[name] = f"CASE WHEN {quoted[name]} IS NULL THEN 0 ELSE {number} END" if missing == "zero" else number
    return Columns(quoted=quoted, keys=keys, numbers=numbers)


def where_sql(spec: TableSpec, columns: Columns) -> tuple[str, dict[str, str]]:
    """Write the filter and its parameters."""
    parts = [f"CAST({columns.quoted[name]} AS VARCHAR) = $w{place}" for place, name in enumerate(spec.where)]
    values = {f"w{place}": value for place, value in enumerate(spec.where.values())}
    return ("WHERE " + " AND ".join(parts) if parts else ""), values


def keys_sql(spec: TableSpec, columns: Columns) -> str:
    """Write the query that counts rows, empty keys and variants."""
    where, _ = where_sql(spec, columns)
    found = [f"count(*) - count({columns.quoted[name]}) AS absent{place}" for place, name in enumerate(spec.keys)]
    different = f"count(DISTINCT {columns.keys[spec.variant]}) AS variants"
    if spec.segment:
        different += f", count(DISTINCT {columns.keys[spec.segment]}) AS segments"
    return f"SELECT count(*) AS n, {different}, {', '.join(found)} FROM source {where}"


def refuse_bad_keys(spec: TableSpec, found: Mapping[str, Any], *, name: str) -> None:
    """Refuse a table without rows, or with a row whose unit, variant or segment is empty.

    Raises:
        TableError: Naming the column, how many rows, and what to do.
    """
    if not found["n"]:
        hint = "Check `--where`." if spec.where else "Give a table with a row for each unit."
        raise TableError(f"`{name}` has no row to analyse.", hint=hint, at=name)
    for place, key in enumerate(spec.keys):
        if found[f"absent{place}"]:
            raise TableError(
                f"Column `{key}` is empty in {_rows(found[f'absent{place}'])}.",
                hint="Every row needs it; leave those rows out, and ask why they are there.",
                at=name,
            )


def cells_sql(spec: TableSpec, columns: Columns) -> str:
    """Write the query that counts what is wrong with the cells to sum, all at once."""
    where, _ = where_sql(spec, columns)
    found = []
    for place, (name, number) in enumerate(columns.numbers.items()):
        found.append(f"count(*) - count({columns.quoted[name]}) AS empty{place}")
        found.append(f"count(*) - count({number}) AS unread{place}")
        # Only what is infinite or not a number differs from itself, or is null once it is taken from itself.
        found.append(f"count(CASE WHEN {number} - {number} <> 0 THEN 1 END) AS infinite{place}")
    return f"SELECT {', '.join(found)} FROM source {where}"


def refuse_bad_cells(spec: TableSpec, columns: Columns, found: Mapping[str, Any], *, name: str) -> str:
    """Refuse a table whose cells cannot all be used; return the column of text to be shown, if there is one.

    Raises:
        TableError: Naming the column, how many rows, and what to do.
    """
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsSql:
    """How the units of a table are written: a relation of variant, segment and numbers, one row per unit.

    Attributes:
        relation: The query; `variant` is null for a unit in two, and so is `segment`.
        alias: Each column of the needs, in terms of the relation's.
        numbers: Each column of the table that is summed, by its name in the relation.
        once: It is a row of the table, so that the relation costs nothing to read twice.
    """

    relation: str
    alias: Mapping[str, str]
    numbers: Mapping[str, str]
    once: bool


def units_sql(spec: TableSpec, columns: Columns, needs: Needs, *, once: bool) -> UnitsSql:
    """Write the units of a table: its rows as they are when every unit has one, else their sums.

    Columns are not yet capped: `with_caps` does it, once the caps are known.
    """
    where, _ = where_sql(spec, columns)
    names = {name: f"b{place}" for place, name in enumerate(columns.numbers)}
    keys = {"variant": columns.keys[spec.variant]}
    if spec.segment:
        keys["segment"] = columns.keys[spec.segment]
    if once:
        parts = [f"{key} AS {word}" for word, key in keys.items()]
        parts += [f"{columns.numbers[name]} AS {short}" for name, short in names.items()]
        relation = f"SELECT {', '.join(parts)} FROM source {where}"
    else:
        parts = [f"CASE WHEN min({key}) = max({key}) THEN min({key}) END AS {word}" for word, key in keys.items()]
        parts += [f"sum({columns.numbers[name]}) AS {short}" for name, short in names.items()]
        relation = f"SELECT {', '.join(parts)} FROM source {where} GROUP BY {columns.quoted[spec.unit]}"
    alias = {column.name: _share_sql(column, names[column.counted]) for column in needs.columns}
    return UnitsSql(relation=relation, alias=alias, numbers=names, once=once)


def with_caps(units: UnitsSql, caps: Mapping[str, tuple[float, float]]) -> UnitsSql:
    """Cut columns at the values found."""
    alias = {
        name: capped_sql(written, caps[name]) if name in caps else written for name, written in units.alias.items()
    }
    return UnitsSql(relation=units.relation, alias=alias, numbers=units.numbers, once=units.once)


def variants_sql(spec: TableSpec, needs: Needs, units: UnitsSql, pivots: Mapping[str, float]) -> str:
    """Write the query that sums units up: a row per `variant` and, with segments, one per variant and `segment`.

    `cut` tells the two apart. A row whose `variant` is null counts the units in two, one whose `segment` is null those in
    two segments. `k…` counts the numbers that are finite, per column of the table.
    """
    finite = [
        f"count(CASE WHEN {b} - {b} = 0 THEN 1 END) AS k{place}" for place, b in enumerate(units.numbers.values())
    ]
    sums = ", ".join([moments_sql(needs, units.alias, pivots), *finite])
    variant, segment = "CAST(variant AS VARCHAR) AS variant", "CAST(segment AS VARCHAR) AS segment"
    if not spec.segment:
        return f"SELECT {variant}, 0 AS cut, {sums} FROM ({units.relation}) AS units GROUP BY variant"
    # Sums over units that had to be grouped are worth keeping for the second half.
    kept = "" if units.once else "MATERIALIZED "
    return f"""
WITH units AS {kept}({units.relation})
SELECT {variant}, CAST(NULL AS VARCHAR) AS segment, 0 AS cut, {sums} FROM units GROUP BY variant
UNION ALL
SELECT {variant}, {segment}, 1 AS cut, {sums} FROM units WHERE variant IS NOT NULL GROUP BY variant, segment
"""


def of_units_sql(
    spec: TableSpec, units: UnitsSql, selected: str, *, variant: bool = False, segment: bool = False
) -> str:
    """Write a query over the units that are in one variant: all, or those of `$variant` and `$segment`."""
    only = ["variant IS NOT NULL"]
    only += ["CAST(variant AS VARCHAR) = $variant"] if variant else []
    only += ["CAST(segment AS VARCHAR) = $segment"] if segment and spec.segment else []
    return f"SELECT {selected} FROM ({units.relation}) AS units WHERE {' AND '.join(only)}"


def counted_sql(spec: TableSpec, columns: Columns, needs: Needs) -> str:
    """Write the query of a table whose rows stand for many units, each of which did something or did not.

    Returns per variant the units and, per metric, how many of them did, with the worst of its rows: the
    smallest count, the largest excess over the units and whether all are whole.
    """
    where, _ = where_sql(spec, columns)
    trials = columns.numbers[spec.trials]
    parts = [f"sum({trials}) AS n, min({trials}) AS least, {_all_whole(trials)} AS whole"]
    for place, column in enumerate(needs.names):
        done = columns.numbers[column]
        parts.append(f"sum({done}) AS s{place}, min({done}) AS least{place}, max({done} - {trials}) AS over{place}")
        parts.append(f"{_all_whole(done)} AS whole{place}")
    key = columns.keys[spec.variant]
    return f"SELECT CAST({key} AS VARCHAR) AS variant, {', '.join(parts)} FROM source {where} GROUP BY {key}"


def _all_whole(number: str) -> str:
    return f"min(CASE WHEN {number} = floor({number}) THEN 1 ELSE 0 END)"


def _share_sql(column: Column, written: str) -> str:
    return f"CAST(CASE WHEN {written} > 0 THEN 1 ELSE 0 END AS DOUBLE)" if column.share else written


def _percentage(text: str, metric: str) -> float:
    try:
        value = float(text.rstrip(" %"))
    except ValueError:
        value = 0.0
    # 99.5 and 99.5 % say the same as 0.995.
    share = round(value / 100, 12) if "%" in text or value >= 1 else value
    if not 0 < share < 1:
        raise InputError(f"`{text}` in `{metric}` is no share of units.", hint="Write for example `99.5%`.")
    return share


def _rows(count: int) -> str:
    return f"{count} row{'s' if count != 1 else ''}"
