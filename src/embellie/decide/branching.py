"""Branching: from a plan that chooses by regressions to outcomes that one can read: from here to there, do this.

After the first result its thresholds are exact: they are where the fitted values cross. After a further one what is best
depends on the earlier results too; its thresholds are those that serve best on average over the outcome they stand in.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from embellie.decide.looking_ahead import Node
from embellie.decide.revealing import Basis
from embellie.decide.simulated_results import Clue

Array = npt.NDArray[np.float64]

MOST = (4, 3, 2)
"""At most so many outcomes after the first, the second and the third result."""

SLIVER = 0.01
"""An outcome less likely than this is joined to the one beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A result from `low` to `high` (None: without end), or one of `signals`; then settle on `choice`, or make `move`.

    `chance` is that of the outcome once the study is run, `value` the mean net benefit of all that is done when it comes so.
    """

    low: float | None
    high: float | None
    signals: tuple[int, ...]
    chance: float
    value: float
    choice: int
    move: Node | None
    after: tuple["Outcome", ...]


@dataclass(slots=True)
class _Run:
    """Consecutive results, in rising order, after which one option is taken."""

    rows: npt.NDArray[np.intp]
    option: int


def outcomes(node: Node, tests: Sequence[Clue], *, realised: Array, tolerance: float) -> tuple[Outcome, ...]:
    """Return the outcomes of a plan's first study, each with what follows.

    Args:
        node: The plan, explained.
        tests: The designs by number.
        realised: What following it brings in each draw, in the money that outcomes are to be valued in.
        tolerance: Outcomes are joined while that costs less than this on average.
    """
    return _outcomes(node, tests, np.arange(len(realised)), realised, tolerance)


def _outcomes(
    node: Node, tests: Sequence[Clue], rows: npt.NDArray[np.intp], realised: Array, tolerance: float
) -> tuple[Outcome, ...]:
    found = tests[node.path[-1].test]
    expected = _expected(node, found, rows)
    runs = _runs(found, rows, expected)
    loss = tolerance * len(realised)
    _join(runs, expected, rows, most=MOST[len(node.path) - 1], sliver=SLIVER * len(rows), loss=loss)
    if found.kind == "signal":
        runs = _gathered(runs)
    edges = [None, *(_between(found.result, one, other) for one, other in itertools.pairwise(runs)), None]
    made = []
    place = _places(rows)
    for at, run in enumerate(runs):
        move = node.moves[run.option - len(node.settled)] if run.option >= len(node.settled) else None
        signals = tuple(int(signal) for signal in np.unique(found.result[run.rows])) if found.kind == "signal" else ()
        made.append(
            Outcome(
                low=None if signals else edges[at],
                high=None if signals else edges[at + 1],
                signals=signals,
                chance=len(run.rows) / len(rows),
                value=float(realised[run.rows].mean()),
                choice=-1 if move else run.option,
                move=move,
                after=_outcomes(move, tests, run.rows, realised, tolerance) if move else (),
            )
        )
        made[-1] = _plainer(made[-1], run, expected[:, place[run.rows]].sum(axis=1), loss)
    return _joined(made)


def _plainer(outcome: Outcome, run: _Run, expected: Array, loss: float) -> Outcome:
    """Leave out a further study after which one thing is done whatever it shows, where that costs less than `loss`.

    It may cost more: what is best may hang on both results together, which no threshold for the second alone can tell.
    """
    if outcome.move is None or len(outcome.after) > 1 or outcome.after[0].move is not None:
        return outcome
    choice = outcome.after[0].choice
    if expected[run.option] - expected[choice] > loss:
        return outcome
    return replace(outcome, choice=choice, move=None, after=())


def _joined(made: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Join outcomes side by side after which the same is done, and signals wherever they stand."""
    found: list[Outcome] = []
    for outcome in made:
        twin = next((at for at, one in enumerate(found) if one.choice == outcome.choice >= 0), -1)
        if twin >= 0 and (outcome.signals or twin == len(found) - 1):
            one = found[twin]
            chance = one.chance + outcome.chance
            value = (one.chance * one.value + outcome.chance * outcome.value) / chance
            signals = tuple(sorted(one.signals + outcome.signals))
            found[twin] = replace(one, high=outcome.high, signals=signals, chance=chance, value=value)
        else:
            found.append(outcome)
    return tuple(found)


