"""Belief: what somebody held for likely about an unknown, when, and how it turned out."""

from dataclasses import dataclass
from datetime import date

from embellie.domain.question import Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A range as it was first written: its author (`asked`), its day, and its five numbers, in the unit of the unknown."""

    unknown: str
    written: str
    prior: Distribution
    author: str = ""
    on: date | None = None
    p05: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A belief whose unknown is now known well enough to judge it: `truth` by its posterior, and the Winkler score.

    `winkler` is the width of the range plus 2/alpha times the miss, as a share of the range of the posterior's own unit.
    """

    belief: Belief
    truth: float
    truth_low: float
    truth_high: float
    inside: bool
    winkler: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How an author's 90 % ranges have held so far; `low` and `high` bound the true share inside (90 %).

    `widen` is the factor by which their ranges would have had to be wider for nine in ten to hold.
    """

    author: str
    resolved: int
    inside: int
    share: float
    low: float
    high: float
    widen: float
