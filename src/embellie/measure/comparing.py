"""Comparing: one metric on two sides, from sums to a difference with its standard error. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from embellie.domain.metric import Metric
from embellie.domain.scorecard import RelativeEffect
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Covariate, covariate_columns
from embellie.measure.columns import Column, metric_columns
from embellie.stats.estimators import (
    Difference,
    Estimate,
    adjusted_difference,
    difference,
    left_over,
    mean_is_clear_of_zero,
    quantile_difference,
    ratio_of_means,
    relative_difference,
    yes_no_counts,
)
from embellie.stats.moments import Moments, QuantileSample

BEYOND_A_QUANTILE = 25
"""Units that must lie on each side of a quantile, per arm, before it is compared."""

LOPSIDED = 1.5
"""Arms whose sizes differ by this factor are unequal: what is skewed no longer cancels between them."""

PER_COVARIATE = 20
"""With several covariates, units that each needs in the smaller arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A metric and the two sides it is compared on; control first, everywhere."""

    metric: Metric
    names: tuple[str, str]
    sides: tuple[Moments, Moments]
    weights: tuple[float, float]
    unit: str
    quantiles: tuple[QuantileSample | None, QuantileSample | None] = (None, None)

    @property
    def smaller_arm(self) -> int:
        """Units of the smaller side."""
        return min(side.n for side in self.sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was found: the difference, and how it varies with the control's value.

    `base_variance` is the squared standard error of `control_value`; `cross` minus their covariance: the control's own variance
    when nothing is adjusted. `fewest_events` counts, of a share, the units of an arm that did it, or that did not;
    `effective`, of other metrics of unequal arms, the units of the smaller one divided by 1 + (sd/mean)².
    """

    control_value: float
    found: Difference
    base_variance: float
    cross: float
    adjusted: bool = False
    fewest_events: float | None = None
    effective: float | None = None

    def relative(self, reach: float) -> RelativeEffect | Unavailable:
        """Return the effect as a share of the control's value, unless that is too near zero."""
        share = relative_difference(
            (self.control_value, self.base_variance),
            self.found.value,
            cross=self.cross,
            treatment_part=self.found.se**2,
            reach=reach,
        )
        if share is None:
            return Unavailable(
                "The control's value cannot be told from zero.",
                "Read the difference itself, or wait for more.",
                code="control_near_zero",
            )
        return RelativeEffect(effect=share.value, low=share.low, high=share.high, se=share.se)


def compare(pair: Pair) -> Compared | Unavailable:
    """Compare a metric: means, ratios of means, shares and retention by their moments, quantiles by order statistics."""
    missing = _too_few(pair)
    if missing is not None:
        return missing
    if pair.metric.form == "quantile":
        return _quantiles(pair)
    columns = metric_columns(pair.metric)
    missing = _zero_denominator(pair, columns, pair.metric.metric)
    if missing is not None:
        return missing
    control, treatment = (_estimate(side, columns) for side in pair.sides)
    found = difference((pair.sides[0], control), (pair.sides[1], treatment))
    own = pair.sides[0].form_variance(control.form) / pair.sides[0].n
    return _varying(
        pair,
        Compared(
            control_value=control.value,
            found=found,
            base_variance=own,
            cross=own,
            fewest_events=_fewest_events(pair, columns),
            effective=_effective(pair, columns),
        ),
    )


def compare_adjusted(pair: Pair, covariates: Sequence[Covariate]) -> Compared | Unavailable | None:
    """Compare a metric less what covariates foretell of it, or None where there is nothing to adjust with.

    A metric's own past (a column or a quotient) that nobody has, or that is too rare to divide by, adjusts nothing; a covariate
    that was asked for by name says why it cannot.
    """
    known = {name for side in pair.sides for name in side.means}
    chosen = [each for each in covariates if all(column.name in known for column in covariate_columns(each))]
    if not chosen or pair.metric.form == "quantile":
        return None
    for each in chosen:
        missing = _zero_denominator(pair, covariate_columns(each), each.metric if isinstance(each, Metric) else "")
        if missing is not None:
            return missing if isinstance(each, Metric) else None
        if not isinstance(each, Metric) and not any(_varies(side, each) for side in pair.sides):
            return None
    if len(chosen) > 1 and pair.smaller_arm < PER_COVARIATE * len(chosen):
        return Unavailable(
            f"{len(chosen)} covariates need {PER_COVARIATE * len(chosen)} {pair.unit}s per variant.",
            "Name fewer covariates, or wait for more.",
            code="few_for_covariates",
            values={"needed": str(PER_COVARIATE * len(chosen)), "covariates": str(len(chosen))},
        )
    columns = metric_columns(pair.metric)
    estimates = [_estimate(side, columns) for side in pair.sides]
    past = [[_estimate(side, covariate_columns(each)) for each in chosen] for side in pair.sides]
    (control, treatment), (before, after) = estimates, past
    found = adjusted_difference(
        (pair.sides[0], control, before), (pair.sides[1], treatment, after), weights=pair.weights
    )
    side = pair.sides[0]
    rest = left_over(control.form, before, found.slopes)
    return _varying(
        pair,
        Compared(
            control_value=control.value,
            found=found,
            base_variance=side.form_variance(control.form) / side.n,
            cross=side.form_covariance(rest, control.form) / side.n,
            adjusted=True,
            fewest_events=_fewest_events(pair, columns),
            effective=_effective(pair, columns),
        ),
    )


