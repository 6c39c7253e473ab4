"""Preference: which of two rankers readers side with, from what each reader owed to one and to the other."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.stats.estimators import critical_value, two_sided_p
from embellie.stats.sequential import always_valid_p, always_valid_reach, tuned_rho


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedPreference:
    """How readers side, each reader counting once.

    Attributes:
        readers: All who were shown both rankers' choices.
        credited: Those who gave credit to either.
        wins: Those who gave more to the first.
        losses: Those who gave more to the second.
        delta: `(wins + ties/2) / credited − ½`, between −½ and ½.
        se: Its standard error.
        low: Of the interval by Student's t.
        high: The same.
        always_low: Of the interval that holds at every look.
        always_high: The same.
        always_p: Its p-value.
        t_p: Of the mean credit difference over all readers being 0.
        sign_p: Of wins and losses being equally likely, exact.
        mean_credit: The mean over all readers of credit to the first less credit to the second.
        mean_credit_se: Its standard error.
    """

    readers: int
    credited: int
    wins: int
    losses: int
    delta: float
    se: float
    low: float
    high: float
    always_low: float
    always_high: float
    always_p: float
    t_p: float
    sign_p: float
    mean_credit: float
    mean_credit_se: float


def paired_preference(
    first: npt.ArrayLike, second: npt.ArrayLike, *, planned: int, level: float = 0.95
) -> PairedPreference:
    """Compare what each reader owed to two rankers.

    Each credited reader scores ½, 0 or −½; delta is the mean score. t test on the credit difference, exact sign test, and
    an asymptotic confidence sequence of delta tightest at `planned` credited readers. Sources: Chapelle, Joachims,
    Radlinski and Yue, TOIS 2012 (Δ_AB); Waudby-Smith et al., Annals of Statistics 2024.

    Args:
        first: Credit per reader to the first ranker.
        second: The same to the second.
        planned: Credited readers at which the always-valid interval is tightest.
        level: Of the intervals.

    >>> found = paired_preference([1, 2, 0, 1, 0], [0, 1, 1, 1, 0], planned=100)
    >>> found.credited, found.wins, found.losses, found.delta, round(found.sign_p, 3)
    (4, 2, 1, 0.125, 1.0)
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    difference = one - other
    credited = (one > 0) | (other > 0)
    scores = np.sign(difference[credited]) / 2
    n, wins, losses = int(credited.sum()), int((scores > 0).sum()), int((scores < 0).sum())
    delta, se = _mean(scores)
    mean, mean_se = _mean(difference)
    rho = tuned_rho(planned, alpha=1 - level)
    reach = critical_value(level, max(1, n - 1)) * se
    always = always_valid_reach(n, rho, alpha=1 - level) * se if n else math.nan
    return PairedPreference(
        readers=len(one),
        credited=n,
        wins=wins,
        losses=losses,
        delta=delta,
        se=se,
        low=delta - reach,
        high=delta + reach,
        always_low=max(-0.5, delta - always),
        always_high=min(0.5, delta + always),
        always_p=always_valid_p(delta / se, n, rho) if se > 0 else 1.0,
        t_p=two_sided_p(mean / mean_se, len(one) - 1) if mean_se > 0 else 1.0,
        sign_p=sign_test(wins, losses),
        mean_credit=mean,
        mean_credit_se=mean_se,
    )


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided p-value of so many wins and losses, either being equally likely: ties say nothing.

    >>> round(sign_test(8, 2), 6), sign_test(0, 0)
    (0.109375, 1.0)
    """
    n, extreme = wins + losses, max(wins, losses)
    if n == 0:
        return 1.0
    return min(1.0, 2.0 * float(special.bdtrc(extreme - 1, n, 0.5)) if extreme else 1.0)


def _mean(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    if len(values) == 0:
        return math.nan, math.nan
    se = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), se
