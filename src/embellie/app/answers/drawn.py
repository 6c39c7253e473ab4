"""Drawn: a question's joint sample, from which every figure about it is computed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from embellie.app.answers.believing import believe, drawn_values
from embellie.decide.updating import Beliefs
from embellie.domain.errors import InputError
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.frame.valuing import Model, Stage, values
from embellie.stats.distributions import quantile
from embellie.stats.sampling import Draws, normal_scores

Array = npt.NDArray[np.float64]

DRAWS = 16_384
SEED = 7
_DECOYS = 4
_MOST_DRAWS = 2**22


@dataclass(frozen=True, slots=True)
class Sample:
    """The draws of a question under what is believed now, and what is needed to value its choices anew.

    `named` is every name's value in each draw, in base units: quantities and formulas included.
    """

    question: Question
    model: Model
    beliefs: Beliefs
    draws: Draws
    named: dict[str, Array]
    _later: dict[float, Array] = field(default_factory=dict)
    _from: dict[tuple[float, frozenset[str]], Array] = field(default_factory=dict)

    def net_after(self, weeks: float) -> Array:
        """Return the net benefits (choices, draws) of what begins so many weeks from today."""
        if not weeks or all(self.model.is_lump(name) for name in self.question.scenarios):
            return self.draws.net
        if weeks not in self._later:
            self._later[weeks] = values(self.draws.values, self.draws.choices, model=self.model, delay=weeks)[0]
        return self._later[weeks]

    def net_from(self, weeks: float, built: frozenset[str] = frozenset()) -> Array:
        """Return the net benefits (choices, draws) of what begins so many weeks from today, when `built` stands ready by then.

        What is built is not paid again, and goes live at once.
        """
        new = frozenset(name for name in built if not self.question.scenarios[name].built)
        if not new:
            return self.net_after(weeks)
        if (weeks, new) not in self._from:
            worths = [
                self.model.course(self.named, (Stage(name, weeks),), built=new).net for name in self.question.scenarios
            ]
            size = self.draws.net.shape[1]
            self._from[weeks, new] = np.stack([np.broadcast_to(net, (size,)) for net in worths])
        return self._from[weeks, new]


def take_sample(
    question: Question, evidence: Sequence[Evidence] = (), *, draws: int = DRAWS, seed: int | None = None
) -> Sample:
    """Draw a question.

    Args:
        question: As read from its file.
        evidence: What studies found.
        draws: A power of two, at least 64.
        seed: The question's own when None, else 7.

    Raises:
        QuestionError: A formula without a finite value.
        InputError: `draws` is no power of two, or evidence is impossible.
    """
    _check_draws(draws)
    model = Model(question)
    names, seeded = tuple(question.unknowns), seed_of(question, seed)
    independent = normal_scores(draws, len(names) + _DECOYS, seed=seeded)
    beliefs, scores = believe(question, evidence, model=model, independent=independent[:, : len(names)], seed=seeded)
    by_name = dict(zip(names, np.ascontiguousarray(scores.T), strict=True))
    decoys = np.ascontiguousarray(independent[:, len(names) :].T)
    del independent, scores  # the largest arrays there are, before the next ones
    drawn = drawn_values(question, by_name)
    choices = tuple(question.scenarios)
    net, cost = values(drawn or {"": np.zeros(draws)}, choices, model=model)
    joint = Draws(choices=choices, scores=by_name, values=drawn, net=net, cost=cost, decoys=decoys)
    return Sample(question, model, beliefs, joint, model.named(drawn))


def seed_of(question: Question, seed: int | None) -> int:
    """Return the seed that counts: the one asked for, the question's own, or 7."""
    return seed if seed is not None else question.seed if question.seed is not None else SEED


def _check_draws(draws: int) -> None:
    if draws < 64 or draws & (draws - 1) or draws > _MOST_DRAWS:
        raise InputError(
            f"`{draws}` draws: expected a power of two from 64 to {_MOST_DRAWS}.", hint="Write 4096, 16384 or 65536."
        )


def unknown_quantiles(
    question: Question, *, evidence: Sequence[Evidence] = (), points: int = 101, seed: int | None = None
) -> dict[str, dict[str, list[float]]]:
    """Return `prior` and `posterior` quantiles of each unknown, in its unit as written, for drawing."""
    model, seeded = Model(question), seed_of(question, seed)
    chances = (np.arange(points) + 0.5) / points
    independent = normal_scores(4096, len(question.unknowns), seed=seeded)
    beliefs, scores = believe(question, evidence, model=model, independent=independent, seed=seeded)
    standard = np.quantile(normal_scores(4096, 1, seed=0)[:, 0], chances)
    found = {}
    for at, name in enumerate(beliefs.names):
        prior = question.unknowns[name].prior
        now = np.quantile(scores[:, at], chances) if beliefs.touched(name) else standard
        found[name] = {
            "prior": quantile(prior.family, prior.parameters, standard).tolist(),
            "posterior": quantile(prior.family, prior.parameters, now).tolist(),
        }
    return found


def cost_benefit_cloud(
    question: Question,
    *,
    evidence: Sequence[Evidence] = (),
    draws: int = DRAWS,
    seed: int | None = None,
    points: int = 256,
) -> dict[str, list[tuple[float, float]]]:
    """Return what each scenario costs and what it brings in a few draws, for drawing; they differ by its net benefit."""
    sample = take_sample(question, evidence, draws=draws, seed=seed)
    few = slice(0, points)  # the beginning of a Sobol sequence fills the space evenly
    return {
        name: list(zip(cost[few].tolist(), (net[few] + cost[few]).tolist(), strict=True))
        for name, net, cost in zip(sample.draws.choices, sample.draws.net, sample.draws.cost, strict=True)
    }
