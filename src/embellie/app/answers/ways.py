"""Ways: all that may be done in a question, move after move, and what settling on a scenario is worth after it.

A move puts a scenario live, or leaves the one that is, and runs a study: what the study needs is built first, and it begins
once that is ready, and once what it measures is live. The half of its readers who see nothing of what is live, and the half
who see the scenario tried, earn accordingly. Waiting times are means; everything else is draw by draw.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from embellie.app.answers.courses import Courses
from embellie.app.answers.drawn import Array, Sample
from embellie.app.answers.studying import Studies
from embellie.app.answers.thinning import unknowns_behind
from embellie.decide.looking_ahead import Move, Path, Prospects
from embellie.decide.preposterior import Noise
from embellie.decide.simulated_results import Clue, clue, signal_clue
from embellie.domain.question import Study
from embellie.frame.timeline import Stage, built_on
from embellie.frame.units import WEEKS_PER_YEAR
from embellie.frame.valuing import question_texts
from embellie.stats.distributions import discrete_law
from embellie.stats.sampling import by_scramble, normal_scores

_OTHERS = 4
"""How many unknowns are freed of how the draws differ from their laws, where a path learns nothing of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One design of a study, as a plan may run it."""

    study: Study
    weeks: float
    share: float
    n: int
    noise: Noise
    cost: float
    delay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where one stands after a path: the week, the stages gone through, what is live and built, and what tests brought."""

    week: float = 0.0
    stages: tuple[Stage, ...] = ()
    live: str
    built: frozenset[str] = frozenset()
    ready: Mapping[str, float] = field(default_factory=dict)
    spent: float = 0.0
    earned: Array


