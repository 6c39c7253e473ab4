"""A penalised cubic spline (P-spline, Eilers and Marx 1996) fitted to many outcomes and every scramble in one pass.

    minimise  |y - B b|² + λ |D2 b|²,   24 equal intervals (27 cubic B-splines), second differences D2,
    λ chosen by generalised cross-validation  N RSS / (N - edf)²  on a half-decade grid.

One generalised eigendecomposition of (D2'D2, B'B) gives RSS and edf for every λ and every outcome.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

Array = npt.NDArray[np.float64]

_INTERVALS = 24
_SIZE = _INTERVALS + 3
_PENALTIES = 10.0 ** np.arange(-6.0, 8.6, 0.5)
_DIFFERENCES = np.diff(np.eye(_SIZE), n=2, axis=0)
_ROUGHNESS = _DIFFERENCES.T @ _DIFFERENCES


@dataclass(frozen=True, slots=True)
class Curves:
    """Fitted curves f(x): coefficients (fits, outcomes, basis); the first fit uses all rows, the others one block each.

    `slopes` (outcomes,) multiply the carrier, when there is one; `crossed` are fits on all blocks but one, when asked for.
    """

    low: float
    high: float
    coefficients: Array
    slopes: Array
    core: tuple[float, float]
    crossed: Array | None = None

    def at(self, x: Array, carrier: Array | None = None) -> Array:
        """Return f(x) as (fits, outcomes, len(x)).

        Beyond the data a curve goes on straight: in x, or along its carrier, the rest staying as at the last 0.1 % of rows.
        """
        if carrier is not None:
            x = np.clip(x, *self.core)
        inside = np.clip(x, self.low, self.high)
        place, weights = _basis(inside, self.low, self.high)
        dense = np.zeros((len(x), _SIZE))
        for shift in range(4):
            np.put_along_axis(dense, (place + shift)[:, None], weights[shift][:, None], axis=1)
        beyond = (x - inside) * (_INTERVALS / (self.high - self.low)) / 2
        for last, first, side in ((2, 0, x < self.low), (_SIZE - 1, _SIZE - 3, x > self.high)):
            dense[side, last] += beyond[side]
            dense[side, first] -= beyond[side]
        straight = 0.0 if carrier is None else self.slopes[:, None] * carrier
        return np.asarray(self.coefficients @ dense.T + straight, dtype=float)

    def fitted(self, x: Array, carrier: Array | None = None) -> tuple[Array, Array]:
        """Return f at the rows it was fitted on, as (outcomes, rows): by the fit on all rows, and by each block's own fit."""
        place, weights = _basis(x, self.low, self.high)
        whole = sum(self.coefficients[0][:, place + shift] * weights[shift] for shift in range(4))
        own = _by_block(self.coefficients[1:], place, weights)
        straight = 0.0 if carrier is None else self.slopes[:, None] * carrier
        return np.asarray(whole + straight), np.asarray(own + straight)

    def unseen(self, x: Array, carrier: Array | None = None) -> Array:
        """Return f at the rows it was fitted on (outcomes, rows), each block's by the fit on the others.

        The slope of the carrier, one number, and the penalty are those of all rows.
        """
        if self.crossed is None:
            raise ValueError("Ask `fit_curves` for crossed fits.")
        straight = 0.0 if carrier is None else self.slopes[:, None] * carrier
        return np.asarray(_by_block(self.crossed, *_basis(x, self.low, self.high)) + straight)


