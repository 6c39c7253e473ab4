"""Conditional: what each scenario is worth on average, were one unknown known to be this or that.

How E[net benefit | unknown] is found, the best way that the question allows:

- **exact**: all others may stand at their means (`app/others.py`), so it is an evaluation of the formulas, without draws;
- **curve**: some others must be drawn, the same rows at every value of the unknown: two values tell all where net benefits are
  affine in it, else 33 of them and a cubic spline between; what the draws miss of the level, all rows of the sample mend;
- **spline**: the law of the others given the unknown is known by the draws alone: a penalised regression on them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embellie.app.answers.drawn import Array, Sample
from embellie.app.answers.others import NOW, Held, Others, When
from embellie.decide.curves import (
    FAR,
    WITHIN,
    chances_between,
    gain_of_curves,
    gain_of_states,
    mean_of_curves,
    through,
)  # fmt: skip
from embellie.decide.discrete import conditional_means
from embellie.decide.information import against_first
from embellie.decide.judging import noise_floor
from embellie.decide.preposterior import RANKS, Subject
from embellie.domain.errors import QuestionError
from embellie.domain.verdict import Figure, Method
from embellie.stats.distributions import discrete_law
from embellie.stats.sampling import SCRAMBLES, by_scramble, even_ranks, numerical_error
from embellie.stats.splines import fit_curves

_RANKS: Array = np.asarray(RANKS, dtype=float)
_NODES = _RANKS[:: (len(RANKS) - 1) // 15]
_AT_ONCE = 32
_FEW_DRAWN = 2
_ROWS_FOR_FEW = 128
_LINE_ROWS = 512
_NODE_ROWS = 1024
_ROWS = 2**16
_NODE_BUDGET = 2**20
_MOST_HELD = 32
"""How many unknowns are held one by one, those worth most, where a question has more that bend what scenarios are worth."""


@dataclass(frozen=True, slots=True)
class Known:
    """E[NB_d | unknown] along `ranks`, as (1 + SCRAMBLES, options, ranks): by all draws, then by each scramble.

    Of an unknown that is one of a few states, `states` are the same at each of them, and `chances` their probabilities.
    `quadrature` is by how much the value of knowing it depends on the choice of nodes.
    """

    curves: Array
    ranks: Array
    method: Method
    quadrature: float = 0.0
    states: Array | None = None
    chances: Array | None = None

    @property
    def at_ranks(self) -> Array:
        """The curves at `RANKS`."""
        return self.curves[:, :, WITHIN] if len(self.ranks) == len(FAR) else self.curves

    def evppi(self, *, scale: float) -> Figure:
        """Return what knowing the unknown is worth; `scale` is the size of the numbers, for the rounding error."""
        if self.states is not None and self.chances is not None:
            gains, apart = gain_of_states(self.states, self.chances), 0.0
        else:
            gains = gain_of_curves(self.curves, self.ranks)
            coarse = gain_of_curves(self.curves[:1, :, ::2], self.ranks[::2])
            apart = abs(float(gains[0] - coarse[0])) / 3  # twice the step, at least four times the error
        error = numerical_error(gains[1:], scale=scale) + self.quadrature + apart
        return Figure(value=float(gains[0]), error=error)


class Conditional:
    """E[net benefit | unknown], over one sample of a question, at the ranks `RANKS` of what is believed about the unknown."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.others = Others(sample)
        self._known: dict[tuple[str, When], Known] = {}
        self._subjects: dict[tuple[str, When], Array] = {}
        self._levels: dict[tuple[tuple[str, ...], When, int], Array] = {}
        used = (sample.model.used_by(name) for name in sample.question.scenarios)
        self.used: frozenset[str] = frozenset().union(*used)
        self._floor: float | None = None

    # asked for

    def values(self, name: str) -> Array:
        """Return the unknown's values at `RANKS`, in the unit it is written in."""
        return self.others.along(name, RANKS)

    def net(self, name: str, weeks: float = 0.0) -> Array:
        """Return E[NB_d | unknown] at `RANKS` as (options, ranks), when what follows begins `weeks` from today."""
        return np.asarray(self.known(name, self._when(weeks)).at_ranks[0])

    def method(self, name: str) -> Method:
        """Return how an unknown's curve is found."""
        return self.known(name).method if self.matters(name) else "none"

    def matters(self, name: str) -> bool:
        """Whether an unknown, or one it is tied to, is part of what a scenario is worth."""
        return bool(self.used & self.others.together([name]))

    def evppi(self, name: str) -> Figure:
        """Return what knowing an unknown is worth, by its curve."""
        return self.known(name).evppi(scale=float(np.mean(np.abs(self.sample.draws.net))))

    def noise_floor(self) -> float:
        """Return what a regression on these draws finds an unknown worth that is part of no formula; 0 if none was needed."""
        if not self.regresses:
            return 0.0
        if self._floor is None:
            self._floor = noise_floor(self.sample.draws)
        return self._floor

    @property
    def regresses(self) -> bool:
        """Whether something was found by regression so far."""
        return bool(self._subjects) or any(known.method == "spline" for known in self._known.values())

    def subject(self, name: str, *, weeks: float = 0.0, built: frozenset[str] = frozenset()) -> Subject:
        """Return an unknown as studies meet it, when what follows begins `weeks` from today and `built` stands ready then."""
        net = self.known(name, self._when(weeks, built)).at_ranks
        return Subject(net[:, 1:] - net[:, :1], self.values(name))

    def subject_of(
        self,
        values: Array,
        *,
        key: str,
        weeks: float = 0.0,
        built: frozenset[str] = frozenset(),
        uses: frozenset[str] | None = None,
    ) -> Subject:
        """Return any expression as studies meet it, by a regression on its ranks in the draws.

        Args:
            values: What it is in each draw of the sample.
            key: Its name, under which its curve is kept.
            weeks: How long from today what follows begins.
            built: The scenarios that stand ready by then.
            uses: The unknowns it is made of: the others then need not be drawn. None: any of them.
        """
        order = np.argsort(values, kind="stable")
        ranks = even_ranks(len(values))
        nodes = np.interp(RANKS, ranks, values[order])
        place = f"= {key}", self._when(weeks, built)
        if place not in self._subjects:
            scores = np.empty(len(values))
            scores[order] = ranks
            net = self.sample.net_from(weeks, built)
            if uses is not None:
                drawn = self.others.together(uses) | frozenset(self.others.held(None).drawn)
                net = self.others.net(drawn, place[1])
            self._subjects[place] = _regressed(scores, values, RANKS, nodes, net)
        found = self._subjects[place]
        return Subject(found[:, 1:] - found[:, :1], nodes)

    def _when(self, weeks: float, built: frozenset[str] = frozenset()) -> When:
        """Return when what follows begins; today where that makes no difference."""
        new = frozenset(name for name in built if not self.sample.question.scenarios[name].built)
        timeless = all(self.sample.model.is_lump(name) for name in self.sample.question.scenarios)
        if not new and (timeless or not weeks):
            return NOW
        return When(weeks, new)

    # found

    def know(self, names: Iterable[str]) -> None:
        """Find the curves of many unknowns, many at once where that is possible."""
        left = [name for name in names if (name, NOW) not in self._known]
        lines = [name for name in left if self._is_line(name)]
        for first in range(0, len(lines), _AT_ONCE):
            self._lines(lines[first : first + _AT_ONCE], rows=_ROWS // (len(lines) + 1))
        curved = [name for name in left if self._is_curved(name)]
        if len(curved) > self._held_at_most:
            self._by_polynomials(curved)
            for name in sorted(curved, key=lambda name: -self.evppi(name).value)[: self._held_at_most]:
                del self._known[name, NOW]
        for name in left:
            self.known(name)

    def known(self, name: str, when: When = NOW) -> Known:
        """Return the curve of an unknown."""
        place = name, when
        if place not in self._known:
            try:
                if self._is_line(name):
                    self._lines([name], when=when)
                else:
                    self._known[place] = self._find(name, when)
            except QuestionError:  # a value that no draw had, where a formula has no worth
                self._known[place] = self._by_regression(name, self.sample.net_from(when.weeks, when.built))
        return self._known[place]

    def _find(self, name: str, when: When) -> Known:
        held = self.others.held(name)
        alone = len(self.others.together([name])) == 1
        if self._is_discrete(name) and alone:
            return self._by_states(name, held, when)
        if held.tangled or self._is_discrete(name):
            return self._by_regression(name, self.regressed(name, when))
        free = self.others.together([name]).isdisjoint(held.drawn)
        return (
            self._by_corners(name, held, when) if free and self._is_affine(name) else self._by_nodes(name, held, when)
        )

    def _is_affine(self, name: str) -> bool:
        return name in self.others.averaged or name not in self.used

    def _is_discrete(self, name: str) -> bool:
        return self.sample.question.unknowns[name].prior.family == "discrete"

    def _is_line(self, name: str) -> bool:
        return self._is_affine(name) and not self._is_discrete(name) and len(self.others.together([name])) == 1

    def _is_curved(self, name: str) -> bool:
        """Whether an unknown is valued by holding it at one value after the other, though its scores are standard normal."""
        usual = not self._is_affine(name) and not self._is_discrete(name) and not self.others.held(name).tangled
        return usual and not self.sample.beliefs.touched(name)

    def _lines(self, names: list[str], *, rows: int = _LINE_ROWS, when: When = NOW) -> None:
        """Find the curves of independent unknowns in which net benefits are affine: from two values of each."""
        held = self.others.held(names[0])
        middle = np.array([self.others.mean(name) for name in names])
        far = np.array([self._beside(name) for name in names])
        points = np.tile(middle, (len(names) + 1, 1))
        np.fill_diagonal(points[1:], far)
        rows = self._rows(held, min(rows, _LINE_ROWS))
        net = self.others.mean_net(dict(zip(names, points.T, strict=True)), held, rows=rows, when=when)
        level = net[:, :, :1] + self._missed(net[:, :, 0], held, rows, when)
        for at, name in enumerate(names):
            slope = (net[:, :, at + 1 : at + 2] - net[:, :, :1]) / (far[at] - middle[at])
            curves = level + slope * (self.others.along(name, FAR) - middle[at])
            self._known[name, when] = Known(curves, FAR, "curve" if held.drawn else "exact")

    def _by_corners(self, name: str, held: Held, when: When) -> Known:
        """Find a curve affine in an unknown, and in the means given it of those it is tied to."""
        together = (name, *held.given)
        middle = np.array([self.others.mean(one) for one in together])
        wide = np.array([self._beside(one) for one in together]) - middle
        moved = np.zeros((2 * len(together), len(together)))
        moved[1::2, 0] = 1.0
        for at in range(1, len(together)):
            moved[2 * at : 2 * at + 2, at] = 1.0
        points = middle + wide * moved
        rows = self._rows(held, _LINE_ROWS)
        net = self.others.mean_net(dict(zip(together, points.T, strict=True)), held, rows=rows, when=when)
        nodes = self.others.nodes(name, FAR)
        u = (self.others.valued(name, nodes) - middle[0]) / wide[0]
        base, slope = net[:, :, :1], net[:, :, 1:2] - net[:, :, :1]
        curves = base + slope * u
        for at, other in enumerate(held.given, start=1):
            share = (self.others.mean_given(other, name, nodes) - middle[at]) / wide[at]
            level = net[:, :, 2 * at : 2 * at + 1] - base
            curves = curves + share * (level + u * (net[:, :, 2 * at + 1 : 2 * at + 2] - base - slope - level))
        curves = curves + self._missed(mean_of_curves(curves, FAR), held, rows, when, of=name)
        return Known(curves, FAR, "curve" if held.drawn else "exact")

    def _by_nodes(self, name: str, held: Held, when: When) -> Known:
        """Find a curve by holding the unknown at one value after the other."""
        ranks = _NODES if held.drawn else FAR
        scores = self.others.nodes(name, ranks)
        fixed = {name: self.others.valued(name, scores)}
        fixed |= {other: self.others.mean_given(other, name, scores) for other in held.given}
        rows = self._rows(held, max(min(_NODE_ROWS, _NODE_BUDGET // (self._work * len(_NODES) * SCRAMBLES)), 32))
        net = self.others.mean_net(fixed, held, rows=rows, scores=scores, when=when)
        if not held.drawn:
            return Known(net, FAR, "exact")
        if name != self._pivot and when == NOW and self._pivot:
            net = net + self._missed(mean_of_curves(through(ranks, net, RANKS), RANKS), held, rows, when)
        elif rows < self._every:
            middle = len(ranks) // 2
            once = {other: value[middle : middle + 1] for other, value in fixed.items()}
            whole = self.others.mean_net(once, held, rows=self._every, scores=scores[middle : middle + 1], when=when)
            net = net + (whole - net[:, :, middle : middle + 1])
        curves = through(ranks, net, RANKS)
        coarse = through(ranks[::2], net[:1, :, ::2], RANKS)
        apart = gain_of_curves(curves[:1], RANKS)[0] - gain_of_curves(coarse, RANKS)[0]
        return Known(curves, RANKS, "curve", quadrature=abs(float(apart)) / 3)

    def _by_states(self, name: str, held: Held, when: When) -> Known:
        """Find what each scenario is worth in each state of an unknown."""
        values, chances = self._law(name)
        rows = self._rows(held, _LINE_ROWS)
        net = self.others.mean_net({name: values}, held, rows=rows, when=when)
        net = net + self._missed(net @ chances, held, rows, when, of=name)
        return self._stepped(name, net, chances, "curve" if held.drawn else "exact")

    def _stepped(self, name: str, states: Array, chances: Array, method: Method) -> Known:
        values = self._law(name)[0]
        place = np.clip(np.searchsorted(values, self.others.along(name, FAR)), 0, len(values) - 1)
        return Known(states[:, :, place], FAR, method, states=states, chances=chances)

    def regressed(self, name: str, when: When = NOW) -> Array:
        """Return the net benefits (options, draws) to regress on an unknown: all that it is independent of averaged out."""
        return self.others.net({*self.others.held(name).drawn, *self.others.together([name])}, when)

    def _by_regression(self, name: str, net: Array) -> Known:
        draws = self.sample.draws
        if self._is_discrete(name):
            values, chances = self._law(name)
            return self._stepped(name, conditional_means(draws.values[name], net, values.tolist()), chances, "spline")
        nodes = self.others.nodes(name, RANKS)
        return Known(
            _regressed(draws.scores[name], draws.values[name], nodes, self.others.valued(name, nodes), net),
            RANKS,
            "spline",
        )

    def _by_polynomials(self, names: list[str]) -> None:
        """Find rough curves of a great many unknowns: Hermite polynomials of their scores, up to the cube."""
        net = by_scramble(self.sample.draws.net).transpose(1, 0, 2)
        size = net.shape[2]
        each = np.broadcast_to(net.mean(axis=2)[:, :, None, None], (*net.shape[:2], 1, len(RANKS)))
        for first in range(0, len(names), _AT_ONCE):
            few = names[first : first + _AT_ONCE]
            scores = by_scramble(np.stack([self.sample.draws.scores[name] for name in few])).transpose(1, 2, 0)
            curves = each
            for here, along in zip(_hermite(scores), _hermite(_RANKS), strict=True):
                curves = curves + (net @ here / size)[:, :, :, None] * along
            for at, name in enumerate(few):
                found = curves[:, :, at]
                self._known[name, NOW] = Known(np.concatenate([found.mean(axis=0)[None], found]), RANKS, "spline")

    # details

    @cached_property
    def _held_at_most(self) -> int:
        """How many unknowns are held one by one: fewer where each takes longer."""
        return min(_MOST_HELD, max(8_000 // max(len(self.used), 1), 8))

    @cached_property
    def _work(self) -> int:
        """How often an unknown is held at so many values, times how many others are then drawn, by the twenty."""
        drawn = len(self.others.held(None).drawn) + 1
        return min(drawn, self._held_at_most) * max(drawn // 20, 1)

    @property
    def _every(self) -> int:
        return int(self.sample.draws.net.shape[1]) // SCRAMBLES

    def _rows(self, held: Held, wanted: int) -> int:
        """Return how many rows of each scramble are used: a power of two, fewer where few unknowns are drawn."""
        if len(held.drawn) <= _FEW_DRAWN:
            wanted = min(wanted, _ROWS_FOR_FEW)
        return min(1 << (max(wanted, 8).bit_length() - 1), self._every)

    def _beside(self, name: str) -> float:
        """Return a value well apart from the mean."""
        low, high = self.others.along(name, np.array([-1.0, 1.0]))
        apart = float(high - low) or float(np.ptp(self.others.along(name, FAR))) or 1.0
        return self.others.mean(name) + apart

    def _missed(self, found: Array, held: Held, rows: int, when: When, *, of: str = "") -> Array:
        """Return what mean net benefits (1 + SCRAMBLES, options) miss that were `found` from a few rows: (…, …, 1)."""
        if not held.drawn:
            return np.zeros((*found.shape, 1))
        if self._pivot and when == NOW and of != self._pivot:  # its own curve is what the others are held to
            pivot = self.known(self._pivot)
            return np.asarray(mean_of_curves(pivot.curves, pivot.ranks) - found, dtype=float)[:, :, None]
        key = held.drawn, when, rows
        if key not in self._levels:
            missed = np.zeros((*found.shape, 1))
            if rows < self._every:
                net = by_scramble(self.others.net(held.drawn, when))
                each = net.mean(axis=2) - net[:, :, :rows].mean(axis=2)
                missed = np.concatenate([each.mean(axis=1)[None], each.T])[:, :, None]
            self._levels[key] = missed
        return self._levels[key]

    @cached_property
    def _pivot(self) -> str:
        """The unknown that, of those that must be drawn, moves net benefits most: integrating over it leaves the least to draws.

        None ("") where there are so few that draws do as well, or where its law given the others is known by the draws alone.
        """
        drawn, draws = self.others.held(None).drawn, self.sample.draws
        if len(drawn) <= _FEW_DRAWN:
            return ""
        scores = np.stack([draws.scores[name] for name in drawn])
        moves = np.abs(draws.net @ scores.T).max(axis=0) / np.sqrt(np.einsum("ij,ij->i", scores, scores))
        name = drawn[int(np.argmax(moves))]
        return "" if self._is_discrete(name) or self.others.held(name).tangled else name

    def _law(self, name: str) -> tuple[Array, Array]:
        """Return the states of an unknown, and their probabilities as believed now."""
        values, chances = discrete_law(self.sample.question.unknowns[name].prior.parameters)
        if not self.sample.beliefs.touched(name):
            return values, chances
        low, high = np.full(len(values) - 1, -9.0), np.full(len(values) - 1, 9.0)
        for _ in range(60):
            middle = (low + high) / 2
            above = self.others.along(name, middle) > values[:-1]
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return values, chances_between(low)


def _hermite(z: Array) -> tuple[Array, Array, Array]:
    """Return the first three Hermite polynomials, of unit length under the normal law."""
    return z, (z * z - 1) / np.sqrt(2), z * (z * z - 3) / np.sqrt(6)


def _regressed(scores: Array, carrier: Array, nodes: Array, values: Array, net: Array) -> Array:
    """Regress on scores: first the differences that a choice depends on, then the first option's own worth."""
    outcomes = np.concatenate([net[:1], against_first(net)])
    curves = fit_curves(scores, outcomes, blocks=SCRAMBLES, carrier=carrier).at(nodes, values)
    curves[:, 1:] += curves[:, :1]
    return curves
