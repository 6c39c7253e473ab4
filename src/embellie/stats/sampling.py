"""Draws: scrambled Sobol points as normal scores, in independent scrambles so that every figure has its numerical error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

SCRAMBLES = 8
"""How many independent scrambles share the draws."""

_T95 = 2.364624251592785  # 97.5th percentile of Student's t with SCRAMBLES - 1 degrees of freedom


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """One joint sample: what each unknown is in each draw, and what each choice is then worth.

    `scores` are the normal scores behind `values` (one array per unknown); `net` and `cost` are (choices, draws), in the
    order of `choices`; `decoys` (decoys, draws) are scores of nothing at all, drawn alongside.
    """

    choices: tuple[str, ...]
    scores: Mapping[str, Array]
    values: Mapping[str, Array]
    net: Array
    cost: Array
    decoys: Array


def normal_scores(draws: int, dimensions: int, *, seed: int) -> Array:
    """Draw standard normal scores, scramble after scramble.

    Args:
        draws: How many rows in all: a power of two, at least 64.
        dimensions: How many columns.
        seed: Same seed, same bytes.

    Returns:
        An array (draws, dimensions): SCRAMBLES blocks of equal length, each a scrambled Sobol sequence of its own.

    >>> normal_scores(64, 2, seed=1).shape
    (64, 2)
    """
    from scipy.stats import qmc  # takes a second to load, which only those who draw should wait for

    each = draws // SCRAMBLES
    scores = np.empty((SCRAMBLES, each, dimensions))
    # one at a time, in place: a million draws of a hundred unknowns are large
    for scramble, block in enumerate(scores):
        points = qmc.Sobol(max(dimensions, 1), scramble=True, rng=np.random.default_rng([seed, scramble])).random(each)
        special.ndtri(np.clip(points[:, :dimensions], 2.0**-40, 1 - 2.0**-40), out=block)
        # What is linear in one score then has its exact mean, so that a tie between options is seen as a tie.
        np.subtract(block, block.mean(axis=0), out=block)
    return np.asarray(scores.reshape(SCRAMBLES * each, dimensions), dtype=float)


def even_ranks(many: int) -> Array:
    """Return the normal scores of evenly spaced probabilities, half a step from either end.

    >>> even_ranks(3).round(3).tolist()
    [-0.967, 0.0, 0.967]
    """
    return np.asarray(special.ndtri((np.arange(many) + 0.5) / many), dtype=float)


def numerical_error(estimates: Array, *, scale: float = 0.0) -> float:
    """Return half the width of a 95 % interval for the mean of independent estimates.

    Args:
        estimates: One per scramble.
        scale: The size of the numbers behind them; their rounding is the least error there can be.

    >>> numerical_error(np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), scale=1.0) > 0
    True
    """
    spread = float(np.std(estimates, ddof=1)) / np.sqrt(len(estimates))
    return float(_T95 * spread + 1e-12 * (scale + float(np.max(np.abs(estimates)))))


def by_scramble(values: Array) -> Array:
    """Split the last axis into (scramble, row)."""
    return values.reshape(*values.shape[:-1], SCRAMBLES, -1)


def correlation_matrix(names: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> tuple[Array, float]:
    """Build the correlations of the scores, mended to the nearest possible ones if they contradict one another.

    Method: alternating projections (Higham 2002) onto matrices with a unit diagonal and with no eigenvalue below 1e-8.

    Returns:
        The matrix, and the largest change that mending made to an entry.

    >>> matrix, change = correlation_matrix(["a", "b"], {("a", "b"): 0.5})
    >>> float(matrix[0, 1]), change
    (0.5, 0.0)
    """
    place = {name: at for at, name in enumerate(names)}
    wanted = np.eye(len(names))
    for (one, other), value in pairs.items():
        wanted[place[one], place[other]] = wanted[place[other], place[one]] = value
    tied = np.ix_(*[sorted({place[name] for pair in pairs for name in pair})] * 2) if pairs else None
    if tied is None or np.linalg.eigvalsh(wanted[tied])[0] > 1e-9:
        return wanted, 0.0
    mended = wanted.copy()
    mended[tied] = _nearest(wanted[tied])
    return mended, float(np.max(np.abs(mended - wanted)))


_STILL = 1e-9
"""The largest change of an entry at which the projections have come to rest."""


def _nearest(wanted: Array) -> Array:
    matrix, correction = wanted.copy(), np.zeros_like(wanted)
    for _ in range(200):
        before = matrix - correction
        values, vectors = np.linalg.eigh(before)
        projected = (vectors * np.maximum(values, 1e-8)) @ vectors.T
        correction = projected - before
        last, matrix = matrix, projected.copy()
        np.fill_diagonal(matrix, 1.0)
        if np.max(np.abs(matrix - last)) < _STILL:
            break
    scale = np.sqrt(np.diag(projected))
    return np.asarray(projected / np.outer(scale, scale), dtype=float)
