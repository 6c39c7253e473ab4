"""Sequential: intervals and bounds that stay valid when results are looked at more than once."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

BURN_IN = 100
"""Units per arm before a confidence sequence is shown: its guarantee is asymptotic."""


def tuned_rho(planned: float, *, alpha: float = 0.05) -> float:
    """Return ρ so that the confidence sequence is tightest, relative to a fixed interval, at `planned` units.

    `ρ² = (−W₋₁(−α²/e) − 1) / t*`, with W₋₁ the lower branch of Lambert's function: the exact optimum.
    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 2024 (arXiv 2103.06476).

    >>> round(tuned_rho(100) ** -2, 5)
    12.17735
    """
    branch = special.lambertw(-(alpha**2) / math.e, k=-1).real
    return math.sqrt((-float(branch) - 1.0) / planned)


def approximate_rho(planned: float, *, alpha: float = 0.05) -> float:
    """Return the usual approximation of `tuned_rho`: `ρ² = (−2 ln α + ln(1 − 2 ln α)) / t*`.

    >>> round(approximate_rho(100) ** -2, 5)
    12.60056
    """
    return math.sqrt((-2.0 * math.log(alpha) + math.log(1.0 - 2.0 * math.log(alpha))) / planned)


def always_valid_reach(n: float, rho: float, *, alpha: float = 0.05) -> float:
    """Return how many standard errors a confidence sequence reaches to each side at `n` units.

    `sqrt( 2(nρ² + 1)/(nρ²) · ln( sqrt(nρ² + 1)/α ) )`. For two arms n is the sum of both and the standard error that of
    the difference. The chance that the interval *ever* misses is at most α, asymptotically.

    >>> round(always_valid_reach(100, approximate_rho(100)) * math.sqrt(100), 5)
    30.35209
    """
    scaled = n * rho**2
    return math.sqrt(2.0 * (scaled + 1.0) / scaled * math.log(math.sqrt(scaled + 1.0) / alpha))


def always_valid_log_e(statistic: float, n: float, rho: float) -> float:
    """Return the log e-value of a z statistic at `n` units: `ρ²nz²/(2(nρ² + 1)) − ½ ln(nρ² + 1)`.

    >>> round(always_valid_log_e(1.0, 100, approximate_rho(100)), 7)
    -0.6510052
    """
    scaled = n * rho**2
    return scaled * statistic**2 / (2.0 * (scaled + 1.0)) - 0.5 * math.log(scaled + 1.0)


def always_valid_p(statistic: float, n: float, rho: float) -> float:
    """Return the p-value that survives peeking: `min(1, 1/E)`.

    >>> always_valid_p(1.0, 100, approximate_rho(100))
    1.0
    """
    return min(1.0, math.exp(-always_valid_log_e(statistic, n, rho)))


def one_sided_bound(n: float, rho: float, *, alpha: float = 0.05) -> float:
    """Return the one-sided bound of the sum at variance `n`, the exact root of the normal mixture over one side.

    With r = 1/ρ²: the s that solves `½ ln(4r/(n + r)) + s²/(2(n + r)) + ln Φ(s/√(n + r)) = ln(1/α)`. Tune ρ at 2α.

    >>> round(one_sided_bound(100, approximate_rho(100, alpha=0.1)), 5)
    27.66071
    """
    r = rho**-2
    width = n + r

    def excess(s: float) -> float:
        log_mixture = 0.5 * math.log(4.0 * r / width) + s**2 / (2.0 * width) + float(special.log_ndtr(s / width**0.5))
        return log_mixture + math.log(alpha)

    return root_of(excess, 0.0, 100.0 * math.sqrt(width), tolerance=1e-12)


def root_of(function: Callable[[float], float], low: float, high: float, *, tolerance: float) -> float:
    """Find where a monotone function crosses zero, by bisection; the heavier solvers take longer to import than this.

    >>> round(root_of(lambda x: x**2 - 2.0, 0.0, 2.0, tolerance=1e-12), 9)
    1.414213562
    """
    rising = function(high) > function(low)
    while high - low > tolerance:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if (function(middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


Grid = npt.NDArray[np.float64]
_GRID = 801


def group_bounds(fractions: tuple[float, ...], *, alpha: float = 0.05) -> tuple[float, ...]:
    """Return the two-sided bounds of |z| at planned looks, spending `alpha · t²` of the error by information t.

    Bound b_k solves `P(|Z₁| < b₁, …, |Z_k| ≥ b_k) = α(t_k) − α(t_{k−1})` with `Cov(Z_j, Z_k) = √(t_j/t_k)`, by recursive
    integration on a grid. Source: Lan and DeMets, Biometrika 1983 (power family).

    Args:
        fractions: The share of the planned information at each look, rising, above 0 and at most 1.
        alpha: The two-sided error to spend by the last look.

    >>> [round(bound, 2) for bound in group_bounds((1.0,))]
    [1.96]
    """
    bounds: list[float] = []
    spent, grid, density, before = 0.0, np.zeros(1), np.ones(1), 0.0
    for fraction in fractions:
        spend = alpha * min(fraction, 1.0) ** 2
        step = math.sqrt(fraction - before)
        bound = _crossing_bound(grid, density, step, math.sqrt(fraction), spend - spent)
        bounds.append(bound)
        grid, density = _carry_on(grid, density, step, bound * math.sqrt(fraction))
        spent, before = spend, fraction
    return tuple(bounds)


def _crossing_bound(grid: Grid, density: Grid, step: float, scale: float, spend: float) -> float:
    """Find the bound of |z| that so much of the error crosses for the first time."""

    def excess(bound: float) -> float:
        edge = bound * scale
        crossing = special.ndtr((-edge - grid) / step) + special.ndtr((grid - edge) / step)
        return float(np.sum(crossing * density)) - spend

    return root_of(excess, 0.0, 40.0, tolerance=1e-10)


def _carry_on(grid: Grid, density: Grid, step: float, edge: float) -> tuple[Grid, Grid]:
    """Integrate the score's density on to the next look, inside ±edge (Simpson's rule)."""
    points = np.linspace(-edge, edge, _GRID)
    weights = np.where(np.arange(_GRID) % 2 == 1, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    weights *= (points[1] - points[0]) / 3.0
    kernel = np.exp(-0.5 * ((points[:, None] - grid[None, :]) / step) ** 2) / (step * math.sqrt(2.0 * math.pi))
    return points, (kernel @ density) * weights
