"""Aggregates: the sums a scorecard needs, centred; all that ever leaves the store."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embellie.domain.metric import Metric
from embellie.measure.columns import Column, Quotient, metric_columns
from embellie.stats.moments import Moments, QuantileSample

Covariate = Metric | Column | Quotient
"""What is known of units from before: the columns of a metric, one column, or one divided by another."""

Z = 1.959963984540054
"""How many standard errors lie between a quantile and the order statistics that are read beside it."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What metrics ask for of units.

    Attributes:
        columns: The numbers per unit, each once.
        pairs: The names of those whose covariance is needed; a name with itself is a variance.
        quantiles: Of which columns, and at which share of units.
    """

    columns: tuple[Column, ...]
    pairs: tuple[tuple[str, str], ...]
    quantiles: tuple[tuple[str, float], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, by which `Moments` knows them."""
        return tuple(column.name for column in self.columns)

    @property
    def capped(self) -> tuple[Column, ...]:
        """The columns whose cap must be known before anything is summed."""
        return tuple(column for column in self.columns if column.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregates:
    """All that a scorecard is computed from.

    Attributes:
        moments: By variant.
        excluded: Units left out, by reason.
        slices: By dimension and value, then variant: the same of a part of the units.
        quantiles: By variant, column and share of units.
        caps: The values that capped columns were cut at, below and above, by column.
    """

    moments: Mapping[str, Moments]
    excluded: Mapping[str, int] = field(default_factory=dict)
    slices: Mapping[tuple[str, str], Mapping[str, Moments]] = field(default_factory=dict)
    quantiles: Mapping[tuple[str, str, float], QuantileSample] = field(default_factory=dict)
    caps: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def needs_of(
    metrics: Iterable[Metric], covariates: Mapping[str, Covariate | Sequence[Covariate]] | None = None
) -> Needs:
    """Collect what metrics and their covariates (by the metric's name, one or several) need, each thing once.

    >>> needs = needs_of([Metric(metric="a", numerator="y", denominator="z"), Metric(metric="b", numerator="y")])
    >>> needs.names, needs.pairs
    (('y', 'z'), (('y', 'y'), ('y', 'z'), ('z', 'z')))
    """
    columns: dict[str, Column] = {}
    pairs: dict[tuple[str, str], None] = {}
    quantiles: dict[tuple[str, float], None] = {}
    for metric in metrics:
        group = {column.name: column for column in metric_columns(metric)}
        if metric.form == "quantile":
            quantiles |= {(name, metric.quantile): None for name in group}
        else:
            for covariate in covariates_of((covariates or {}).get(metric.metric)):
                group |= {column.name: column for column in covariate_columns(covariate)}
        columns |= {name: column for name, column in group.items() if name not in columns}
        for place, one in enumerate(group):
            for other in list(group)[place:]:
                if (other, one) not in pairs:
                    pairs[one, other] = None
    return Needs(tuple(columns.values()), tuple(pairs), tuple(quantiles))


def covariates_of(given: Covariate | Sequence[Covariate] | None) -> tuple[Covariate, ...]:
    """Return the covariates of one metric: none, one or several."""
    if given is None:
        return ()
    return (given,) if isinstance(given, Metric | Column | Quotient) else tuple(given)


def covariate_columns(covariate: Covariate) -> tuple[Column, ...]:
    """Return the one or two columns of a covariate: what is summed, and what that is divided by."""
    if isinstance(covariate, Column):
        return (covariate,)
    if isinstance(covariate, Quotient):
        return (covariate.numerator, covariate.denominator)
    return metric_columns(covariate)


def columns_of(metric: Metric) -> tuple[str, ...]:
    """Return the names of the one or two columns of a metric.

    >>> columns_of(Metric(metric="m", numerator="reads", denominator="visits"))
    ('reads', 'visits')
    """
    return tuple(column.name for column in metric_columns(metric))


def moments_sql(needs: Needs, alias: Mapping[str, str], pivots: Mapping[str, float] | None = None) -> str:
    """Write the select list that sums units up: `n`, a mean per column, a covariance per pair.

    Centred functions only, on numbers near zero: from a column that lies far from zero beside its spread, a constant near
    its values (the pivot) is taken off first, so that no digit is lost to it.

    Args:
        needs: What to sum.
        alias: Each column's name in the query.
        pivots: What to take off, by column; `moments_from` puts it back.
    """
    shifted = {name: shifted_sql(alias[name], (pivots or {}).get(name, 0.0)) for name in needs.names}
    means = [f"avg({shifted[name]}) AS m{place}" for place, name in enumerate(needs.names)]
    covariances = [
        (f"var_samp({shifted[one]})" if one == other else f"covar_samp({shifted[one]}, {shifted[other]})")
        + f" AS v{place}"
        for place, (one, other) in enumerate(needs.pairs)
    ]
    return ", ".join(["count(*) AS n", *means, *covariances])


def shifted_sql(expression: str, pivot: float) -> str:
    """Write an expression less a constant; every engine reads the constant to its last digit.

    >>> shifted_sql("y", 0.0), shifted_sql("y", -0.5)
    ('y', '(y - CAST(-5.0000000000000000e-01 AS DOUBLE))')
    """
    return f"({expression} - {number_sql(pivot)})" if pivot else expression


def number_sql(value: float) -> str:
    """Write a number as SQL does, with all its digits."""
    return f"CAST({value:.16e} AS DOUBLE)"


def moments_from(row: Mapping[str, Any], needs: Needs, pivots: Mapping[str, float] | None = None) -> Moments:
    """Read one variant's row of a query made with `moments_sql`."""
    return Moments(
        int(row["n"]),
        {name: (pivots or {}).get(name, 0.0) + float(row[f"m{place}"]) for place, name in enumerate(needs.names)},
        {pair: float(row[f"v{place}"] or 0.0) for place, pair in enumerate(needs.pairs)},
    )


def moments_by_variant(
    rows: Sequence[Mapping[str, Any]], needs: Needs, pivots: Mapping[str, float] | None = None
) -> dict[str, Moments]:
    """Read the rows of a query, one per `variant`."""
    return {str(row["variant"]): moments_from(row, needs, pivots) for row in rows}


def capped_sql(expression: str, cap: tuple[float, float]) -> str:
    """Write an expression cut at two values, below and above; an infinite one cuts nothing."""
    low, high = cap
    cases = f" WHEN {expression} > {number_sql(high)} THEN {number_sql(high)}" if math.isfinite(high) else ""
    cases += f" WHEN {expression} < {number_sql(low)} THEN {number_sql(low)}" if math.isfinite(low) else ""
    return f"CASE{cases} ELSE {expression} END" if cases else expression


def caps_sql(needs: Needs, alias: Mapping[str, str]) -> str:
    """Write the select list of the values that columns are cut at: over the units of all variants together.

    Above, the quantile of the units above zero; below, its counterpart of the units below zero.

    Args:
        needs: Whose capped columns to look at.
        alias: Each column's name in the query, not yet cut.
    """
    parts = []
    for place, column in enumerate(needs.capped):
        name = alias[column.name]
        parts.append(f"quantile_cont(CASE WHEN {name} > 0 THEN {name} END, {column.cap!r}) AS h{place}")
        parts.append(f"quantile_cont(CASE WHEN {name} < 0 THEN {name} END, {1 - column.cap!r}) AS l{place}")
    return ", ".join(parts)


def caps_from(row: Mapping[str, Any], needs: Needs) -> dict[str, tuple[float, float]]:
    """Read the row of a query made with `caps_sql`: below and above, by column."""
    return {
        column.name: (
            -math.inf if row[f"l{place}"] is None else float(row[f"l{place}"]),
            math.inf if row[f"h{place}"] is None else float(row[f"h{place}"]),
        )
        for place, column in enumerate(needs.capped)
    }


def quantile_shares(share: float, units: int) -> tuple[float, float, float]:
    """Return the shares of units whose order statistics bound a quantile: `q − z·√(q(1 − q)/n)`, q, `q + z·√(q(1 − q)/n)`.

    >>> [round(each, 3) for each in quantile_shares(0.9, 3600)]
    [0.89, 0.9, 0.91]
    """
    reach = Z * math.sqrt(share * (1.0 - share) / units)
    return max(0.0, share - reach), share, min(1.0, share + reach)


def quantiles_sql(needs: Needs, alias: Mapping[str, str], units: int) -> str:
    """Write the select list of one variant's quantiles, of so many units; three order statistics each."""
    parts = []
    for place, (name, share) in enumerate(needs.quantiles):
        for word, at in zip(("low", "value", "high"), quantile_shares(share, units), strict=True):
            parts.append(f"quantile_cont({alias[name]}, {at!r}) AS {word}{place}")
    return ", ".join(parts)


def quantiles_from(
    row: Mapping[str, Any], needs: Needs, *, variant: str, units: int
) -> dict[tuple[str, str, float], QuantileSample]:
    """Read the row of a query made with `quantiles_sql`."""
    return {
        (variant, name, share): QuantileSample(
            n=units,
            value=float(row[f"value{place}"]),
            low=float(row[f"low{place}"]),
            high=float(row[f"high{place}"]),
            z=Z,
        )
        for place, (name, share) in enumerate(needs.quantiles)
    }
