"""From a table to aggregates: which queries are asked, in which order, and what their answers mean."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from embellie.domain.errors import TableError
from embellie.measure.aggregates import (
    Aggregates,
    Needs,
    caps_from,
    caps_sql,
    moments_by_variant,
    quantiles_from,
    quantiles_sql,
)
from embellie.measure.counted import moments_from_counts
from embellie.measure.table_query import (
    Columns,
    TableSpec,
    UnitsSql,
    cells_sql,
    columns_sql,
    counted_sql,
    first_text_sql,
    keys_sql,
    of_units_sql,
    refuse_bad_cells,
    refuse_bad_keys,
    text_error,
    units_sql,
    variants_sql,
    where_sql,
    with_caps,
)
from embellie.stats.moments import Moments, QuantileSample

MOST_GROUPS = 100
"""More variants or segments than this, and the wrong column was named."""

_FAR = 16.0
"""A mean further than this from zero, in standard deviations, is summed again from nearby: the sum of millions of numbers
loses digits in proportion."""


class SourceTable(Protocol):
    """A table that answers SQL about `source`, in DuckDB's dialect."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Each column's type, in DuckDB's words."""
        ...

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row."""
        ...

    def units_repeat(self, column: str, where: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a value of the column may stand in two rows; only False is certain."""
        ...


def read_table(table: SourceTable, spec: TableSpec, needs: Needs) -> dict[str, Aggregates]:
    """Sum a table up: the aggregates of all units under `""`, those of each segment under its name.

    When no unit stands in two rows, one scan does it; else rows are summed per unit first, and units in two variants are
    left out and counted. Only when something is wrong are the cells looked at one by one, to say where.

    Raises:
        TableError: The table cannot be used; says which column, which row, and what to do.
    """
    summed = dict.fromkeys((*(column.counted for column in needs.columns), *([spec.trials] if spec.trials else [])))
    columns = columns_sql(table.columns, tuple(summed), missing=spec.missing)
    where, parameters = where_sql(spec, columns)
    (keys,) = table.rows(keys_sql(spec, columns), parameters)
    refuse_bad_keys(spec, keys, name=table.name)
    _few(spec.variant, keys["variants"], "variants")
    _few(spec.segment, keys.get("segments", 0), "segments")
    if spec.trials:
        _look_at_cells(table, spec, columns)
        rows = table.rows(counted_sql(spec, columns, needs), parameters)
        moments = {
            str(row["variant"]): moments_from_counts(row, needs, trials=spec.trials, name=table.name) for row in rows
        }
        return {"": Aggregates(moments=moments)}
    repeat = table.units_repeat(spec.unit, where, parameters)
    if repeat:
        _look_at_cells(table, spec, columns)
    return _Reading(table, spec, needs, columns).read(units_sql(spec, columns, needs, once=not repeat), keys["n"])


class _Reading:
    """The queries about one table's units."""

    def __init__(self, table: SourceTable, spec: TableSpec, needs: Needs, columns: Columns) -> None:
        self._table, self._spec, self._needs, self._columns = table, spec, needs, columns
        _, self._parameters = where_sql(spec, columns)

    def read(self, units: UnitsSql, rows: int) -> dict[str, Aggregates]:
        caps = self._caps(units)
        units = with_caps(units, caps)
        found, pivots = self._sums(units), dict[str, float]()
        if units.once:
            self._refuse_unread(found, rows)
        far = _far(found, self._needs)
        if far:
            found, pivots = self._sums(units, far), far
        whole = [row for row in found if not row["cut"]]
        moments = moments_by_variant([row for row in whole if row["variant"] is not None], self._needs, pivots)
        _finite(moments, self._needs, name=self._table.name)
        excluded = {"two_variants": sum(int(row["n"]) for row in whole if row["variant"] is None)}
        parts = [row for row in found if row["cut"]]
        if self._spec.segment:
            excluded["two_segments"] = sum(int(row["n"]) for row in parts if row["segment"] is None)
        answer = {
            "": Aggregates(moments=moments, excluded=excluded, caps=caps, quantiles=self._quantiles(units, moments))
        }
        for segment in dict.fromkeys(row["segment"] for row in parts if row["segment"] is not None):
            own = moments_by_variant([row for row in parts if row["segment"] == segment], self._needs, pivots)
            answer[segment] = Aggregates(moments=own, caps=caps, quantiles=self._quantiles(units, own, segment))
        return answer

    def _sums(self, units: UnitsSql, pivots: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
        try:
            return self._table.rows(variants_sql(self._spec, self._needs, units, pivots or {}), self._parameters)
        except TableError:
            _look_at_cells(self._table, self._spec, self._columns)
            raise

    def _refuse_unread(self, found: Sequence[Mapping[str, Any]], rows: int) -> None:
        for place in range(len(self._columns.numbers)):
            if sum(row[f"k{place}"] for row in found if not row["cut"]) < rows:
                _look_at_cells(self._table, self._spec, self._columns)

    def _caps(self, units: UnitsSql) -> dict[str, tuple[float, float]]:
        if not self._needs.capped:
            return {}
        sql = of_units_sql(self._spec, units, caps_sql(self._needs, units.alias))
        return caps_from(self._table.rows(sql, self._parameters)[0], self._needs)

    def _quantiles(
        self, units: UnitsSql, moments: Mapping[str, Moments], segment: str | None = None
    ) -> dict[tuple[str, str, float], QuantileSample]:
        found: dict[tuple[str, str, float], QuantileSample] = {}
        if not self._needs.quantiles:
            return found
        for variant, sample in moments.items():
            selected = quantiles_sql(self._needs, units.alias, sample.n)
            sql = of_units_sql(self._spec, units, selected, variant=True, segment=segment is not None)
            asked = self._parameters | {"variant": variant} | ({} if segment is None else {"segment": segment})
            (row,) = self._table.rows(sql, asked)
            found |= quantiles_from(row, self._needs, variant=variant, units=sample.n)
        return found


def _far(found: Sequence[Mapping[str, Any]], needs: Needs) -> dict[str, float]:
    """Return a pivot for every column whose mean lies far from zero beside its spread: the mean of one variant."""
    place_of = {pair: place for place, pair in enumerate(needs.pairs)}
    far = {}
    for place, name in enumerate(needs.names):
        for row in found:
            variance = row[f"v{place_of[name, name]}"] or 0.0
            mean = row[f"m{place}"]
            if mean is not None and variance > 0 and abs(mean) > _FAR * math.sqrt(variance) and math.isfinite(mean):
                far[name] = float(mean)
    return far


def _look_at_cells(table: SourceTable, spec: TableSpec, columns: Columns) -> None:
    _, parameters = where_sql(spec, columns)
    (found,) = table.rows(cells_sql(spec, columns), parameters)
    text = refuse_bad_cells(spec, columns, found, name=table.name)
    if text:
        (first,) = table.rows(first_text_sql(spec, columns, text), parameters)
        raise text_error(text, first["row"], first["cell"], name=table.name)


def _finite(moments: Mapping[str, Moments], needs: Needs, *, name: str) -> None:
    for sample in moments.values():
        for column in needs.names:
            if not math.isfinite(sample.mean(column)) or not math.isfinite(sample.covariance(column, column)):
                raise TableError(
                    f"Column `{column}` holds numbers too large to be squared.", hint="Choose a larger unit.", at=name
                )


def _few(column: str, groups: int, word: str) -> None:
    if groups > MOST_GROUPS:
        raise TableError(
            f"Column `{column}` has more than {MOST_GROUPS} {word}.", hint="Name a column with a few values."
        )
