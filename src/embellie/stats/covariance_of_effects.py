"""Covariance of effects: how true effects on two metrics go together, once the sampling noise they share is taken out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

CLEAR = 4.0
"""The true spread of the first effect must stand out so far from what noise alone would show before it divides anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrapped:
    """A figure with a percentile interval from resampling whole experiments."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectsTogether:
    """What past effects on a first metric say about those on a second.

    Attributes:
        slope: True effect on the second per unit of true effect on the first; None where `support` is below `CLEAR`.
        correlation: Of true effects; None unless both eigenvalues of the true covariance are above zero.
        naive_slope: The regression of estimates on estimates, which shared noise bends.
        support: L₁₁ over the standard error it would have if there were only noise, `√(2 mean(O₁₁²) / (n − 1))`.
        reliability: The part of the first estimates' variance that is true, L₁₁ / S₁₁.
        eigenvalues: Of the true covariance in units of the noise, smallest first.
        true: L, the covariance of true effects.
    """

    slope: Bootstrapped | None
    correlation: Bootstrapped | None
    naive_slope: float
    support: float
    reliability: float
    eigenvalues: tuple[float, float]
    true: tuple[tuple[float, float], tuple[float, float]]


def total_covariance(effects: npt.ArrayLike, noise: npt.ArrayLike) -> Floats:
    """Estimate the covariance of true effects: that of the estimates, less the mean of their sampling covariances.

    `L = Cov_k(τ̂_k) − mean_k(O_k)`, divisor n − 1. Unbiased where the O_k are; it need not be positive definite.
    Source: Bibaut, Chou, Ejdemyr and Kallus, KDD 2024 (total-covariance estimator).

    Args:
        effects: Estimates, experiments × metrics.
        noise: Their sampling covariances, experiments × metrics × metrics.

    >>> effects = np.array([[1.0, 0.5], [-1.0, -0.5], [3.0, 1.5], [-3.0, -1.5]])
    >>> total_covariance(effects, np.tile(np.diag([0.5, 0.25]), (4, 1, 1))).round(3).tolist()
    [[6.167, 3.333], [3.333, 1.417]]
    """
    total: Floats = np.atleast_2d(np.cov(np.asarray(effects, np.float64), rowvar=False))
    mean: Floats = np.asarray(noise, np.float64).mean(axis=0)
    return np.asarray(total - mean, np.float64)


def effects_together(
    effects: npt.ArrayLike,
    noise: npt.ArrayLike,
    *,
    experiments: Sequence[str],
    seed: int = 0,
    draws: int = 2000,
    level: float = 0.95,
) -> EffectsTogether:
    """Estimate slope and correlation of true effects, with intervals from resampling experiments.

    With L from `total_covariance`: slope `L₁₂ / L₁₁`, correlation `L₁₂ / √(L₁₁ L₂₂)`. Each bootstrap draw takes whole
    experiments with replacement and forms L anew; the limits are percentiles.

    Args:
        effects: Estimates, pairs × 2: the first metric's, the second's.
        noise: Their sampling covariances, pairs × 2 × 2.
        experiments: The experiment each pair belongs to; pairs of one experiment are drawn together.
        seed: Of the draws.
        draws: How many.
        level: Of the intervals.
    """
    effects, noise = np.asarray(effects, np.float64), np.asarray(noise, np.float64)
    true = total_covariance(effects, noise)
    drawn = _drawn(effects, noise, experiments, seed=seed, draws=draws)
    spread, shared, other = drawn[:, 0], drawn[:, 1], drawn[:, 2]
    by_noise = math.sqrt(2.0 * float(np.mean(noise[:, 0, 0] ** 2)) / (len(effects) - 1))
    support = float(true[0, 0]) / by_noise if by_noise > 0 else math.inf
    total = np.cov(effects, rowvar=False)
    slope = None
    if support >= CLEAR and bool((spread > 0).all()):
        slope = _limits(float(true[0, 1] / true[0, 0]), shared / spread, level)
    values = _in_noise(true, noise.mean(axis=0))
    correlation = None
    if slope is not None and values[0] > 0:
        sound = other > 0
        together = np.where(sound, shared / np.sqrt(np.where(sound, spread * other, 1.0)), np.sign(shared))
        correlation = _limits(
            float(true[0, 1] / math.sqrt(true[0, 0] * true[1, 1])), np.clip(together, -1.0, 1.0), level
        )
    return EffectsTogether(
        slope=slope,
        correlation=correlation,
        naive_slope=float(total[0, 1] / total[0, 0]) if total[0, 0] > 0 else math.nan,
        support=support,
        reliability=float(true[0, 0] / total[0, 0]) if total[0, 0] > 0 else math.nan,
        eigenvalues=values,
        true=((float(true[0, 0]), float(true[0, 1])), (float(true[1, 0]), float(true[1, 1]))),
    )


def _drawn(effects: Floats, noise: Floats, experiments: Sequence[str], *, seed: int, draws: int) -> Floats:
    """Return L₁₁, L₁₂ and L₂₂ of each draw, from sums per experiment: no draw touches the pairs again."""
    names, group = np.unique(np.asarray(experiments, dtype=object).astype(str), return_inverse=True)
    centred = effects - effects.mean(axis=0)
    one, two = centred[:, 0], centred[:, 1]
    parts = np.column_stack(
        [np.ones(len(one)), one, two, one * one, one * two, two * two, noise[:, 0, 0], noise[:, 0, 1], noise[:, 1, 1]]
    )
    sums = np.zeros((len(names), parts.shape[1]))
    np.add.at(sums, group, parts)
    random = np.random.default_rng(seed)
    times = random.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=draws).astype(np.float64)
    n, a, b, aa, ab, bb, naa, nab, nbb = (times @ sums).T
    below = np.maximum(n - 1.0, 1.0)
    return np.column_stack(
        [(aa - a * a / n) / below - naa / n, (ab - a * b / n) / below - nab / n, (bb - b * b / n) / below - nbb / n]
    )


def _limits(value: float, drawn: Floats, level: float) -> Bootstrapped:
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return Bootstrapped(value=value, low=float(low), high=float(high))


def _in_noise(true: Floats, noise: Floats) -> tuple[float, float]:
    """Return the eigenvalues of L against the mean noise: how many times the noise each true direction is."""
    try:
        half = np.linalg.inv(np.linalg.cholesky(noise))
    except np.linalg.LinAlgError:  # noise that is exactly shared, or none: L by itself
        half = np.eye(2)
    small, large = np.linalg.eigvalsh(half @ true @ half.T)
    return float(small), float(large)


def wilson_interval(hits: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share (1927).

    >>> [round(limit, 4) for limit in wilson_interval(8, 10)]
    [0.4902, 0.9433]
    """
    z = float(special.ndtri(0.5 + level / 2))
    share, square = hits / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    reach = z / (1 + square) * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def agreement_by_noise(correlations: Sequence[float]) -> float:
    """Return how often two estimates would have the same sign if nothing had any effect: `mean(½ + asin(r) / π)`.

    Two metrics of the same readers share noise, r being its correlation in each experiment; so their signs agree more
    often than a coin does. Source: Sheppard 1899, orthant probability of the bivariate normal.

    >>> round(agreement_by_noise([0.0, 0.5]), 4)
    0.5833
    """
    return float(np.mean(0.5 + np.arcsin(np.clip(correlations, -1.0, 1.0)) / np.pi))
