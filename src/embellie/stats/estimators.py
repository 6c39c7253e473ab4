"""Estimators of a difference between two samples of independent units: means, ratios of means, adjusted ones."""

import math
from dataclasses import dataclass

from scipy import special

from embellie.stats.moments import Form, Moments, add_forms

CLEAR_OF_ZERO = 3.0
"""A divisor must lie this many standard errors from zero before anything is divided by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A quantity of one sample, and its influence values as a linear combination of columns.

    `form` holds the coefficients: the sum of coefficient × column, per unit, varies as the quantity's influence values
    do; so its variance over `n` is the squared standard error.
    """

    value: float
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Treatment minus control; `df` are Welch–Satterthwaite's degrees of freedom, `theta` the covariate's slope."""

    value: float
    se: float
    df: float
    n: int
    theta: float = 0.0


def ratio_of_means(sample: Moments, numerator: str, denominator: str = "") -> Estimate:
    """Estimate a mean, or a ratio of two means of the same units, by the delta method.

    `R = mean(Y) / mean(Z)`, with influence values `(Y − R·Z) / mean(Z)`; a plain mean is the case Z = 1.
    Assumes independent units. Source: Deng, Knoblich and Lu, KDD 2018.

    >>> sample = Moments(4, {"y": 1.0, "z": 2.0}, {("y", "y"): 1.0, ("y", "z"): 0.5, ("z", "z"): 1.0})
    >>> estimate = ratio_of_means(sample, "y", "z")
    >>> estimate.value, sample.form_variance(estimate.form)
    (0.5, 0.1875)

    Raises:
        ZeroDivisionError: The denominator's mean is 0.
    """
    if not denominator:
        return Estimate(value=sample.mean(numerator), form={numerator: 1.0})
    divisor = sample.mean(denominator)
    ratio = sample.mean(numerator) / divisor
    own = {numerator: 1.0 / divisor}
    return Estimate(value=ratio, form=add_forms(own, {denominator: -ratio / divisor}, times=1.0))


def mean_is_clear_of_zero(sample: Moments, column: str) -> bool:
    """Whether a column's mean lies more than 3 standard errors from 0, so that dividing by it is safe."""
    se = math.sqrt(max(0.0, sample.covariance(column, column)) / sample.n)
    return abs(sample.mean(column)) > CLEAR_OF_ZERO * se


def difference(control: tuple[Moments, Estimate], treatment: tuple[Moments, Estimate]) -> Difference:
    """Estimate treatment − control, without pooling the variances (Welch 1947).

    `SE² = Var_C/n_C + Var_T/n_T`; degrees of freedom by Welch and Satterthwaite.

    >>> one = Moments(10, {"y": 1.0}, {("y", "y"): 2.0})
    >>> other = Moments(10, {"y": 3.0}, {("y", "y"): 2.0})
    >>> found = difference((one, ratio_of_means(one, "y")), (other, ratio_of_means(other, "y")))
    >>> found.value, round(found.se, 6), round(found.df, 6)
    (2.0, 0.632456, 18.0)
    """
    parts = [(sample.n, sample.form_variance(estimate.form)) for sample, estimate in (control, treatment)]
    return _welch(treatment[1].value - control[1].value, parts, theta=0.0)


def adjusted_difference(
    control: tuple[Moments, Estimate, Estimate], treatment: tuple[Moments, Estimate, Estimate]
) -> Difference:
    """Estimate treatment − control, adjusted for a covariate from before the experiment ("CUPED").

    With influence values φ of the metric and ψ of the covariate:
    `θ = Σ_g Cov_g(φ, ψ) / Σ_g Var_g(ψ)`, `D = (R_T − R_C) − θ (R'_T − R'_C)`, `Var D = Σ_g Var_g(φ − θψ) / n_g`.
    A covariate that does not vary gives θ = 0. Sources: Deng, Xu, Kohavi and Walker, WSDM 2013; Lin 2013.

    Args:
        control: The sample, the metric's estimate and the covariate's.
        treatment: The same for the treatment.
    """
    theta = _slope([control, treatment])
    parts = [
        (sample.n, sample.form_variance(add_forms(metric.form, covariate.form, times=-theta)))
        for sample, metric, covariate in (control, treatment)
    ]
    raw = treatment[1].value - control[1].value
    return _welch(raw - theta * (treatment[2].value - control[2].value), parts, theta=theta)


