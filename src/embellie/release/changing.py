"""Changing: what each verb of a rollout does to it. Pure: a rollout in, the next one out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from embellie.domain.errors import Conflict
from embellie.domain.rollout import Rollout


def start(
    name: str, *, placement: str, stable: str, canary: str, steps: Sequence[float], by: str, now: datetime
) -> Rollout:
    """Start a rollout at its first step.

    Raises:
        Conflict: The canary is already the stable release.
        InputError: The steps do not grow within (0, 1].
    """
    if stable == canary:
        raise Conflict(
            f"Release `{canary}` is already live on `{placement}`.", hint="Build another release, or leave it as it is."
        )
    return Rollout(
        rollout=name,
        placement=placement,
        stable=stable,
        canary=canary,
        steps=tuple(steps),
        salt=name,
        reason="Started.",
        reason_code="started",
        by=by,
        changed_at=now,
    )


def advance(rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
    """Go one step further; from the last step, complete.

    Raises:
        Conflict: The rollout is over.
    """
    _require_open(rollout, "advanced")
    if rollout.step + 1 >= len(rollout.steps):
        return complete(rollout, by=by, now=now, reason=reason)
    return _changed(
        replace(rollout, step=rollout.step + 1, state="running"),
        by=by,
        now=now,
        reason=reason,
        default=("advanced", "Advanced by hand."),
    )


def hold(rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
    """Stay at the present step until someone advances.

    Raises:
        Conflict: The rollout is over.
    """
    _require_open(rollout, "held")
    held = replace(rollout, state="held")
    return _changed(held, by=by, now=now, reason=reason, default=("held", "Held by hand."))


def complete(rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
    """Give the canary to everyone: it becomes the stable release.

    Raises:
        Conflict: The rollout is over.
    """
    _require_open(rollout, "completed")
    default = ("everyone", "Everyone has it.") if rollout.weight >= 1 else ("completed", "Completed.")
    return _changed(replace(rollout, state="completed"), by=by, now=now, reason=reason, default=default)


def rollback(rollout: Rollout, *, by: str, now: datetime, reason: str = "") -> Rollout:
    """Give everyone the stable release again, at once; a completed rollout can be taken back too.

    Raises:
        Conflict: It is rolled back already.
    """
    if rollout.state == "rolled_back":
        raise Conflict(f"Rollout `{rollout.rollout}` is rolled back already.", hint="Start a new one.")
    back = replace(rollout, state="rolled_back")
    return _changed(back, by=by, now=now, reason=reason, default=("rolled_back", "Rolled back by hand."))


def _changed(rollout: Rollout, *, by: str, now: datetime, reason: str, default: tuple[str, str]) -> Rollout:
    code, words = ("", reason) if reason else default
    return replace(rollout, by=by, changed_at=now, reason=words, reason_code=code, reason_figures={})


def _require_open(rollout: Rollout, verb: str) -> None:
    if rollout.state not in ("running", "held"):
        raise Conflict(
            f"Rollout `{rollout.rollout}` is {rollout.state.replace('_', ' ')}: it cannot be {verb}.",
            hint="Start a new one.",
        )
