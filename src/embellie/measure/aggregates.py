"""Aggregates: the sums a scorecard needs, centred; all that ever leaves the store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embellie.domain.metric import Metric
from embellie.stats.moments import Moments


@dataclass(frozen=True, slots=True)
class Needs:
    """The columns per unit that metrics ask for, and the pairs of them whose covariance they ask for."""

    columns: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregates:
    """Moments per variant, and the units left out, by reason."""

    moments: Mapping[str, Moments]
    excluded: Mapping[str, int] = field(default_factory=dict)


def needs_of(metrics: Iterable[Metric], covariates: Mapping[str, Metric] | None = None) -> Needs:
    """Collect what metrics and their covariates need, each thing once.

    >>> needs_of([Metric(metric="a", numerator="y", denominator="z"), Metric(metric="b", numerator="y")])
    Needs(columns=('y', 'z'), pairs=(('y', 'y'), ('y', 'z'), ('z', 'z')))
    """
    columns: dict[str, None] = {}
    pairs: dict[tuple[str, str], None] = {}
    for metric in metrics:
        covariate = (covariates or {}).get(metric.metric)
        group = list(
            dict.fromkeys(column for each in (metric, covariate) if each is not None for column in columns_of(each))
        )
        columns |= dict.fromkeys(group)
        for place, one in enumerate(group):
            for other in group[place:]:
                if (other, one) not in pairs:
                    pairs[one, other] = None
    return Needs(tuple(columns), tuple(pairs))


def columns_of(metric: Metric) -> tuple[str, ...]:
    """Return the one or two columns of a metric.

    >>> columns_of(Metric(metric="m", numerator="reads", denominator="visits"))
    ('reads', 'visits')
    """
    return (metric.numerator, metric.denominator) if metric.denominator else (metric.numerator,)


def moments_sql(needs: Needs, alias: Mapping[str, str]) -> str:
    """Write the select list that sums units up: `n`, a mean per column, a covariance per pair.

    Centred functions only; `favg` sums with compensation, so that a large mean keeps its digits.

    Args:
        needs: What to sum.
        alias: Each column's name in the query.
    """
    means = [f"favg({alias[column]}) AS m{place}" for place, column in enumerate(needs.columns)]
    covariances = [
        f"covar_samp({alias[one]}, {alias[other]}) AS v{place}" for place, (one, other) in enumerate(needs.pairs)
    ]
    return ", ".join(["count(*) AS n", *means, *covariances])


def moments_from(row: Mapping[str, Any], needs: Needs) -> Moments:
    """Read one variant's row of a query made with `moments_sql`."""
    return Moments(
        int(row["n"]),
        {column: float(row[f"m{place}"]) for place, column in enumerate(needs.columns)},
        {pair: float(row[f"v{place}"] or 0.0) for place, pair in enumerate(needs.pairs)},
    )


def moments_by_variant(rows: Sequence[Mapping[str, Any]], needs: Needs) -> dict[str, Moments]:
    """Read the rows of a query, one per `variant`."""
    return {str(row["variant"]): moments_from(row, needs) for row in rows}
