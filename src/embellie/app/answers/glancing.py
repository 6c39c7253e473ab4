"""Glancing: a quick answer to a question, for asking it again many times: means, EVPI and whether a study would pay.

Studies are valued by one regression on few draws instead of the conditional curves of the whole answer, so a glance tells on
which side of 0 an ENBS lies, not its last digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from embellie.app.answers.believing import believe, drawn_values
from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import Array, Sample
from embellie.app.answers.studying import Studies
from embellie.decide.information import against_first, evpi
from embellie.decide.judging import CLEARLY_WORSE, WORTH_ASKING, Design, chance_beaten, mean_gap
from embellie.decide.preposterior import RANKS, Subject, evsi_replicates, results
from embellie.domain.errors import QuestionError
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.domain.verdict import Action, Figure, StudyValue
from embellie.frame.valuing import Model, values
from embellie.stats.distributions import quantile, score_of
from embellie.stats.sampling import Draws, normal_scores
from embellie.stats.splines import fit_curves

_MOST_STUDIES = 3


@dataclass(frozen=True, slots=True)
class Glance:
    """A quick answer. `learning` is the most that a study brings net of what it costs, as far as it was asked; else -inf."""

    sample: Sample
    action: Action
    scenario: str
    evpi: Figure
    learning: float

    @property
    def means(self) -> dict[str, float]:
        """Mean net benefit by scenario."""
        draws = self.sample.draws
        return {name: float(net.mean()) for name, net in zip(draws.choices, draws.net, strict=True)}


class Table:
    """The same points for every variant of a question: what is shared between glances.

    Args:
        question: Gives names and formulas; variants may differ from it in priors only.
        evidence: What studies found; each variant's priors meet it anew.
        draws: A power of two, at least 64.
        seed: Same seed, same bytes.
    """

    def __init__(self, question: Question, evidence: Sequence[Evidence], *, draws: int, seed: int) -> None:
        self._evidence, self._seed = evidence, seed
        self._model = Model(question)
        self._independent = normal_scores(draws, max(len(question.unknowns), 1), seed=seed)

    def sample(self, question: Question) -> Sample:
        """Draw a variant."""
        names = tuple(question.unknowns)
        independent = self._independent[:, : len(names)]
        beliefs, scores = believe(question, self._evidence, model=self._model, independent=independent, seed=self._seed)
        by_name = dict(zip(names, np.ascontiguousarray(scores.T), strict=True))
        drawn = drawn_values(question, by_name)
        choices = tuple(question.scenarios)
        net, cost = values(drawn or {"": np.zeros(len(independent))}, choices, model=self._model)
        nothing = np.empty((0, len(independent)))
        joint = Draws(choices=choices, scores=by_name, values=drawn, net=net, cost=cost, decoys=nothing)
        return Sample(question, self._model, beliefs, joint, self._model.named(drawn))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A design to value anew; `offset` is what a glance at the question itself misses of the ENBS it was found with."""

    found: StudyValue
    offset: float = 0.0


def candidates(question: Question, studies: Sequence[StudyValue]) -> tuple[Candidate, ...]:
    """Return the best design of each of the best few studies, as they were valued once."""
    best: dict[str, StudyValue] = {}
    for found in sorted(studies, key=lambda study: -study.enbs.value):
        if found.name in question.studies:
            best.setdefault(found.name, found)
    return tuple(Candidate(found) for found in best.values())[:_MOST_STUDIES]


def calibrated(sample: Sample, tried: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return designs with their offsets, from a sample of the question in which they were valued."""
    return tuple(Candidate(one.found, one.found.enbs.value - enbs) for one, enbs in _enbs(sample, tried))


def glance(sample: Sample, tried: Sequence[Candidate], *, studied: bool = True) -> Glance:
    """Answer quickly.

    Args:
        sample: Of the question, or of a variant of it.
        tried: The designs to value anew; an ENBS must exceed the error it was found with.
        studied: Whether to ask at all if a study pays.
    """
    draws = sample.draws
    best = int(np.argmax(draws.net.mean(axis=1)))
    found = evpi(draws.net)
    learning = -np.inf
    if studied and sample.question.studies:
        worth = (enbs + one.offset - one.found.enbs.error for one, enbs in _enbs(sample, tried))
        learning = max(worth, default=-np.inf)
    elif studied:
        learning = found.value - found.error - WORTH_ASKING * mean_gap(draws.net)
    action: Action = "hold"
    if learning > 0:
        action = "learn_more"
    elif best > 0:
        action = "ship"
    elif chance_beaten(draws.net) < CLEARLY_WORSE:
        action = "stop"
    return Glance(sample, action, draws.choices[best], found, float(learning))


def _enbs(sample: Sample, tried: Sequence[Candidate]) -> list[tuple[Candidate, float]]:
    """Value designs anew; those that cannot be, such as a transfer that reaches 0 once it is widened, are left out."""
    asked = Studies(sample, cast(Conditional, _Regressed(sample)))
    found = []
    for one in tried:
        row, study = one.found, sample.question.studies[one.found.name]
        try:
            design = asked.design(study, row.weeks, row.share, row.n if study.n else 0, asked.delay(study))
            found.append((one, _worth(design, sample)))
        except QuestionError:
            continue
    return found


def _worth(design: Design, sample: Sample) -> float:
    """Return the ENBS of a design, without its error."""
    after, _ = evsi_replicates(design.later, results(design.later.values, design.noise, design.later.chances))
    later, now = (float(net.mean(axis=1).max()) for net in (design.later_net, sample.draws.net))
    return float(after[0]) + later - now + design.earned - design.spent


class _Regressed:
    """Stands in for `Conditional`: curves by one regression on the draws."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def subject(self, name: str, *, weeks: float = 0.0, built: frozenset[str] = frozenset()) -> Subject:
        """Return an unknown as studies meet it."""
        prior, scores = self.sample.question.unknowns[name].prior, self.sample.draws.scores[name]
        nodes = self.sample.beliefs.marginal(name, RANKS, scores)
        at = quantile(prior.family, prior.parameters, nodes)
        return self._fitted(scores, self.sample.draws.values[name], nodes, at, weeks=weeks, built=built)

    def subject_of(
        self,
        values: Array,
        *,
        key: str,
        weeks: float = 0.0,
        built: frozenset[str] = frozenset(),
        uses: frozenset[str] | None = None,
    ) -> Subject:
        """Return any expression as studies meet it, by its ranks in the draws."""
        order = np.argsort(values, kind="stable")
        ranks = score_of((np.arange(len(values)) + 0.5) / len(values))
        scores = np.empty(len(values))
        scores[order] = ranks
        at = np.interp(RANKS, ranks, values[order])
        return self._fitted(scores, values, RANKS, at, weeks=weeks, built=built)

    def _fitted(
        self, scores: Array, carrier: Array, nodes: Array, at: Array, *, weeks: float, built: frozenset[str]
    ) -> Subject:
        outcomes = against_first(self.sample.net_from(weeks, built))
        curves = fit_curves(scores, outcomes, blocks=1, carrier=carrier).at(nodes, at)
        return Subject(curves[:1], at)
