"""Distributions by name, all as functions of a standard normal score, so that they can be correlated and updated alike.

Families and parameters: `normal(mean, sd)`, `lognormal(p05, p95)`, `uniform(low, high)`, `beta(a, b)`,
`t(df, location, scale)`, `logitnormal(p05, p95)`, `metalog(p05, p50, p95[, lower[, upper]])`,
`discrete(v1, …, vk, p1, …, pk)`: rising values, then their probabilities.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]
Parameters = tuple[float, ...]

Z95 = 1.6448536269514722
"""The normal score of the 95th percentile."""

_LOGIT95 = float(np.log(19.0))


def _log_odds(scores: Array) -> Array:
    """Return logit(Φ(z)) without losing either tail."""
    return np.asarray(special.log_ndtr(scores) - special.log_ndtr(-scores), dtype=float)


def _normal(scores: Array, mean: float, sd: float) -> Array:
    return mean + sd * scores


def _between(low: float, high: float) -> tuple[float, float]:
    """Return the mean and sd of the normal whose 5th and 95th percentiles are given."""
    return (low + high) / 2, (high - low) / (2 * Z95)


def _lognormal(scores: Array, p05: float, p95: float) -> Array:
    middle, sd = _between(np.log(p05), np.log(p95))
    return np.exp(middle + sd * scores)


def _logitnormal(scores: Array, p05: float, p95: float) -> Array:
    middle, sd = _between(float(special.logit(p05)), float(special.logit(p95)))
    return np.asarray(special.expit(middle + sd * scores), dtype=float)


def _uniform(scores: Array, low: float, high: float) -> Array:
    return np.asarray(low + (high - low) * special.ndtr(scores), dtype=float)


def _beta(scores: Array, a: float, b: float) -> Array:
    return np.asarray(special.betaincinv(a, b, special.ndtr(scores)), dtype=float)


def _t(scores: Array, df: float, location: float, scale: float) -> Array:
    lower = special.stdtrit(df, special.ndtr(-np.abs(scores)))  # the lower tail keeps its digits
    return np.asarray(location - np.sign(scores) * scale * lower, dtype=float)


def _metalog_terms(p05: float, p50: float, p95: float) -> tuple[float, float, float]:
    return p50, (p95 - p05) / (2 * _LOGIT95), (p95 + p05 - 2 * p50) / (0.9 * _LOGIT95)


def _inward(value: float, lower: float, upper: float) -> float:
    """Map a bounded quantity to the whole line."""
    if np.isfinite(lower) and np.isfinite(upper):
        return float(np.log((value - lower) / (upper - value)))
    return float(np.log(value - lower)) if np.isfinite(lower) else value


def _bounds(parameters: Parameters) -> tuple[float, float]:
    """Return the bounds of a metalog, infinite where they are not given."""
    lower = parameters[3] if len(parameters) > 3 else -np.inf
    return lower, parameters[4] if len(parameters) > 4 else np.inf


def _metalog(scores: Array, *parameters: float) -> Array:
    lower, upper = _bounds(parameters)
    a1, a2, a3 = _metalog_terms(*(_inward(value, lower, upper) for value in parameters[:3]))
    odds = _log_odds(scores)
    free = a1 + a2 * odds + a3 * (special.ndtr(scores) - 0.5) * odds
    if np.isfinite(upper):
        return np.asarray(lower + (upper - lower) * special.expit(free), dtype=float)
    return np.asarray(lower + np.exp(free) if np.isfinite(lower) else free, dtype=float)


def discrete_law(parameters: Parameters) -> tuple[Array, Array]:
    """Return the values of a `discrete` unknown, rising, and their probabilities.

    >>> [x.tolist() for x in discrete_law((0.0, 1.0, 0.7, 0.3))]
    [[0.0, 1.0], [0.7, 0.3]]
    """
    many = len(parameters) // 2
    return np.array(parameters[:many]), np.array(parameters[many:])


def _discrete(scores: Array, *parameters: float) -> Array:
    values, chances = discrete_law(parameters)
    steps = special.ndtri(np.minimum(np.cumsum(chances[:-1]), 1.0))
    return np.asarray(values[np.searchsorted(steps, scores, side="right")], dtype=float)


_QUANTILES: dict[str, Callable[..., Array]] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "logitnormal": _logitnormal,
    "uniform": _uniform,
    "beta": _beta,
    "t": _t,
    "metalog": _metalog,
    "discrete": _discrete,
}


def _mean_of_lognormal(p05: float, p95: float) -> float:
    middle, sd = _between(np.log(p05), np.log(p95))
    return float(np.exp(middle + sd * sd / 2))


def _mean_of_discrete(*parameters: float) -> float:
    values, chances = discrete_law(parameters)
    return float(values @ chances)


_MEANS: dict[str, Callable[..., float]] = {
    "normal": lambda mean, _: mean,
    "lognormal": _mean_of_lognormal,
    "uniform": lambda low, high: (low + high) / 2,
    "beta": lambda a, b: a / (a + b),
    "t": lambda df, location, _: location if df > 1 else float("nan"),
    "discrete": _mean_of_discrete,
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "normal": ("mean", "sd"),
    "lognormal": ("p05", "p95"),
    "logitnormal": ("p05", "p95"),
    "uniform": ("low", "high"),
    "beta": ("a", "b"),
    "t": ("df", "location", "scale"),
    "metalog": ("p05", "p50", "p95", "lower", "upper"),
}
"""The parameters of each family, in order; the bounds of a metalog may be left out."""


def chance_of(scores: Array | float) -> Array:
    """Return the chance of lying below each standard normal score.

    >>> chance_of(np.array([0.0, Z95])).round(6).tolist()
    [0.5, 0.95]
    """
    return np.asarray(special.ndtr(scores), dtype=float)


def score_of(chances: Array | float) -> Array:
    """Return the standard normal score below which each chance lies.

    >>> score_of(np.array([0.5, 0.95])).round(6).tolist()
    [0.0, 1.644854]
    """
    return np.asarray(special.ndtri(chances), dtype=float)


def quantile(family: str, parameters: Parameters, scores: Array) -> Array:
    """Return the value at each standard normal score: the quantile function at Φ(z).

    >>> float(quantile("lognormal", (0.05, 0.20), np.array([0.0]))[0].round(6))
    0.1
    """
    return _QUANTILES[family](np.asarray(scores, dtype=float), *parameters)


def mean(family: str, parameters: Parameters) -> float:
    """Return the mean, in closed form where there is one, else by quadrature over the whole tail.

    >>> round(mean("lognormal", (0.05, 0.20)), 7)
    0.1092852
    >>> round(mean("metalog", (5, 10, 20)), 4), round(mean("metalog", (5, 10, 20, 0)), 4)
    (10.9434, 10.9733)
    """
    return _MEANS[family](*parameters) if family in _MEANS else _mean_by_quadrature(family, parameters)


def _mean_by_quadrature(family: str, parameters: Parameters) -> float:
    """Integrate the quantile function over the log-odds of its probability (trapezoid, spectrally accurate)."""
    odds = np.linspace(-36.0, 36.0, 4001)
    scores = np.where(odds < 0, special.ndtri(special.expit(odds)), -special.ndtri(special.expit(-odds)))
    weights = special.expit(odds) * special.expit(-odds)
    return float(np.sum(quantile(family, parameters, scores) * weights) / np.sum(weights))


def spread(family: str, parameters: Parameters) -> tuple[float, float, float, float]:
    """Return mean, p05, p50 and p95.

    >>> [round(x, 6) for x in spread("normal", (0.0, 1.0))]
    [0.0, -1.644854, 0.0, 1.644854]
    """
    low, middle, high = quantile(family, parameters, np.array([-Z95, 0.0, Z95]))
    return mean(family, parameters), float(low), float(middle), float(high)


def chance_below(family: str, parameters: Parameters, value: float) -> float:
    """Return P(X < value), by bisection of the quantile function.

    >>> round(chance_below("normal", (0.0, 1.0), 0.0), 6)
    0.5
    """
    low, high = -8.5, 8.5
    if quantile(family, parameters, np.array([low]))[0] >= value:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        below = quantile(family, parameters, np.array([middle]))[0] < value
        low, high = (middle, high) if below else (low, middle)
    return float(special.ndtr(low)) if low > -8.4 else 0.0


def fat_tailed(low: float, high: float, *, df: float = 4.0) -> tuple[float, float, float]:
    """Return the Student-t (df, location, scale) whose 5th and 95th percentiles are given.

    >>> [round(x, 6) for x in spread("t", fat_tailed(-1.0, 4.0))][1:]
    [-1.0, 1.5, 4.0]
    """
    return df, (low + high) / 2, (high - low) / (2 * float(special.stdtrit(df, 0.95)))


def widened(family: str, parameters: Parameters, factor: float) -> tuple[str, Parameters]:
    """Return the distribution with every range around its median `factor` times as wide, in the space its family lives in.

    On the line (normal, t, metalog), on the logarithm (lognormal, metalog with one bound) or on the log-odds (logitnormal,
    metalog with two bounds, uniform between its ends): there the value at each score is m + factor (x - m), m the median; so
    bounds stay where they are. A beta keeps its mean, its sd grows as far as a share can. Of a discrete one, the scores at which
    one value gives way to the next are divided by `factor`: its values stay, the outer ones gain.

    >>> widened("normal", (1.0, 2.0), 1.5)
    ('normal', (1.0, 3.0))
    >>> [round(x, 6) for x in spread(*widened("lognormal", (5.0, 20.0), 2.0))][1:]
    [2.5, 10.0, 40.0]
    """
    return (family, parameters) if factor == 1 else _WIDENINGS[family](parameters, factor)


def _widened_log(parameters: Parameters, factor: float) -> tuple[str, Parameters]:
    middle, _ = _between(*map(np.log, parameters))
    return "lognormal", tuple(float(np.exp(middle + factor * (np.log(end) - middle))) for end in parameters)


def _widened_odds(parameters: Parameters, factor: float) -> tuple[str, Parameters]:
    middle, _ = _between(*map(special.logit, parameters))
    return "logitnormal", tuple(
        float(special.expit(middle + factor * (special.logit(end) - middle))) for end in parameters
    )


def _widened_uniform(parameters: Parameters, factor: float) -> tuple[str, Parameters]:
    low, high = parameters
    inside = special.expit(np.array([-1.0, 0.0, 1.0]) * factor * _LOGIT95)
    return "metalog", (*(low + (high - low) * inside).tolist(), low, high)


def _widened_metalog(parameters: Parameters, factor: float) -> tuple[str, Parameters]:
    bounds = _bounds(parameters)
    low, middle, high = (_inward(value, *bounds) for value in parameters[:3])
    three = (_outward(middle + factor * (value - middle), *bounds) for value in (low, middle, high))
    return "metalog", (*three, *parameters[3:])


def _widened_beta(parameters: Parameters, factor: float) -> tuple[str, Parameters]:
    share = parameters[0] / sum(parameters)
    units = max((sum(parameters) + 1) / factor**2 - 1, _FEWEST)
    return "beta", (share * units, (1 - share) * units)


def _widened_discrete(parameters: Parameters, factor: float) -> tuple[str, Parameters]:
    values, chances = discrete_law(parameters)
    steps = special.ndtr(special.ndtri(np.minimum(np.cumsum(chances[:-1]), 1.0)) / factor)
    return "discrete", (*values.tolist(), *np.diff(np.concatenate([[0.0], steps, [1.0]])).tolist())


_FEWEST = 0.05

_WIDENINGS: dict[str, Callable[[Parameters, float], tuple[str, Parameters]]] = {
    "normal": lambda parameters, factor: ("normal", (parameters[0], parameters[1] * factor)),
    "t": lambda parameters, factor: ("t", (*parameters[:2], parameters[2] * factor)),
    "lognormal": _widened_log,
    "logitnormal": _widened_odds,
    "uniform": _widened_uniform,
    "metalog": _widened_metalog,
    "beta": _widened_beta,
    "discrete": _widened_discrete,
}


def _outward(value: float, lower: float, upper: float) -> float:
    """Undo `_inward`."""
    if np.isfinite(lower) and np.isfinite(upper):
        return float(lower + (upper - lower) * special.expit(value))
    return float(lower + np.exp(value)) if np.isfinite(lower) else value


def fattened(family: str, parameters: Parameters) -> tuple[str, Parameters]:
    """Return the fat-tailed distribution with the same median and the same 5th and 95th percentiles.

    For a normal, Student's t with 4 degrees of freedom. For a lognormal, the log-logistic, whose tail falls as a power of the
    value (the exponential of a t would have no mean); where its ends lie so far apart that its mean would hang on what never
    happens, a metalog that ends at p50 (p95 / p50)^4. For a logitnormal, logistic log-odds. Others stay as they are: their tails
    were chosen, or they have none.

    >>> [round(x, 6) for x in spread(*fattened("lognormal", (5.0, 20.0)))][1:]
    [5.0, 10.0, 20.0]
    >>> fattened("uniform", (0.0, 1.0))
    ('uniform', (0.0, 1.0))
    """
    if family == "normal":
        centre, sd = parameters
        return "t", fat_tailed(centre - Z95 * sd, centre + Z95 * sd)
    if family == "logitnormal":
        middle = float(special.expit(sum(map(special.logit, parameters)) / 2))
        return "metalog", (parameters[0], middle, parameters[1], 0.0, 1.0)
    if family == "lognormal":
        low, high = parameters
        middle = float(np.sqrt(low) * np.sqrt(high))
        steep = np.log(high / low) / (2 * _LOGIT95) > _STEEPEST
        bounds = (0.0, middle * (high / middle) ** 4) if steep else (0.0,)
        return "metalog", (low, middle, high, *bounds)
    return family, parameters


_STEEPEST = 0.8


def metalog_increases(parameters: Parameters) -> bool:
    """Whether three points make a distribution: the quantile function must rise all the way.

    >>> metalog_increases((5, 10, 20)), metalog_increases((5, 6, 20))
    (True, False)
    """
    lower, upper = _bounds(parameters)
    _, a2, a3 = _metalog_terms(*(_inward(value, lower, upper) for value in parameters[:3]))
    odds = np.linspace(-40.0, 40.0, 8001)
    share = special.expit(odds)
    slope = a2 + a3 * (odds * share * (1 - share) + share - 0.5)
    return bool(np.all(slope > 0))
