"""Deciding: joins frame and decide into one answer."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import DRAWS, seed_of, take_sample, unknown_quantiles
from embellie.app.answers.durations import flat_tops, prospect, stoppings
from embellie.app.answers.plans import make_plan
from embellie.app.answers.stressing import case_values, stress
from embellie.app.answers.studying import Studies
from embellie.app.answers.tipping_points import curves, tipping, tornado
from embellie.app.answers.unknown_values import cross_check, value_everything, value_groups, value_unknowns
from embellie.app.evidence_file import read_evidence
from embellie.app.verdict_document import frame_document, verdict_document
from embellie.decide.judging import judge, scenario_values, value_design
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.domain.verdict import StudyValue, UnknownValue, Verdict
from embellie.frame.question_file import parse_question, read_question

__all__ = [
    "decide", "frame_document", "parse_question", "read_evidence", "read_question",
    "unknown_quantiles", "verdict_document",
]  # fmt: skip


def decide(
    question: Question,
    *,
    evidence: Sequence[Evidence] = (),
    draws: int = DRAWS,
    seed: int | None = None,
    whole: bool = False,
) -> Verdict:
    """Answer a question: value its scenarios, its unknowns and its studies, and say what to do next.

    Args:
        question: As read from its file; its first scenario is the baseline.
        evidence: What studies found; priors stay as they are, beliefs move.
        draws: A power of two, at least 64.
        seed: The question's own when None, else 7. Same question, evidence, draws and seed: same answer to the last byte.
        whole: Work out the plan, the durations, the tipping points, the cases and the stress tests too.

    Raises:
        QuestionError: A formula without a finite value, or a study whose noise cannot be told.
        InputError: `draws` is no power of two, or evidence is impossible.
    """
    return _Answer(question, evidence, draws, seed_of(question, seed)).verdict(whole=whole)


class _Answer:
    """One answer in the making."""

    def __init__(self, question: Question, evidence: Sequence[Evidence], draws: int, seed: int) -> None:
        self.question = question
        self.evidence = evidence
        self.size = draws
        self.seed = seed
        self.sample = take_sample(question, evidence, draws=draws, seed=seed)

    def verdict(self, *, whole: bool) -> Verdict:
        """Put the answer together."""
        draws = self.sample.draws
        conditional = Conditional(self.sample)
        asked = Studies(self.sample, conditional)
        valued = [value_design(design, draws.net) for design in asked.every_design()]
        studies = tuple(sorted(valued, key=lambda s: (-s.enbs.value, s.name, s.weeks, s.share, s.n)))
        unknowns = value_unknowns(self.sample, conditional, self._cheapest(studies))
        opened = {unknown.name for unknown in unknowns if unknown.open}
        counts = {name: len(opened & self.sample.model.used_by(name)) for name in draws.choices}
        scenarios = scenario_values(draws, counts)
        everything = value_everything(self.sample, conditional)
        plan = make_plan(self.sample, asked, studies) if whole else None
        chosen = judge(
            self.question,
            draws,
            scenarios=scenarios,
            evpi=everything,
            unknowns=unknowns,
            studies=studies,
            plan=plan,
        )
        verdict = Verdict(
            question=self.question.question,
            currency=self.question.currency,
            draws=self.size,
            seed=self.seed,
            scenarios=scenarios,
            best=chosen.scenario,
            evpi=everything,
            unknowns=unknowns,
            studies=studies,
            groups=value_groups(self.sample, conditional),
            next=chosen,
            noise_floor=conditional.noise_floor(),
            warnings=(
                *self.question.warnings,
                *self.sample.model.notes,
                *self.sample.beliefs.warnings,
                *asked.warnings,
                *cross_check(conditional, unknowns, everything),
            ),
            plan=plan,
        )
        if not whole:
            return verdict
        return replace(
            verdict, **self._durations(asked, verdict), **self._along(conditional, unknowns), **self._otherwise(verdict)
        )

    def _otherwise(self, verdict: Verdict) -> dict[str, Any]:
        """Return the answer in the question's cases, and under harsher beliefs."""
        given: dict[str, Any] = {"studies": verdict.studies, "seed": self.seed}
        return {
            "stress": stress(self.question, self.evidence, action=verdict.verdict, best=verdict.best, **given),
            "cases": case_values(self.question, self.evidence, **given),
        }

    def _along(self, conditional: Conditional, unknowns: Sequence[UnknownValue]) -> dict[str, Any]:
        """Return how the choice depends on each unknown, those worth most first."""
        names = [unknown.name for unknown in unknowns]
        return {
            "curves": curves(conditional, unknowns),
            "tipping": tipping(conditional, names),
            "tornado": tornado(conditional, names),
        }

    def _durations(self, asked: Studies, verdict: Verdict) -> dict[str, Any]:
        """Return how long to study, when to stop, and what then is left to learn."""
        tops, first = flat_tops(asked), verdict.next
        begun = (first.study, first.weeks, first.share)
        best = next((row for row in verdict.studies if (row.name, row.weeks, row.share) == begun), None)
        left = prospect(asked, asked.chosen(best), today=verdict.evpi) if best else None
        return {"tops": tops, "stopping": stoppings(asked, tops), "prospect": left}

    def _cheapest(self, studies: Sequence[StudyValue]) -> dict[str, float]:
        """Return what the cheapest study of each unknown costs."""
        cheapest: dict[str, float] = {}
        for study in studies:
            measured = self.question.studies[study.name].measures
            cheapest[measured] = min(study.cost, cheapest.get(measured, math.inf))
        return cheapest
