"""Belief: what somebody held for likely about an unknown, when, and how it turned out. Appended, never overwritten."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from embellie.domain.question import Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A range as it was first written, or as it was changed: an entry of the ledger of beliefs.

    `author` and `on` are who was asked and when, as the file says (`asked`, `on`); `filed` is when the log took it in. The
    numbers are in the unit the range was written in, `label`, which holds `scale` of the base units `unit`. One that was written when
    a result about its unknown was already known is `late`: it is kept, but no forecast.
    """

    unknown: str
    written: str
    prior: Distribution
    author: str = ""
    on: date | None = None
    filed: datetime | None = None
    late: bool = False
    label: str = ""
    unit: Mapping[str, float] = field(default_factory=dict)
    scale: float = 1.0
    p05: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A belief whose unknown is now known well enough to judge it.

    `truth` is the middle of what the evidence alone says, with its 90 % range, in the belief's unit. `stretch` is the factor
    by which the belief's range would have had to be stretched about its median to reach the truth: at most 1 inside it.
    `winkler` is the range's interval score, its width plus 20 times the miss, as a share of the widest range anyone wrote
    about this unknown: the smaller the better, and above 1 the widest would have been better.
    """

    belief: Belief
    truth: float
    truth_low: float
    truth_high: float
    inside: bool
    stretch: float
    winkler: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How an author's 90 % ranges have held so far; `low` and `high` bound the true share inside (90 %).

    `winkler` is the mean score of their ranges, and `widen` the factor by which their ranges should be wider for nine in ten
    to hold: never below 1, and near 1 while few are resolved.
    """

    author: str
    resolved: int
    inside: int
    share: float
    low: float
    high: float
    winkler: float
    widen: float
