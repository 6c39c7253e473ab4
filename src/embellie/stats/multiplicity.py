"""Multiplicity: p-values and e-values when several comparisons are made at once."""

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values so that the chance of even one false finding keeps its level (Holm 1979).

    The k-th smallest of m becomes `max_{j ≤ k} min(1, (m − j + 1) p_(j))`; valid however the comparisons depend on one another.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, worst = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = worst
    return corrected


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Correct p-values so that, of what is found at level α, at most the share α is false on average.

    The k-th smallest of m becomes `min_{j ≥ k} min(1, m p_(j) / j)`. Valid for independent comparisons, and for those that rise
    and fall together. Source: Benjamini and Hochberg 1995.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place], reverse=True)
    corrected, best = [1.0] * len(p_values), 1.0
    for below, place in enumerate(order):
        best = min(best, p_values[place] * (len(p_values) / (len(p_values) - below)))
        corrected[place] = best
    return corrected


def e_benjamini_hochberg(log_e_values: Sequence[float]) -> list[float]:
    """Correct e-values: the level from which each is among the findings of the e-BH procedure.

    e-BH finds the k largest with `e_(k) ≥ m/(α k)`, k as large as possible: the same as Benjamini and Hochberg's procedure on
    `1/e`, but valid under any dependence and at any time of stopping. Source: Wang and Ramdas 2022.

    >>> [round(each, 4) for each in e_benjamini_hochberg([math.log(200), math.log(30), 0.0])]
    [0.015, 0.05, 1.0]
    """
    return benjamini_hochberg([min(1.0, math.exp(-value)) for value in log_e_values])