def _estimate(side: Moments, columns: Sequence[Column]) -> Estimate:
    return ratio_of_means(side, *(column.name for column in columns))


def _varies(side: Moments, covariate: Covariate) -> bool:
    name = covariate_columns(covariate)[0].name
    return side.covariance(name, name) > 0


def _varying(pair: Pair, compared: Compared) -> Compared | Unavailable:
    if compared.found.se > 0:
        return compared
    return Unavailable(
        f"Every {pair.unit} has the same value.", "Wait for more, or check the metric.", code="same_value"
    )


def _quantiles(pair: Pair) -> Compared | Unavailable:
    control, treatment = pair.quantiles
    if control is None or treatment is None:
        return Unavailable(
            f"`{pair.metric.metric}` is a quantile, and was not summed up for this part.",
            "Read it for all together.",
            code="no_quantile",
            values={"metric": pair.metric.metric},
        )
    beyond = min(1.0 - pair.metric.quantile, pair.metric.quantile) * min(control.n, treatment.n)
    if beyond < BEYOND_A_QUANTILE:
        return Unavailable(
            f"Fewer than {BEYOND_A_QUANTILE} {pair.unit}s per variant lie beyond this quantile.",
            "Wait for more, or choose a quantile nearer the middle.",
            code="few_for_quantile",
            values={"needed": str(BEYOND_A_QUANTILE)},
        )
    if not (control.se > 0 and treatment.se > 0):
        return Unavailable(
            f"Too many {pair.unit}s have the very value of this quantile.",
            "Compare a mean or a share instead.",
            code="quantile_tied",
        )
    return Compared(
        control_value=control.value,
        found=quantile_difference(control, treatment),
        base_variance=control.se**2,
        cross=control.se**2,
    )


def _fewest_events(pair: Pair, columns: Sequence[Column]) -> float | None:
    """Count, where units are yes or no, the fewest yes or no of an arm; of retention, among those due."""
    name = columns[0].name
    if pair.metric.form == "retention":
        yes = [side.mean(name) * side.n for side in pair.sides]
        due = [side.mean(columns[1].name) * side.n for side in pair.sides]
        return min(*yes, *(all_ - some for all_, some in zip(due, yes, strict=True)))
    if len(columns) > 1:
        return None
    if pair.metric.form == "share":
        return min(min(side.mean(name), 1.0 - side.mean(name)) * side.n for side in pair.sides)
    counts = [yes_no_counts(side, name) for side in pair.sides]
    return min(min(each) for each in counts if each) if all(counts) else None


def _effective(pair: Pair, columns: Sequence[Column]) -> float | None:
    """Count the units of the smaller arm by what they weigh, where arms are unequal and units are not yes or no."""
    if max(side.n for side in pair.sides) < LOPSIDED * pair.smaller_arm or _fewest_events(pair, columns) is not None:
        return None
    name = columns[0].name
    squares = [(side.mean(name) ** 2, side.covariance(name, name)) for side in pair.sides]
    return pair.smaller_arm * min(square / (square + spread) if square > 0 else 0.0 for square, spread in squares)


def _too_few(pair: Pair) -> Unavailable | None:
    for name, side in zip(pair.names, pair.sides, strict=True):
        if side.n < 2:
            word = pair.unit if side.n == 1 else f"{pair.unit}s"
            return Unavailable(
                f"`{name}` has {side.n or 'no'} {word} yet.",
                "Wait for traffic, then look again.",
                code="few_units",
                values={"variant": name},
            )
    return None


def _zero_denominator(pair: Pair, columns: Sequence[Column], metric: str) -> Unavailable | None:
    if len(columns) == 1:
        return None
    below = columns[1]
    for name, side in zip(pair.names, pair.sides, strict=True):
        if side.mean(below.name) == 0:
            return _nothing_due(name, below) if below.counted == "due" else _no_denominator(pair, name, below, metric)
        if not mean_is_clear_of_zero(side, below.name):
            return Unavailable(
                f"`{name}` has too few {below.counted} to divide by.",
                "Wait for more, then look again.",
                code="few_denominator",
                values={"variant": name, "counted": below.counted},
            )
    return None


def _nothing_due(name: str, below: Column) -> Unavailable:
    return Unavailable(
        f"Nobody of `{name}` was exposed {below.days[1]} days ago.",
        f"Wait until {below.days[1]} days after the first exposures.",
        code="nobody_due",
        values={"variant": name, "days": str(below.days[1])},
    )


def _no_denominator(pair: Pair, name: str, below: Column, metric: str) -> Unavailable:
    return Unavailable(
        f"`{name}` has no {below.counted}, so `{metric}` has no value there.",
        f"Compare a metric that both variants have; per {pair.unit} always works.",
        code="no_denominator",
        values={"variant": name, "counted": below.counted, "metric": metric},
    )
