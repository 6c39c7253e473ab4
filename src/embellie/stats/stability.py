"""Stability: whether two samples are spread alike over the same bins, small ones forgiven for being small."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats as _scipy

PRIOR = 0.5
"""Counts lent to each bin, so that an empty one has a logarithm (Jeffreys)."""


@dataclass(frozen=True, slots=True)
class Stability:
    """The index, and what chance alone would exceed once in a thousand times between samples of these sizes."""

    index: float
    chance: float

    @property
    def real(self) -> bool:
        """Whether the index is more than chance."""
        return self.index > self.chance


def population_stability(before: Sequence[float], after: Sequence[float], *, units: tuple[float, float]) -> Stability:
    """Compare two spreads over the same bins by the population stability index.

        PSI = Σ (qᵢ - pᵢ) ln(qᵢ / pᵢ)

    With B bins and samples of n and m independent units from one distribution, PSI / (1/n + 1/m) is nearly χ² with B - 1
    degrees of freedom (Yurdakul & Naranjo, Journal of Risk Model Validation, 2020); `chance` is its 99.9 % point.

    Args:
        before: Counts, or shares, per bin.
        after: The same, later.
        units: How many independent units (readers, lists; not rows) each side rests on.

    Raises:
        ValueError: The bins differ, or there are fewer than two.

    >>> population_stability([50, 50], [50, 50], units=(100, 100)).index
    0.0
    >>> few = population_stability([5, 5], [2, 8], units=(10, 10))
    >>> many = population_stability([500, 500], [200, 800], units=(1000, 1000))
    >>> few.real, many.real, round(many.index, 2)
    (False, True, 0.41)
    """
    if len(before) != len(after) or len(before) < 2:
        raise ValueError("Both sides need the same bins, at least two.")
    first, second = _shares(before, units[0]), _shares(after, units[1])
    index = math.fsum((q - p) * math.log(q / p) for p, q in zip(first, second, strict=True))
    noise = 1.0 / max(units[0], 1.0) + 1.0 / max(units[1], 1.0)
    return Stability(index, noise * float(_scipy.chi2.isf(0.001, len(before) - 1)))


def _shares(values: Sequence[float], units: float) -> list[float]:
    total = math.fsum(values)
    scaled = [(units * value / total if total else 0.0) + PRIOR for value in values]
    whole = math.fsum(scaled)
    return [value / whole for value in scaled]
