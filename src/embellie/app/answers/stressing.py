"""Stressing: the answer again, were our ranges too narrow, were tails fat, or in what-if cases.

People's ranges are generally too narrow. So every range is widened by a factor k around its median, in the space of its family
(`stats.distributions.widened`), until the best scenario by mean net benefit is another one: the least such k is the factor
at which the verdict flips. With evidence it is the prior that is widened, and the evidence meets it anew. A factor under 1.5
means that the choice is undecided.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from embellie.app.answers.drawn import Sample, seed_of, take_sample
from embellie.app.answers.glancing import Glance, Table, calibrated, candidates, glance
from embellie.decide.information import evpi
from embellie.decide.judging import scenario_values
from embellie.domain.errors import InputError, QuestionError
from embellie.domain.evidence import Evidence
from embellie.domain.question import Distribution, Question
from embellie.domain.verdict import Action, CaseValue, Stress, Stressed, StudyValue
from embellie.stats.distributions import fattened, widened
from embellie.stats.sampling import by_scramble, numerical_error

FACTORS = (1.25, 1.5, 2.0, 3.0, 5.0)
"""The factors by which ranges are widened."""

_DRAWS = 4_096
_STEPS = 6
_CLOSE = 0.005


def stress(
    question: Question,
    evidence: Sequence[Evidence] = (),
    *,
    action: Action,
    best: str,
    studies: Sequence[StudyValue] = (),
    draws: int = _DRAWS,
    seed: int | None = None,
) -> Stress:
    """Ask the question again under harsher beliefs.

    Args:
        question: As it was answered.
        evidence: What studies found.
        action: The verdict.
        best: The best scenario today.
        studies: Every design as it was valued: the best ones of a few studies are valued anew at each factor. Where the verdict
            is to learn, knowing more is taken to stay worth it as long as EVPI does not fall.
        draws: A power of two, at least 64.
        seed: The question's own when None, else 7.

    Returns:
        One row per factor of `FACTORS` that can be evaluated (`tried` is the last of them), and one with fat tails.
        `flips_at` is 1 where these draws already see another best; None where the best stays, within numerical error.
    """
    table = Table(question, evidence, draws=draws, seed=seed_of(question, seed))
    return _Stressing(question, table, action=action, best=best, studies=studies).result()


class _Stressing:
    """A verdict under stress; every variant is drawn at the same points, so that only beliefs differ."""

    def __init__(
        self, question: Question, table: Table, *, action: Action, best: str, studies: Sequence[StudyValue]
    ) -> None:
        self._question, self._table = question, table
        self._action, self._best = action, best
        self._samples: dict[float, Sample] = {}
        self._glances: dict[float, Glance] = {}
        self._sure = (
            0.0 if action == "learn_more" else math.inf
        )  # beyond this factor learning is taken to stay worth it
        self._tried = candidates(question, studies)
        if action != "learn_more":
            self._tried = calibrated(self._sample(1.0), self._tried)
        self._least_evpi = self._glance(1.0).evpi.value

    def result(self) -> Stress:
        """Put the answer together."""
        rows: list[Stressed] = []
        for factor in FACTORS:
            try:
                seen = self._glance(factor)
            except (QuestionError, InputError):  # a formula or a result that such wide ranges make impossible
                break
            rows.append(self._row(seen, factor))
            if seen.learning > 0:
                self._sure = min(self._sure, factor)
        flips, becomes = self._flip([1.0, *(row.factor for row in rows)])
        return Stress(
            flips_at=flips,
            becomes=becomes,
            learns_at=self._learns([1.0, *(row.factor for row in rows)]),
            tried=rows[-1].factor if rows else 1.0,
            widened=tuple(rows),
            fat=self._fat(),
        )

    # asking again

    def _sample(self, factor: float) -> Sample:
        if factor not in self._samples:
            self._samples[factor] = self._table.sample(
                with_priors(self._question, lambda prior: _changed(widened(prior.family, prior.parameters, factor)))
            )
        return self._samples[factor]

    def _glance(self, factor: float) -> Glance:
        if factor not in self._glances:
            self._glances[factor] = glance(self._sample(factor), self._tried, studied=factor <= self._sure)
        return self._glances[factor]

    def _row(self, seen: Glance, factor: float, *, fat: bool = False) -> Stressed:
        action = seen.action
        if factor > self._sure and action != "learn_more":
            stays = seen.evpi.value >= self._least_evpi - seen.evpi.error
            action = "learn_more" if stays else glance(seen.sample, self._tried).action
        return Stressed(
            factor=factor,
            fat=fat,
            action=action,
            scenario=seen.scenario,
            evpi=seen.evpi.value,
            net_benefit=seen.means,
        )

    def _fat(self) -> Stressed:
        def change(prior: Distribution) -> Distribution:
            return _changed(fattened(prior.family, prior.parameters))

        try:
            sample = self._table.sample(with_priors(self._question, change))
            return self._row(glance(sample, self._tried, studied=self._sure >= 1.0), 1.0, fat=True)
        except (QuestionError, InputError):
            return self._row(self._glance(1.0), 1.0, fat=True)

    # where it turns

    def _flip(self, factors: Sequence[float]) -> tuple[float | None, str]:
        """Return the least factor at which the best is another scenario by more than the numerical error, and which."""
        before = factors[0]
        for factor in factors:
            lead, error, other = self._lead(factor)
            if lead < -error:
                at = _root(lambda k: self._lead(k)[0], before, factor)
                return at, self._lead(min(at + _CLOSE, factor))[2] if at > before else other
            before = factor
        return None, ""

    def _lead(self, factor: float) -> tuple[float, float, str]:
        """Return by how much the best leads the next on average, with the numerical error, and which that is."""
        draws = self._sample(factor).draws
        place = draws.choices.index(self._best)
        means = draws.net.mean(axis=1)
        means[place] = -math.inf
        other = int(means.argmax())
        leads = by_scramble(draws.net[place] - draws.net[other]).mean(axis=1)
        return float(leads.mean()), numerical_error(leads, scale=float(abs(draws.net).mean())), draws.choices[other]

    def _learns(self, factors: Sequence[float]) -> float | None:
        """Return the least factor at which learning first is worth it, where it is not today."""
        if self._action == "learn_more" or self._glance(1.0).learning > 0:
            return None
        before = 1.0
        for factor in factors[1:]:
            if factor <= self._sure and self._glance(factor).learning > 0:
                return _root(lambda k: -self._glance(k).learning, before, factor)
            before = factor
        return None


def _root(height: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function that is above 0 at `low` falls to 0, by false position (Illinois); `low` where it is not above."""
    above, below = height(low), height(high)
    if above <= 0:
        return low
    side = 0
    for _ in range(_STEPS):
        if high - low < _CLOSE or not math.isfinite(above - below):
            break
        middle = low + (high - low) * above / (above - below)
        found = height(middle)
        if found > 0:
            low, above = middle, found
            below = below / 2 if side > 0 else below
            side = 1
        else:
            high, below = middle, found
            above = above / 2 if side < 0 else above
            side = -1
    return (low + high) / 2 if not math.isfinite(above - below) else low + (high - low) * above / (above - below)


