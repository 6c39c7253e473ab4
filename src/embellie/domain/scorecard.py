"""Scorecard: what an experiment changed, with intervals, and whether its figures can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from embellie.domain.metric import Role
from embellie.domain.unavailable import Unavailable

IntervalKind = Literal["fixed", "group_sequential", "always"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A range and its kind; `fixed` is valid for one look, `always` at every look."""

    kind: IntervalKind
    level: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeEffect:
    """The effect as a share of the control's value; `se` on the same scale."""

    effect: float
    low: float
    high: float
    se: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyEffect:
    """What the effect is worth per month if all readers had the variant; the interval is that of the effect."""

    effect: float
    low: float
    high: float
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """Whether a loss beyond the margin can be ruled out.

    `holds`: the bound `low` lies above `-margin`; `harmed`: the bound `high` lies below; `open`: neither. Each bound is one-sided
    and holds at every look. `margin` is in the metric's unit, `money` the same per month when the metric has a worth.
    """

    state: Literal["holds", "harmed", "open"]
    margin: float
    money: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """An effect after what past experiments, or the other segments, teach: mean and 90 % range of what is believed, relative.

    Only a prior learnt from past experiments gives chances: that the effect is above 0, and that it is above minus the margin.
    """

    effect: float
    low: float
    high: float
    above_zero: float | None = None
    above_margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How a variant differs from the control on one metric.

    Attributes:
        theta: The covariate's slope, in an adjusted row.
        saved: In an adjusted row, the part of the variance that the covariate took away.
        p_many: The p-value corrected for the number of comparisons made: Holm's over primary metrics, Benjamini and
            Hochberg's over the rest; none for guardrails, which must all hold, nor for a single comparison.
        log_e: The log e-value, where the interval is always valid.
        money: What it is worth per month, where the metric has a worth.
        guardrail: For a guardrail metric, whether it holds.
        shrunk: What is left of a relative effect after shrinkage; for judging, and for sums over experiments.
    """

    metric: str
    variant: str
    control_value: float
    variant_value: float
    effect: float
    se: float
    p_value: float
    interval: Interval
    relative: RelativeEffect | Unavailable
    adjusted: bool = False
    proxy: bool = False
    role: Role = "diagnostic"
    theta: float | None = None
    saved: float | None = None
    p_many: float | None = None
    log_e: float | None = None
    money: MoneyEffect | None = None
    guardrail: Guardrail | None = None
    shrunk: Shrunk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnavailableEffect:
    """A metric that could not be computed for a variant: said, never zero."""

    metric: str
    variant: str
    because: Unavailable
    proxy: bool = False
    adjusted: bool = False
    role: Role = "diagnostic"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """The check that the split is the designed one: chi-square p-value and the log e-value that survives peeking."""

    p_value: float
    log_e: float
    alarm: bool


CheckState = Literal["fine", "watch", "alarm", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that must hold for the figures to be believed, and what was found.

    `check` names it; `code` names the sentence that tells it, with the `values` it speaks of; `figures` are the numbers behind.
    `alarm`: use none of the figures before it is explained; `watch`: read on, but know it.
    """

    check: str
    state: CheckState
    code: str
    values: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The same comparison among a part of the units: those with this `value` of a `dimension`."""

    dimension: str
    value: str
    units: Mapping[str, int]
    effects: tuple[Effect | UnavailableEffect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """An experiment's results; the unit of analysis is the unit of randomisation."""

    unit: str
    control: str
    units: Mapping[str, int]
    srm: SampleRatio | Unavailable
    effects: tuple[Effect | UnavailableEffect, ...]
    excluded: Mapping[str, int]
    experiment: str = ""
    checks: tuple[Check, ...] = ()
    slices: tuple[Slice, ...] = ()
    planned: int | None = None
