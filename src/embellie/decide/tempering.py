"""Tempering: move draws of independent normal scores to where the evidence says they are.

The prior of the scores is N(0, I), the posterior is that times a likelihood L. Three ways, the first that does:

1. reweight the draws by L;
2. reweight them where a normal law fitted to the posterior puts them, so that the evenness of the draws is kept (importance
   sampling with a fitted proposal);
3. raise L to a power that grows from 0 to 1 (sequential tempering: Neal 2001, Statistics and Computing 11:125-139; Del Moral,
   Doucet, Jasra 2006, JRSS B 68:411-436), each time with systematic resampling and preconditioned Crank-Nicolson moves (Cotter
   et al. 2013, Statistical Science 28:424-446) around the particles' own mean and covariance.

How well weights w do is told by the effective share, (Σw)² / (n Σw²) (Kish 1965). A fitted law that misses a second peak does
not know it: so its effective share is told from the other side too, as 1 / E[p/q] over draws of the posterior p found without
it, where a peak that q misses counts for much; the smaller share holds. Each scramble is kept to itself: errors told
from the differences between scrambles stay honest.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.domain.errors import InputError
from embellie.stats.sampling import SCRAMBLES

Array = npt.NDArray[np.float64]
Fit = Callable[[Array], Array]

RIGHT = 0.999
"""The effective share from which on weights are all alike: nothing need be moved."""

ENOUGH = 0.5
"""The effective share from which on weighted draws are kept; below it, they are moved."""

LEAST = 0.05
"""The effective share below which weights say nothing, not even where the posterior lies."""

_STEP_SHARE = 0.5
_MOST_STEPS = 200
_EXPLORERS = 4096


@dataclass(frozen=True, slots=True)
class Tempered:
    """Draws from the posterior, all of one weight, and how they were found.

    `share` is the effective share of the prior's draws, `kept` that of the draws in the end (of moved ones, how many differ),
    `steps` how many powers of the likelihood were gone through (0: weights did).
    """

    scores: Array
    share: float
    kept: float
    steps: int = 0

    @property
    def unmoved(self) -> bool:
        """Whether the draws were right as they stood."""
        return self.share >= RIGHT


def temper(start: Array, fit: Fit, *, seed: int) -> Tempered:
    """Turn draws from the prior into draws from the posterior.

    Args:
        start: Standard normal scores (draws, columns), scramble after scramble.
        fit: The log-likelihood of such scores (draws,), up to a constant.
        seed: Same seed, same bytes.

    Raises:
        InputError: No draw explains the evidence at all.

    >>> from embellie.stats.sampling import normal_scores
    >>> found = temper(normal_scores(1024, 1, seed=1), lambda z: -0.5 * ((z[:, 0] - 1.0) / 0.5) ** 2, seed=1)
    >>> [round(float(x), 2) for x in (found.scores.mean(), found.scores.var())]
    [0.8, 0.2]
    """
    rng = np.random.default_rng([seed, SCRAMBLES, start.shape[1]])
    log = fit(start)
    if not np.any(np.isfinite(log)):
        raise InputError("The evidence is impossible under what was believed.", hint="Check the evidence.")
    share = effective_share(log)
    if share >= RIGHT:
        return Tempered(start, share, share)
    if share >= LEAST:
        explored, steps, weights = start, 0, _weights(log)
    else:
        explored, steps = _climb(_explorers(start), fit, rng)
        weights = np.full(len(explored), 1 / len(explored))
    fitted, ratio, kept = _fitted(start, fit, explored, weights)
    if kept >= max(ENOUGH, share):
        return Tempered(_resampled(fitted, ratio, rng), share, kept, steps)
    if share >= ENOUGH:
        return Tempered(_resampled(start, log, rng), share, share)
    particles = _resampled(start, log, rng) if not steps else _multiplied(explored, len(start))
    moved = _moved(particles, fit, 1.0, rng, turns=24)
    return Tempered(moved, share, len(np.unique(moved[:, 0])) / len(moved), max(steps, 1))


def effective_share(log: Array) -> float:
    """Return (Σw)² / (n Σw²) for log-weights, the mean over scrambles.

    >>> effective_share(np.zeros(16)), effective_share(np.array([0.0, -np.inf] * 8))
    (1.0, 0.5)
    """
    weights = np.exp(log - np.max(log)).reshape(SCRAMBLES, -1)
    sums, squares = weights.sum(axis=1), (weights**2).sum(axis=1)
    shares = np.divide(sums**2, squares * weights.shape[1], out=np.zeros(SCRAMBLES), where=squares > 0)
    return float(shares.mean())


def _weights(log: Array) -> Array:
    weights = np.exp(log - np.max(log))
    return np.asarray(weights / weights.sum(), dtype=float)


def _moments(scores: Array, weights: Array) -> tuple[Array, Array]:
    mean = weights @ scores
    apart = scores - mean
    covariance = (apart * weights[:, None]).T @ apart
    many, columns = 1 / float(weights @ weights), scores.shape[1]
    if many < 50 * columns:  # too few to tell how columns hang together: lean towards not at all
        covariance += columns / (columns + many) * (np.diag(np.diag(covariance)) - covariance)
    return mean, covariance + 1e-12 * np.eye(columns)


def _fitted(start: Array, fit: Fit, explored: Array, weights: Array) -> tuple[Array, Array, float]:
    """Return draws of a normal law near the posterior, their log-weights and effective share.

    The law is refined while that helps; `explored` with its `weights` stands for the posterior.
    """
    best = start, np.zeros(len(start)), 0.0
    mean, covariance = _moments(explored, weights)
    there = fit(explored) - 0.5 * np.sum(explored**2, axis=1)
    for _ in range(5):
        root = np.linalg.cholesky(covariance)
        scores = mean + start @ root.T
        log = fit(scores) - 0.5 * np.sum(scores**2, axis=1) + 0.5 * np.sum(start**2, axis=1)
        log = np.where(np.isfinite(log), log, -np.inf)
        if not np.any(np.isfinite(log)):
            break
        ratio = there + 0.5 * np.sum(np.linalg.solve(root, (explored - mean).T) ** 2, axis=0)
        found = min(effective_share(log), _share_seen(log, ratio, weights))
        if found <= best[2]:
            break
        best = scores, log, found
        if found > 1 - 1e-9 or found < LEAST:
            break
        mean, covariance = _moments(scores, _weights(log))
    return best


def _share_seen(log: Array, ratio: Array, weights: Array) -> float:
    """Return 1 / E[p/q] over the posterior: `log` holds log p/q, unscaled, over draws of q, `ratio` over those of p."""
    scale = np.max(log) + np.log(np.mean(np.exp(log - np.max(log))))
    counted = weights > 0
    with np.errstate(over="ignore"):
        return float(min(1.0, 1 / (weights[counted] @ np.exp(np.minimum(ratio[counted] - scale, 700.0)))))


def _explorers(start: Array) -> Array:
    """Return the first draws of each scramble: few are enough to see where the posterior lies."""
    each = min(len(start), _EXPLORERS) // SCRAMBLES
    return np.ascontiguousarray(start.reshape(SCRAMBLES, -1, start.shape[1])[:, :each].reshape(-1, start.shape[1]))


def _multiplied(explored: Array, draws: int) -> Array:
    times = draws // len(explored)
    blocks = np.tile(explored.reshape(SCRAMBLES, -1, explored.shape[1]), (1, times, 1))
    return np.ascontiguousarray(blocks.reshape(draws, explored.shape[1]))


def _climb(particles: Array, fit: Fit, rng: np.random.Generator) -> tuple[Array, int]:
    """Take the particles from the prior to the posterior, the power of the likelihood growing as fast as they follow."""
    power, steps = 0.0, 0
    log = fit(particles)
    while power < 1.0 and steps < _MOST_STEPS:
        grown = _next_power(log, power)
        particles = _resampled(particles, _times(grown - power, log), rng)
        particles = _moved(particles, fit, grown, rng, turns=8)
        power, steps, log = grown, steps + 1, fit(particles)
    return particles, steps


def _times(power: float, log: Array) -> Array:
    return np.where(np.isfinite(log), power * np.where(np.isfinite(log), log, 0.0), -np.inf)


def _next_power(log: Array, power: float) -> float:
    if effective_share(_times(1.0 - power, log)) >= _STEP_SHARE:
        return 1.0
    low, high = 0.0, 1.0 - power
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if effective_share(_times(middle, log)) >= _STEP_SHARE else (low, middle)
    return power + max(low, 1e-12)


def _resampled(scores: Array, log: Array, rng: np.random.Generator) -> Array:
    """Resample within each scramble, systematically; who stays keeps its place, so that draws remain as even as they can."""
    each = len(scores) // SCRAMBLES
    out = scores.copy()
    for scramble in range(SCRAMBLES):
        rows = slice(scramble * each, (scramble + 1) * each)
        own = log[rows] if np.any(np.isfinite(log[rows])) else np.zeros(each)
        ladder = np.floor(np.cumsum(_weights(own)) * each + rng.random())
        ladder[-1] = max(ladder[-1], each)
        copies = np.diff(np.minimum(ladder, each), prepend=0.0).astype(int)
        gone = np.flatnonzero(copies == 0)
        spare = rng.permutation(np.repeat(np.arange(each), np.maximum(copies - 1, 0)))
        out[rows][gone] = scores[rows][spare]
    return out


def _moved(particles: Array, fit: Fit, power: float, rng: np.random.Generator, *, turns: int) -> Array:
    """Move particles by Crank-Nicolson steps, which keep prior times likelihood to a power as it is."""
    mean, covariance = _moments(particles, np.full(len(particles), 1 / len(particles)))
    root = np.linalg.cholesky(1.1 * covariance + 1e-9 * np.eye(len(covariance)))
    whitener = np.linalg.inv(root).T
    log = _target(particles, fit, power, mean, whitener)
    step, travelled = 0.7, 0.0
    for _ in range(turns * 3):
        apart = np.sqrt(1 - step**2) * (particles - mean) + step * rng.standard_normal(particles.shape) @ root.T
        proposed = mean + apart
        there = _target(proposed, fit, power, mean, whitener)
        accepted = np.log(rng.random(len(log))) < there - log
        particles = np.where(accepted[:, None], proposed, particles)
        log = np.where(accepted, there, log)
        rate = float(accepted.mean())
        travelled += rate * step**2
        step = float(np.clip(step * np.exp(rate - 0.4), 0.02, 0.98))
        if travelled >= turns / 8:
            break
    return particles


def _target(scores: Array, fit: Fit, power: float, mean: Array, whitener: Array) -> Array:
    """Return the log of the target over the law that the moves keep, N(mean, root rootᵀ)."""
    near = np.sum(((scores - mean) @ whitener) ** 2, axis=1)
    return np.asarray(_times(power, fit(scores)) - 0.5 * np.sum(scores**2, axis=1) + 0.5 * near, dtype=float)
