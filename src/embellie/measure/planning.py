"""Planning: how many units, how long, and the smallest effect worth waiting for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from embellie.domain.errors import InputError
from embellie.domain.metric import Metric
from embellie.domain.money import Money
from embellie.measure.aggregates import Aggregates, covariate_columns
from embellie.measure.columns import Column, metric_before, metric_columns
from embellie.stats.estimators import Estimate, ratio_of_means
from embellie.stats.moments import Moments
from embellie.stats.sample_size import (
    always_smallest_effect,
    chance_above_margin,
    rule_of_thumb,
    smallest_effect,
    units_per_arm,
)

_WEEKS = (1.0, 2.0, 4.0, 8.0, 12.0)

_LONGEST = 104
"""Weeks that are looked ahead at most."""

MONTHS_PER_WEEK = 7 / (365.25 / 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """What is known before an experiment; `traffic` is new units per week over all variants, 0 when unknown.

    `effect` is a difference in the metric's own unit, 0 when only the detectable one is asked for. `correlation` is
    that of the metric with a covariate from before the experiment.
    """

    baseline: float
    sd: float
    effect: float = 0.0
    traffic: float = 0.0
    variants: int = 2
    alpha: float = 0.05
    power: float = 0.8
    correlation: float = 0.0

    def __post_init__(self) -> None:
        wrong = [
            (not self.sd > 0 or math.isinf(self.sd), "The standard deviation", "above 0"),
            (not math.isfinite(self.effect), "The effect", "a number"),
            (not (0 <= self.traffic < math.inf), "The traffic", "0 or more"),
            (self.variants < 2, "The number of variants", "2 or more"),
            (not 0 < self.alpha < 1 or not 0 < self.power < 1, "The level and the power", "between 0 and 1"),
            (not -1 < self.correlation < 1, "The correlation", "between -1 and 1"),
        ]
        for is_wrong, what, expected in wrong:
            if is_wrong:
                raise InputError(f"{what} must be {expected}.", hint="See `embellie measure plan --help`.")
        if not self.effect and not self.traffic:
            raise InputError("Nothing to plan with.", hint="Give `--effect`, `--traffic`, or both.")

    @property
    def left_over(self) -> float:
        """The standard deviation that adjustment leaves."""
        return self.sd * math.sqrt(1.0 - self.correlation**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """The smallest effect that so many weeks can show; `relative` to the baseline, None when that is 0.

    `always` is the same for an interval that holds at every look, tightest at the end. `money` is what the effect is worth
    per month; `beyond` says that the log is shorter than that, so that the units are extrapolated.
    """

    weeks: float
    units_per_variant: int
    effect: float
    relative: float | None
    always: float
    money: float | None = None
    beyond: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The answer: units and weeks for the effect (None when not asked or not known), and what each duration can show."""

    units_per_variant: int | None
    rule_of_thumb: int | None
    units: int | None
    weeks: float | None
    detectable: tuple[Detectable, ...]


def plan_experiment(plan: ExperimentPlan) -> Planned:
    """Compute the sample size, the duration and the smallest detectable effects of an equal split.

    Two-sided normal approximation, each variant against the control; the rule of thumb is 16 sd²/effect².

    >>> planned = plan_experiment(ExperimentPlan(baseline=0.05, sd=0.0475**0.5, effect=0.0025, traffic=100_000))
    >>> planned.units_per_variant, planned.rule_of_thumb, round(planned.weeks, 2)
    (119303, 121600, 2.39)
    """
    each = total = thumb = None
    if plan.effect:
        each = math.ceil(units_per_arm(plan.left_over, plan.effect, alpha=plan.alpha, power=plan.power))
        thumb = math.ceil(round(rule_of_thumb(plan.left_over, plan.effect), 6))
        total = each * plan.variants
    return Planned(
        units_per_variant=each,
        rule_of_thumb=thumb,
        units=total,
        weeks=total / plan.traffic if total and plan.traffic else None,
        detectable=tuple(_detectable(plan, weeks) for weeks in _WEEKS) if plan.traffic else (),
    )


