"""Studying: from a study as it is written to designs that can be valued: how precise, at what cost, earning what.

A study that `needs` a scenario first builds it: that is paid (a cost of the study, sunk whatever it finds), and the study
waits until it is ready, for as long as that takes on average. What is built stands ready for what is decided after.
"""

import math
from dataclasses import dataclass

import numpy as np

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import Array, Sample
from embellie.decide.discrete import conditional_means
from embellie.decide.judging import Design
from embellie.decide.preposterior import Noise, Subject
from embellie.domain.errors import QuestionError
from embellie.domain.question import Study
from embellie.domain.verdict import StudyValue
from embellie.frame.formulas import Formula
from embellie.frame.units import Dimensions
from embellie.frame.valuing import duration_weeks, question_texts, where
from embellie.stats.distributions import discrete_law

DEFAULT_SD = 1.0
"""Relative sd of one unit in an experiment that does not say: as wide as its mean."""

DOUBTS = {
    "offline": "an offline result is no experiment",
    "survey": "what readers say is not what they do",
    "fake_door": "a click on a promise is not a reader won",
    "expert": "an opinion is not a result",
}
"""Why a kind of study shows something else than the truth, however large it is."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What comes before a study: the scenarios it builds, what that costs on average, and how many weeks it waits."""

    built: frozenset[str] = frozenset()
    upfront: float = 0.0
    weeks: float = 0.0


@dataclass(frozen=True, slots=True)
class _Term:
    """A term of a study's cost: money, or money per time over the study's weeks."""

    sign: float
    formula: Formula
    weekly: bool