def with_priors(question: Question, change: Callable[[Distribution], Distribution]) -> Question:
    """Return a question with each prior changed."""
    unknowns = {name: replace(unknown, prior=change(unknown.prior)) for name, unknown in question.unknowns.items()}
    return replace(question, unknowns=unknowns)


def _changed(found: tuple[str, tuple[float, ...]]) -> Distribution:
    family, parameters = found
    return Distribution(family, parameters)  # type: ignore[arg-type]


def case_values(
    question: Question,
    evidence: Sequence[Evidence] = (),
    *,
    studies: Sequence[StudyValue] = (),
    draws: int = _DRAWS,
    seed: int | None = None,
) -> tuple[CaseValue, ...]:
    """Answer each what-if case of a question, quickly.

    Args:
        question: Its cases are asked in the order of the file.
        evidence: What studies found; the case's priors meet it, except about what the case says is known.
        studies: Every design as it was valued in the question itself: the best ones of a few studies are valued in each case.
        draws: A power of two, at least 64.
        seed: The question's own when None, else 7.

    Raises:
        QuestionError: A case in which a formula has no finite value.
    """
    seeded = seed_of(question, seed)
    found = []
    for case in question.cases.values():
        uncertain = {*case.question.unknowns, *case.question.formulas}
        shown = [one for one in evidence if one.measures in uncertain or one.measures not in question.unknowns]
        sample = take_sample(case.question, shown, draws=draws, seed=seeded)
        seen = glance(sample, candidates(case.question, studies))
        scenarios = scenario_values(sample.draws, {})
        found.append(
            CaseValue(
                case=case.name,
                sets=case.sets,
                action=seen.action,
                best=seen.scenario,
                evpi=evpi(sample.draws.net),
                net_benefit={each.scenario: each.net_benefit for each in scenarios},
                p_best={each.scenario: each.p_best for each in scenarios},
            )
        )
    return tuple(found)
