"""Conditional: what each scenario is worth on average, were one unknown known to be this or that."""

from embellie.app.drawn import Array, Sample
from embellie.decide.preposterior import RANKS, Subject, subject
from embellie.stats.distributions import quantile


class Conditional:
    """E[net benefit | unknown], over one sample of a question, at the ranks `RANKS` of what is believed about the unknown."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._subjects: dict[tuple[str, float], Subject] = {}

    def values(self, name: str) -> Array:
        """Return the unknown's values at `RANKS`, in the unit it is written in."""
        prior = self.sample.question.unknowns[name].prior
        return quantile(prior.family, prior.parameters, self._nodes(name))

    def subject(self, name: str, *, weeks: float = 0.0) -> Subject:
        """Return an unknown as studies meet it, when what follows begins `weeks` from today."""
        net = self.sample.net_after(weeks)
        key = name, weeks if net is not self.sample.draws.net else 0.0
        if key not in self._subjects:
            draws = self.sample.draws
            self._subjects[key] = subject(
                draws.scores[name],
                net,
                carrier=draws.values[name],
                nodes=self._nodes(name),
                values=self.values(name),
            )
        return self._subjects[key]

    def _nodes(self, name: str) -> Array:
        return self.sample.beliefs.marginal(name, RANKS, self.sample.draws.scores[name])
