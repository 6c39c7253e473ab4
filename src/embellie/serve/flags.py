"""Flags: an experiment as a feature flag, so that a site's own code can ask which variant a reader has."""

from embellie.domain.experiment import Evaluation, Experiment, Exposure
from embellie.domain.slate import SlateRequest
from embellie.serve.assignment import assign
from embellie.serve.handling import Snapshot, exposures_of, route


def evaluate(experiment: Experiment, snapshot: Snapshot, request: SlateRequest) -> Evaluation:
    """Tell which variant of an experiment a reader has: the one whose release a slate would come from.

    A reader who takes no part, and an experiment that is over, still get a variant: the one that the placement shows them
    now, or else the control.

    Args:
        experiment: The experiment, running or stopped.
        snapshot: What is live on its site.
        request: Who asks; its placement is the experiment's.
    """
    if experiment.holdout:
        return _of_the_holdout(experiment, request)
    if experiment.placement not in snapshot.stable:
        return Evaluation(experiment=experiment, variant=experiment.control, reason="DISABLED")
    chosen = route(snapshot, request)
    due = tuple(exposures_of(snapshot, request, chosen)) if request.consent != "none" else ()
    if chosen.experiment == experiment.experiment:
        return Evaluation(experiment=experiment, variant=chosen.variant, reason="SPLIT", takes_part=True, exposures=due)
    shown = next((one.name for one in experiment.variants if one.release == chosen.release), "")
    if experiment.state == "running":
        return Evaluation(experiment=experiment, variant=shown or experiment.control, reason="DEFAULT", exposures=due)
    if not shown or experiment.placement in snapshot.experiments:
        return Evaluation(experiment=experiment, variant=experiment.control, reason="DISABLED")
    return Evaluation(
        experiment=experiment, variant=shown, reason="SPLIT" if chosen.exposed else "STATIC", exposures=due
    )


def _of_the_holdout(holdout: Experiment, request: SlateRequest) -> Evaluation:
    """Whoever cannot be followed is not held out."""
    kept = assign(holdout, request.reader if request.consent != "none" else "")
    if kept is None:
        everyone = next(one.name for one in holdout.variants if one.name != holdout.control)
        over = holdout.state != "running"
        return Evaluation(experiment=holdout, variant=everyone, reason="DISABLED" if over else "DEFAULT")
    exposure = Exposure(experiment=holdout.experiment, unit=request.reader, variant=kept.name, bot=request.bot)
    return Evaluation(experiment=holdout, variant=kept.name, reason="SPLIT", takes_part=True, exposures=(exposure,))