def _by_block(coefficients: Array, place: npt.NDArray[np.intp], weights: tuple[Array, ...]) -> Array:
    """Return curves at rows that fall into equal consecutive blocks, each block by its own coefficients."""
    blocks, outcomes = coefficients.shape[:2]
    block = np.repeat(np.arange(blocks), len(place) // blocks)
    by_outcome = np.ascontiguousarray(np.moveaxis(coefficients, 1, 0)).reshape(outcomes, blocks, _SIZE)
    return np.asarray(sum(by_outcome[:, block, place + shift] * weights[shift] for shift in range(4)))


def _basis(x: Array, low: float, high: float) -> tuple[npt.NDArray[np.intp], tuple[Array, Array, Array, Array]]:
    """Return, for each x, the first of its four B-splines and their four values."""
    scaled = np.clip((x - low) * (_INTERVALS / (high - low)), 0.0, _INTERVALS)
    place = np.minimum(scaled.astype(np.intp), _INTERVALS - 1)
    u = scaled - place
    v = 1.0 - u
    first, last = v * v * v / 6.0, u * u * u / 6.0
    second = 2.0 / 3.0 - u * u * (1.0 - u / 2.0)
    third = 2.0 / 3.0 - v * v * (1.0 - v / 2.0)
    return place, (first, second, third, last)


def _gram(place: npt.NDArray[np.intp], weights: tuple[Array, ...], block: npt.NDArray[np.intp], blocks: int) -> Array:
    """Sum b(x) b(x)' in each block."""
    gram = np.zeros((blocks, _SIZE, _SIZE))
    index = block * _SIZE + place
    for one in range(4):
        for other in range(one, 4):
            sums = np.bincount(index, weights[one] * weights[other], blocks * _SIZE).reshape(blocks, _SIZE)
            rows = np.arange(_SIZE - other)
            gram[:, rows + one, rows + other] += sums[:, : len(rows)]
            if other > one:
                gram[:, rows + other, rows + one] += sums[:, : len(rows)]
    return gram


def _moments(
    place: npt.NDArray[np.intp], weights: tuple[Array, ...], outcomes: Array, block: npt.NDArray[np.intp], blocks: int
) -> Array:
    """Sum b(x) y in each block, for each outcome."""
    moments = np.zeros((blocks, len(outcomes), _SIZE))
    index = block * _SIZE + place
    for number, outcome in enumerate(outcomes):
        for shift in range(4):
            sums = np.bincount(index, weights[shift] * outcome, blocks * _SIZE).reshape(blocks, _SIZE)
            moments[:, number, shift:] += sums[:, : _SIZE - shift]
    return moments


def fit_curves(
    x: Array, outcomes: Array, *, blocks: int, carrier: Array | None = None, crossed: bool = False
) -> Curves:
    """Fit E[y | x] for each outcome, on all rows and on each block of rows.

    Args:
        x: The scores of one unknown (n,).
        outcomes: One row per outcome (outcomes, n).
        blocks: Into how many equal consecutive blocks the rows fall.
        carrier: A function of x that outcomes are mostly linear in, such as the value behind the score: its share is taken
            out first by least squares, so that the spline need not follow a fat tail.
        crossed: Whether to fit on all blocks but one as well, for each.

    Returns:
        Curves whose fit 0 is on all rows and whose fits 1 … blocks are on one block each, with the same penalty.

    >>> x = np.linspace(-2, 2, 64)
    >>> line = fit_curves(x, np.array([3 * x + 1]), blocks=8).at(np.array([0.5]))
    >>> float(line[0, 0, 0].round(6))
    2.5
    """
    low, high = float(np.min(x)), float(np.max(x))
    if high <= low:
        low, high = low - 1.0, high + 1.0
    block = np.repeat(np.arange(blocks), len(x) // blocks)
    place, weights = _basis(x, low, high)
    slopes = _slopes(carrier, outcomes)
    left = outcomes if carrier is None else outcomes - slopes[:, None] * carrier
    centre = left.mean(axis=1, keepdims=True)
    centred = left - centre
    grams = _gram(place, weights, block, blocks)
    moments = _moments(place, weights, centred, block, blocks)
    gram, moment = grams.sum(axis=0), moments.sum(axis=0)
    penalties = _choose(gram, moment, np.einsum("ij,ij->i", centred, centred), len(x))
    fits = [(gram[None], moment[None]), (grams * blocks, moments * blocks)]
    if crossed:
        scale = blocks / (blocks - 1)
        fits.append(((gram - grams) * scale, (moment - moments) * scale))
    every_gram, every_moment = (np.concatenate(parts) for parts in zip(*fits, strict=True))
    found = _solve(every_gram, every_moment, penalties) + centre[None]
    coefficients, others = found[: blocks + 1], found[blocks + 1 :] if crossed else None
    least, most = np.quantile(x, [0.001, 0.999])
    return Curves(low, high, coefficients, slopes, (float(least), float(most)), others)


def _slopes(carrier: Array | None, outcomes: Array) -> Array:
    """Return the least-squares slope of each outcome on the carrier."""
    if carrier is None:
        return np.zeros(len(outcomes))
    centred = carrier - carrier.mean()
    squares = float(np.einsum("i,i->", centred, centred))
    if squares <= 0:
        return np.zeros(len(outcomes))
    return np.asarray(np.einsum("oi,i->o", outcomes, centred) / squares, dtype=float)


def _solve(grams: Array, moments: Array, penalties: Array) -> Array:
    """Solve (B'B + λ D2'D2 + tiny) b = B'y for each fit and outcome; the tiny ridge serves basis functions with no row."""
    ridge = 1e-9 * np.trace(grams[0]) / _SIZE * np.eye(_SIZE)
    systems = grams[:, None] + penalties[None, :, None, None] * _ROUGHNESS + ridge
    return np.asarray(np.linalg.solve(systems, moments[..., None])[..., 0], dtype=float)


def _choose(gram: Array, moment: Array, squares: Array, rows: int) -> Array:
    """Return the penalty of each outcome that minimises generalised cross-validation."""
    steady = gram + 1e-9 * np.trace(gram) / _SIZE * np.eye(_SIZE)
    roughness, vectors = linalg.eigh(_ROUGHNESS, steady, check_finite=False)
    projected = moment @ vectors
    shrink = 1.0 / (1.0 + _PENALTIES[:, None] * np.maximum(roughness, 0.0))
    explained = (projected**2) @ (2 * shrink - shrink**2).T
    residual = np.maximum(squares[:, None] - explained, 1e-12 * squares[:, None])
    score = residual / (rows - shrink.sum(axis=1)) ** 2
    return np.asarray(_PENALTIES[np.argmin(score, axis=1)], dtype=float)
