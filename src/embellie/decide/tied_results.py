"""Tied results: what two results tell together of two subjects that are correlated, by sums over grids of both."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.decide.preposterior import RANKS

Array = npt.NDArray[np.float64]

_COARSE = 3
"""Of the grid of the rougher of two results, every third node is enough."""

_ALIKE = 0.99
"""Two subjects more closely tied than this are as good as one."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a result y on a subject s may be: log p(y | s) for a `grid` of results, with s at `nodes`, where its rank is `RANKS`.

    In the draws, `truth` is s, `scores` its normal ranks, and `result` the result.
    """

    grid: Array
    nodes: Array
    likelihood: Array
    scores: Array
    truth: Array
    result: Array

    @property
    def fineness(self) -> float:
        """How many normal ranks wide the result leaves s, in the middle."""
        middle = self.likelihood[len(self.grid) // 2]
        weights = np.exp(middle - middle.max())
        centre = weights @ RANKS / weights.sum()
        return float(np.sqrt(weights @ (RANKS - centre) ** 2 / weights.sum()))


def tied_surprises(one: Table, other: Table) -> list[Array]:
    """Return s, t, their squares and s t, each less what one expects by the results on both; their scores are jointly normal.

    Formula: p(s, t | y, z) ∝ p(y | s) p(z | t) φ(s) φ(t | s), summed over grids of both, at grids of both results.
    There are none where the results are too fine for the grid, or the subjects nearly one.
    """
    fine, rough = (one, other) if one.fineness <= other.fineness else (other, one)
    tie = float(np.corrcoef(fine.scores, rough.scores)[0, 1])
    if rough.fineness < 2 * _COARSE * (RANKS[1] - RANKS[0]) or abs(tie) > _ALIKE:
        return []
    ranks, nodes = RANKS[::_COARSE], rough.nodes[::_COARSE]
    results, others = _thinner(fine.grid), _thinner(rough.grid)
    towards = np.exp(-0.5 * (ranks - tie * RANKS[:, None]) ** 2 / (1 - tie**2))
    log = fine.likelihood[results] - 0.5 * RANKS**2
    left = np.exp(log - log.max(axis=1, keepdims=True))
    right = rough.likelihood[others][:, ::_COARSE]
    right = np.exp(right - right.max(axis=1, keepdims=True)).T
    by_power = [_product(left * fine.nodes**power, towards) for power in range(3)]
    whole = np.maximum(_product(by_power[0], right), 1e-300)
    place = _Place(fine.grid[results], rough.grid[others], fine.result, rough.result)
    found = []
    for first, second in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1)):
        expected = _product(by_power[first] * nodes**second, right) / whole
        found.append(fine.truth**first * rough.truth**second - place.at(expected))
    return found


def _product(one: Array, other: Array) -> Array:
    """Return a product in small steps, which are not shared out among threads: those wait for cores on a busy server."""
    return np.concatenate([one[row : row + 8] @ other for row in range(0, len(one), 8)])


def _thinner(grid: Array) -> npt.NDArray[np.intp]:
    """Return the places of every third result, the ends included."""
    return np.unique(np.append(np.arange(0, len(grid), 3), len(grid) - 1))


class _Place:
    """Where the draws' results lie on two grids; `at` interpolates between the four corners around each."""

    def __init__(self, rows: Array, columns: Array, one: Array, other: Array) -> None:
        self._row, self._down = _between(rows, one)
        self._column, self._right = _between(columns, other)

    def at(self, table: Array) -> Array:
        row, column, down, right = self._row, self._column, self._down, self._right
        above = table[row, column] * (1 - right) + table[row, column + 1] * right
        below = table[row + 1, column] * (1 - right) + table[row + 1, column + 1] * right
        return np.asarray(above * (1 - down) + below * down, dtype=float)


def _between(grid: Array, values: Array) -> tuple[npt.NDArray[np.intp], Array]:
    place = np.clip(np.searchsorted(grid, values) - 1, 0, len(grid) - 2)
    return place, np.clip((values - grid[place]) / (grid[place + 1] - grid[place]), 0.0, 1.0)
