"""Planning: how many units, how long, and the smallest effect worth waiting for."""

import math
from dataclasses import dataclass

from embellie.domain.errors import InputError
from embellie.stats.sample_size import rule_of_thumb, smallest_effect, units_per_arm

_WEEKS = (1, 2, 4, 8, 12)


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
    """The smallest effect that so many weeks can show; `relative` to the baseline, None when that is 0."""

    weeks: float
    units_per_variant: int
    effect: float
    relative: float | None


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
    )
