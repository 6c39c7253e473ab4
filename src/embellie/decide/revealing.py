"""Revealing: what results tell, as functions to regress on; and what truths and results differ by, on average nothing.

What a result y tells of what it measures, s, is carried by the posterior mean E[s | y], exact for any prior, and by Hermite
polynomials of y's normal score for what is not linear in s.

For any function f, what f(s) has beyond E[f(s) | y] is 0 on average whatever one does on seeing y. Taken out of the net
benefits by least squares (a control variate), it leaves the worth of a plan as it is and takes most of its noise away.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.decide.preposterior import RANKS, Noise
from embellie.decide.simulated_results import Clue
from embellie.decide.tied_results import Table, tied_surprises

Array = npt.NDArray[np.float64]

_POWERS = {1: 7, 2: 3}
"""The highest power of a normal score, by how many subjects there are results on; 2 for more."""

_MOMENTS = 4
"""How many functions of a subject are foretold by a result: its value, and powers of its normal score from the second on."""

_KNOTS = np.linspace(-3.0, 3.0, 13)
"""The ranks of what is shown at which `strata` bend."""


@dataclass(frozen=True, slots=True)
class Told:
    """What results on one subject tell: functions of first order, powers of their normal score, and pairs f(s), E[f(s) | y]."""

    first: tuple[Array, ...]
    powers: tuple[Array, ...]
    pairs: tuple[tuple[Array, Array], ...]
    table: Table | None = None


class Basis:
    """Functions of results, to regress net benefits on; what each result tells is worked out once.

    Args:
        clues: The designs, by number.
        others: Further unknowns: what each is tied to, and its values less their mean (draws,).
    """

    def __init__(self, clues: Sequence[Clue], others: Sequence[tuple[frozenset[str], Array]] = ()) -> None:
        self._clues = clues
        self._others = others
        self._told: dict[tuple[int, ...], Told] = {}

    def of(self, known: Iterable[int]) -> Array:
        """Return functions of the results of some designs (functions, draws); the first is 1.

        Each subject gives its posterior mean u and powers of its normal score z; of several subjects also the products of
        what is of first order, which is all there is where net benefits are linear in each of several independent unknowns.
        """
        told = [self._tells(group) for group in self._groups(known)]
        rows = [np.ones_like(told[0].first[0])]
        for one in told:
            rows += [*one.first, *one.powers[: _POWERS.get(len(told), 2)]]
        for many in range(2, len(told) + 1):
            for chosen in itertools.combinations([one.first for one in told], many):
                rows += [np.prod(parts, axis=0) for parts in itertools.product(*chosen)]
        return np.stack(rows)

    def surprises(self, known: Iterable[int]) -> Array:
        """Return functions of the truth less what one expects of them by the results of some designs (functions, draws).

        Each is 0 on average whatever the results. Of subjects that are tied to one another there are those of two whose scores
        are jointly normal; else none, since what one expects of such a subject is not told by its own results alone.
        """
        groups = self._groups(known)
        ties = [self._clues[group[0]].ties for group in groups]
        alone = [
            group
            for at, group in enumerate(groups)
            if not any(ties[at] & other for place, other in enumerate(ties) if place != at)
        ]
        told = [self._tells(group) for group in alone]
        rows = [truth - expected for one in told for truth, expected in one.pairs]
        for many in range(2, len(told) + 1):
            for chosen in itertools.combinations([one.pairs[: len(one.first)] for one in told], many):
                for pairs in itertools.product(*chosen):
                    truths, expected = zip(*pairs, strict=True)
                    rows.append(np.prod(truths, axis=0) - np.prod(expected, axis=0))
        tied = [group for group in groups if group not in alone]
        if len(tied) == 2 and all(self._clues[group[0]].normal for group in tied):
            first, second = (self._tells(group).table for group in tied)
            rows += tied_surprises(first, second) if first and second else []
        known_ties = frozenset().union(*ties)
        shown = [self._tells(group).pairs[0][0] for group in groups]
        for tie, other in self._others:
            if not tie & known_ties:  # nothing is learnt of it: beside anything else it is 0 on average
                rows += [other, *(other * truth for truth in shown)]
        return np.stack(rows) if rows else np.empty((0, len(shown[0])))

    def _groups(self, known: Iterable[int]) -> list[tuple[int, ...]]:
        """Gather the results of one kind on one subject."""
        groups: dict[tuple[str, str, str], list[int]] = {}
        for at in sorted(known):
            found = self._clues[at]
            joins = found.kind == "count" or (found.kind == "normal" and not found.noise.trials)
            groups.setdefault((found.subject, found.kind, "" if joins else found.study), []).append(at)
        return [tuple(group) for group in groups.values()]

    def _tells(self, group: tuple[int, ...]) -> Told:
        if group not in self._told:
            joined = [self._clues[at] for at in group]
            found = joined[0] if len(joined) == 1 else _join(joined)
            self._told[group] = _signal_tells(found) if found.kind == "signal" else _result_tells(found)
        return self._told[group]


def _join(group: Sequence[Clue]) -> Clue:
    """Join results of one kind on one subject into one, as precise as all of them."""
    first = group[0]
    if first.kind == "count":
        weights = np.array([float(found.noise.trials) for found in group])
        noise = Noise(trials=sum(found.noise.trials for found in group))
    else:
        least = 1e-9 * float(first.shown.std()) + 1e-300
        weights = np.array([max(float(np.hypot(found.noise.se, found.noise.bias)), least) ** -2 for found in group])
        noise = Noise(se=float(weights.sum()) ** -0.5)
    result = np.average([found.result for found in group], axis=0, weights=weights)
    return replace(first, result=result, noise=noise)


def _signal_tells(found: Clue) -> Told:
    assert found.likelihood is not None  # noqa: S101 - a signal has one
    state, signal = found.shown.astype(np.intp), found.result.astype(np.intp)
    joint = found.likelihood * np.bincount(state, minlength=found.likelihood.shape[1])
    posterior = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)
    flags = tuple((found.result == number).astype(float) for number in range(1, found.signals))
    pairs = tuple(((state == at).astype(float), posterior[signal, at]) for at in range(posterior.shape[1] - 1))
    return Told(flags, (), pairs)


def _result_tells(found: Clue) -> Told:
    size = len(found.shown)
    scores = normal_ranks(found.shown)
    order = np.argsort(scores, kind="stable")
    nodes = np.interp(RANKS, scores[order], found.shown[order])
    spread = float(found.shown.std()) or 1.0
    centre = float(found.shown.mean())
    at_nodes = [(nodes - centre) / spread, *hermite(RANKS, _MOMENTS)[1:]]
    truths = [(found.shown - centre) / spread, *hermite(scores, _MOMENTS)[1:]]
    result_scores = normal_ranks(found.result)
    results = np.sort(found.result)
    places = special.ndtr(np.linspace(-3.6, 3.6, 181)) * (size - 1)
    grid = np.unique(results[np.unique(np.concatenate([[0, size - 1], places.round()])).astype(np.intp)])
    likelihood = _log_likelihood(found, nodes, grid[:, None])
    log = likelihood - 0.5 * RANKS**2
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    moments = weights @ np.stack(at_nodes, axis=1) / weights.sum(axis=1, keepdims=True)
    expected = [np.interp(found.result, grid, moment) for moment in moments.T]
    powers = tuple(hermite(result_scores, max(_POWERS.values())))
    table = Table(grid, at_nodes[0], likelihood, scores, truths[0], found.result)
    return Told((expected[0],), powers, tuple(zip(truths, expected, strict=True)), table)


def hermite(x: Array, powers: int) -> list[Array]:
    """Return the Hermite polynomials He_n(x) / √n!, n = 1 … powers: uncorrelated, with sd 1, where x is standard normal."""
    rows = [np.ones_like(x), x]
    for n in range(1, powers):
        rows.append((x * rows[n] - np.sqrt(n) * rows[n - 1]) / np.sqrt(n + 1))
    return rows[1:]


def _log_likelihood(found: Clue, nodes: Array, result: Array) -> Array:
    if found.kind == "count":
        share = np.clip(nodes, 1e-12, 1 - 1e-12)
        log = result * np.log(share) + (1 - result) * np.log1p(-share)
        return np.asarray(found.noise.trials * log, dtype=float)
    gaps = np.gradient(nodes)  # noise finer than the grid would see single nodes
    se = np.maximum(np.maximum(found.noise.around(nodes), gaps), 1e-12 * (float(np.ptp(nodes)) + 1e-300))
    return np.asarray(-0.5 * ((result - nodes) / se) ** 2 - np.log(se), dtype=float)


def strata(found: Clue) -> Array:
    """Return functions of what is shown less their exact means under its law (functions, draws); none without a law.

    They are 0 on average; what they explain of anything in the draws is how these draws differ from the law.
    """
    if found.law is None:
        return np.empty((0, len(found.shown)))
    spread = float(found.shown.std()) or 1.0
    weights = np.exp(-0.5 * RANKS**2) / np.exp(-0.5 * RANKS**2).sum()
    knots = np.interp(_KNOTS, RANKS, found.law)
    above = np.maximum((found.shown - knots[:, None]) / spread, 0.0)
    expected = np.maximum((found.law - knots[:, None]) / spread, 0.0) @ weights
    line = (found.shown - float(found.law @ weights)) / spread
    return np.concatenate([line[None], above - expected[:, None]])


def normal_ranks(values: Array) -> Array:
    """Return the normal score of each value's rank among them; equal values share theirs.

    >>> normal_ranks(np.array([3.0, 1.0, 2.0])).round(3).tolist()
    [0.967, -0.967, 0.0]
    """
    order = np.argsort(values, kind="stable")
    held = values[order]
    starts = np.flatnonzero(np.concatenate([[True], held[1:] != held[:-1]]))
    counts = np.diff(np.append(starts, len(values)))
    scores = np.empty(len(values))
    scores[order] = np.repeat(special.ndtri((starts + counts / 2) / len(values)), counts)
    return scores
