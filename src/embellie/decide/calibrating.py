"""Calibrating: what evidence alone says of an unknown, and how well ranges written before have held.

A 90 % range should hold the truth nine times out of ten. People's ranges are mostly too narrow (Jørgensen, Teigen, Moløkken
2004, J. Syst. Softw. 70:79-93), so they are scored, and a factor to widen them by is told.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.decide.likelihood import Result, log_likelihood
from embellie.domain.belief import Calibration, Resolved
from embellie.domain.question import Distribution
from embellie.stats.distributions import Z95, quantile

Array = npt.NDArray[np.float64]

ALPHA = 0.1
"""A 90 % range misses one time in ten."""

CASES_OF_DOUBT = 4.0
"""How many well calibrated cases are imagined beside those there are, when the factor to widen ranges by is told."""

_FARTHEST = 100.0
_NODES = 2001


def plain_reading(results: Sequence[Result]) -> tuple[float, float, float] | None:
    """Return 5th, 50th and 95th percentile of what results about one unknown say by themselves, with no prior.

    Formula: the likelihood, scaled to 1 over the line, or from 0 to 1 where a share was counted (a flat prior); of normal
    results, the mean weighted by 1/s² ± 1.645 / √Σ 1/s².

    >>> from embellie.domain.evidence import Evidence
    >>> found = plain_reading([Result(evidence=Evidence(measures="x", estimate=3.0, se=1.0))])
    >>> [round(x, 3) for x in found]
    [1.355, 3.0, 4.645]
    """
    usable = [result for result in results if not result.evidence.signal and not result.transfer]
    if not usable:
        return None
    if all(result.evidence.estimate is not None for result in usable):
        weights = np.array([result.spread**-2 for result in usable])
        estimates = np.array([result.evidence.estimate for result in usable], dtype=float)
        middle, spread = float(weights @ estimates / weights.sum()), float(weights.sum() ** -0.5)
        return middle - Z95 * spread, middle, middle + Z95 * spread
    low, high = 0.0, 1.0
    for _ in range(6):
        nodes = np.linspace(low, high, _NODES)
        log = np.sum([log_likelihood(nodes, result) for result in usable], axis=0)
        inside = np.flatnonzero(log > np.max(log) - 30.0)
        if not len(inside) or len(inside) > _NODES // 3:
            break
        low, high = float(nodes[max(inside[0] - 1, 0)]), float(nodes[min(inside[-1] + 1, _NODES - 1)])
    if not np.isfinite(np.max(log)):
        return None
    density = np.exp(log - np.max(log))
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    first, middle, last = np.interp([0.05, 0.5, 0.95], below / below[-1], nodes)
    return float(first), float(middle), float(last)


def winkler(low: float, high: float, truth: float) -> float:
    """Return the interval score of a 90 % range: its width, and 20 times what it misses the truth by.

    Formula: (u - l) + (2/α) (l - x)⁺ + (2/α) (x - u)⁺, α = 0.1 (Winkler 1972, JASA 67:187-191); proper: on average nobody
    does better than with the range they believe in (Gneiting, Raftery 2007, JASA 102:359-378).

    >>> winkler(0.0, 2.0, 1.0), winkler(0.0, 2.0, 2.5)
    (2.0, 12.0)
    """
    return (high - low) + 2 / ALPHA * (max(low - truth, 0.0) + max(truth - high, 0.0))


def stretch(prior: Distribution, truth: float) -> float:
    """Return the factor by which a range must be stretched about its median to reach the truth.

    Ratios are stretched for what is above 0, odds for a share, and differences else; so it is |z| / 1.645 for a normal, a
    log-normal and a logit-normal range.

    >>> stretch(Distribution("normal", (0.0, 1.0)), 3.2897072539029444)
    2.0
    >>> round(stretch(Distribution("lognormal", (1.0, 4.0)), 8.0), 6)
    2.0
    """
    low, middle, high = quantile(prior.family, prior.parameters, np.array([-Z95, 0.0, Z95])).tolist()
    free = [_freed(prior, value) for value in (low, middle, high, truth)]
    if not math.isfinite(free[3]):
        return _FARTHEST
    side = free[2] - free[1] if free[3] > free[1] else free[1] - free[0]
    return min(abs(free[3] - free[1]) / side, _FARTHEST) if side > 0 else _FARTHEST


def _freed(prior: Distribution, value: float) -> float:
    """Map a value to the whole line, as its family sees it; not finite where the family cannot reach."""
    lower, upper = -math.inf, math.inf
    if prior.family == "lognormal":
        lower = 0.0
    elif prior.family in {"logitnormal", "beta"}:
        lower, upper = 0.0, 1.0
    elif prior.family == "metalog":
        lower = prior.parameters[3] if len(prior.parameters) > 3 else lower
        upper = prior.parameters[4] if len(prior.parameters) > 4 else upper
    if not lower < value < upper:
        return math.inf if value >= upper else -math.inf
    if math.isfinite(upper):
        return math.log((value - lower) / (upper - value)) if math.isfinite(lower) else -math.log(upper - value)
    return math.log(value - lower) if math.isfinite(lower) else value


def calibrate(author: str, resolved: Sequence[Resolved]) -> Calibration:
    """Say how an author's ranges have held.

    Formulas: the share inside is Beta(½ + inside, ½ + outside) (Jeffreys; Brown, Cai, DasGupta 2001, Statistical Science
    16:101-133). The factor to widen by is k = max(1, s)^(n / (n + 4)), s the least factor that stretches nine in ten of the n
    ranges over their truths: with few cases it says little.
    """
    number, inside = len(resolved), sum(one.inside for one in resolved)
    outside = number - inside
    stretches = sorted(one.stretch for one in resolved)
    least = stretches[math.ceil((1 - ALPHA) * number - 1e-9) - 1] if stretches else 1.0
    return Calibration(
        author=author,
        resolved=number,
        inside=inside,
        share=inside / number if number else 0.0,
        low=float(special.betaincinv(inside + 0.5, outside + 0.5, 0.05)),
        high=float(special.betaincinv(inside + 0.5, outside + 0.5, 0.95)),
        winkler=float(np.mean([one.winkler for one in resolved])) if resolved else 0.0,
        widen=max(1.0, least) ** (number / (number + CASES_OF_DOUBT)),
    )
