"""Measuring tables: any CSV, Parquet or database table to a scorecard, with its mistakes named."""

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from embellie.app.scorecard_document import scorecard_document
from embellie.domain.errors import InputError, TableError, unknown_name
from embellie.domain.metric import Metric
from embellie.domain.scorecard import Scorecard
from embellie.measure.aggregates import Aggregates, Needs, columns_of, moments_by_variant, needs_of
from embellie.measure.counted import moments_from_counts
from embellie.measure.looking import Looking
from embellie.measure.scoring import Design, score
from embellie.measure.table_query import (
    Columns,
    TableSpec,
    check_sql,
    columns_sql,
    counted_sql,
    first_text_sql,
    parse_metric,
    per_unit_sql,
    refuse_bad_cells,
    text_error,
    where_sql,
)
from embellie.stats.moments import Moments
from embellie.store.tables import Table, open_table

MOST_GROUPS = 100
"""More variants or segments than this, and the wrong column was named."""

_CONTROLS = ("control", "status_quo", "0", "A", "a", "false")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableScorecard:
    """The scorecard of a table, and one per segment when asked for; `control_chosen` when nobody named the control."""

    card: Scorecard
    segments: tuple[tuple[str, Scorecard], ...] = ()
    control_chosen: bool = False


def table_scorecard(
    source: str,
    *,
    spec: TableSpec,
    metrics: Sequence[str],
    covariates: Mapping[str, str] | None = None,
    control: str = "",
    weights: Mapping[str, float] | None = None,
    looking: Looking | None = None,
) -> TableScorecard:
    """Compute the scorecard of a table.

    Args:
        source: A CSV or Parquet file, or `URL::table` of a database.
        spec: What its columns mean.
        metrics: Columns, or `num/den` for ratios of means.
        covariates: For a metric, a column or ratio from before the experiment, to adjust with.
        control: The control's value in the variant column; chosen when empty.
        weights: The designed split; equal when omitted.
        looking: How often results are looked at; once when omitted.

    Raises:
        TableError: The table cannot be used; says which column, which row, and what to do.
        InputError: The call contradicts itself.
    """
    with closing(open_table(source)) as table:
        chosen = _metrics(spec, table, metrics)
        adjusting = _covariates(spec, table, chosen, covariates or {})
        needs = needs_of(chosen, adjusting)
        columns = _checked(spec, table, needs)
        groups, excluded = _aggregate(spec, table, columns, needs)
    moments = groups.pop("", {})
    names = _variants(spec, moments, weights, name=table.name)
    design = Design(
        control=_control(control, names, name=table.name),
        weights=names,
        metrics=tuple(chosen),
        unit=spec.unit or spec.trials,
        covariates=adjusting,
        looking=looking or Looking(),
    )
    cards = {segment: score(design, Aggregates(moments=group)) for segment, group in sorted(groups.items())}
    return TableScorecard(
        card=score(design, Aggregates(moments=moments, excluded=excluded)),
        segments=tuple(cards.items()),
        control_chosen=not control,
    )


def table_document(found: TableScorecard) -> dict[str, Any]:
    """Return the JSON form: a scorecard, with `segments` when there are any."""
    document = scorecard_document(found.card)
    if found.segments:
        kept = ("variants", "srm", "effects")
        document["segments"] = [
            {"segment": segment} | {key: value for key, value in scorecard_document(card).items() if key in kept}
            for segment, card in found.segments
        ]
    return document


def parse_weights(text: str) -> dict[str, float]:
    """Read a designed split.

    >>> parse_weights("A=1, B=2")
    {'A': 1.0, 'B': 2.0}

    Raises:
        InputError: A part is no `name=number`, or the number is negative.
    """
    weights = {}
    for part in text.split(","):
        name, _, number = part.strip().rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not name or not 0 <= weight < math.inf:
            raise InputError(f"`{part.strip()}` is no weight.", hint="Write for example `A=1,B=1`.")
        weights[name] = weight
    return weights


def _metrics(spec: TableSpec, table: Table, texts: Sequence[str]) -> list[Metric]:
    metrics = [parse_metric(text, tuple(table.columns)) for text in dict.fromkeys(texts)]
    if bool(spec.unit) == bool(spec.trials):
        raise InputError(
            "Say what a unit is, in one way.",
            hint="`--unit COLUMN` for a row or more per unit; `--trials COLUMN` for rows that count units.",
        )
    if spec.trials and any(metric.denominator for metric in metrics):
        raise InputError(
            "With `--trials` a metric is one column, not a ratio.",
            hint=f"Each is a share of `{spec.trials}` already.",
        )
    for name in (spec.variant, spec.unit, spec.trials, spec.segment, *spec.where):
        if name:
            table.require(name)
    for metric in metrics:
        for column in columns_of(metric):
            table.require(column)
    return metrics


