"""Judging: from draws to what to do next. The rule, in order:

1. A study whose ENBS, or a plan whose gain over acting at once, is above 0 by more than its numerical error: `learn_more`,
   with the study the plan begins with (and what it puts live meanwhile), or else the design of the highest ENBS.
2. No study is given, yet EVPI is above a tenth of the mean gap between the two best scenarios and a question is open:
   `learn_more`, by asking the unknown worth most.
3. The best scenario by mean net benefit is not the baseline: `ship` it.
4. It is the baseline, and no other scenario beats it with a chance of 10 % or more: `stop`.
5. Otherwise `hold`: it cannot be told, and nothing that is offered would tell for less than it costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.decide.information import evppi
from embellie.decide.preposterior import Noise, Subject, enbs, evsi_replicates, results
from embellie.decide.wording import First, reasons
from embellie.domain.plan import Plan
from embellie.domain.question import Question
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Figure, NextAction, ScenarioValue, Spread, StudyValue, UnknownValue
from embellie.stats.sampling import Draws, by_scramble, numerical_error

Array = npt.NDArray[np.float64]

_CHANCES = (np.arange(101) + 0.5) / 101

WORTH_ASKING = 0.10
"""EVPI above this share of the mean gap between the two best scenarios is worth asking about."""

CLEARLY_WORSE = 0.10
"""Below this chance of beating the baseline, nothing else is worth keeping open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One design of a study, in the terms in which it can be valued.

    `now` and `later` are the measured unknown's curves if one begins today, or after the study; `later_net` the net benefits
    then; `earned` what the readers in the study bring meanwhile. The study begins `begins` weeks from today, once what it
    `needs` is built at a mean cost of `upfront`, and what follows begins at `ends`; by then the scenarios `built` stand ready.
    """

    study: str
    weeks: float
    share: float
    n: int
    noise: Noise
    cost: float
    earned: float
    now: Subject
    later: Subject
    later_net: Array
    needs: str = ""
    built: frozenset[str] = frozenset()
    upfront: float = 0.0
    begins: float = 0.0
    ends: float = 0.0

    @property
    def spent(self) -> float:
        """What the study costs in all: itself, and building what it needs."""
        return self.cost + self.upfront


def value_design(design: Design, net: Array) -> StudyValue:
    """Value one design of a study."""
    scale = float(np.mean(np.abs(net)))
    possible = results(design.now.values, design.noise, design.now.chances)
    replicates, quadrature = evsi_replicates(design.now, possible)
    after = replicates if design.later is design.now else evsi_replicates(design.later, possible)[0]
    net_worth = enbs(after, later=design.later_net, now=net, earned=design.earned, cost=design.spent, scale=scale)
    return StudyValue(
        name=design.study,
        weeks=design.weeks,
        share=design.share,
        n=design.n,
        evsi=Figure(value=float(replicates[0]), error=numerical_error(replicates[1:], scale=scale) + quadrature),
        cost=design.spent,
        enbs=Figure(value=net_worth.value, error=net_worth.error + quadrature),
    )


def spread_of(values: Array) -> Spread:
    """Sum up draws in five numbers; the error is that of the mean."""
    p05, p50, p95 = np.quantile(values, [0.05, 0.5, 0.95])
    scale = float(np.mean(np.abs(values)))
    return Spread(
        mean=float(values.mean()),
        p05=float(p05),
        p50=float(p50),
        p95=float(p95),
        error=numerical_error(by_scramble(values).mean(axis=1), scale=scale),
    )


def scenario_values(draws: Draws, open_questions: Mapping[str, int]) -> tuple[ScenarioValue, ...]:
    """Value each scenario, in the order of the file."""
    top = draws.net.max(axis=0)
    ties = draws.net >= top - 1e-12 * np.maximum(np.abs(top), 1e-300)
    shares = (ties / ties.sum(axis=0)).mean(axis=1)
    return tuple(
        ScenarioValue(
            scenario=name,
            net_benefit=spread_of(net),
            cost=float(cost.mean()),
            roi=_roi(net, cost),
            p_best=float(share),
            p_loss=float(np.mean(net < 0)),
            expected_loss=float(np.mean(top - net)),
            open_questions=open_questions.get(name, 0),
            quantiles=tuple(np.quantile(net, _CHANCES).tolist()),
        )
        for name, net, cost, share in zip(draws.choices, draws.net, draws.cost, shares, strict=True)
    )


def _roi(net: Array, cost: Array) -> Spread | Unavailable:
    if float(cost.min()) <= 0:
        return Unavailable("The cost is 0, so there is no return on it.", "Give the scenario `build` or `run` costs.")
    return spread_of(net / cost)


def noise_floor(draws: Draws) -> float:
    """Return what these draws find an unknown worth that is part of no formula: the most of several."""
    return max((evppi(scores, draws.net).value for scores in draws.decoys), default=0.0)


def is_open(found: Figure, floor: float, cheapest: float) -> bool:
    """Whether knowing an unknown could change the choice by more than it costs to ask."""
    return found.value - found.error > max(floor, cheapest, 0.0)


def mean_gap(net: Array) -> float:
    """Return the mean absolute difference between the two scenarios of the highest means."""
    order = np.argsort(-net.mean(axis=1), kind="stable")
    return float(np.mean(np.abs(net[order[0]] - net[order[1]])))


def chance_beaten(net: Array) -> float:
    """Return the chance that some other scenario beats the first."""
    return float(np.mean(net[1:].max(axis=0) > net[0]))


def judge(
    question: Question,
    draws: Draws,
    *,
    scenarios: Sequence[ScenarioValue],
    evpi: Figure,
    unknowns: Sequence[UnknownValue],
    studies: Sequence[StudyValue],
    plan: Plan | None = None,
) -> NextAction:
    """Say what to do next, and why in words, by the rule at the head of this module.

    Args:
        question: Its first scenario is the baseline.
        draws: What the figures were computed from.
        scenarios: In the order of the file.
        evpi: Of the whole question.
        unknowns: Worth most first.
        studies: Highest ENBS first.
        plan: When it has been worked out.
    """
    means = draws.net.mean(axis=1)
    best = scenarios[int(np.argmax(means))]
    baseline = scenarios[0].scenario
    asked = next((unknown for unknown in unknowns if unknown.open), None)
    worth_asking = evpi.value - evpi.error > WORTH_ASKING * mean_gap(draws.net)
    study = _study_first(studies, plan)
    begun = plan if plan and study and plan.first.study == study.name else None
    release = begun.first.live if begun and begun.first.starts else ""
    action = "hold"
    if study or (not question.studies and asked and worth_asking):
        action = "learn_more"
    elif best.scenario != baseline:
        action = "ship"
    elif chance_beaten(draws.net) < CLEARLY_WORSE:
        action = "stop"
    first = None
    if study:
        worth, cost = (begun.gain, begun.first.cost) if begun else (study.enbs, study.cost)
        first = First(study, worth, cost, release)
    because = reasons(action, question=question, scenarios=scenarios, best=best, evpi=evpi, asked=asked, first=first)
    return NextAction(
        action=action,  # type: ignore[arg-type]
        because=because,
        scenario=best.scenario,
        study=study.name if study else "",
        weeks=study.weeks if study else 0.0,
        share=study.share if study else 0.0,
        release=release,
    )


def _study_first(studies: Sequence[StudyValue], plan: Plan | None) -> StudyValue | None:
    """Return the study to begin with, if any is worth it."""
    begun = plan.first if plan and plan.first.study and plan.gain.value > plan.gain.error else None
    rows = [
        row for row in studies if begun and (row.name, row.weeks, row.share) == (begun.study, begun.weeks, begun.share)
    ]
    if rows:
        return next((row for row in rows if begun and row.n == begun.n), rows[0])
    return studies[0] if studies and studies[0].enbs.value > studies[0].enbs.error else None
