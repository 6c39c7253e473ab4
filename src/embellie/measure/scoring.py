"""Scoring: from a design and its aggregates to a scorecard. Pure."""

import math
from collections.abc import Mapping

from embellie.domain.scorecard import SampleRatio, Scorecard
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates
from embellie.measure.correcting import Row, corrected
from embellie.measure.designing import Design
from embellie.measure.effect_rows import rows_of
from embellie.measure.slicing import slices_of
from embellie.stats.sample_ratio import chi_square_p, log_e_value, mixed_log_e_value

__all__ = ["ALARM_LOG_E", "ALARM_P", "Design", "sample_ratio", "score"]

ALARM_P = 0.001
"""One look: the split is called broken below this chi-square p-value."""

ALARM_LOG_E = math.log(1 / 0.01)
"""Many looks: the split is called broken from this log e-value on; false alarms at most 1 % over all looks."""


def score(design: Design, aggregates: Aggregates) -> Scorecard:
    """Compare every variant with the control on every metric.

    The effect is the difference per unit of randomisation: of means, or of ratios of means by the delta method, with
    Welch's standard error; of quantiles by order statistics. `interval` and `p_value` follow `design.looking`; those of
    guardrails always hold at every look. The relative effect is on the log scale, or by Fieller's theorem for a variant near
    zero; it is unavailable when the control's value lies within 3 standard errors of zero. With covariates in the aggregates,
    the adjusted row follows the unadjusted one. What cannot be computed says why.

    Args:
        design: What was planned.
        aggregates: The centred sums of each variant's units.
    """
    rows: list[Row] = []
    for metric in design.metrics:
        for variant in design.others:
            rows += rows_of(design, aggregates, metric, variant)
    counts = {variant: aggregates.moments[variant].n for variant in design.weights if variant in aggregates.moments}
    units = {variant: counts.get(variant, 0) for variant in design.weights}
    return Scorecard(
        unit=design.unit,
        control=design.control,
        units=units,
        srm=sample_ratio(units, design.weights, watched=design.watched),
        effects=tuple(corrected(rows)),
        excluded=dict(aggregates.excluded),
        experiment=design.experiment,
        slices=slices_of(design, aggregates),
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
