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
from embellie.measure.aggregates import needs_of
from embellie.measure.columns import metric_columns
from embellie.measure.from_table import read_table
from embellie.measure.looking import Looking
from embellie.measure.scoring import Design, score
from embellie.measure.table_query import TableSpec, parse_metric
from embellie.stats.moments import Moments
from embellie.store.tables import Table, open_table

_CONTROLS = ("control", "status_quo", "0", "A", "a", "false")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableScorecard:
    """The scorecard of a table, and one per segment when asked for; `control_chosen` when nobody named the control."""

    card: Scorecard
    segments: tuple[tuple[str, Scorecard], ...] = ()
    control_chosen: bool = False


def table_scorecard(
    source: Any,
    *,
    spec: TableSpec,
    metrics: Sequence[str],
    covariates: Mapping[str, str | Sequence[str]] | None = None,
    control: str = "",
    weights: Mapping[str, float] | None = None,
    looking: Looking | None = None,
) -> TableScorecard:
    """Compute the scorecard of a table.

    Args:
        source: A CSV or Parquet file, `URL::table` of a database, or a data frame.
        spec: What its columns mean.
        metrics: Columns, `num/den` for ratios of means, `share(…)`, `median(…)`, `p90(…)`, `capped(…)`.
        covariates: For a metric, a column or ratio from before the experiment to adjust with, or several.
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
        found = read_table(table, spec, needs_of(chosen, adjusting))
    whole = found.pop("")
    names = _variants(spec, whole.moments, weights, name=table.name)
    design = Design(
        control=_control(control, names, name=table.name),
        weights=names,
        metrics=tuple(chosen),
        unit=spec.unit or spec.trials,
        covariates={name: each[0] if len(each) == 1 else each for name, each in adjusting.items()},
        looking=looking or Looking(),
    )
    return TableScorecard(
        card=score(design, whole),
        segments=tuple((segment, score(design, part)) for segment, part in sorted(found.items())),
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
    if spec.trials and any(metric != Metric(metric=metric.metric, numerator=metric.numerator) for metric in metrics):
        raise InputError(
            "With `--trials` a metric is one column, not a ratio.",
            hint=f"Each is a share of `{spec.trials}` already.",
        )
    if spec.trials and spec.segment:
        raise InputError("Counts of units cannot be cut into segments here.", hint="Choose one with `--where`.")
    for name in (spec.variant, spec.unit, spec.trials, spec.segment, *spec.where):
        if name:
            table.require(name)
    _require(table, metrics)
    return metrics


def _covariates(
    spec: TableSpec, table: Table, metrics: Sequence[Metric], texts: Mapping[str, str | Sequence[str]]
) -> dict[str, tuple[Metric, ...]]:
    if texts and spec.trials:
        raise InputError("Counts of units hold no covariate.", hint="Use a table with a row per unit.")
    known = {metric.metric: metric for metric in metrics}
    found = {}
    for name, given in texts.items():
        if name not in known:
            raise unknown_name("metric", name, known, at="--covariate")
        if known[name].form == "quantile":
            raise InputError(f"`{name}` is a quantile: a covariate can adjust means only.", hint="Leave it out.")
        each = (given,) if isinstance(given, str) else given
        found[name] = tuple(parse_metric(text, tuple(table.columns)) for text in dict.fromkeys(each))
        if any(covariate.form == "quantile" for covariate in found[name]):
            raise InputError(f"A quantile cannot adjust `{name}`.", hint="Name a column, or a ratio of two.")
        _require(table, found[name])
    return found


def _require(table: Table, metrics: Sequence[Metric]) -> None:
    for metric in metrics:
        for column in metric_columns(metric):
            table.require(column.counted)


def _variants(
    spec: TableSpec, moments: Mapping[str, Moments], weights: Mapping[str, float] | None, *, name: str
) -> dict[str, float]:
    """Return each variant's weight, in order; refuse a table that is no comparison."""
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
