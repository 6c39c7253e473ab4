"""Estimators of a difference between two samples of independent units: means, ratios of means, adjusted ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from embellie.stats.moments import Form, Moments, QuantileSample, add_forms

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
    """Treatment minus control; `df` are Welch–Satterthwaite's degrees of freedom, `slopes` those of the covariates."""

    value: float
    se: float
    df: float
    n: int
    slopes: tuple[float, ...] = ()

    @property
    def theta(self) -> float:
        """The slope of the only covariate; 0 without one."""
        return self.slopes[0] if self.slopes else 0.0


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


def yes_no_counts(sample: Moments, column: str) -> tuple[float, float] | None:
    """Count the units at 1 and at 0 of a column that holds nothing else, or None.

    Among numbers between 0 and 1 with mean m, only those at 0 and 1 vary as much as `m(1 − m)·n/(n − 1)`.

    >>> yes_no_counts(Moments(4, {"x": 0.25}, {("x", "x"): 0.25}), "x")
    (1.0, 3.0)
    """
    mean, n = sample.mean(column), sample.n
    if not 0.0 <= mean <= 1.0 or n < 2:
        return None
    most = mean * (1.0 - mean) * n / (n - 1)
    if abs(sample.covariance(column, column) - most) > 1e-9 * most:
        return None
    return mean * n, (1.0 - mean) * n


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
    return _welch(treatment[1].value - control[1].value, parts, slopes=())


def quantile_difference(control: QuantileSample, treatment: QuantileSample) -> Difference:
    """Estimate how far a quantile has moved: `D = q_T − q_C`, `SE² = SE_C² + SE_T²`, each from order statistics.

    No density is estimated, no unit drawn again. Source: Price and Bonett 2002, for the difference of two medians.

    >>> low, high = (QuantileSample(n=100, value=m, low=m - 1, high=m + 1, z=2.0) for m in (5.0, 7.0))
    >>> found = quantile_difference(low, high)
    >>> found.value, round(found.se, 6)
    (2.0, 0.707107)
    """
    se = math.hypot(control.se, treatment.se)
    return Difference(value=treatment.value - control.value, se=se, df=math.inf, n=control.n + treatment.n)


AdjustedArm = tuple[Moments, Estimate, Estimate | Sequence[Estimate]]
"""An arm's sample, the metric's estimate, and that of one covariate or several."""


def adjusted_difference(
    control: AdjustedArm, treatment: AdjustedArm, *, weights: tuple[float, float] = (1.0, 1.0)
) -> Difference:
    """Estimate treatment − control, adjusted for covariates from before the experiment ("CUPED").

    With influence values φ of the metric and ψ of the covariates (a vector, when there are several), and the arms' designed
    weights w: `θ = [Σ_g Var_g(ψ)/w_g]⁻¹ Σ_g Cov_g(ψ, φ)/w_g`, `D = (R_T − R_C) − θ·(R'_T − R'_C)`,
    `Var D = Σ_g Var_g(φ − θ·ψ)/n_g`.

    With equal weights, θ is the sum of the covariances over the sum of the variances. With unequal ones each sum is divided by its
    arm's share, which minimises the variance; it is then as small as that of a regression in each arm (Lin 2013). The design's
    weights are taken, not the arms' sizes, so that θ does not hang on how many happened to come.

    A covariate that does not vary gets slope 0; covariates that say the same share their slope.
    Sources: Deng, Xu, Kohavi and Walker, WSDM 2013; Lin 2013.

    Args:
        control: The sample, the metric's estimate and the covariate's, or those of several.
        treatment: The same for the treatment.
        weights: The designed split, on any scale.
    """
    arms = [
        (sample, metric, [covariates] if isinstance(covariates, Estimate) else list(covariates))
        for sample, metric, covariates in (control, treatment)
    ]
    slopes = _slopes(arms, weights)
    value, parts = arms[1][1].value - arms[0][1].value, []
    for place, slope in enumerate(slopes):
        value -= slope * (arms[1][2][place].value - arms[0][2][place].value)
    for sample, metric, covariates in arms:
        parts.append((sample.n, sample.form_variance(left_over(metric.form, covariates, slopes))))
    return _welch(value, parts, slopes=slopes)


def left_over(form: Form, covariates: Sequence[Estimate], slopes: Sequence[float]) -> dict[str, float]:
    """Return influence values less what covariates foretell of them: `φ − θ·ψ`."""
    rest = dict(form)
    for slope, covariate in zip(slopes, covariates, strict=True):
        rest = add_forms(rest, covariate.form, times=-slope)
    return rest


def _slopes(
    arms: Sequence[tuple[Moments, Estimate, Sequence[Estimate]]], weights: tuple[float, float]
) -> tuple[float, ...]:
    many = len(arms[0][2])
    spread, shared = np.zeros((many, many)), np.zeros(many)
    for (sample, metric, covariates), weight in zip(arms, weights, strict=True):
        for row, one in enumerate(covariates):
            shared[row] += sample.form_covariance(metric.form, one.form) / weight
            spread[row, row] += sample.form_variance(one.form) / weight
            for column, other in enumerate(covariates[:row]):
                both = sample.form_covariance(one.form, other.form) / weight
                spread[row, column] += both
                spread[column, row] += both
    sds = np.sqrt(np.diag(spread))
    kept = np.flatnonzero(sds > 0)
    slopes = np.zeros(many)
    if len(kept) == 1:
        slopes[kept] = shared[kept] / spread[kept, kept]
    elif len(kept) > 1:
        # On the scale of correlations, so that what is cut off does not depend on units.
        scale = sds[kept]
        correlations = spread[np.ix_(kept, kept)] / np.outer(scale, scale)
        slopes[kept] = np.linalg.lstsq(correlations, shared[kept] / scale, rcond=1e-10)[0] / scale
    return tuple(float(slope) for slope in slopes)


def _welch(value: float, parts: list[tuple[int, float]], *, slopes: tuple[float, ...]) -> Difference:
    squares = [variance / n for n, variance in parts]
    total = sum(squares)
    below = sum(square**2 / (n - 1) for square, (n, _) in zip(squares, parts, strict=True))
    return Difference(
        value=value,
        se=math.sqrt(total),
        df=total**2 / below if below > 0 else math.inf,
        n=sum(n for n, _ in parts),
        slopes=slopes,
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
