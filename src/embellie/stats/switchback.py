"""Switchback: one shared thing switched to and fro over time, compared with itself by the coins that were thrown."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.stats.estimators import critical_value

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.int8]

EXACT_COINS = 14
"""Up to so many coins every path is gone through; beyond, a sample of them."""

DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchbackEstimate:
    """The effect of having the treatment all along, against never.

    Attributes:
        effect: The estimate.
        se: From a variance that is too large rather than too small, on average over all paths.
        low: Of the interval.
        high: The same.
        p_value: Of no effect on any period, by going through the coins.
        exact: Whether all paths were gone through.
        coins: How many were thrown.
        used: The periods that lie in a stretch of one arm, long enough.
    """

    effect: float
    se: float
    low: float
    high: float
    p_value: float
    exact: bool
    coins: int
    used: int


def randomisation_points(periods: int, carry_over: int) -> tuple[int, ...]:
    """Return the periods (from 1) at which a coin is thrown: `1, 2m + 1, 3m + 1, …, T − 2m + 1`.

    With T = n·m these are the points that keep the worst case of the variance least; without carry-over, every period.
    Source: Bojinov, Simchi-Levi and Zhao, Management Science 2023 (arXiv 2009.00148), theorem 1.

    >>> randomisation_points(12, 2), randomisation_points(3, 0)
    ((1, 5, 7, 9), (1, 2, 3))
    """
    if carry_over == 0:
        return tuple(range(1, periods + 1))
    return (1, *range(2 * carry_over + 1, periods - 2 * carry_over + 2, carry_over))


def blocks_of(periods: int, points: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return each period's coin, numbered from 0.

    >>> blocks_of(6, (1, 3)).tolist()
    [0, 0, 1, 1, 1, 1]
    """
    return np.searchsorted(np.asarray(points), np.arange(1, periods + 1), side="right") - 1