def _detectable(plan: ExperimentPlan, weeks: float) -> Detectable:
    units = plan.traffic * weeks / plan.variants
    effect = smallest_effect(plan.left_over, units, alpha=plan.alpha, power=plan.power)
    return Detectable(
        weeks=weeks,
        units_per_variant=math.floor(units),
        effect=effect,
        relative=abs(effect / plan.baseline) if plan.baseline else None,
        always=always_smallest_effect(plan.left_over, units, alpha=plan.alpha, power=plan.power),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a metric was over so many weeks, everybody together, had an experiment begun that long ago.

    Attributes:
        weeks: How long.
        units: Who came at least once; those who come back are not new, so units grow ever slower.
        value: The metric.
        sd: The standard deviation of its influence values: of a mean, the plain one; of a ratio, by the delta method.
        correlation: Of those with the metric's own past; 0 when there is none.
        volume: What the value is per: units, or the sum of the denominator. 0 for a quantile, whose effects do not add up.
    """

    weeks: float
    units: float
    value: float
    sd: float
    correlation: float
    volume: float

    @property
    def left_over(self) -> float:
        """The standard deviation that adjustment for the metric's past leaves."""
        return self.sd * math.sqrt(max(0.0, 1.0 - self.correlation**2))

    @property
    def total(self) -> float:
        """What the value adds up to."""
        return self.value * self.volume


def seen(found: Aggregates, metric: Metric, *, weeks: float, control: str = "", adjusted: bool = True) -> Seen | None:
    """Read what a metric was from aggregates: its value in the control (or the only variant), its spread within variants.

    None when it has no value there, or does not vary.

    Args:
        found: Sums over that time.
        metric: Which metric.
        weeks: How long that time was.
        control: Whose value is the baseline; the first variant's when empty.
        adjusted: Whether the metric's past has been seen long enough to count on.
    """
    sides = {name: sample for name, sample in found.moments.items() if sample.n > 1}
    control = control or next(iter(sides), "")
    if control not in sides:
        return None
    if metric.form == "quantile":
        sample = next((each for (name, _, _), each in found.quantiles.items() if name == control), None)
        if sample is None or not sample.se > 0:
            return None
        return Seen(
            weeks=weeks, units=sum(side.n for side in sides.values()), value=sample.value,
            sd=sample.se * math.sqrt(sample.n), correlation=0.0, volume=0.0,
        )  # fmt: skip
    columns, past = metric_columns(metric), metric_before(metric)
    spread, own, shared = 0.0, 0.0, 0.0
    units = sum(side.n for side in sides.values())
    for side in sides.values():
        estimate = _estimate(side, columns)
        if estimate is None:
            return None
        weight = (side.n - 1) / (units - len(sides))
        spread += weight * side.form_variance(estimate.form)
        before = _estimate(side, covariate_columns(past)) if past is not None and adjusted else None
        if before is not None:
            own += weight * side.form_variance(before.form)
            shared += weight * side.form_covariance(estimate.form, before.form)
    if not spread > 0:
        return None
    base = _estimate(sides[control], columns)
    below = columns[1].name if len(columns) > 1 else ""
    return Seen(
        weeks=weeks,
        units=units,
        value=base.value if base else 0.0,
        sd=math.sqrt(spread),
        correlation=max(-0.99, min(0.99, shared / math.sqrt(spread * own))) if own > 0 else 0.0,
        volume=sum(side.n * (side.mean(below) if below else 1.0) for side in sides.values()),
    )


def _estimate(side: Moments, columns: Sequence[Column]) -> Estimate | None:
    names = [column.name for column in columns]
    if any(name not in side.means for name in names) or (len(names) > 1 and side.mean(names[1]) == 0):
        return None
    return ratio_of_means(side, *names)


def seen_at(history: Sequence[Seen], weeks: float) -> Seen:
    """Return what would be seen in so many weeks: between what was seen, or on from it.

    Units, volume and total follow a power of time between two spans, and the last one beyond them, with an exponent from 0
    (nobody new) to 1 (everybody new): as the number of different readers of a site grows. The spread per value is that of
    the longest span.

    Args:
        history: By rising weeks, one or more.
        weeks: How long.
    """
    if len(history) == 1 or weeks <= history[0].weeks:
        one, other = history[0], history[min(1, len(history) - 1)]
        start = one
    else:
        place = max(1, min(len(history) - 1, sum(span.weeks < weeks for span in history)))
        one, other = history[place - 1], history[place]
        start = other if weeks > other.weeks else one

    def grown(before: float, after: float, at: float) -> float:
        if before <= 0 or after <= 0 or other.weeks <= one.weeks:
            return at * (weeks / start.weeks if other is one else 1.0)
        exponent = math.log(after / before) / math.log(other.weeks / one.weeks)
        if not history[0].weeks <= weeks <= history[-1].weeks:
            exponent = max(0.0, min(1.0, exponent))
        return at * math.pow(weeks / start.weeks, exponent)

    units, volume = grown(one.units, other.units, start.units), grown(one.volume, other.volume, start.volume)
    value = start.value
    if volume > 0 and start.total > 0 and one.total > 0 and other.total > 0:
        value = grown(one.total, other.total, start.total) / volume
    within = min(1.0, max(0.0, (weeks - one.weeks) / (other.weeks - one.weeks))) if other is not one else 0.0

    def between(left: float, right: float) -> float:
        return left + within * (right - left)

    if value and one.value and other.value:
        sd = abs(value) * between(one.sd / abs(one.value), other.sd / abs(other.value))
    else:
        sd = between(one.sd, other.sd)
    return Seen(
        weeks=weeks,
        units=units,
        value=value,
        sd=sd,
        correlation=between(one.correlation, other.correlation),
        volume=volume,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """What the log says of a metric, and the experiment that is thought of.

    Attributes:
        metric: What is to change.
        history: Everybody who came, over several spans, by rising weeks.
        weights: Of the variants, the control's first.
        share: The part of readers that takes part.
        effect: The one to detect, in the metric's unit or (`relative`) as a share of its value; 0 when none is named.
        cost: Per month, of what the effect must pay for.
        guardrails: Metrics with a margin, and their histories.
        weeks: The duration that guardrails are judged at.
    """

    metric: Metric
    history: tuple[Seen, ...]
    weights: tuple[float, ...] = (1.0, 1.0)
    share: float = 1.0
    effect: float = 0.0
    relative: bool = False
    cost: Money | None = None
    guardrails: tuple[tuple[Metric, tuple[Seen, ...]], ...] = ()
    weeks: float = 4.0
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        wrong = [
            (not self.history, "There is no history to plan with.", "Serve pages first; or give `--baseline`."),
            (not 0 < self.share <= 1, "The share of readers must be above 0 and at most 1.", "Write `--share 0.5`."),
            (
                len(self.weights) < 2 or min(self.weights) <= 0,
                "An experiment needs two variants or more.",
                "Write `--variants 2`.",
            ),
            (
                self.cost is not None and self.metric.worth is None,
                f"`{self.metric.metric}` has no worth, so nothing says what pays for a cost.",
                'Give it one in embellie.toml, such as worth = "0.008 EUR".',
            ),
            (
                self.cost is not None and self.metric.form == "quantile",
                f"`{self.metric.metric}` is a quantile, and adds up to no money.",
                "Plan with a mean, a share or a ratio.",
            ),
            (
                self.cost is not None
                and self.metric.worth is not None
                and self.cost.currency != self.metric.worth.currency,
                "The cost and the worth of the metric are in two currencies.",
                "Write both in one.",
            ),
        ]
        for is_wrong, what, hint in wrong:
            if is_wrong:
                raise InputError(what, hint=hint)

    @property
    def split(self) -> float:
        """What a unit's variance is multiplied by and divided by all units, for the squared standard error of the worst pair."""
        whole = sum(self.weights)
        return whole / self.weights[0] + whole / min(self.weights[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pays:
    """The smallest effect that pays for its cost, and when it can be seen: None when not within two years."""

    cost: Money
    effect: float
    relative: float
    weeks: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailChance:
    """How probably a guardrail is shown to hold after so many weeks, if nothing changed at all.

    `margin` is in the metric's unit, `relative` as a share of its value.
    """

    metric: str
    weeks: float
    margin: float
    relative: float | None
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlanned:
    """The answer: units and weeks for the effect asked for, what each duration can show, what pays, what guardrails can show."""

    seen: Seen
    units: int | None
    weeks: float | None
    detectable: tuple[Detectable, ...]
    pays: Pays | None
    guardrails: tuple[GuardrailChance, ...]


def plan_on_site(plan: SitePlan) -> SitePlanned:
    """Plan an experiment with the site's own readers.

    The smallest effect after w weeks is `(z_{1−α/2} + z_{power})·sd·√(1 − r²)·√(split/units(w))`, with the units that w weeks
    bring: readers who come back are not new. An effect's money per month is that of everybody: effect × volume × worth ÷ months.
    """
    longest = plan.history[-1]
    weeks = units = None
    if plan.effect:
        weeks = _weeks_for(plan, plan.effect, relative=plan.relative)
        units = math.ceil(plan.share * seen_at(plan.history, weeks).units) if weeks is not None else None
    return SitePlanned(
        seen=longest,
        units=units,
        weeks=weeks,
        detectable=tuple(_on_site(plan, span) for span in _WEEKS),
        pays=_pays(plan),
        guardrails=tuple(_guardrail(plan, metric, history) for metric, history in plan.guardrails if history),
    )


def _on_site(plan: SitePlan, weeks: float) -> Detectable:
    at = seen_at(plan.history, weeks)
    effect, always = _smallest(plan, at)
    per_month = _money_per_month(plan.metric, at)
    return Detectable(
        weeks=weeks,
        units_per_variant=math.floor(plan.share * at.units * min(plan.weights) / sum(plan.weights)),
        effect=effect,
        relative=abs(effect / at.value) if at.value else None,
        always=always,
        money=effect * per_month if per_month else None,
        beyond=weeks > plan.history[-1].weeks * 1.01,
    )


def _smallest(plan: SitePlan, at: Seen) -> tuple[float, float]:
    """The smallest effect of an interval for one look, and of one that holds at every look."""
    each = 2.0 * plan.share * at.units / plan.split
    return (
        smallest_effect(at.left_over, each, alpha=plan.alpha, power=plan.power),
        always_smallest_effect(at.left_over, each, alpha=plan.alpha, power=plan.power),
    )


def _money_per_month(metric: Metric, at: Seen) -> float:
    """What one unit of effect is worth per month, to everybody."""
    if metric.worth is None or not at.volume:
        return 0.0
    return at.volume * metric.worth.amount / (at.weeks * MONTHS_PER_WEEK)


def _weeks_for(plan: SitePlan, effect: float, *, relative: bool) -> float | None:
    """The first day on which the effect can be seen."""
    for day in range(1, 7 * _LONGEST + 1):
        at = seen_at(plan.history, day / 7)
        if _smallest(plan, at)[0] <= abs(effect * at.value if relative else effect):
            return day / 7
    return None


def _pays(plan: SitePlan) -> Pays | None:
    at = plan.history[-1]
    if plan.cost is None or plan.metric.worth is None:
        return None
    per_month = _money_per_month(plan.metric, at)
    if not per_month or not at.value:
        raise InputError(
            f"`{plan.metric.metric}` is 0 in the log, so no change of it pays for anything.",
            hint="Plan with a metric that readers move.",
        )
    effect = plan.cost.amount / per_month
    return Pays(
        cost=plan.cost,
        effect=effect,
        relative=effect / abs(at.value),
        weeks=_weeks_for(plan, effect / abs(at.value), relative=True),
    )


def _guardrail(plan: SitePlan, metric: Metric, history: tuple[Seen, ...]) -> GuardrailChance:
    at = seen_at(history, plan.weeks)
    own = replace(plan, metric=metric, history=history, cost=None, guardrails=())
    per_month = _money_per_month(metric, at)
    margin = metric.loss.amount / per_month if metric.loss is not None and per_month else metric.margin * abs(at.value)
    each = 2.0 * own.share * at.units / own.split
    return GuardrailChance(
        metric=metric.metric,
        weeks=plan.weeks,
        margin=margin,
        relative=margin / abs(at.value) if at.value else None,
        chance=chance_above_margin(at.left_over, each, margin, alpha=plan.alpha),
    )