class Ways:
    """All ways to go: what each path costs and earns, and what settling after it is worth.

    Args:
        sample: Fewer draws than the studies were valued on.
        studies: On all the draws.
        trials: The designs that may be run.
        like: Ways through other draws of the same sample, whose courses of events are the same.
    """

    def __init__(
        self, sample: Sample, studies: Studies, trials: Sequence[Trial], *, like: "Ways | None" = None
    ) -> None:
        self.sample = sample
        self.studies = studies
        self._showing = Studies(sample, studies.conditional)
        self.trials = trials
        self.question = sample.question
        self.model = sample.model
        self.choices = sample.draws.choices
        self.timeless = all(self.model.is_lump(name) for name in self.choices)
        self._courses: Courses = Courses(sample, weights=like._courses.weights if like else None)  # noqa: SLF001 - of its own kind
        self._flows = self._courses.flows
        self._size = sample.draws.net.shape[1]
        self._after: dict[Path, Situation] = {
            (): Situation(live=self.choices[0], earned=np.zeros(self._size)),
        }
        self.clues = self._every_clue()

    def prospects(self) -> Prospects:
        """Return what may be done, in numbers."""
        lives = [at for at, name in enumerate(self.choices) if at == 0 or not self.model.is_lump(name)]
        return Prospects(
            tests=self.clues, lives=lives[:1] if self.timeless else lives, settled=self.settled, others=self._others()
        )

    def _every_clue(self) -> list[Clue]:
        """Return what each design would find in each draw; designs of one study share their noise."""
        names = list(dict.fromkeys(trial.study.name for trial in self.trials))
        noise = dict(zip(names, self._noise(len(names)), strict=True))
        return [self._clue(trial, noise[trial.study.name]) for trial in self.trials]

    def _clue(self, trial: Trial, scores: Array) -> Clue:
        study = trial.study
        shown = np.asarray(self._showing.shown(study), dtype=float)
        ties = self._ties({study.measures, study.transfer})
        if study.signals:
            values, _ = discrete_law(self.question.unknowns[study.measures].prior.parameters)
            state = np.searchsorted(values, shown)
            likelihood = np.array(list(study.signals.values()))
            return signal_clue(study.name, study.measures, state=state, likelihood=likelihood, scores=scores, ties=ties)
        subject = f"{study.measures} / {study.transfer}"
        law = self.studies.subject(study).values
        plain = study.measures in self.question.unknowns and not study.transfer
        normal = plain and not self.sample.beliefs.touched(study.measures)
        return clue(
            study.name, subject, shown=shown, noise=trial.noise, scores=scores, ties=ties, law=law, normal=normal
        )

    def _ties(self, names: Iterable[str]) -> frozenset[str]:
        """Return what unknowns, or formulas of them, hang on: independent scores, or draws that evidence moved together."""
        beliefs = self.sample.beliefs
        behind = unknowns_behind(names, question_texts(self.question)) & set(beliefs.names)
        moved = beliefs.moved & {beliefs.names.index(name) for name in behind}
        columns = (f"score {column}" for column in beliefs.columns(sorted(behind)))
        return frozenset([*columns, *(["moved"] if moved else [])])

    def _others(self) -> list[tuple[frozenset[str], Array]]:
        """Return the unknowns that move net benefits most from draw to draw, less their means, with what they hang on."""
        draws, whole = self.sample.draws, self.studies.sample.draws.values
        centred = {name: each - whole[name].mean() for name, each in draws.values.items() if np.ndim(each)}
        against = draws.net - draws.net.mean(axis=0)

        def moves(name: str) -> float:
            together = np.abs((against * centred[name]).mean(axis=1))
            return float(together.max()) / (float(centred[name].std()) or 1.0)

        most = sorted(centred, key=lambda name: (-moves(name), name))[:_OTHERS]
        return [(self._ties([name]), centred[name]) for name in most]

    def _noise(self, many: int) -> list[Array]:
        """Return normal scores of nothing else, one array per study: drawn alongside the unknowns as far as there are."""
        found = list(self.sample.draws.decoys[:many])
        more = max(many - len(found), 0)
        for at, scores in enumerate(normal_scores(self._size, max(more, 1), seed=many).T[:more]):
            # the same points in another order, or one scramble of Sobol points would follow another
            random = np.random.default_rng([many, at])
            found.append(np.concatenate([random.permutation(block) for block in by_scramble(scores)]))
        return [(by_scramble(scores) - by_scramble(scores).mean(axis=1, keepdims=True)).ravel() for scores in found]

    # going

    def settled(self, path: Path) -> Array:
        """Return the net benefits (choices, draws) of settling on each choice after a path."""
        now = self.after(path)
        found = np.empty((len(self.choices), self._size))
        for at, name in enumerate(self.choices):
            stages = now.stages if name == now.live else (*now.stages, Stage(name, now.week))
            found[at] = self._courses.net(stages or (Stage(name, 0.0),), built=now.built) + now.earned
        return found

    def after(self, path: Path) -> Situation:
        """Return where one stands after a path."""
        if path not in self._after:
            self._after[path] = self._moved(self.after(path[:-1]), path[-1])
        return self._after[path]

    def _moved(self, now: Situation, move: Move) -> Situation:
        trial, live = self.trials[move.test], self.choices[move.live]
        stages = now.stages if live == now.live else (*now.stages, Stage(live, now.week))
        ready = dict(now.ready) | self._ready(live, now)
        new = self._to_build(trial.study.needs, ready)
        ready |= self._ready(trial.study.needs, replace(now, ready=ready))
        waits = [
            ready.get(name, 0.0) for name in (trial.study.needs, live if live == trial.study.scenario else "") if name
        ]
        begins = max([now.week, *waits])
        upfront = sum((self._flows[name].build for name in new), np.zeros(())) * self._rate(now.week)
        cost = trial.cost * self._rate(begins)
        return Situation(
            week=begins + trial.weeks + trial.delay,
            stages=stages,
            live=live,
            built=now.built | new,
            ready=ready,
            spent=trial.cost + sum(float(np.mean(self._flows[name].build)) for name in new),
            earned=now.earned + self._earned(trial, live, begins) - upfront - cost,
        )

    def chain(self, name: str) -> list[str]:
        """Return what a scenario is built on, first things first, then the scenario."""
        return built_on(self.question, name) if name else []

    def _to_build(self, name: str, ready: Mapping[str, float]) -> frozenset[str]:
        return frozenset(
            part for part in self.chain(name) if part not in ready and not self.question.scenarios[part].built
        )

    def _ready(self, name: str, now: Situation) -> dict[str, float]:
        """Return when what is still to be built for a scenario is ready, on average."""
        new = [part for part in self.chain(name) if part in self._to_build(name, now.ready)]
        waits = list(itertools.accumulate((self._flows[part].ready for part in new), np.maximum))
        return {part: now.week + max(float(np.mean(wait)), 0.0) for part, wait in zip(new, waits, strict=True)}

    def _rate(self, week: float) -> float:
        return 1.0 if self.timeless else float((1 + self.question.discount) ** (-week / WEEKS_PER_YEAR))

    def _earned(self, trial: Trial, live: str, begins: float) -> Array | float:
        """Return what a test's readers bring beyond what is live: half of them see what is tried, half the baseline."""
        tried, control = trial.study.scenario, self.choices[0]
        shown = (tried, control, live)
        if (
            trial.study.kind != "experiment"
            or tried in {"", control}
            or any(self.model.is_lump(name) for name in shown)
        ):
            return 0.0
        half = trial.share / 2
        flows = self._flows
        more = half * (flows[tried].benefit + flows[control].benefit - 2 * flows[live].benefit)
        if live != tried:
            besides = live == control or live in self.chain(tried)
            more = more - flows[tried].run + (flows[live].run if besides else 0.0)
        return np.asarray(more * (self.model.tail(begins) - self.model.tail(begins + trial.weeks)), dtype=float)