def switchback_effect(
    outcome: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    points: Sequence[int],
    carry_over: int,
    baseline: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> SwitchbackEstimate:
    """Estimate the total effect of a treatment that was switched by fair coins.

    `τ = 1/(T − m) Σ_{t>m} Y_t ( 1[W_{t−m..t} = 1] / P(all 1) − 1[W_{t−m..t} = 0] / P(all 0) )`, unbiased when an arm reaches at
    most m periods on. The variance is bounded from above by `2ab ≤ a² + b²` where only one of two outcomes is ever seen
    (as in Bojinov, Simchi-Levi and Zhao, arXiv 2009.00148, section 4), and each of its terms estimated without bias.

    Args:
        outcome: Y_t, one per period, in order.
        arm: W_t, 1 for the treatment.
        points: The periods, from 1, at which a coin was thrown.
        carry_over: m, the periods that an arm reaches on.
        baseline: A number taken off every outcome: the less is left, the narrower the interval. The mean outcome when left
            out, which costs a bias of the order 1/T; 0 for the formula as it stands.
        level: Of the interval.
        seed: Of the sample of paths, where there are too many.

    >>> found = switchback_effect([1, 2, 1, 2], [0, 1, 0, 1], points=(1, 2, 3, 4), carry_over=0)
    >>> found.effect, found.p_value, found.coins
    (1.0, 0.125, 4)
    """
    y = np.asarray(outcome, np.float64)
    y = y - (float(y.mean()) if baseline is None else baseline)
    w = np.asarray(arm, np.int8)
    blocks = blocks_of(len(y), points)
    effect = float(path_effects(y, w[None, :], blocks, carry_over)[0])
    variance = conservative_variance(y, w, blocks, carry_over)
    se = math.sqrt(max(0.0, variance))
    reach = critical_value(level) * se
    coins = len(points)
    exact = coins <= EXACT_COINS
    return SwitchbackEstimate(
        effect=effect,
        se=se,
        low=effect - reach,
        high=effect + reach,
        p_value=_p_value(y, effect, blocks, carry_over, coins=coins, seed=seed),
        exact=exact,
        coins=coins,
        used=int(np.count_nonzero(_weights(w[None, :], blocks, carry_over))),
    )


def _weights(paths: Bits, blocks: npt.NDArray[np.int64], carry_over: int) -> Floats:
    """Return what each period's outcome is multiplied by, paths × periods; nought where the arm changed too lately."""
    periods, width = paths.shape[1], carry_over + 1
    ones = np.cumsum(np.pad(paths.astype(np.int64), ((0, 0), (1, 0))), axis=1)
    inside = ones[:, width:] - ones[:, :-width]
    spans = blocks[carry_over:] - blocks[: periods - carry_over] + 1
    weights = np.zeros(paths.shape)
    weights[:, carry_over:] = np.where(inside == width, 1.0, np.where(inside == 0, -1.0, 0.0)) * 2.0**spans
    return weights


def path_effects(outcome: npt.ArrayLike, paths: Bits, blocks: npt.NDArray[np.int64], carry_over: int) -> Floats:
    """Return the estimate that each path would have given, had the outcomes been these (paths × periods to paths)."""
    effects: Floats = _weights(paths, blocks, carry_over) @ np.asarray(outcome, np.float64)
    effects /= paths.shape[1] - carry_over
    return effects


def all_paths(blocks: npt.NDArray[np.int64]) -> Bits:
    """Return every path that the coins could have made, paths × periods."""
    coins = int(blocks[-1]) + 1
    return np.array(list(itertools.product((0, 1), repeat=coins)), np.int8)[:, blocks]


def _p_value(
    y: Floats, effect: float, blocks: npt.NDArray[np.int64], carry_over: int, *, coins: int, seed: int
) -> float:
    if coins <= EXACT_COINS:
        paths, seen = all_paths(blocks), 0
    else:
        paths = np.random.default_rng(seed).integers(0, 2, (DRAWS, coins), dtype=np.int8)[:, blocks]
        seen = 1  # the path that was taken is one of them
    others = path_effects(y, paths, blocks, carry_over)
    as_far = np.abs(others) >= abs(effect) * (1 - 1e-9) - 1e-12
    return float((as_far.sum() + seen) / (len(paths) + seen))


def conservative_variance(
    outcome: npt.ArrayLike, arm: npt.ArrayLike, blocks: npt.NDArray[np.int64], carry_over: int
) -> float:
    """Estimate a bound of the estimator's variance that holds on average over all paths, whatever the outcomes.

    Periods whose windows lie in the same coins form groups with sums S_g(1), S_g(0). With p the chance of one arm all along,
    `Var(Z_g) = (1/p − 1)(S_g(1)² + S_g(0)²) + 2 S_g(1) S_g(0)`, and for two groups that share coins
    `Cov = (1/p_shared − 1)(S_g(1)S_h(1) + S_g(0)S_h(0)) + S_g(1)S_h(0) + S_g(0)S_h(1)`. Products of two different arms are
    never seen: each is replaced by half the sum of the squares. The rest is divided by its chance of being seen.
    """
    y, w = np.asarray(outcome, np.float64), np.asarray(arm, np.int64)
    periods = len(y)
    ranges = [(int(blocks[t - carry_over]), int(blocks[t])) for t in range(carry_over, periods)]
    sums: dict[tuple[int, int], float] = {}
    for t, span in zip(range(carry_over, periods), ranges, strict=True):
        sums[span] = sums.get(span, 0.0) + float(y[t])
    coin = np.zeros(int(blocks[-1]) + 1, np.int64)
    coin[blocks] = w

    def alike(first: int, last: int) -> bool:
        return bool((coin[first : last + 1] == coin[first]).all())

    spans = sorted(sums)
    total = 0.0
    for place, one in enumerate(spans):
        mine, chance = sums[one], 0.5 ** (one[1] - one[0] + 1)
        square = mine**2 / chance if alike(*one) else 0.0
        total += square / chance  # (1/p − 1) + 1, the product of the two arms by half of both squares
        for other in spans[place + 1 :]:
            shared = min(one[1], other[1]) - other[0] + 1
            if shared < 1:
                break
            theirs, last = sums[other], max(one[1], other[1])
            if alike(one[0], last):
                total += 2.0 * (2.0**shared - 1.0) * mine * theirs * 2.0 ** (last - one[0] + 1)
            total += square + (theirs**2 * 2.0 ** (other[1] - other[0] + 1) if alike(*other) else 0.0)
    return total / (periods - carry_over) ** 2


def carry_over_sign(outcome: npt.ArrayLike, arm: npt.ArrayLike, carry_over: int) -> float:
    """Return how many standard errors outcomes still differ by the arm before the window: a sign of more carry-over.

    Among periods t with one arm throughout t − m..t, those whose arm at t − m − 1 was the same are compared with those where
    it was the other; per arm, Welch's statistic as the normal one of the same chance, turned so that what is still missing
    counts positive, over both arms. NaN where a comparison has fewer than four periods.

    >>> late = [0.1, 1.9, 4.2, 2.0, 0.1, 1.8, 4.0, 2.1, 0.1, 1.9, 4.2, 2.0, 0.1, 2.0, 3.9, 2.0, 0.0]
    >>> round(carry_over_sign(late, [0] + [1, 1, 0, 0] * 4, 0), 1)
    7.5
    """
    y, w = np.asarray(outcome, np.float64), np.asarray(arm, np.int64)
    total = 0.0
    for side in (0, 1):
        same: list[float] = []
        changed: list[float] = []
        for t in range(carry_over + 1, len(y)):
            if (w[t - carry_over : t + 1] == side).all():
                (same if w[t - carry_over - 1] == side else changed).append(float(y[t]))
        if min(len(same), len(changed)) < 4:
            return math.nan
        total += _welch_z(same, changed) * (1 if side else -1)
    return total / math.sqrt(2.0)


def _welch_z(one: Sequence[float], other: Sequence[float]) -> float:
    squares = [float(np.var(each, ddof=1)) / len(each) for each in (one, other)]
    gap = float(np.mean(one) - np.mean(other))
    if sum(squares) <= 0:
        return 0.0 if gap == 0 else math.copysign(10.0, gap)
    df = sum(squares) ** 2 / sum(
        square**2 / (len(each) - 1) for square, each in zip(squares, (one, other), strict=True)
    )
    tail = float(special.stdtr(df, -abs(gap) / math.sqrt(sum(squares))))
    return math.copysign(-float(special.ndtri(max(tail, 1e-300))), gap)
