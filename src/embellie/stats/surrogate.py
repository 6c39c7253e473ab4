"""Surrogate: a long-term effect foretold from what is there sooner, with the error of the foretelling in it."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.stats.estimators import critical_value

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEffect:
    """An effect with its standard error and interval; `se_units` leaves out the error of the index itself."""

    effect: float
    se: float
    low: float
    high: float
    se_units: float


@dataclass(frozen=True)
class SurrogateIndex:
    """A linear index h(z) = z'β of an outcome, with the covariance of β and how well it predicts units it has not seen.

    Attributes:
        coefficients: β, the constant first.
        covariance: Of β, robust to uneven errors, from residuals of units left out of the fit.
        r_squared: `1 − Σ (y − h₋)² / Σ (y − ȳ)²`, each unit predicted by the other folds.
        n: Units it was fitted on.
    """

    coefficients: Floats
    covariance: Floats
    r_squared: float
    n: int

    def of(self, features: npt.ArrayLike) -> Floats:
        """Return the index of units (units × features)."""
        value: Floats = with_constant(features) @ self.coefficients
        return value


def with_constant(features: npt.ArrayLike) -> Floats:
    """Put a column of ones before the features."""
    table = np.asarray(features, np.float64)
    return np.column_stack([np.ones(len(table)), table])


def with_squares(features: npt.ArrayLike) -> Floats:
    """Add squares and products of the features, for an outcome that does not follow them in a line.

    >>> with_squares([[1.0, 2.0]]).tolist()
    [[1.0, 2.0, 1.0, 2.0, 4.0]]
    """
    table = np.asarray(features, np.float64)
    width = table.shape[1]
    products = [table[:, one] * table[:, other] for one in range(width) for other in range(one, width)]
    return np.column_stack([table, *products])


def fit_index(features: npt.ArrayLike, outcome: npt.ArrayLike, *, folds: int = 5, seed: int = 0) -> SurrogateIndex:
    """Fit E[Y | S, X] on units whose outcome is known, by least squares.

    `Cov(β) = A⁻¹ (Σ z_i z_i' e_i²) A⁻¹` with `A = Σ z_i z_i'` and e_i the residual of unit i told by the other folds, which is
    not too small as a fitted one is.

    Args:
        features: Units × features; each must vary, none be a sum of others.
        outcome: One per unit.
        folds: How many, of at least two.
        seed: Deals units to folds.

    >>> index = fit_index([[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0], folds=2)
    >>> index.coefficients.round(6).tolist(), round(index.r_squared, 6)
    ([1.0, 2.0], 1.0)

    Raises:
        numpy.linalg.LinAlgError: The features do not vary independently.
    """
    z, y = with_constant(features), np.asarray(outcome, np.float64)
    if np.linalg.matrix_rank(z) < z.shape[1]:
        raise np.linalg.LinAlgError("the features do not vary independently")
    inverse = np.linalg.inv(z.T @ z)
    coefficients = inverse @ (z.T @ y)
    part = np.random.default_rng(seed).permutation(len(y)) % folds
    left_out = np.empty_like(y)
    for fold in range(folds):
        inside = part == fold
        told = np.linalg.lstsq(z[~inside], y[~inside], rcond=None)[0]
        left_out[inside] = y[inside] - z[inside] @ told
    weighted = z * left_out[:, None]
    spread = float(((y - y.mean()) ** 2).sum())
    return SurrogateIndex(
        coefficients=coefficients,
        covariance=inverse @ (weighted.T @ weighted) @ inverse,
        r_squared=1.0 - float(left_out @ left_out) / spread if spread > 0 else math.nan,
        n=len(y),
    )


def index_effect(
    index: SurrogateIndex, treatment: npt.ArrayLike, control: npt.ArrayLike, *, level: float = 0.95
) -> IndexEffect:
    """Estimate the effect on the outcome by that on its index: `τ = mean_T h − mean_C h`.

    `Var τ = Var_T(h)/n_T + Var_C(h)/n_C + d' Cov(β) d` with d the difference of the mean features: the last term is the error of
    the index, by its influence function. Unbiased when the treatment works on the outcome through the surrogates alone, and
    the outcome follows them as it did where the index was fitted. Source: Athey, Chetty, Imbens and Kang, NBER 26463.

    Args:
        index: Fitted on other units.
        treatment: Features of the treatment's units, units × features.
        control: Those of the control's.
        level: Of the interval.
    """
    return _effect(
        index, (with_constant(treatment), index.of(treatment)), (with_constant(control), index.of(control)), level
    )


def left_over_effect(
    index: SurrogateIndex,
    treatment: tuple[npt.ArrayLike, npt.ArrayLike],
    control: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    level: float = 0.95,
) -> IndexEffect:
    """Estimate what the treatment did to the outcome beside the index: `mean_T (Y − h) − mean_C (Y − h)`, nought if all goes through it.

    Args:
        index: Fitted on other units.
        treatment: Features and known outcomes of the treatment's units.
        control: Those of the control's.
        level: Of the interval.
    """
    sides = [
        (with_constant(features), np.asarray(outcome, np.float64) - index.of(features))
        for features, outcome in (treatment, control)
    ]
    return _effect(index, sides[0], sides[1], level)


def _effect(
    index: SurrogateIndex, treatment: tuple[Floats, Floats], control: tuple[Floats, Floats], level: float
) -> IndexEffect:
    (z_t, v_t), (z_c, v_c) = treatment, control
    effect = float(v_t.mean() - v_c.mean())
    units = float(v_t.var(ddof=1)) / len(v_t) + float(v_c.var(ddof=1)) / len(v_c)
    moved = z_t.mean(axis=0) - z_c.mean(axis=0)
    se = math.sqrt(units + float(moved @ index.covariance @ moved))
    reach = critical_value(level) * se
    return IndexEffect(effect=effect, se=se, low=effect - reach, high=effect + reach, se_units=math.sqrt(units))
