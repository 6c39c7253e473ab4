"""Calibration: is what happens as often as it was said to?"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import special


def uniformity_p(p_values: Sequence[float]) -> float:
    """Return the p-value of Kolmogorov and Smirnov's test that values are uniform between 0 and 1 (its asymptotic form).

    `D = max_k max(k/n − p_(k), p_(k) − (k − 1)/n)`, with the argument `(√n + 0.12 + 0.11/√n) D` of Stephens 1970.

    >>> uniformity_p([(k + 0.5) / 100 for k in range(100)]) > 0.999
    True
    >>> uniformity_p([0.3] * 100) < 1e-9
    True
    """
    ordered = np.sort(np.asarray(p_values, dtype=float))
    n = len(ordered)
    steps = np.arange(1, n + 1) / n
    distance = float(max((steps - ordered).max(), (ordered - steps + 1.0 / n).max()))
    root = math.sqrt(n)
    return float(special.kolmogorov((root + 0.12 + 0.11 / root) * distance))
