"""Cross-fitting: choose by a fit that has not seen the draws it chooses in, so that what the choice brings is not flattered."""

import numpy as np
import numpy.typing as npt

from embellie.stats.sampling import SCRAMBLES

Array = npt.NDArray[np.float64]

_RIDGE = 1e-9
_DRAWS_EACH = 25

_AT_ONCE = 128
"""Products go by so many draws: larger ones are shared out among threads, and wait for cores that a busy server has not got."""


class Fit:
    """Least squares of any outcomes on one basis: by all draws, and for each scramble by the other seven.

    Args:
        basis: Functions of what is known (functions, draws).
        surprises: Functions that are 0 on average whatever is known (functions, draws).

    >>> x = np.tile(np.linspace(-1.0, 1.0, 16), SCRAMBLES)
    >>> fit = Fit(np.stack([np.ones_like(x), x]))
    >>> bool(np.allclose(fit.unseen(np.stack([3 * x + 1])), 3 * x + 1))
    True
    """

    def __init__(self, basis: Array, surprises: Array | None = None) -> None:
        self._basis = basis
        self._surprises = np.empty((0, basis.shape[1])) if surprises is None else surprises
        grams = _inner(basis, basis)
        whole = grams.sum(axis=0)
        size = np.diag(whole)
        ridge = _RIDGE * np.diag(np.maximum(size, 1e-3 * size.mean() + 1e-300))
        self._whole = whole + ridge
        self._others = np.linalg.inv(whole - grams + ridge)

    def steady(self, outcomes: Array) -> Array:
        """Return the outcomes less what the surprises explain of them: the same on average, whatever is known."""
        if not _enough(self._surprises):
            return outcomes
        return outcomes - _combined(_slopes(self._surprises, outcomes - self.whole(outcomes)), self._surprises)

    def unseen(self, outcomes: Array) -> Array:
        """Return the fitted outcomes (outcomes, draws), each scramble's by a fit on the other seven."""
        moments = _inner(self._basis, outcomes)
        return _combined(self._others @ (moments.sum(axis=0) - moments), self._basis)

    def whole(self, outcomes: Array) -> Array:
        """Return the fitted outcomes (outcomes, draws), by one fit on all draws."""
        return _combined(self.coefficients(outcomes), self._basis)

    def coefficients(self, outcomes: Array) -> Array:
        """Return the coefficients of one fit on all draws (functions, outcomes)."""
        moments = _inner(self._basis, outcomes).sum(axis=0)
        return np.asarray(np.linalg.solve(self._whole, moments), dtype=float)


def without(values: Array, functions: Array) -> Array:
    """Return values (draws,) less what functions (functions, draws) explain of them.

    Where the functions are 0 on average, so is what is taken away. Few draws say too little of what functions explain: nothing is.
    """
    if not _enough(functions):
        return values
    centred = functions - functions.mean(axis=1, keepdims=True)
    slopes = _slopes(centred, (values - values.mean())[None])
    return np.asarray(values - _combined(slopes, functions)[0], dtype=float)


def _enough(functions: Array) -> bool:
    """Whether there are functions, and draws enough to tell what each explains without flattering it."""
    return bool(0 < _DRAWS_EACH * len(functions) <= functions.shape[1])


def _slopes(functions: Array, outcomes: Array) -> Array:
    """Return the least-squares coefficients of outcomes on functions (functions, outcomes)."""
    gram = _inner(functions, functions).sum(axis=0)
    ridge = _RIDGE * np.trace(gram) * np.eye(len(functions))
    return np.asarray(np.linalg.solve(gram + ridge, _inner(functions, outcomes).sum(axis=0)), dtype=float)


def _inner(one: Array, other: Array) -> Array:
    """Return Σ one other' over the draws of each scramble (SCRAMBLES, rows of one, rows of the other)."""
    parts = _parts(one.shape[1])
    left, right = _split(one, parts), _split(other, parts)
    found = left @ right.transpose(0, 2, 1)
    return np.asarray(found.reshape(SCRAMBLES, -1, len(one), len(other)).sum(axis=1), dtype=float)


def _combined(coefficients: Array, functions: Array) -> Array:
    """Return Σ coefficient function (outcomes, draws); coefficients are (functions, outcomes), one set or one per scramble."""
    parts = _parts(functions.shape[1])
    each = coefficients if coefficients.ndim == 2 else np.repeat(coefficients, parts // SCRAMBLES, axis=0)
    found = np.swapaxes(each, -1, -2) @ _split(functions, parts)
    return np.asarray(found.transpose(1, 0, 2).reshape(-1, functions.shape[1]), dtype=float)


def _parts(draws: int) -> int:
    """Return into how many parts draws are split: equal ones, each within one scramble."""
    each = draws // SCRAMBLES
    return SCRAMBLES * (each // _AT_ONCE if each % _AT_ONCE == 0 else 1)


def _split(rows: Array, parts: int) -> Array:
    return rows.reshape(len(rows), parts, -1).transpose(1, 0, 2)
