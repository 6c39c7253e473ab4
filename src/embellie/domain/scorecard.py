"""Scorecard: what an experiment changed, with intervals, and whether its split can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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
class Effect:
    """How a variant differs from the control on one metric."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class UnavailableEffect:
    """A metric that could not be computed for a variant: said, never zero."""

    metric: str
    variant: str
    because: Unavailable
    proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """The check that the split is the designed one: chi-square p-value and the log e-value that survives peeking."""

    p_value: float
    log_e: float
    alarm: bool


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
