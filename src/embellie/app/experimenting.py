"""Experimenting: the experiments of all sites, how each stands, and its end, when what it found is filed."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from embellie.app.live_folds import LiveFolds
from embellie.app.observing import Observatory, Placed
from embellie.app.operations import comparisons
from embellie.app.restating import Restated
from embellie.domain.errors import EngineError, QuestionError, unknown_name
from embellie.domain.event import fact_id
from embellie.domain.experiment import Experiment
from embellie.domain.question import Question
from embellie.domain.scorecard import Scorecard


class Experiments:
    """The experiments that the log tells of, with the comparisons that the steps of rollouts are.

    Args:
        live: What is known of them; and the way to the log.
        observatory: Scores them.
        question: Reads the question that what they find is about.
    """

    def __init__(self, live: LiveFolds, observatory: Observatory, *, question: Callable[[], Question]) -> None:
        self._live, self._observatory, self._question = live, observatory, question

    def of(self, site: str) -> list[Experiment]:
        """List a site's experiments, running ones first."""
        found = self._live.operations(site).experiments.values()
        return sorted(found, key=lambda one: (one.state != "running", one.holdout))

    def everywhere(self) -> list[Placed]:
        """List the experiments of all sites."""
        return [(site, one) for site in self._live.sites for one in self.of(site)]

    def placed(self, name: str, *, site: str = "") -> Placed:
        """Find an experiment with the site it runs on; the first site that has one of that name, when none is given.

        Raises:
            UnknownName: With the sites or the experiments that exist.
        """
        known: dict[str, Placed] = {}
        for one in [site] if site else self._live.sites:
            own = self._live.operations(one)
            tests = own.experiments | comparisons(own.history)
            known = {label: (one, test) for label, test in tests.items()} | known
        try:
            return known[name]
        except KeyError:
            raise unknown_name("experiment", name, known) from None

    def scorecard(self, name: str, *, site: str = "") -> Scorecard:
        """Score an experiment from the log, as it stands (at most a few seconds old)."""
        where, test = self.placed(name, site=site)
        return self._observatory.scorecard(test, site=where)

    def scorecard_history(self, name: str, *, site: str = "") -> Sequence[tuple[datetime, Scorecard]]:
        """Score an experiment at moments since its start, oldest first."""
        where, test = self.placed(name, site=site)
        return self._observatory.scorecard_history(test, now=self._live.clock(), site=where)

    def restated(self, name: str, *, site: str = "") -> Restated:
        """Tell which days of an experiment late events restated."""
        where, test = self.placed(name, site=site)
        return Restated(self._observatory.late_days(test, site=where))

    def stop(self, site: str, name: str, *, reason: str) -> Experiment:
        """Stop an experiment; what it found is filed as evidence.

        With a question that cannot be read, or an engine that fails, it stops all the same: its evidence is then computed
        from the log.
        """
        _, running = self.placed(name, site=site)
        with contextlib.suppress(QuestionError, EngineError):
            for found in self._observatory.found(self._question(), running, now=self._live.clock(), site=site):
                # Named by the fact: where two servers stop it at the same moment, its evidence counts once.
                began = running.started_at.isoformat() if running.started_at else ""
                id_ = fact_id(site, "study", running.experiment, began, found.measures)
                self._live.file(site, found, id_=id_)
        stopped = replace(running, state="stopped", reason=reason, stopped_at=self._live.clock())
        self._live.file(site, stopped)
        return stopped