def _expected(node: Node, found: Clue, rows: npt.NDArray[np.intp]) -> Array:
    """Return what one expects of each option by the last result alone (options, rows)."""
    assert node.fitted is not None  # noqa: S101 - explained before it is read
    expected = node.fitted[:, rows]
    if len(node.path) == 1:
        return expected
    told = Basis([found]).of([0])[: 4 if found.kind != "signal" else None, rows]
    coefficients = np.linalg.lstsq(told.T, expected.T, rcond=1e-6)[0]
    return np.asarray(coefficients.T @ told, dtype=float)


def _runs(found: Clue, rows: npt.NDArray[np.intp], expected: Array) -> list[_Run]:
    order = np.argsort(found.result[rows], kind="stable")
    option = np.argmax(expected, axis=0)[order]
    results = found.result[rows][order]
    cuts = np.flatnonzero((np.diff(option) != 0) & (np.diff(results) > 0)) + 1
    if found.kind == "signal":
        cuts = np.flatnonzero(np.diff(results) > 0) + 1
    return [_Run(rows[part], int(option[first])) for part, first in _parts(order, cuts)]


def _parts(order: npt.NDArray[np.intp], cuts: npt.NDArray[np.intp]) -> list[tuple[npt.NDArray[np.intp], int]]:
    return list(zip(np.split(order, cuts), [0, *cuts.tolist()], strict=True))


def _join(
    runs: list[_Run], expected: Array, rows: npt.NDArray[np.intp], *, most: int, sliver: float, loss: float
) -> None:
    """Join outcomes side by side until each is likely, worth telling apart, and they are few enough."""
    place = _places(rows)
    while len(runs) > 1:
        costs = [_cheapest(runs, at, expected, place) for at in range(len(runs))]
        at = min(range(len(runs)), key=lambda run: costs[run][0])
        small = [run for run in range(len(runs)) if len(runs[run].rows) < sliver]
        if costs[at][0] > loss and len(runs) <= most and not small:
            return
        if costs[at][0] > loss and small:
            at = min(small, key=lambda run: costs[run][0])
        into = costs[at][1]
        low, high = min(at, into), max(at, into)
        runs[low] = _Run(np.concatenate([runs[low].rows, runs[high].rows]), runs[into].option)
        del runs[high]


def _places(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return where each row stands among some of them."""
    place = np.zeros(int(rows.max(initial=0)) + 1, dtype=np.intp)
    place[rows] = np.arange(len(rows))
    return place


def _cheapest(runs: Sequence[_Run], at: int, expected: Array, place: npt.NDArray[np.intp]) -> tuple[float, int]:
    """Return what it costs to treat an outcome as the better of its neighbours, and which that is."""
    held = expected[:, place[runs[at].rows]].sum(axis=1)
    beside = [other for other in (at - 1, at + 1) if 0 <= other < len(runs)]
    return min((float(held[runs[at].option] - held[runs[other].option]), other) for other in beside)


def _gathered(runs: Sequence[_Run]) -> list[_Run]:
    """Join the signals after which the same is done."""
    found: dict[int, list[npt.NDArray[np.intp]]] = {}
    for run in runs:
        found.setdefault(run.option, []).append(run.rows)
    return [_Run(np.concatenate(rows), option) for option, rows in found.items()]


def _between(results: Array, one: _Run, other: _Run) -> float:
    """Return the threshold between two outcomes side by side."""
    return float((results[one.rows].max() + results[other.rows].min()) / 2)
