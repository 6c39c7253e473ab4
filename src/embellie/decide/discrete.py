"""Discrete unknowns: what knowing one is worth, and what a signal about it is, by sums over its values.

EVPPI = Σ_k p_k max_d f_d(k) - max_d Σ_k p_k f_d(k)
EVSI  = Σ_y max_d Σ_k L(y | k) p_k f_d(k) - max_d Σ_k p_k f_d(k),      f_d(k) = E[NB_d | value k]
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embellie.domain.verdict import Figure
from embellie.stats.sampling import by_scramble, numerical_error

Array = npt.NDArray[np.float64]


def conditional_means(drawn: Array, net: Array, values: Sequence[float]) -> Array:
    """Return f_d(k) = E[NB_d | value k] by all draws and by each scramble: (1 + SCRAMBLES, options, values).

    Args:
        drawn: The unknown in each draw.
        net: Net benefits (options, draws).
        values: What the unknown can be; a value that no draw took has a mean of 0.
    """
    blocks, nets = by_scramble(drawn), by_scramble(net)
    takes = np.stack([blocks == value for value in values]).astype(float)
    sums = np.einsum("osr,ksr->sok", nets, takes)
    counts = takes.sum(axis=2).T
    everything = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1.0)
    each = sums / np.maximum(counts, 1.0)[:, None, :]
    return np.concatenate([everything[None], each])


def evsi_of_signals(
    conditional: Array, chances: Array, likelihood: Array, *, scale: float = 0.0
) -> tuple[Array, Figure]:
    """Return what a signal is worth, by all draws and by each scramble, and as a figure.

    Args:
        conditional: As `conditional_means` gives it.
        chances: The values' probabilities (values,).
        likelihood: L(y | k), (signals, values); each column sums to 1. The identity tells the value itself: EVPPI.
        scale: The size of the numbers, for the rounding error.

    >>> oil = np.array([[0.0, 0.0, 0.0], [-70.0, 50.0, 200.0]])[None].repeat(9, axis=0)
    >>> seismic = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.4], [0.1, 0.3, 0.5]])
    >>> float(round(evsi_of_signals(oil, np.array([0.5, 0.3, 0.2]), seismic)[1].value, 9))
    12.5
    """
    joint = likelihood * chances
    by_signal = np.einsum("fok,yk->foy", conditional, joint)
    gains = by_signal.max(axis=1).sum(axis=1) - by_signal.sum(axis=2).max(axis=1)
    replicates = np.maximum(gains, 0.0)
    return replicates, Figure(value=float(replicates[0]), error=numerical_error(replicates[1:], scale=scale))