class Studies:
    """The studies of a question, over one sample of it; `warnings` tells what had to be assumed."""

    def __init__(self, sample: Sample, conditional: Conditional) -> None:
        self.sample = sample
        self.conditional = conditional
        self.question = sample.question
        self.warnings: list[str] = []
        self._traffics: dict[str, float] = {}
        self._preparations: dict[str, Preparation] = {}
        self._shown: dict[str, Array] = {}
        self._subjects: dict[tuple[str, float, frozenset[str]], Subject] = {}
        self._costs: dict[str, list[_Term]] = {}

    def every_design(self) -> list[Design]:
        """Return the designs of all studies, in the order of the file."""
        return [design for study in self.question.studies.values() for design in self.designs(study)]

    def designs(self, study: Study) -> list[Design]:
        """Return every design of a study: weeks × share × n."""
        delay = self.delay(study)
        return [
            self.design(study, weeks, share, n, delay)
            for weeks in study.weeks or (0.0,)
            for share in self.shares(study)
            for n in study.n or (0,)
        ]

    def shares(self, study: Study) -> tuple[float, ...]:
        """Return the shares of the traffic a study may take: half of it for an experiment that does not say."""
        return study.share or ((0.5,) if study.kind == "experiment" and study.weeks else (0.0,))

    def delay(self, study: Study) -> float:
        """Return the weeks that pass between a study's end and its result."""
        return duration_weeks(study.delay, currency=self.question.currency) if study.delay else 0.0

    def design(self, study: Study, weeks: float, share: float, n: int, delay: float) -> Design:
        """Return one design, ready to be valued; `delay` weeks come on top of its own."""
        noise, size = self.noise(study, weeks, share, n)
        before = self.preparation(study)
        ends = before.weeks + weeks + delay
        return Design(
            study=study.name,
            weeks=weeks,
            share=share,
            n=size,
            noise=noise,
            cost=self.cost(study, weeks, share, size),
            earned=self.earned(study, weeks, share),
            now=self.subject(study),
            later=self.subject(study, ends, before.built),
            later_net=self.sample.net_from(ends, before.built),
            needs=study.needs,
            built=before.built,
            upfront=before.upfront,
            begins=before.weeks,
            ends=ends,
        )

    def chosen(self, found: StudyValue) -> Design:
        """Return the design that was valued so."""
        study = self.question.studies[found.name]
        return next(
            design
            for design in self.designs(study)
            if (design.weeks, design.share, design.n) == (found.weeks, found.share, found.n)
        )

    # what is seen

    def subject(self, study: Study, weeks: float = 0.0, built: frozenset[str] = frozenset()) -> Subject:
        """Return what a study shows, as it meets it, when what follows begins `weeks` from today and `built` stands ready."""
        place = self._key(study), weeks, built
        if place not in self._subjects:
            self._subjects[place] = self._subject(study, weeks, built)
        return self._subjects[place]

    def _subject(self, study: Study, weeks: float, built: frozenset[str]) -> Subject:
        unknown = self.question.unknowns.get(study.measures)
        if unknown and not study.transfer:
            if unknown.prior.family == "discrete":
                return self._states(unknown.name, weeks, built)
            return self.conditional.subject(study.measures, weeks=weeks, built=built)
        return self.conditional.subject_of(
            self.shown(study), key=self._key(study), weeks=weeks, built=built, uses=self._uses(study)
        )

    def _uses(self, study: Study) -> frozenset[str]:
        """Return the unknowns that what a study shows is made of."""
        texts = question_texts(self.question)
        seen: set[str] = set()
        waiting = [study.measures, *([study.transfer] if study.transfer else [])]
        while waiting:
            name = waiting.pop()
            if name in texts and name not in seen:
                formula, _ = self.sample.model.expression(texts[name], f"studies.{study.name}.measures", names={})
                waiting += formula.names
            seen.add(name)
        return frozenset(seen & set(self.question.unknowns))

    def _states(self, name: str, weeks: float, built: frozenset[str]) -> Subject:
        """Return an unknown that is one of a few states: there is nothing in between."""
        values, chances = discrete_law(self.question.unknowns[name].prior.parameters)
        drawn, net = self.sample.draws.values[name], self.sample.net_from(weeks, built)
        if self.sample.beliefs.touched(name):
            chances = np.array([np.mean(drawn == value) for value in values])
        means = conditional_means(drawn, net, values.tolist())
        return Subject(means[:, 1:] - means[:, :1], values, chances)

    def _key(self, study: Study) -> str:
        return f"{study.measures} / {study.transfer}" if study.transfer else study.measures

    def shown(self, study: Study) -> Array:
        """Return what a study shows in each draw, but for its noise: what it measures, or that by its transfer.

        An unknown is in the unit it is written in, a formula in base units (time in weeks).
        """
        key = self._key(study)
        if key not in self._shown:
            truth = np.broadcast_to(self._measured(study), self.sample.draws.net.shape[1:])
            self._shown[key] = truth / self._transfer(study) if study.transfer else truth
        return self._shown[key]

    def _measured(self, study: Study) -> Array:
        if study.measures in self.question.unknowns:
            return self.sample.draws.values[study.measures]
        return self.sample.named[study.measures]

    def _transfer(self, study: Study) -> Array:
        factor = self.sample.draws.values[study.transfer]
        if float(factor.min()) <= 0:
            raise self._wrong(
                study,
                f"The transfer `{study.transfer}` of `{study.name}` can be 0 or below: the study would show anything.",
                f"Give `{study.transfer}` a range above 0, such as `0.3 to 0.9`.",
                "transfer",
            )
        return factor

    def _wrong(self, study: Study, message: str, hint: str, key: str = "") -> QuestionError:
        place = f"studies.{study.name}" + (f".{key}" if key else "")
        return QuestionError(message, hint=hint, at=where(self.question, place))

    def _warn(self, study: Study, text: str) -> None:
        note = f"{where(self.question, f'studies.{study.name}')}: {text}"
        if note not in self.warnings:
            self.warnings.append(note)

    # how precisely

    def noise(self, study: Study, weeks: float, share: float, n: int) -> tuple[Noise, int]:
        """Return how precise a design is, and how many units it takes."""
        if study.kind in DOUBTS and not study.bias and not study.transfer and not study.signals:
            self._warn(
                study,
                f"`{study.name}` is taken at its word, yet {DOUBTS[study.kind]}. Write `bias`, the sd of its error that no "
                "number of units takes away.",
            )
        if study.signals:
            return Noise(signals=tuple(study.signals.values())), n
        if study.kind == "count":
            if not n:
                raise self._wrong(study, f"`{study.name}` counts, yet has no `n`.", "Write `n = 300`, its trials.")
            return Noise(trials=n, bias=study.bias), n
        if study.se is not None:
            return Noise(se=study.se, bias=study.bias), n
        two_sided = study.kind == "experiment"
        size = float(n)
        if not size and two_sided and weeks:
            size = self._traffic(study) * weeks * share
        sd = study.sd if study.sd is not None or not size else self._assumed_sd(study)
        if sd is None or not size:
            hint = "Write `se = 0.01`, the standard error of its result, or `sd` of one unit with `n` units"
            more = ', or `weeks`, `share` and `traffic = "350k visit/week"`.' if two_sided else "."
            raise self._wrong(study, f"`{study.name}` does not say how precise it is.", hint + more)
        return Noise(se=sd * (2.0 if two_sided else 1.0) / math.sqrt(size), bias=study.bias), round(size)

    def _assumed_sd(self, study: Study) -> float | None:
        """Return the sd of one unit where none is given: of an experiment 1, of a share that people tell √(p (1 - p))."""
        if study.kind == "experiment":
            self._warn(
                study,
                f"`{study.name}` gives no noise; `sd = {DEFAULT_SD:g}` is assumed, one unit as wide as its mean. "
                "Write `sd` from your own log.",
            )
            return DEFAULT_SD
        mean = float(np.mean(self.shown(study)))
        if study.kind not in {"survey", "fake_door"} or not 0 < mean < 1:
            return None
        sd = math.sqrt(mean * (1 - mean))
        self._warn(
            study,
            f"`{study.name}` gives no noise; `sd = {sd:.2g}` is assumed, each answer a yes or a no. Write `sd` if it is not.",
        )
        return sd

    def grows(self, study: Study) -> bool:
        """Whether a study is an experiment whose precision grows with its weeks, about what can lie anywhere in a range."""
        if study.kind != "experiment" or not study.weeks or study.se is not None or study.n or study.signals:
            return False
        return self.subject(study).chances is None

    def _traffic(self, study: Study) -> float:
        """Return units per week: as the study says, or the one quantity that counts visits or readers per time."""
        if study.name not in self._traffics:
            self._traffics[study.name] = self._read_traffic(study)
        return self._traffics[study.name]

    def _read_traffic(self, study: Study) -> float:
        model = self.sample.model
        text = study.traffic
        if not text:
            per_time = [
                name
                for unit in ("visit", "reader", "session", "user")
                for name in model.names_in({unit: 1.0, "week": -1.0})
            ]
            if not per_time:
                raise self._wrong(
                    study,
                    f"`{study.name}` does not say how many readers it meets.",
                    'Write `traffic = "350k visit/week"`, or `se`.',
                )
            text = per_time[0]
        formula, unit = model.expression(text, f"studies.{study.name}.traffic", names={})
        if unit.get("week") != -1.0 or self.question.currency in unit:
            raise self._wrong(
                study, f"`traffic` of `{study.name}` is no number per time.", 'Write `"350k visit/week"`.', "traffic"
            )
        return float(np.mean(formula.value(self.sample.named)))

    # at what price

    def preparation(self, study: Study) -> Preparation:
        """Return what a study builds before it begins: the scenario it needs, and those that one needs, unless built."""
        if study.needs not in self._preparations:
            self._preparations[study.needs] = self._prepare(study.needs)
        return self._preparations[study.needs]

    def _prepare(self, name: str) -> Preparation:
        chain: list[str] = []
        while name and not self.question.scenarios[name].built:
            chain.append(name)
            name = self.question.scenarios[name].needs
        if not chain:
            return Preparation()
        flows = [self.sample.model.flow(self.sample.named, name) for name in chain]
        ready = np.maximum.reduce([np.broadcast_to(flow.ready, self.sample.draws.net.shape[1:]) for flow in flows])
        upfront = sum(float(np.mean(flow.build)) for flow in flows)
        return Preparation(frozenset(chain), upfront, max(float(ready.mean()), 0.0))

    def cost(self, study: Study, weeks: float, share: float, n: int) -> float:
        """Return the mean cost: amounts as they are, amounts per time over the study's weeks."""
        if not study.cost:
            return 0.0
        if study.name not in self._costs:
            self._costs[study.name] = [self._term(study, sign, term) for sign, term in _terms(study.cost)]
        known = {**self.sample.named, "weeks": np.asarray(weeks), "share": np.asarray(share), "n": np.asarray(float(n))}
        amounts = (
            term.sign * float(np.mean(term.formula.value(known))) * (weeks if term.weekly else 1.0)
            for term in self._costs[study.name]
        )
        return float(sum(amounts))

    def _term(self, study: Study, sign: float, text: str) -> _Term:
        design: dict[str, Dimensions] = {"weeks": {"week": 1.0}, "share": {}, "n": {}}
        money = self.question.currency
        formula, unit = self.sample.model.expression(text, f"studies.{study.name}.cost", names=design)
        weekly = dict(unit) == {money: 1.0, "week": -1.0}
        if unit and not weekly and dict(unit) != {money: 1.0}:
            raise self._wrong(
                study, f"`{text}` in the cost of `{study.name}` is no money.", f"Write `500 {money}/week`.", "cost"
            )
        return _Term(sign, formula, weekly)

    def earned(self, study: Study, weeks: float, share: float) -> float:
        """Return what an experiment brings while it runs."""
        begins = self.preparation(study).weeks
        model = self.sample.model
        return float(np.mean(self.earning(study, share)) * (model.tail(begins) - model.tail(begins + weeks)))

    def earning(self, study: Study, share: float) -> Array:
        """Return what an experiment brings in a week, in each draw: half of its readers see the scenario, which runs throughout.

        They see it as it is once it has grown and before it fades.
        """
        model = self.sample.model
        nothing = np.zeros(self.sample.draws.net.shape[1])
        baseline = self.sample.draws.choices[0]
        if not study.scenario or study.kind != "experiment" or study.scenario == baseline:
            return nothing
        if model.is_lump(study.scenario) or model.is_lump(baseline):
            return nothing
        tried, today = (model.flow(self.sample.named, name) for name in (study.scenario, baseline))
        return np.asarray((tried.benefit - today.benefit) * share / 2 - (tried.run - today.run) + nothing, dtype=float)


def _terms(text: str) -> list[tuple[float, str]]:
    """Split a sum into its terms, outside brackets: `1k EUR + 500 EUR/week`."""
    found: list[tuple[float, str]] = []
    depth, start, sign = 0, 0, 1.0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter in "+-" and text[start:at].strip() and text[at - 1] not in "eE*/":
            found.append((sign, text[start:at].strip()))
            start, sign = at + 1, 1.0 if letter == "+" else -1.0
    return [*found, (sign, text[start:].strip())]
