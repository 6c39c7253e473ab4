"""Score calibration: may scores, scaled, be read as chances?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embellie.recommend.popularity import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Scores as chances: `1 / (1 + exp(-(slope · score + level)))`; and by tenth of scores what was foretold and came true."""

    slope: float
    level: float
    foretold: tuple[float, ...]
    found: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def error(self) -> float:
        """The mean distance of foretold and found, by rows (expected calibration error)."""
        return sum(n * abs(p - y) for p, y, n in zip(self.foretold, self.found, self.rows, strict=True)) / sum(
            self.rows
        )


def calibrate(scores: Floats, labels: Floats, lists: NDArray[np.int64]) -> Calibration | None:
    """Scale scores to chances by logistic regression on every other list (Platt, 1999); judge it on the others.

    Returns:
        None when scores or outcomes do not vary.
    """
    chosen = (labels > 0).astype(np.float64)
    fit, held = lists % 2 == 0, lists % 2 == 1
    spread = float(scores[fit].std()) if fit.any() else 0.0
    if not (spread > 0 and 0 < chosen[fit].mean() < 1 and held.sum() >= 100):
        return None
    middle = float(scores[fit].mean())
    slope, level = _logistic((scores[fit] - middle) / spread, chosen[fit])
    slope, level = slope / spread, level - slope * middle / spread
    chance = 1.0 / (1.0 + np.exp(-np.clip(slope * scores[held] + level, -30, 30)))
    order = np.argsort(scores[held], kind="stable")
    tenths = [part for part in np.array_split(order, 10) if len(part)]
    return Calibration(
        slope=slope,
        level=level,
        foretold=tuple(float(chance[part].mean()) for part in tenths),
        found=tuple(float(chosen[held][part].mean()) for part in tenths),
        rows=tuple(len(part) for part in tenths),
    )


def _logistic(x: Floats, y: Floats) -> tuple[float, float]:
    """Fit slope and level."""
    slope, level = newton(np.column_stack([x, np.ones(len(x))]), y).tolist()
    return float(slope), float(level)


def newton(design: Floats, y: Floats, *, steps: int = 30) -> Floats:
    """Fit a logistic regression by Newton's method, a little held back so that a perfect separation has an answer.

    The last column is the level.
    """
    beta = np.zeros(design.shape[1])
    ridge = np.diag([1e-5] * (len(beta) - 1) + [1e-6]) * len(design)
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (y - p) - ridge @ beta
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design + ridge, gradient)
        beta = beta + step
        if float(np.abs(step).max()) < 1e-9:
            break
    return beta
