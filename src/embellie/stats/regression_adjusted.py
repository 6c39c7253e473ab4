"""Regression adjusted: intervals of a regression's coefficient that stay valid at every look, exact for normal errors.

The t statistic of a coefficient with ν = n − k residual degrees of freedom, mixed over effects of a normal prior with
variance σ²/g. As ν grows, all of it becomes the confidence sequence of `sequential`, with g = 1/ρ².
Source: Lindon, Ham, Tingley and Bojinov 2022 (arXiv 2210.08589).

Scorecards use the limit, not this. They begin at 100 units per arm, where this one is 1 % wider in an experiment planned for
400 units, 3 % for 2,000 and 12 % for 10,000: by then both are several times as wide as at the end. It is infinite while
g > n·a/(1 − a), a = α^(2/ν). And it is exact for normal errors of one variance, which readers do not have.
"""

import math


def regression_log_e(statistic: float, n: float, df: float, g: float) -> float:
    """Return the log e-value of a t statistic: `½ ln r + ½(ν + 1)[ln(1 + t²/ν) − ln(1 + r t²/ν)]`, r = g/(g + n).

    >>> round(regression_log_e(3.0, 100, 98, 12.6), 6)
    2.74797
    """
    return regression_f_log_e(statistic**2, n, (1.0, df), g)


def regression_f_log_e(statistic: float, n: float, df: tuple[float, float], g: float) -> float:
    """Return the log e-value of an F statistic with (d, ν) degrees of freedom.

    `½ d ln r + ½(ν + d)[ln(1 + d f/ν) − ln(1 + r d f/ν)]`: that several coefficients are all 0.
    """
    several, nu = df
    r = g / (g + n)
    scaled = several * statistic / nu
    return 0.5 * several * math.log(r) + 0.5 * (nu + several) * (math.log1p(scaled) - math.log1p(r * scaled))


def regression_p(statistic: float, n: float, df: float, g: float) -> float:
    """Return the p-value that survives peeking: `min(1, 1/E)`."""
    return min(1.0, math.exp(-regression_log_e(statistic, n, df, g)))


def regression_reach(n: float, df: float, g: float, *, alpha: float = 0.05) -> float:
    """Return how many standard errors the interval reaches to each side, infinite where no t is large enough.

    `q = (r α²)^{1/(ν+1)}`, `√(ν(1 − q)/(q − r))`.

    >>> reach = regression_reach(100, 98, 12.6)
    >>> round(regression_p(reach, 100, 98, 12.6), 12)
    0.05
    """
    r = g / (g + n)
    q = math.exp(math.log(r * alpha**2) / (df + 1.0))
    return math.sqrt(df * (1.0 - q) / (q - r)) if q > r else math.inf


def tuned_g(planned: float, df: float, *, alpha: float = 0.05) -> float:
    """Return g so that the interval is tightest at `planned` units, by golden section.

    >>> round(tuned_g(100, 1e9), 1)  # the limit: 1/ρ² of the confidence sequence
    12.2
    """
    a = alpha ** (2.0 / df)
    low, high = math.log(planned * 1e-9), math.log(planned * a / (1.0 - a)) - 1e-9
    high = min(high, math.log(planned * 1e3))
    golden = (math.sqrt(5.0) - 1.0) / 2.0

    def width(log_g: float) -> float:
        return regression_reach(planned, df, math.exp(log_g), alpha=alpha)

    for _ in range(200):
        first, second = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, second) if width(first) <= width(second) else (first, high)
        if high - low < 1e-9:
            break
    return math.exp(0.5 * (low + high))
