"""Cross-fitting: choose by a fit that has not seen the draws it chooses in, so that what the choice brings is not flattered."""

import numpy as np
import numpy.typing as npt

from embellie.stats.sampling import by_scramble

Array = npt.NDArray[np.float64]

_RIDGE = 1e-9


class Fit:
    """Least squares of any outcomes on one basis: by all draws, and for each scramble by the other seven.

    Args:
        basis: Functions of what is known (functions, draws).
        surprises: Functions that are 0 on average whatever is known (functions, draws).

    >>> from embellie.stats.sampling import SCRAMBLES
    >>> x = np.tile(np.linspace(-1.0, 1.0, 16), SCRAMBLES)
    >>> fit = Fit(np.stack([np.ones_like(x), x]))
    >>> bool(np.allclose(fit.unseen(np.stack([3 * x + 1])), 3 * x + 1))
    True
    """

    def __init__(self, basis: Array, surprises: Array | None = None) -> None:
        self._basis = basis
        self._surprises = np.empty((0, basis.shape[1])) if surprises is None else surprises
        self._blocks = np.ascontiguousarray(by_scramble(basis).transpose(1, 0, 2))
        grams = self._blocks @ self._blocks.transpose(0, 2, 1)
        whole = grams.sum(axis=0)
        size = np.diag(whole)
        ridge = _RIDGE * np.diag(np.maximum(size, 1e-3 * size.mean() + 1e-300))
        self._whole = whole + ridge
        self._others = np.linalg.inv(whole - grams + ridge)

    def steady(self, outcomes: Array) -> Array:
        """Return the outcomes less what the surprises explain of them: the same on average, whatever is known."""
        found = self._surprises
        if not len(found):
            return outcomes
        gram = found @ found.T
        ridge = _RIDGE * np.trace(gram) * np.eye(len(found))
        centred = outcomes - self.whole(outcomes)
        coefficients = np.linalg.solve(gram + ridge, found @ centred.T)
        return np.asarray(outcomes - coefficients.T @ found, dtype=float)

    def unseen(self, outcomes: Array) -> Array:
        """Return the fitted outcomes (outcomes, draws), each scramble's by a fit on the other seven."""
        blocks = by_scramble(outcomes).transpose(1, 0, 2)
        moments = self._blocks @ blocks.transpose(0, 2, 1)
        coefficients = self._others @ (moments.sum(axis=0) - moments)
        fitted = coefficients.transpose(0, 2, 1) @ self._blocks
        return np.asarray(fitted.transpose(1, 0, 2).reshape(outcomes.shape), dtype=float)

    def whole(self, outcomes: Array) -> Array:
        """Return the fitted outcomes (outcomes, draws), by one fit on all draws."""
        return np.asarray(self.coefficients(outcomes).T @ self._basis, dtype=float)

    def coefficients(self, outcomes: Array) -> Array:
        """Return the coefficients of one fit on all draws (functions, outcomes)."""
        return np.asarray(np.linalg.solve(self._whole, self._basis @ outcomes.T), dtype=float)
