"""Studying: from a study as it is written to designs that can be valued: how precise, at what cost, earning what."""

import math

import numpy as np

from embellie.app.conditional import Conditional
from embellie.app.drawn import Sample
from embellie.decide.judging import Design
from embellie.decide.preposterior import Noise
from embellie.domain.errors import QuestionError
from embellie.domain.question import Study
from embellie.frame.units import Dimensions
from embellie.frame.valuing import duration_weeks, where

DEFAULT_SD = 1.0
"""Relative sd of one unit in an experiment that does not say: as wide as its mean."""


class Studies:
    """The studies of a question, over one sample of it; `warnings` tells what had to be assumed."""

    def __init__(self, sample: Sample, conditional: Conditional) -> None:
        self.sample = sample
        self.conditional = conditional
        self.question = sample.question
        self.warnings: list[str] = []

    def every_design(self) -> list[Design]:
        """Return the designs of all studies, in the order of the file."""
        return [design for study in self.question.studies.values() for design in self.designs(study)]

    def designs(self, study: Study) -> list[Design]:
        """Return every design of a study: weeks × share × n."""
        delay = duration_weeks(study.delay, currency=self.question.currency) if study.delay else 0.0
        return [
            self.design(study, weeks, share, n, delay)
            for weeks in study.weeks or (0.0,)
            for share in study.share or ((0.5,) if study.kind == "experiment" and study.weeks else (0.0,))
            for n in study.n or (0,)
        ]

    def design(self, study: Study, weeks: float, share: float, n: int, delay: float) -> Design:
        """Return one design, ready to be valued; `delay` weeks come on top of its own."""
        noise, size = self._noise(study, weeks, share, n)
        later = weeks + delay
        return Design(
            study=study.name,
            weeks=weeks,
            share=share,
            n=size,
            noise=noise,
            cost=self._cost(study, weeks, share, size),
            earned=self._earned(study, weeks, share),
            now=self.conditional.subject(study.measures, weeks=0.0),
            later=self.conditional.subject(study.measures, weeks=later),
            later_net=self.sample.net_after(later),
        )

    def _wrong(self, study: Study, message: str, hint: str, key: str = "") -> QuestionError:
        place = f"studies.{study.name}" + (f".{key}" if key else "")
        return QuestionError(message, hint=hint, at=where(self.question, place))

    def _noise(self, study: Study, weeks: float, share: float, n: int) -> tuple[Noise, int]:
        """Return how precise a design is, and how many units it takes."""
        if study.kind == "count":
            if not n:
                raise self._wrong(study, f"`{study.name}` counts, yet has no `n`.", "Write `n = 300`, its trials.")
            return Noise(trials=n), n
        if study.se is not None:
            return Noise(se=study.se), n
        two_sided = study.kind == "experiment"
        size = float(n)
        if not size and two_sided and weeks:
            size = self._traffic(study) * weeks * share
        sd = study.sd
        if sd is None and two_sided and size:
            sd = DEFAULT_SD
            note = (
                f"{where(self.question, f'studies.{study.name}')}: `{study.name}` gives no noise; `sd = {sd:g}` is assumed, "
                "one unit as wide as its mean. Write `sd` from your own log."
            )
            if note not in self.warnings:
                self.warnings.append(note)
        if sd is None or not size:
            hint = "Write `se = 0.01`, the standard error of its result, or `sd` of one unit with `n` units"
            more = ', or `weeks`, `share` and `traffic = "350k visit/week"`.' if two_sided else "."
            raise self._wrong(study, f"`{study.name}` does not say how precise it is.", hint + more)
        return Noise(se=sd * (2.0 if two_sided else 1.0) / math.sqrt(size)), round(size)

    def _traffic(self, study: Study) -> float:
        """Return units per week: as the study says, or the one quantity that counts visits or readers per time."""
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

    def _cost(self, study: Study, weeks: float, share: float, n: int) -> float:
        """Return the mean cost: amounts as they are, amounts per time over the study's weeks."""
        if not study.cost:
            return 0.0
        design: dict[str, Dimensions] = {"weeks": {"week": 1.0}, "share": {}, "n": {}}
        money = self.question.currency
        known = {**self.sample.named, "weeks": np.asarray(weeks), "share": np.asarray(share), "n": np.asarray(float(n))}
        total = 0.0
        for sign, term in _terms(study.cost):
            formula, unit = self.sample.model.expression(term, f"studies.{study.name}.cost", names=design)
            amount = float(np.mean(formula.value(known)))
            if dict(unit) == {money: 1.0, "week": -1.0}:
                amount *= weeks
            elif unit and dict(unit) != {money: 1.0}:
                raise self._wrong(
                    study, f"`{term}` in the cost of `{study.name}` is no money.", f"Write `500 {money}/week`.", "cost"
                )
            total += sign * amount
        return total

    def _earned(self, study: Study, weeks: float, share: float) -> float:
        """Return what an experiment brings while it runs: half of its readers see the scenario, which runs throughout."""
        if not study.scenario or study.kind != "experiment" or not weeks:
            return 0.0
        model = self.sample.model
        baseline = self.sample.draws.choices[0]
        if model.is_lump(study.scenario) or model.is_lump(baseline) or study.scenario == baseline:
            return 0.0
        tried, today = (model.flow(self.sample.named, name) for name in (study.scenario, baseline))
        period = float(model.tail(0.0) - model.tail(weeks))
        more = np.mean(tried.benefit - today.benefit) * share / 2 - np.mean(tried.run - today.run)
        return float(more * period)


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
