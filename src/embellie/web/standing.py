"""Standing: how far what the verdict asks for has been done already."""

from dataclasses import dataclass
from typing import Literal

from embellie.domain.experiment import Experiment
from embellie.domain.rollout import Rollout
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Verdict
from embellie.web.traffic_pictures import scenario_of
from embellie.web.view import View, is_open


@dataclass(frozen=True, slots=True)
class Standing:
    """Where things stand beside the verdict; `asked` when nothing of it has been done."""

    state: Literal["asked", "partly", "shipping", "held", "live", "waiting", "running"] = "asked"
    placements: tuple[str, ...] = ()
    rollout: Rollout | None = None
    experiment: Experiment | None = None
    readers: int = 0


def standing(view: View, verdict: Verdict) -> Standing:
    """Compare what the verdict asks for with what is live, changing or being tried on the site."""
    then = verdict.next
    if then.action == "ship":
        return _shipped(view, then.scenario or verdict.best)
    if then.action == "learn_more":
        experiment = _trying(view, then.study)
        if experiment is None:
            return Standing()
        readers = _readers(view, experiment)
        return Standing("running" if readers else "waiting", experiment=experiment, readers=readers)
    return Standing()


def _shipped(view: View, scenario: str) -> Standing:
    for rollout in view.newsroom.rollouts(view.site):
        if is_open(rollout) and scenario_of(view, rollout.canary) == scenario:
            return Standing("held" if rollout.state == "held" else "shipping", (rollout.placement,), rollout)
    stable = view.newsroom.stable(view.site)
    left = tuple(place for place, release in stable.items() if scenario_of(view, release) != scenario)
    if not stable or len(left) == len(stable):
        return Standing()
    return Standing("partly", left) if left else Standing("live")


def _readers(view: View, experiment: Experiment) -> int:
    card = view.ask(lambda: view.newsroom.scorecard(experiment.experiment))
    return 0 if isinstance(card, Unavailable) else sum(card.units.values())


def _trying(view: View, study: str) -> Experiment | None:
    """The running experiment that is this study of the question: it tries the scenario the study is about."""
    question = view.question()
    design = None if isinstance(question, Unavailable) else question.studies.get(study)
    if design is None or design.kind != "experiment":
        return None
    return next(
        (
            each
            for each in view.newsroom.experiments(view.site)
            if each.state == "running"
            and any(arm.scenario == design.scenario and arm.name != each.control for arm in each.variants)
        ),
        None,
    )
