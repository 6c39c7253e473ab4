"""Effect rows: what was found of a metric, with its interval, its money, and whether a guardrail holds. Pure."""

from dataclasses import replace

from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect, Interval, RelativeEffect, Shrunk, UnavailableEffect
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates, columns_of, covariates_of
from embellie.measure.comparing import Compared, Pair, compare, compare_adjusted
from embellie.measure.designing import Design
from embellie.measure.guarding import guard, money_effect, money_of_one
from embellie.measure.looking import Looking, reach_at
from embellie.stats.moments import Moments
from embellie.stats.shrinkage import Belief, Prior, believed

Row = Effect | UnavailableEffect


def rows_of(design: Design, aggregates: Aggregates, metric: Metric, variant: str) -> list[Row]:
    """Compare a variant with the control on one metric: the unadjusted row, then the adjusted one where there is one."""
    pair = pair_of(design, aggregates, metric, variant)
    looking = replace(design.looking, kind="always") if metric.role == "guardrail" else design.looking
    plain = compare(pair)
    rows = [_row(design, aggregates, pair, plain, looking=looking)]
    if isinstance(plain, Compared):
        adjusted = compare_adjusted(pair, covariates_of(design.covariates.get(metric.metric)))
        if adjusted is not None:
            rows.append(_row(design, aggregates, pair, adjusted, looking=looking, plain=plain))
    return rows


def pair_of(design: Design, aggregates: Aggregates, metric: Metric, variant: str) -> Pair:
    """Return the two sides of a comparison; a variant without units is an empty side."""
    empty = Moments(0, {}, {})
    names = (design.control, variant)
    column = columns_of(metric)[0]
    control, treatment = (aggregates.moments.get(name, empty) for name in names)
    before, after = (aggregates.quantiles.get((name, column, metric.quantile)) for name in names)
    return Pair(
        metric=metric,
        names=names,
        sides=(control, treatment),
        weights=(design.weights[design.control], design.weights[variant]),
        unit=design.unit,
        quantiles=(before, after),
    )


def _row(
    design: Design,
    aggregates: Aggregates,
    pair: Pair,
    compared: Compared | Unavailable,
    *,
    looking: Looking,
    plain: Compared | None = None,
) -> Row:
    metric = pair.metric
    if isinstance(compared, Unavailable):
        return _unavailable(pair, compared, adjusted=plain is not None)
    reach = reach_at(
        looking,
        compared.found,
        smaller_arm=pair.smaller_arm,
        fewest_events=compared.fewest_events,
        effective=compared.effective,
        watched=design.watched,
    )
    if isinstance(reach, Unavailable):
        return _unavailable(pair, reach, adjusted=plain is not None)
    found, half = compared.found, reach.standard_errors * compared.found.se
    interval = Interval(kind=reach.kind, level=looking.level, low=found.value - half, high=found.value + half)
    relative = compared.relative(reach.standard_errors)
    one = money_of_one(design, aggregates, metric)
    return Effect(
        metric=metric.metric,
        variant=pair.names[1],
        control_value=compared.control_value,
        variant_value=compared.control_value + found.value,
        effect=found.value,
        se=found.se,
        p_value=reach.p_value,
        interval=interval,
        relative=relative,
        adjusted=plain is not None,
        proxy=metric.proxy,
        role=metric.role,
        theta=found.slopes[0] if len(found.slopes) == 1 else None,
        saved=1.0 - (found.se / plain.found.se) ** 2 if plain else None,
        log_e=reach.log_e,
        money=money_effect(metric, one, (found.value, interval.low, interval.high)),
        guardrail=guard(design, metric, compared, one=one) if metric.role == "guardrail" else None,
        shrunk=_shrunk(relative, design.priors.get(metric.metric), margin=metric.margin),
    )


def _unavailable(pair: Pair, because: Unavailable, *, adjusted: bool) -> UnavailableEffect:
    return UnavailableEffect(
        metric=pair.metric.metric,
        variant=pair.names[1],
        because=because,
        proxy=pair.metric.proxy,
        adjusted=adjusted,
        role=pair.metric.role,
    )


def _shrunk(relative: RelativeEffect | Unavailable, prior: Prior | None, *, margin: float) -> Shrunk | None:
    """Say what is believed of a relative effect after past experiments; only then may chances be told."""
    if prior is None or isinstance(relative, Unavailable) or not relative.se > 0:
        return None
    belief = believed(relative.effect, relative.se, prior)
    return replace(
        shrunk_of(belief),
        above_zero=belief.chance_above(0.0),
        above_margin=belief.chance_above(-margin) if margin else None,
    )


def shrunk_of(belief: Belief) -> Shrunk:
    """Return the mean and the 90 % range of what is believed."""
    return Shrunk(effect=belief.mean, low=belief.quantile(0.05), high=belief.quantile(0.95))
