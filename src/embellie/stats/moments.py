"""Moments: what is left of a sample once it is summed up, centred, so that no digit is lost."""

from collections.abc import Mapping
from dataclasses import dataclass

Form = Mapping[str, float]
"""A linear combination of columns: each column's name and its coefficient."""

_ROUNDING = 1e-14


@dataclass(frozen=True, slots=True)
class Moments:
    """Size, means and covariances (divisor n − 1) of named columns over `n` units.

    Never raw sums of squares: `sum(x²) − n·mean²` loses every digit when the mean is large beside the spread.
    `covariances` holds each pair once, in any order; a pair of a name with itself is its variance.

    >>> sample = Moments(3, {"x": 2.0, "y": 4.0}, {("x", "x"): 1.0, ("x", "y"): 2.0, ("y", "y"): 4.0})
    >>> sample.form_covariance({"x": 2.0, "y": -1.0}, {"x": 2.0, "y": -1.0})
    0.0
    """

    n: int
    means: Mapping[str, float]
    covariances: Mapping[tuple[str, str], float]

    def mean(self, name: str) -> float:
        """Return the mean of a column."""
        return self.means[name]

    def covariance(self, one: str, other: str) -> float:
        """Return the covariance of two columns."""
        pair = (one, other)
        return self.covariances[pair] if pair in self.covariances else self.covariances[other, one]

    def form_covariance(self, one: Form, other: Form) -> float:
        """Return the covariance of two linear combinations of columns."""
        return sum(a * b * self.covariance(left, right) for left, a in one.items() for right, b in other.items())

    def form_variance(self, form: Form) -> float:
        """Return the variance of a linear combination of columns; what only rounding has left over is 0."""
        terms = [a * b * self.covariance(one, other) for one, a in form.items() for other, b in form.items()]
        total = sum(terms)
        return total if total > _ROUNDING * sum(map(abs, terms)) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileSample:
    """A quantile of a sample, and the order statistics `z` of its standard errors below and above it.

    For a quantile q of `n` units these stand at the shares `q ± z·√(q(1 − q)/n)`, so `(high − low)/(2z)` estimates its
    standard error without a density. Source: Price and Bonett 2001; Deng, Knoblich and Lu, KDD 2018.

    >>> QuantileSample(n=100, value=5.0, low=4.0, high=6.0, z=2.0).se
    0.5
    """

    n: int
    value: float
    low: float
    high: float
    z: float

    @property
    def se(self) -> float:
        """The standard error of the quantile."""
        return (self.high - self.low) / (2.0 * self.z)


def add_forms(one: Form, other: Form, *, times: float) -> dict[str, float]:
    """Return `one + times · other`.

    >>> add_forms({"x": 1.0}, {"x": 1.0, "y": 2.0}, times=-0.5)
    {'x': 0.5, 'y': -1.0}
    """
    total = dict(one)
    for name, coefficient in other.items():
        total[name] = total.get(name, 0.0) + times * coefficient
    return total