def _slope(arms: list[tuple[Moments, Estimate, Estimate]]) -> float:
    spread = sum(sample.form_variance(covariate.form) for sample, _, covariate in arms)
    shared = sum(sample.form_covariance(metric.form, covariate.form) for sample, metric, covariate in arms)
    return shared / spread if spread > 0 else 0.0


def _welch(value: float, parts: list[tuple[int, float]], *, theta: float) -> Difference:
    squares = [variance / n for n, variance in parts]
    total = sum(squares)
    below = sum(square**2 / (n - 1) for square, (n, _) in zip(squares, parts, strict=True))
    return Difference(
        value=value,
        se=math.sqrt(total),
        df=total**2 / below if below > 0 else math.inf,
        n=sum(n for n, _ in parts),
        theta=theta,
    )


def two_sided_p(statistic: float, df: float = math.inf) -> float:
    """Return the two-sided p-value of a t statistic; of a normal one when `df` is infinite.

    >>> round(two_sided_p(1.959964), 6), round(two_sided_p(2.228139, 10), 6)
    (0.05, 0.05)
    """
    z = -abs(statistic)
    tail = special.ndtr(z) if math.isinf(df) else special.stdtr(df, z)
    return float(2.0 * tail)


def critical_value(level: float, df: float = math.inf) -> float:
    """Return the multiple of the standard error that a two-sided interval of this level reaches.

    >>> round(critical_value(0.95), 6), round(critical_value(0.95, 10), 6)
    (1.959964, 2.228139)
    """
    tail = 0.5 + level / 2.0
    return float(special.ndtri(tail) if math.isinf(df) else special.stdtrit(df, tail))


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeDifference:
    """A difference as a share of the control's value; `se` by the delta method, on the same scale."""

    value: float
    low: float
    high: float
    se: float


def relative_difference(
    control: tuple[float, float], found: float, *, cross: float, treatment_part: float, reach: float
) -> RelativeDifference | None:
    """Estimate a difference as a share of the control's value, or None when that cannot be said.

    With `r = D / R_C`, the influence values in control are `−(φ_D/R_C) − (D/R_C²) φ_C`, so
    `Var r = [ Var_T + Var_C(φ_D) + 2 r Cov_C(φ_D, φ_C) + r² Var_C(φ_C) ] / R_C²` (each over its n). Where 1 + r is more
    than 3 of its standard errors above 0 the interval is taken on the log scale,
    `(1 + r)·exp(± reach·se/(1 + r)) − 1`; elsewhere by Fieller's theorem in `D + R_C` over `R_C`.
    None when the control's value lies within 3 standard errors of 0, or within `reach` of them.

    Args:
        control: The control's value R_C and the squared standard error of it, Var_C(φ_C)/n_C.
        found: The difference D.
        cross: Cov_C(φ_D, φ_C)/n_C, and thus the control's own variance when nothing is adjusted.
        treatment_part: Var(D), the squared standard error of D.
        reach: How many standard errors an interval reaches to each side.
    """
    base, base_variance = control
    if abs(base) <= max(CLEAR_OF_ZERO, reach) * math.sqrt(base_variance) or base == 0:
        return None
    share = found / base
    variance = (treatment_part + 2.0 * share * cross + share**2 * base_variance) / base**2
    se = math.sqrt(max(0.0, variance))
    if 1.0 + share > CLEAR_OF_ZERO * se:
        spread = math.exp(reach * se / (1.0 + share))
        low, high = (1.0 + share) / spread - 1.0, (1.0 + share) * spread - 1.0
    else:
        low, high = _fieller(control, found, cross=cross, own=treatment_part, reach=reach)
    return RelativeDifference(value=share, low=low, high=high, se=se)


def _fieller(
    control: tuple[float, float], found: float, *, cross: float, own: float, reach: float
) -> tuple[float, float]:
    """Solve `(D − r·C)² = reach² · Var(D − r·C)` for r; Cov(D, C) is −cross."""
    base, base_variance = control
    square = reach**2
    a = base**2 - square * base_variance
    b = found * base + square * cross
    c = found**2 - square * own
    root = math.sqrt(max(0.0, b**2 - a * c))
    return (b - root) / a, (b + root) / a
