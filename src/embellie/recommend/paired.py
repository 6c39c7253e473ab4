"""Paired: how much one policy differs from another on the same targets, and which differences are real."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from embellie.domain.unavailable import Unavailable
from embellie.recommend.popularity import Floats, Integers
from embellie.stats.multiplicity import holm

REACH95 = 1.959963984540054
"""Standard errors to each side of a 95 % interval."""

REAL_BELOW = 0.05
"""A difference is real when its corrected p-value is below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over targets with its 95 % interval, readers being the independent units."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What `policy` has above `against` in a metric: the mean over targets, its 95 % interval by reader.

    `p` is two-sided, of no difference; `p_holm` is corrected for all differences it was found among (Holm 1979).
    """

    policy: str
    against: str
    metric: str
    value: float
    low: float
    high: float
    p: float
    p_holm: float = 1.0

    @property
    def real(self) -> bool:
        """Whether chance alone would hardly make it, however many were looked at."""
        return self.p_holm < REAL_BELOW


def clustered_moments(values: Floats, clusters: Integers) -> tuple[int, float, float]:
    """Return how many readers there are, the mean over targets, and its standard error with readers independent.

    With S_r the sum and n_r the number of targets of reader r, R readers and N targets, m = Σ S_r / N and

        var(m) = R / (R - 1) · Σ (S_r - m n_r)² / N²

    the delta method for a ratio of means (Deng, Knoblich & Lu, KDD 2018); NaN for fewer than two readers.

    >>> readers, mean, se = clustered_moments(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 2]))
    >>> readers, mean, round(se, 3)
    (3, 0.5, 0.217)
    """
    readers = int(clusters.max(initial=-1)) + 1
    if readers < 2:
        return readers, math.nan, math.nan
    sums, sizes = np.bincount(clusters, weights=values), np.bincount(clusters)
    mean = float(sums.sum() / sizes.sum())
    residuals = sums - mean * sizes
    se = float(np.sqrt(readers / (readers - 1) * np.square(residuals).sum())) / float(sizes.sum())
    return readers, mean, se


def paired_difference(
    first: Floats, second: Floats, clusters: Integers, *, names: tuple[str, str], metric: str
) -> Difference | Unavailable:
    """Return the mean difference of two policies' gains on the same targets, with its interval and p-value.

    Pairing takes out what makes a target hard for both: of two policies whose intervals overlap, one may still be
    surely the better. The interval is m ± 1.96 se with se by reader (`clustered_moments`), p from the normal, but never
    below 2^(1 − R), the least that R readers can show who all agree (their differences flipped in sign at will: Fisher
    1935). Where every target differs by the same amount the variance says nothing: then that is p, and the interval
    reaches 2 (1 − 0.025^(1/R)) to each side.

    Args:
        first: Gains of the policy, one per target, 0 to 1.
        second: Gains of the one it is held against.
        clusters: The reader of each target, numbered from 0.
        names: Their names.
        metric: What the gains are.

    >>> one, other, readers = np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0]), np.array([0, 1, 2, 3])
    >>> found = paired_difference(one, other, readers, names=("a", "b"), metric="hr")
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3), round(found.p, 3)
    (0.25, -0.24, 0.74, 0.317)
    """
    readers, mean, se = clustered_moments(first - second, clusters)
    if readers < 2:
        return Unavailable(
            reason=f"{readers} reader has targets: a difference needs at least two.", remedy="Give a longer log."
        )
    same = bool(np.all(first == second))
    least = 2.0 ** (1 - readers)
    if se > 1e-12 or same:
        reach = REACH95 * se
        p = 1.0 if same else max(least, math.erfc(abs(mean) / se / math.sqrt(2.0)))
    else:
        reach, p = 2.0 * (1.0 - 0.025 ** (1.0 / readers)), least
    return Difference(
        policy=names[0],
        against=names[1],
        metric=metric,
        value=mean,
        low=max(-1.0, mean - reach),
        high=min(1.0, mean + reach),
        p=p,
    )


def paired_differences(gains: Mapping[str, Mapping[str, Floats]], clusters: Integers) -> list[Difference]:
    """Hold every policy against every other, in every metric, and correct for all of them together.

    Args:
        gains: By policy and metric, one per target.
        clusters: The reader of each target.
    """
    found: list[Difference] = []
    for first, second in combinations(gains, 2):
        for metric, values in gains[first].items():
            one = paired_difference(values, gains[second][metric], clusters, names=(first, second), metric=metric)
            if isinstance(one, Difference):
                found.append(one)
    return corrected(found)


def corrected(found: list[Difference]) -> list[Difference]:
    """Correct the p-values of differences that were looked at together."""
    return [replace(one, p_holm=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]
