"""Scoring: from a design and its aggregates to a scorecard. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from embellie.domain.metric import Metric
from embellie.domain.scorecard import (
    Effect,
    Interval,
    RelativeEffect,
    SampleRatio,
    Scorecard,
    UnavailableEffect,
)
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates, columns_of
from embellie.measure.looking import Looking, Reach, reach_at
from embellie.stats.estimators import (
    Difference,
    Estimate,
    adjusted_difference,
    difference,
    mean_is_clear_of_zero,
    ratio_of_means,
    relative_difference,
)
from embellie.stats.moments import Moments, add_forms
from embellie.stats.sample_ratio import chi_square_p, log_e_value, mixed_log_e_value

ALARM_P = 0.001
"""One look: the split is called broken below this chi-square p-value."""

ALARM_LOG_E = math.log(1 / 0.01)
"""Many looks: the split is called broken from this log e-value on; false alarms at most 1 % over all looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What was planned: the variants with their weights, the control, the metrics, and how often results are looked at.

    `watched` says that the scorecard is looked at while traffic arrives, which decides how the split is checked.
    """

    control: str
    weights: Mapping[str, float]
    metrics: tuple[Metric, ...]
    unit: str = "reader"
    experiment: str = ""
    covariates: Mapping[str, Metric] = field(default_factory=dict)
    looking: Looking = field(default_factory=Looking)
    watched: bool = False


@dataclass(frozen=True, slots=True)
class _Pair:
    """A metric and the two sides it is compared on."""

    metric: Metric
    variant: str
    control: Moments
    treatment: Moments


def score(design: Design, aggregates: Aggregates) -> Scorecard:
    """Compare every variant with the control on every metric.

    The effect is the difference per unit of randomisation: of means, or of ratios of means by the delta method, with
    Welch's standard error. `interval` and `p_value` follow `design.looking`. The relative effect is on the log scale,
    or by Fieller's theorem for a variant near zero; it is unavailable when the control's value lies within 3 standard
    errors of zero. With a covariate, the adjusted row follows the unadjusted one. What cannot be computed says why.

    Args:
        design: What was planned.
        aggregates: The centred sums of each variant's units.
    """
    others = [variant for variant in design.weights if variant != design.control]
    rows: list[Effect | UnavailableEffect] = []
    for metric in design.metrics:
        for variant in others:
            rows += _rows(design, aggregates, metric, variant)
    counts = {variant: aggregates.moments[variant].n for variant in design.weights if variant in aggregates.moments}
    units = {variant: counts.get(variant, 0) for variant in design.weights}
    return Scorecard(
        unit=design.unit,
        control=design.control,
        units=units,
        srm=sample_ratio(units, design.weights, watched=design.watched),
        effects=tuple(rows),
        excluded=dict(aggregates.excluded),
        experiment=design.experiment,
    )


def sample_ratio(
    counts: Mapping[str, int], weights: Mapping[str, float], *, watched: bool
) -> SampleRatio | Unavailable:
    """Check the split against the designed weights.

    A split that is watched raises the alarm by an e-value that survives peeking and sees small experiments too (the
    mean over three concentrations); one that is looked at once, by the chi-square p-value.
    """
    if sum(counts.values()) == 0:
        return Unavailable("Nobody has been exposed yet.", "Wait for traffic, then look again.", code="nobody_exposed")
    names = list(weights)
    seen, planned = [counts[name] for name in names], [weights[name] for name in names]
    p_value = chi_square_p(seen, planned)
    log_e = mixed_log_e_value(seen, planned) if watched else log_e_value(seen, planned)
    return SampleRatio(p_value=p_value, log_e=log_e, alarm=log_e >= ALARM_LOG_E if watched else p_value < ALARM_P)


def _rows(design: Design, aggregates: Aggregates, metric: Metric, variant: str) -> list[Effect | UnavailableEffect]:
    sides = (aggregates.moments.get(design.control), aggregates.moments.get(variant))
    control, treatment = sides
    missing = _too_few(design, variant, sides)
    if missing is None and control is not None and treatment is not None:
        pair = _Pair(metric, variant, control, treatment)
        missing = _zero_denominator(design, pair, metric)
        if missing is None:
            return _effects(design, pair)
    because = missing or Unavailable("There is nothing to compare.", "Wait for traffic.", code="nothing_to_compare")
    return [UnavailableEffect(metric=metric.metric, variant=variant, because=because, proxy=metric.proxy)]


def _effects(design: Design, pair: _Pair) -> list[Effect | UnavailableEffect]:
    rows = [_effect(design, pair, None)]
    covariate = design.covariates.get(pair.metric.metric)
    if covariate is not None:
        missing = _zero_denominator(design, pair, covariate)
        rows.append(_unavailable(pair, missing) if missing else _effect(design, pair, covariate))
    return rows


def _effect(design: Design, pair: _Pair, covariate: Metric | None) -> Effect | UnavailableEffect:
    control, treatment = (_estimate(side, pair.metric) for side in (pair.control, pair.treatment))
    if covariate is None:
        found = difference((pair.control, control), (pair.treatment, treatment))
    else:
        before = [_estimate(side, covariate) for side in (pair.control, pair.treatment)]
        found = adjusted_difference((pair.control, control, before[0]), (pair.treatment, treatment, before[1]))
    if not found.se > 0:
        return _unavailable(
            pair,
            Unavailable(
                f"Every {design.unit} has the same value.", "Wait for more, or check the metric.", code="same_value"
            ),
        )
    reach = reach_at(design.looking, found, smaller_arm=min(pair.control.n, pair.treatment.n))
    if isinstance(reach, Unavailable):
        return _unavailable(pair, reach)
    return Effect(
        metric=pair.metric.metric,
        variant=pair.variant,
        control_value=control.value,
        variant_value=control.value + found.value,
        effect=found.value,
        se=found.se,
        p_value=reach.p_value,
        interval=_interval(design, found, reach),
        relative=_relative(pair, control, covariate, found, reach.standard_errors),
        adjusted=covariate is not None,
        proxy=pair.metric.proxy,
    )


def _estimate(side: Moments, metric: Metric) -> Estimate:
    return ratio_of_means(side, metric.numerator, metric.denominator)


def _interval(design: Design, found: Difference, reach: Reach) -> Interval:
    half = reach.standard_errors * found.se
    return Interval(
        kind=design.looking.kind, level=design.looking.level, low=found.value - half, high=found.value + half
    )


def _relative(
    pair: _Pair, control: Estimate, covariate: Metric | None, found: Difference, reach: float
) -> RelativeEffect | Unavailable:
    own = control.form
    if covariate is not None:
        own = add_forms(own, _estimate(pair.control, covariate).form, times=-found.theta)
    share = relative_difference(
        (control.value, pair.control.form_variance(control.form) / pair.control.n),
        found.value,
        cross=pair.control.form_covariance(own, control.form) / pair.control.n,
        treatment_part=found.se**2,
        reach=reach,
    )
    if share is None:
        return Unavailable(
            "The control's value cannot be told from zero.",
            "Read the difference itself, or wait for more.",
            code="control_near_zero",
        )
    return RelativeEffect(effect=share.value, low=share.low, high=share.high, se=share.se)


def _unavailable(pair: _Pair, because: Unavailable) -> UnavailableEffect:
    return UnavailableEffect(metric=pair.metric.metric, variant=pair.variant, because=because, proxy=pair.metric.proxy)


def _too_few(design: Design, variant: str, sides: tuple[Moments | None, Moments | None]) -> Unavailable | None:
    for name, side in zip((design.control, variant), sides, strict=True):
        units = side.n if side else 0
        if units < 2:
            word = design.unit if units == 1 else f"{design.unit}s"
            return Unavailable(
                f"`{name}` has {units or 'no'} {word} yet.",
                "Wait for traffic, then look again.",
                code="few_units",
                values={"variant": name},
            )
    return None


def _zero_denominator(design: Design, pair: _Pair, metric: Metric) -> Unavailable | None:
    if len(columns_of(metric)) == 1:
        return None
    for name, side in ((design.control, pair.control), (pair.variant, pair.treatment)):
        if side.mean(metric.denominator) == 0:
            return Unavailable(
                f"`{name}` has no {metric.denominator}, so `{metric.metric}` has no value there.",
                f"Compare a metric that both variants have; per {design.unit} always works.",
                code="no_denominator",
                values={"variant": name, "counted": metric.denominator, "metric": metric.metric},
            )
        if not mean_is_clear_of_zero(side, metric.denominator):
            return Unavailable(
                f"`{name}` has too few {metric.denominator} to divide by.",
                "Wait for more, then look again.",
                code="few_denominator",
                values={"variant": name, "counted": metric.denominator},
            )
    return None
