"""Others: what stays uncertain while one unknown is held, and what may stand for it without changing an expectation.

Where every net benefit is affine in an unknown, its mean may stand for it, if nothing it is tied to varies with it in a
product. So E[NB | x] is most often one evaluation at the means of the others, without a draw; the rest is drawn.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from embellie.app.answers.drawn import Array, Sample
from embellie.decide.curves import FAR, mean_of_curves, smoothed
from embellie.frame.valuing import Stage, values
from embellie.stats.distributions import mean, quantile
from embellie.stats.sampling import SCRAMBLES, by_scramble, correlation_matrix

_PROBES = 512
_CELLS = 2**22
"""How many numbers are held in memory at once for the unknowns that vary."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the others are while one unknown is held: `given` follow it by their conditional means, `drawn` are drawn.

    All that is in neither stands at its mean. `tangled`: their law given the unknown is not known, but by the draws.
    """

    given: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    tangled: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """When what follows begins: so many weeks from today, with what stands ready and is paid for by then."""

    weeks: float = 0.0
    built: frozenset[str] = frozenset()


NOW = When()


@dataclass(slots=True)
class Others:
    """The unknowns of a sample, by what ties them together."""

    sample: Sample
    averaged: frozenset[str] = field(init=False)
    _correlation: Array = field(init=False)
    _together: dict[str, frozenset[str]] = field(init=False)
    _measured: frozenset[str] = field(init=False)
    _moved: frozenset[str] = field(init=False)
    _always: tuple[str, ...] | None = field(init=False, default=None)
    _loose: dict[frozenset[str], bool] = field(init=False, default_factory=dict)
    _means: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        beliefs, question = self.sample.beliefs, self.sample.question
        names = tuple(question.unknowns)
        self.averaged = self.sample.model.averaged() & frozenset(self._with_mean(names))
        self._correlation = correlation_matrix(names, question.correlations)[0]
        self._measured = frozenset(beliefs.names[at] for at in beliefs.measured)
        self._moved = frozenset(beliefs.names[at] for at in beliefs.moved)
        self._together = _components(names, self._correlation, self._moved)

    def _with_mean(self, names: Iterable[str]) -> Iterable[str]:
        for name in names:
            prior = self.sample.question.unknowns[name].prior
            if np.isfinite(mean(prior.family, prior.parameters)):
                yield name

    # ties

    def together(self, names: Iterable[str]) -> frozenset[str]:
        """Return the unknowns that are not independent of some of these, themselves included."""
        return frozenset().union(*(self._together[name] for name in names))

    def held(self, name: str | None) -> Held:
        """Return what stands for the others while one unknown is held, or none is."""
        if self._always is None:
            self._always = tuple(other for other, own in self._together.items() if not self._is_loose(own))
        if name is None:
            return Held(drawn=self._always)
        own = self._together[name]
        drawn = tuple(other for other in self._always if other not in own)
        if len(own) == 1:
            return Held(drawn=drawn, tangled=bool(own & self._moved))
        rest = tuple(other for other in self._together if other in own and other != name)
        if own & self._moved or not own & self._measured <= {name}:
            return Held(drawn=(*drawn, *rest), tangled=True)
        if self._may_be_averaged(rest):
            return Held(given=rest, drawn=drawn)
        return Held(drawn=(*drawn, *rest))

    def correlation(self, one: str, other: str) -> float:
        """Return the correlation of two unknowns' scores under the prior."""
        names = self.sample.beliefs.names
        return float(self._correlation[names.index(one), names.index(other)])

    def _is_loose(self, together: frozenset[str]) -> bool:
        """Whether the means of all that is tied together may stand for it."""
        if together not in self._loose:
            known = not together & self._moved and (len(together) == 1 or not together & self._measured)
            self._loose[together] = known and self._may_be_averaged(tuple(sorted(together)))
        return self._loose[together]

    def _may_be_averaged(self, names: tuple[str, ...]) -> bool:
        """Whether net benefits are affine in each, and in no product of two of them."""
        if not self.averaged.issuperset(names) or len(names) > 12:
            return False
        return not any(self._multiply(one, other) for one, other in itertools.combinations(names, 2))

    def _multiply(self, one: str, other: str) -> bool:
        """Whether two unknowns meet in a product, by the mixed difference of net benefits at some draws."""
        draws = self.sample.draws
        rows = {name: drawn[:: max(len(drawn) // _PROBES, 1)] for name, drawn in draws.values.items()}
        corners = []
        for first, second in itertools.product((0.05, 0.95), repeat=2):
            rows[one] = np.full(1, np.quantile(draws.values[one], first))
            rows[other] = np.full(1, np.quantile(draws.values[other], second))
            corners.append(values(rows, draws.choices, model=self.sample.model)[0])
        mixed = corners[0] - corners[1] - corners[2] + corners[3]
        return bool(np.max(np.abs(mixed)) > 1e-9 * np.max(np.abs(corners)))

    # values

    def mean(self, name: str) -> float:
        """Return an unknown's mean as believed now, in the unit it is written in."""
        if name not in self._means:
            prior = self.sample.question.unknowns[name].prior
            if self.sample.beliefs.touched(name):
                self._means[name] = float(mean_of_curves(self.along(name, FAR), FAR))
            else:
                self._means[name] = mean(prior.family, prior.parameters)
        return self._means[name]

    def nodes(self, name: str, ranks: Array) -> Array:
        """Return an unknown's scores at ranks of what is believed now."""
        return self.sample.beliefs.marginal(name, ranks, self.sample.draws.scores[name])

    def along(self, name: str, ranks: Array) -> Array:
        """Return an unknown's values at ranks of what is believed now."""
        return self.valued(name, self.nodes(name, ranks))

    def valued(self, name: str, scores: Array) -> Array:
        """Return an unknown's values at scores."""
        prior = self.sample.question.unknowns[name].prior
        return quantile(prior.family, prior.parameters, scores)

    def mean_given(self, name: str, held: str, scores: Array) -> Array:
        """Return an unknown's mean, were the score of another one these."""
        tie = self.correlation(name, held)
        spread = float(np.sqrt(max(1.0 - tie * tie, 0.0)))
        return smoothed(self.valued(name, FAR), FAR, centres=tie * scores, sd=spread)

    # net benefits

    def net(self, drawn: Iterable[str], when: When = NOW) -> Array:
        """Return net benefits (options, draws) with these unknowns as drawn, and the others at their means."""
        kept = {name: self.sample.draws.values[name] for name in drawn}
        found = self._valued({name: kept.get(name, np.asarray(self.mean(name))) for name in self._together}, when)
        return np.ascontiguousarray(np.broadcast_to(found, self.sample.draws.net.shape))

    def mean_net(
        self, fixed: Mapping[str, Array], held: Held, *, rows: int, scores: Array | None = None, when: When = NOW
    ) -> Array:
        """Return mean net benefits at points as (1 + SCRAMBLES, options, points): over all draws, and over each scramble.

        Args:
            fixed: Some unknowns' values at each point; the first is the held one.
            held: Which others are drawn, the same rows at every point.
            rows: How many rows of each scramble are used.
            scores: The held unknown's scores at each point, where drawn ones follow it.
            when: When what follows begins.
        """
        own, points = next(iter(fixed)), len(next(iter(fixed.values())))
        blocks, rows = (SCRAMBLES, rows) if held.drawn else (1, 1)
        at_once = max(_CELLS // (blocks * rows * (len(fixed) + len(held.drawn))), 1)
        found = []
        for first in range(0, points, at_once):
            here = slice(first, min(first + at_once, points))
            named = {name: np.asarray(self.mean(name)) for name in self._together if name not in fixed}
            named |= {name: np.repeat(value[here], blocks * rows) for name, value in fixed.items()}
            follow = None if scores is None else scores[here]
            many = here.stop - here.start
            named |= {name: self._drawn(name, own, rows=rows, many=many, scores=follow) for name in held.drawn}
            net = self._valued(named, when)
            found.append(net.reshape(len(net), -1, blocks, rows).mean(axis=3))
        each = np.concatenate(found, axis=1).transpose(2, 0, 1)
        return np.concatenate([each.mean(axis=0)[None], np.broadcast_to(each, (SCRAMBLES, *each.shape[1:]))])

    def _drawn(self, name: str, held: str, *, rows: int, many: int, scores: Array | None) -> Array:
        """Return an unknown's draws at each of many points in turn, following the held one where they are tied."""
        draws = self.sample.draws
        tie = self.correlation(name, held) if scores is not None else 0.0
        if scores is None or not tie:
            return np.tile(by_scramble(draws.values[name])[:, :rows].ravel(), many)
        free = by_scramble(draws.scores[name] - tie * draws.scores[held])[:, :rows].ravel()
        return self.valued(name, (tie * scores[:, None] + free).ravel())

    def _valued(self, unknowns: Mapping[str, Array], when: When) -> Array:
        """Return net benefits (options, rows)."""
        model, choices = self.sample.model, self.sample.draws.choices
        if not when.built:
            return values(unknowns, choices, model=model, delay=when.weeks)[0]
        size = max(np.size(value) for value in unknowns.values())
        named = model.named(unknowns)
        worths = [model.course(named, (Stage(name, when.weeks),), built=when.built).net for name in choices]
        return np.stack([np.broadcast_to(net, (size,)) for net in worths])


def _components(names: tuple[str, ...], correlation: Array, moved: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return, for each unknown, all it is tied to by correlations or by having been moved together."""
    found = {name: {name} for name in names}
    ties = [(names[one], names[other]) for one, other in zip(*np.nonzero(np.triu(correlation, 1)), strict=True)]
    for one, other in (*ties, *itertools.pairwise(sorted(moved))):
        if found[one] is not found[other]:
            found[one] |= found[other]
            for name in found[other]:
                found[name] = found[one]
    return {name: frozenset(found[name]) for name in names}
