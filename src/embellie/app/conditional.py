"""Conditional: what each scenario is worth on average, were one unknown known to be this or that."""

import numpy as np
from scipy import special

from embellie.app.drawn import Array, Sample
from embellie.decide.information import against_first
from embellie.decide.preposterior import RANKS, Subject
from embellie.domain.verdict import Method
from embellie.stats.distributions import quantile
from embellie.stats.sampling import SCRAMBLES
from embellie.stats.splines import fit_curves


class Conditional:
    """E[net benefit | unknown], over one sample of a question, at the ranks `RANKS` of what is believed about the unknown."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._nets: dict[tuple[str, float, frozenset[str]], Array] = {}

    def values(self, name: str) -> Array:
        """Return the unknown's values at `RANKS`, in the unit it is written in."""
        prior = self.sample.question.unknowns[name].prior
        return quantile(prior.family, prior.parameters, self._nodes(name))

    def net(self, name: str, weeks: float = 0.0) -> Array:
        """Return E[NB_d | unknown] at `RANKS` as (options, ranks), when what follows begins `weeks` from today."""
        return np.asarray(self._net(name, weeks)[0])

    def method(self, name: str) -> Method:
        """Return how an unknown's curve was found."""
        return "spline"

    def subject(self, name: str, *, weeks: float = 0.0, built: frozenset[str] = frozenset()) -> Subject:
        """Return an unknown as studies meet it, when what follows begins `weeks` from today and `built` stands ready then."""
        net = self._net(name, weeks, built)
        return Subject(net[:, 1:] - net[:, :1], self.values(name))

    def subject_of(
        self, values: Array, *, key: str, weeks: float = 0.0, built: frozenset[str] = frozenset()
    ) -> Subject:
        """Return any expression as studies meet it.

        Args:
            values: What it is in each draw of the sample.
            key: Its name, under which its curve is kept.
            weeks: How long from today what follows begins.
            built: The scenarios that stand ready by then.
        """
        order = np.argsort(values, kind="stable")
        ranks = special.ndtri((np.arange(len(values)) + 0.5) / len(values))
        nodes = np.interp(RANKS, ranks, values[order])
        place = f"= {key}", self._when(weeks), built
        if place not in self._nets:
            scores = np.empty(len(values))
            scores[order] = ranks
            self._nets[place] = self._regressed(scores, values, RANKS, nodes, self.sample.net_from(weeks, built))
        net = self._nets[place]
        return Subject(net[:, 1:] - net[:, :1], nodes)

    def _when(self, weeks: float) -> float:
        """Return 0 for every week at which what follows is worth the same."""
        return weeks if self.sample.net_after(weeks) is not self.sample.draws.net else 0.0

    def _net(self, name: str, weeks: float, built: frozenset[str] = frozenset()) -> Array:
        """Return E[NB_d | unknown] by all draws and by each scramble: (1 + SCRAMBLES, options, ranks)."""
        place = name, self._when(weeks), built
        if place not in self._nets:
            draws = self.sample.draws
            self._nets[place] = self._regressed(
                draws.scores[name],
                draws.values[name],
                self._nodes(name),
                self.values(name),
                self.sample.net_from(weeks, built),
            )
        return self._nets[place]

    def _regressed(self, scores: Array, carrier: Array, nodes: Array, values: Array, net: Array) -> Array:
        """Regress on scores: first the differences that a choice depends on, then the first option's own worth."""
        outcomes = np.concatenate([net[:1], against_first(net)])
        curves = fit_curves(scores, outcomes, blocks=SCRAMBLES, carrier=carrier).at(nodes, values)
        curves[:, 1:] += curves[:, :1]
        return curves

    def _nodes(self, name: str) -> Array:
        return self.sample.beliefs.marginal(name, RANKS, self.sample.draws.scores[name])
