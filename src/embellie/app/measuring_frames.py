"""Measuring frames: a table of pandas, Polars or Arrow, or any table there is, to a scorecard, from Python."""

from collections.abc import Mapping, Sequence
from typing import Any

from embellie.app.measuring_tables import TableScorecard, table_scorecard
from embellie.measure.looking import Looking
from embellie.measure.table_query import Missing, TableSpec


def measure_table(
    source: Any,
    *,
    variant: str,
    metrics: Sequence[str],
    unit: str = "",
    trials: str = "",
    segment: str = "",
    where: Mapping[str, str] | None = None,
    missing: Missing = "refuse",
    covariates: Mapping[str, str | Sequence[str]] | None = None,
    control: str = "",
    weights: Mapping[str, float] | None = None,
    looking: Looking | None = None,
) -> TableScorecard:
    """Compute the scorecard of a table.

    Args:
        source: A data frame of pandas, Polars or PyArrow; the path of a CSV or Parquet file; or `URL::table`.
        variant: The column of the variant.
        metrics: Columns, `num/den` for ratios of means, `share(…)`, `median(…)`, `p90(…)`, `capped(…)`.
        unit: The column of the unit; several rows of a unit are summed first.
        trials: Instead of `unit`: the column that counts units, when a row stands for many.
        segment: A column to cut the results by.
        where: Only rows whose columns hold these values.
        missing: What an empty cell means: `"refuse"`, or `"zero"` if nothing happened.
        covariates: For a metric, a column or ratio from before the experiment to adjust with, or several.
        control: The control's value in the variant column; chosen when empty.
        weights: The designed split; equal when omitted.
        looking: How often results are looked at; once when omitted.

    Returns:
        `.card` is the scorecard; `embellie.sentences` puts it into words.

    Raises:
        TableError: The table cannot be used; says which column, which row, and what to do.
        InputError: The call contradicts itself.
    """
    spec = TableSpec(
        variant=variant, unit=unit, trials=trials, segment=segment, where=dict(where or {}), missing=missing
    )
    return table_scorecard(
        source, spec=spec, metrics=metrics, covariates=covariates, control=control, weights=weights, looking=looking
    )