def _covariates(
    spec: TableSpec, table: Table, metrics: Sequence[Metric], texts: Mapping[str, str]
) -> dict[str, Metric]:
    if texts and spec.trials:
        raise InputError("Counts of units hold no covariate.", hint="Use a table with a row per unit.")
    known = [metric.metric for metric in metrics]
    found = {}
    for name, text in texts.items():
        if name not in known:
            raise unknown_name("metric", name, known, at="--covariate")
        found[name] = parse_metric(text, tuple(table.columns))
        for column in columns_of(found[name]):
            table.require(column)
    return found


def _checked(spec: TableSpec, table: Table, needs: Needs) -> Columns:
    summed = dict.fromkeys((*needs.names, *([spec.trials] if spec.trials else [])))
    columns = columns_sql(table.columns, tuple(summed), missing=spec.missing)
    _, parameters = where_sql(spec, columns)
    (found,) = table.rows(check_sql(spec, columns), parameters)
    text = refuse_bad_cells(spec, columns, found, name=table.name)
    if text:
        (first,) = table.rows(first_text_sql(spec, columns, text), parameters)
        raise text_error(text, first["row"], first["cell"], name=table.name)
    return columns


def _aggregate(
    spec: TableSpec, table: Table, columns: Columns, needs: Needs
) -> tuple[dict[str, dict[str, Moments]], dict[str, int]]:
    """Return the moments by segment ("" for all) and variant, and the excluded units by reason."""
    _, parameters = where_sql(spec, columns)
    if spec.trials:
        rows = table.rows(counted_sql(spec, columns, needs), parameters)
        return _counted(spec, rows, needs, name=table.name), {}
    rows = table.rows(per_unit_sql(spec, columns, needs), parameters)
    _few(spec.variant, len({row["variant"] for row in rows}), "variants")
    excluded = {row["segment"]: int(row["n"]) for row in rows if row["variant"] is None}
    groups: dict[str, dict[str, Moments]] = {}
    for segment in dict.fromkeys(row["segment"] for row in rows if row["variant"] is not None):
        own = [row for row in rows if row["variant"] is not None and row["segment"] == segment]
        groups[segment or ""] = moments_by_variant(own, needs)
    _few(spec.segment, len(groups), "segments")
    _finite(groups.get("", {}), needs, name=table.name)
    return groups, excluded


def _counted(
    spec: TableSpec, rows: Sequence[Mapping[str, Any]], needs: Needs, *, name: str
) -> dict[str, dict[str, Moments]]:
    if spec.segment:
        raise InputError("Counts of units cannot be cut into segments here.", hint="Choose one with `--where`.")
    return {"": {str(row["variant"]): moments_from_counts(row, needs, trials=spec.trials, name=name) for row in rows}}


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


def _variants(
    spec: TableSpec, moments: Mapping[str, Moments], weights: Mapping[str, float] | None, *, name: str
) -> dict[str, float]:
    """Return each variant's weight, in order; refuse a table that is no comparison."""
    _few(spec.variant, len(moments), "variants")
    if not moments:
        raise TableError("No unit is left: each is in two variants.", hint="Check the columns you named.", at=name)
    designed = dict(weights) if weights is not None else dict.fromkeys(sorted(moments, key=_in_order), 1.0)
    for variant in moments:
        if not designed.get(variant):
            raise TableError(
                f"Variant `{variant}` has {moments[variant].n} units, but no weight.",
                hint=f"Give it one: `--weights '{variant}=1,…'`, or leave its rows out.",
                at=name,
            )
    for variant, weight in designed.items():
        if weight > 0 and variant not in moments:
            raise TableError(
                f"Variant `{variant}` has a weight, but no unit.",
                hint=f"The table has: {', '.join(sorted(moments))}.",
                at=name,
            )
    planned = {variant: weight for variant, weight in designed.items() if weight > 0}
    if len(planned) < 2:
        raise TableError(
            f"Column `{spec.variant}` has one variant only: `{next(iter(planned))}`.",
            hint="A comparison needs two; check the column and the filter.",
            at=name,
        )
    return planned


def _control(control: str, names: Mapping[str, float], *, name: str) -> str:
    if control:
        if control not in names:
            wrong = unknown_name("variant", control, names)
            raise TableError(wrong.message, hint=wrong.hint, at=name)
        return control
    return next((usual for usual in _CONTROLS if usual in names), next(iter(names)))


def _in_order(variant: str) -> tuple[float, str]:
    try:
        return (float(variant), variant)
    except ValueError:
        return (math.inf, variant)
