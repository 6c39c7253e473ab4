"""Releasing: rollouts moved by their gates, and releases, rollouts and their history as documents."""

from typing import Any

from embellie.app.newsroom import Newsroom
from embellie.domain.event import Event
from embellie.domain.experiment import Experiment
from embellie.domain.moment import iso
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.domain.scorecard import Effect, SampleRatio, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable
from embellie.release.changing import complete
from embellie.release.stepping import GATE, Observation, step
from embellie.serve.handling import step_name
from embellie.store.wire import body_to_wire


def observe(card: Scorecard, *, metric: str, margin: float = 0.0) -> Observation | Unavailable:
    """Read a scorecard of canary against stable as what a gate looks at: the worst of one metric and all guardrails.

    The adjusted row is taken where there is one. Harm on any of them counts before doubt on any, doubt before no harm; a
    guardrail that could not be computed is doubt.
    """
    rows = {row.metric: row for row in card.effects if row.variant == "canary"}
    watched = [rows[metric]] if metric in rows else []
    watched += [row for name, row in rows.items() if row.role == "guardrail" and name != metric]
    if metric not in rows:
        return Unavailable(f"No effect on `{metric}` yet.", "Wait for readers on both sides.")
    return min((_observed(card, row, margin) for row in watched), key=_calm)


def _observed(card: Scorecard, row: Effect | UnavailableEffect, margin: float) -> Observation | Unavailable:
    if isinstance(row, UnavailableEffect):
        return row.because
    if isinstance(row.relative, Unavailable):
        return row.relative
    if row.guardrail is not None and row.control_value:
        margin = row.guardrail.margin / abs(row.control_value)
    return Observation(
        low=row.relative.low,
        high=row.relative.high,
        readers=min(card.units.values()),
        alarm=(isinstance(card.srm, SampleRatio) and card.srm.alarm)
        or any(one.state == "alarm" for one in card.checks),
        margin=margin,
        metric=row.metric,
    )


def _calm(seen: Observation | Unavailable) -> int:
    """How little there is to worry about: harm 0, doubt 1, no harm 2."""
    if isinstance(seen, Unavailable):
        return 1
    return 0 if seen.high < -seen.margin else 1 if seen.low <= -seen.margin else 2


def pass_gates(newsroom: Newsroom, site: str, *, metric: str, margin: float) -> list[Rollout]:
    """Let each open rollout's gate look at its step, and record what it does; returns the rollouts that changed.

    What someone does with a rollout while its gate looks holds: the gate looks again the next time.
    """
    changed = []
    for rollout in newsroom.rollouts(site):
        if rollout.state not in ("running", "held"):
            continue
        if rollout.weight >= 1:
            after = complete(rollout, by=GATE, now=newsroom.clock())
        else:
            seen = observe(newsroom.scorecard(step_name(rollout), site=site), metric=metric, margin=margin)
            after = step(rollout, seen, newsroom.clock())
        if after != rollout and newsroom.settle(site, rollout, after):
            changed.append(after)
    return changed


def release_document(release: Release) -> dict[str, Any]:
    """Return a release as JSON values."""
    return {"schema": "embellie/release/1"} | body_to_wire(release)


def rollout_document(rollout: Rollout) -> dict[str, Any]:
    """Return a rollout as JSON values, with its present weight."""
    return {"schema": "embellie/rollout/1"} | body_to_wire(rollout) | {"weight": rollout.weight}


def experiment_document(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment's design as JSON values."""
    return {"schema": "embellie/experiment/1"} | body_to_wire(experiment)


def event_document(event: Event) -> dict[str, Any]:
    """Return an event of the history as JSON values, with a line of words."""
    return {
        "at": iso(event.at),
        "kind": event.kind,
        "words": _words(event),
        "body": body_to_wire(event.body),
    }


def _words(event: Event) -> str:
    match event.body:
        case Release() as release:
            return f"{release.release} was built. {release.note}".strip()
        case Rollout() as one:
            return (
                f"{one.rollout}: {one.state.replace('_', ' ')}, {one.weight:.0%} on {one.canary}. {one.reason}".strip()
            )
        case Experiment() as one:
            return f"{one.experiment}: {one.state}. {one.reason}".strip()
        case _:
            return event.kind
