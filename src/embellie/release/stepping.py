"""Stepping: what a gate does with what it sees. Roll back on harm, hold on doubt, advance on evidence of no harm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from embellie.domain.rollout import Rollout
from embellie.domain.unavailable import Unavailable
from embellie.release.changing import advance, rollback

GATE = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The canary against the stable release at the present step: relative effect with its interval.

    `alarm` says that a check of the figures failed; `margin` is the largest relative loss of `metric` that is acceptable.
    """

    low: float
    high: float
    readers: int
    alarm: bool = False
    margin: float = 0.0
    min_readers: int = 200
    metric: str = ""


def step(rollout: Rollout, observation: Observation | Unavailable, now: datetime) -> Rollout:
    """Move a rollout by what was observed at its present step.

    - sample-ratio alarm, missing or little data: hold;
    - the whole interval is below `-margin`: roll back;
    - the lower bound is above `-margin`: advance;
    - otherwise: hold. Doubt never ships.

    What a person holds, no gate advances; harm rolls it back all the same.
    """
    if rollout.state not in ("running", "held"):
        return rollout
    if isinstance(observation, Unavailable):
        return _hold(rollout, now, observation.reason, code="no_effect")
    doubt = _doubt(observation)
    if doubt:
        code, reason = doubt
        return _hold(rollout, now, reason, code=code, figures=_figures(observation))
    if observation.high < -observation.margin:
        back = rollback(rollout, by=GATE, now=now, reason=f"Harm: {_seen(observation)}.")
        return replace(back, reason_code="harm", reason_figures=_figures(observation))
    if rollout.state == "held" and rollout.by != GATE:
        return rollout
    on = advance(rollout, by=GATE, now=now, reason=f"No harm above {observation.margin:.1%}: {_seen(observation)}.")
    return replace(on, reason_code="no_harm", reason_figures=_figures(observation))


def _doubt(observation: Observation) -> tuple[str, str] | None:
    """Why to hold, as a code and in words."""
    if observation.alarm:
        return "bad_split", "The split is not the designed one: mend the assignment or the tracking first."
    if observation.readers < observation.min_readers:
        return "few_readers", f"Too few readers yet: {observation.readers} of {observation.min_readers}."
    if observation.low <= -observation.margin <= observation.high:
        return "unclear", f"Not clear yet: {_seen(observation)}."
    return None


def _figures(observation: Observation) -> dict[str, float]:
    names = ("low", "high", "readers", "margin", "min_readers")
    return {name: getattr(observation, name) for name in names}


def _seen(observation: Observation) -> str:
    what = f" on `{observation.metric}`" if observation.metric else ""
    return f"effect{what} between {observation.low:+.1%} and {observation.high:+.1%}, {observation.readers} readers"


def _hold(
    rollout: Rollout, now: datetime, reason: str, *, code: str, figures: Mapping[str, float] | None = None
) -> Rollout:
    if rollout.state == "held" and (rollout.by != GATE or rollout.reason_code == code):
        return rollout  # a person's hold, or the same doubt with other figures: no news for the history
    return replace(
        rollout, state="held", by=GATE, changed_at=now, reason=reason, reason_code=code, reason_figures=figures or {}
    )
