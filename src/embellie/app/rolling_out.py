"""Rolling out: releases are built, put before readers step by step, and taken back; each change is live at once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from embellie.app.building import built, with_model
from embellie.app.experimenting import Experiments
from embellie.app.live_folds import LiveFolds
from embellie.domain.errors import Conflict, unknown_name
from embellie.domain.release import Release, Setting
from embellie.domain.rollout import Rollout
from embellie.release import changing


class Rollouts:
    """The verbs of releasing.

    Args:
        live: What is released where; and the way to the log.
        experiments: One that runs where a rollout starts ends.
        steps: The steps of a rollout that names none.
        data: The data folder, where models are kept.
    """

    def __init__(self, live: LiveFolds, experiments: Experiments, *, steps: Sequence[float], data: Path) -> None:
        self._live, self._experiments, self._steps, self._data = live, experiments, steps, data
        self._starting = threading.Lock()
        """Held for seconds: the experiment that ends is scored. No change of a rollout waits for it."""
        self._changing = threading.Lock()

    def of(self, site: str) -> list[Rollout]:
        """List a site's rollouts as they stand, open ones first."""
        found = self._live.operations(site).rollouts.values()
        return sorted(found, key=lambda one: one.state not in ("running", "held"))

    def build(self, site: str, policy: str, settings: Mapping[str, Setting], *, note: str = "") -> Release:
        """Build a release: a policy with its settings, named by its content; what is built already stays as it is.

        A `ranker` that names no model takes the site's current one.

        Raises:
            UnknownName: The policy, or one of the settings, does not exist.
            InputError: A setting's value is wrong, or a model cannot be served.
        """
        release = built(policy, with_model(policy, settings, data=self._data, site=site), note=note)
        known = self._live.operations(site).releases.get(release.release)
        if known is not None:
            return known
        self._live.file(site, release)
        return release

    def start(self, site: str, placement: str, release: str, *, steps: Sequence[float] = (), by: str = "") -> Rollout:
        """Start rolling a release out on a placement; an experiment running there ends, its evidence is filed.

        Raises:
            UnknownName: The placement or the release does not exist.
            Conflict: A rollout is open on the placement, or the release is live there already.
        """
        with self._starting:
            return self._start(site, placement, release, steps=steps or self._steps, by=by)

    def _start(self, site: str, placement: str, release: str, *, steps: Sequence[float], by: str) -> Rollout:
        snapshot = self._live.snapshot(site)
        if placement not in snapshot.stable:
            raise unknown_name("placement", placement, snapshot.stable)
        if release not in snapshot.releases:
            raise unknown_name("release", release, snapshot.releases)
        if placement in snapshot.rollouts:
            open_one = snapshot.rollouts[placement].rollout
            raise Conflict(f"Rollout `{open_one}` is open on `{placement}`.", hint="Complete it or roll it back first.")
        earlier = sum(one.placement == placement for one in self._live.operations(site).rollouts.values())
        rollout = changing.start(
            f"{placement}-{earlier + 1}",
            placement=placement,
            stable=snapshot.stable[placement],
            canary=release,
            steps=steps,
            by=by,
            now=self._live.clock(),
        )
        running = snapshot.experiments.get(placement)
        if running is not None:
            self._experiments.stop(site, running.experiment, reason=f"Rollout {rollout.rollout} started.")
        self._live.file(site, rollout)
        kept = self._live.operations(site).rollouts.get(rollout.rollout)
        if kept is not None and kept.canary != release:
            raise Conflict(
                f"Another server started rollout `{kept.rollout}` of `{kept.canary}` at the same moment.",
                hint="Complete it or roll it back first.",
            )
        return rollout

    def advance(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Go one step further."""
        return self._change(site, rollout, changing.advance, by=by, reason=reason)

    def hold(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Stay at the present step."""
        return self._change(site, rollout, changing.hold, by=by, reason=reason)

    def complete(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Give the canary to everyone."""
        return self._change(site, rollout, changing.complete, by=by, reason=reason)

    def rollback(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Give everyone the stable release again, at once."""
        return self._change(site, rollout, changing.rollback, by=by, reason=reason)

    def settle(self, site: str, seen: Rollout, after: Rollout) -> bool:
        """Take a rollout where its gate says, unless it was changed since the gate looked; tell whether that was done."""
        with self._changing:
            as_seen = self._live.operations(site).rollouts.get(seen.rollout) == seen
            if as_seen:
                self._live.file(site, after)
        return as_seen

    def _change(self, site: str, name: str, verb: Callable[..., Rollout], *, by: str, reason: str) -> Rollout:
        with self._changing:
            rollouts = self._live.operations(site).rollouts
            if name not in rollouts:
                raise unknown_name("rollout", name, rollouts)
            changed = verb(rollouts[name], by=by, now=self._live.clock(), reason=reason)
            if changed != rollouts[name]:
                self._live.file(site, changed)
        return changed
