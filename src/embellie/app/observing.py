"""Observing: scorecards, evidence and verdicts as they stand, and as they stood at moments since the start."""

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from embellie.app.deciding import decide
from embellie.app.measuring import DIMENSIONS, evidence_from, scorecard, watched
from embellie.app.restating import LateDay, late_days
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment
from embellie.domain.metric import Metric
from embellie.domain.question import Question
from embellie.domain.scorecard import Scorecard
from embellie.domain.verdict import Verdict
from embellie.ports import AggregateReader, Clock
from embellie.stats.shrinkage import Prior

FRESH_SECONDS = 2.0
FRESH_TIMES = 10.0
"""An answer is computed again after FRESH_SECONDS, or after this many times as long as it took: thinking never fills a core."""

PAST_SECONDS = 900.0
"""For how long what was found of a moment that is over is told again: events of before it may still arrive."""

MOMENTS = 24
REMEMBERED = 5_000
"""Answers kept; then all are forgotten, and computed again when asked for."""

SPACINGS = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 16, 32, 64, 168, 336, 672, 1344))
HISTORY_DRAWS = 4096
HISTORY_SECONDS = 2.0
"""How long a history may take; what is missing then is filled in when it is asked for again."""


AnswerT = TypeVar("AnswerT")


def moments(start: datetime, now: datetime) -> list[datetime]:
    """Choose at most 25 moments from `start` to `now`, the last one `now`; a longer span keeps a subset of the earlier ones.

    >>> from datetime import UTC
    >>> [str(at.hour) for at in moments(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 3, 30, tzinfo=UTC))]
    ['1', '2', '3', '3']
    """
    spacing = next((one for one in SPACINGS if (now - start) / one <= MOMENTS), SPACINGS[-1])
    past = [start + spacing * k for k in range(1, int((now - start) / spacing) + 1)]
    return [*past, now]


Placed = tuple[str, Experiment]
"""An experiment and the site it runs on: one of the same name on another site is another experiment."""

Filed = tuple[str, Evidence]
"""Evidence in the log and the site whose log it is: its source names an experiment there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a verdict rests on `now`: the question, the experiments of all sites, and the evidence that was filed."""

    question: Question
    experiments: Sequence[Placed]
    filed: Sequence[Filed]
    now: datetime


@dataclass(frozen=True, slots=True)
class Past(Generic[AnswerT]):
    """An answer about a moment that is over: what names it, and how to compute it once."""

    key: Hashable
    compute: Callable[[], AnswerT]


def spread(moments: Sequence[datetime]) -> list[datetime]:
    """Order moments so that any first few of them span the whole: the ends, then ever finer halves.

    >>> from datetime import UTC
    >>> [at.hour for at in spread([datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(6)])]
    [0, 5, 3, 2, 4, 1]
    """
    last = len(moments) - 1
    order = dict.fromkeys([0, last][: len(moments)])
    step = last
    while step > 1:
        step = (step + 1) // 2
        order |= dict.fromkeys(range(step, last, step))
    return [moments[place] for place in order | dict.fromkeys(range(len(moments)))]


def without_a_result(experiments: Sequence[Placed], filed: Sequence[Filed]) -> list[Placed]:
    """List the experiments whose result is not filed yet, each on its own site.

    A result written by hand may lie in another site's log than its experiment: it then stands for every one of that name.
    """
    placed = {(site, one.experiment) for site, one in experiments}
    own = {(site, one.source) for site, one in filed}
    elsewhere = {source for _, source in own - placed}
    return [
        (site, one)
        for site, one in experiments
        if (site, one.experiment) not in own and one.experiment not in elsewhere
    ]


class Observatory:
    """Computes from the log, and remembers: what is asked again soon after, and what is past.

    Args:
        reader: SQL over the log.
        metrics: The installation's metrics, the primary ones first.
        read_seconds: Attention that makes a read.
        clock: Tells until when a running experiment has run; without it that is not known.
        priors: What past experiments teach of each metric's effects; asked for each scorecard that is not past.
    """

    def __init__(
        self,
        reader: AggregateReader,
        *,
        metrics: Sequence[Metric],
        read_seconds: float,
        clock: Clock | None = None,
        priors: Callable[[], Mapping[str, Prior]] = dict,
    ) -> None:
        self._reader, self._metrics, self._read_seconds = reader, tuple(metrics), read_seconds
        self._clock, self._priors = clock, priors
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.RLock] = {}
        self._fresh: dict[Hashable, tuple[float, Any]] = {}
        self._past: dict[Hashable, tuple[float, Any]] = {}

    def scorecard(self, experiment: Experiment, *, site: str = "") -> Scorecard:
        """Score an experiment on all that has happened so far, with all its slices."""

        def compute() -> Scorecard:
            now = self._clock() if self._clock is not None else None
            return self._score(
                site, experiment, experiment.stopped_at or now, dimensions=DIMENSIONS, priors=self._priors()
            )

        return self._fresh_or(("scorecard", site, experiment), compute)

    def late_days(self, experiment: Experiment, *, site: str = "") -> tuple[LateDay, ...]:
        """Count the events that arrived after their day had closed, which restated it."""
        return self._fresh_or(("late", site, experiment), lambda: late_days(self._reader, experiment, site=site))

    def scorecard_history(
        self, experiment: Experiment, *, now: datetime, site: str = ""
    ) -> list[tuple[datetime, Scorecard]]:
        """Score an experiment at moments since its start, without slices."""
        if experiment.started_at is None:
            return []
        *past, last = moments(experiment.started_at, experiment.stopped_at or now)
        history = self._in_time({at: self._scored_at(site, experiment, at) for at in past})
        return [*history, (last, self.scorecard(experiment, site=site))]

    def found(self, question: Question, experiment: Experiment, *, now: datetime, site: str = "") -> list[Evidence]:
        """List what an experiment says about the question's unknowns, now."""
        return self._found(question, experiment, self.scorecard(experiment, site=site), now)

    def evidence(self, basis: Basis) -> list[Evidence]:
        """List the evidence: what was filed, and what the experiments without a filed result say so far."""
        live = [
            one
            for site, test in without_a_result(basis.experiments, basis.filed)
            for one in self.found(basis.question, test, now=basis.now, site=site)
        ]
        return [*(one for _, one in basis.filed), *live]

    def verdict(self, basis: Basis) -> Verdict:
        """Judge the question with all the evidence."""
        names = tuple((site, one.experiment) for site, one in basis.experiments)
        return self._fresh_or(
            ("verdict", repr(basis.question), names, len(basis.filed)),
            lambda: decide(basis.question, evidence=self.evidence(basis), whole=True),
        )

    def verdict_history(self, basis: Basis) -> list[tuple[datetime, Verdict]]:
        """Judge the question as it is now with the evidence as it stood at moments since the first experiment.

        On a long log the first answers leave moments out, and the next ones fill them in: nobody waits for a history.
        """
        starts = [one.started_at for _, one in basis.experiments if one.started_at is not None]
        if not starts:
            return [(basis.now, self.verdict(basis))]
        first, *later = [min(starts), *moments(min(starts), basis.now)]
        history = self._in_time({at: self._judged_at(basis, at) for at in [first, *later[:-1]]})
        return [*history, (basis.now, self.verdict(basis))]

    def _judged_at(self, basis: Basis, at: datetime) -> "Past[Verdict]":
        question = basis.question
        known = [(site, one) for site, one in basis.filed if one.at is not None and one.at <= at]
        running = [
            (site, one)
            for site, one in without_a_result(basis.experiments, known)
            if one.started_at is not None and one.started_at < at
        ]

        def judge() -> Verdict:
            cards = [(test, self._past_or(self._scored_at(site, test, at))) for site, test in running]
            live = [found for test, card in cards for found in self._found(question, test, card, at)]
            return decide(question, evidence=[*(one for _, one in known), *live], draws=HISTORY_DRAWS)

        names = tuple((site, one.experiment) for site, one in running)
        return Past(("verdict", repr(question), names, len(known), at), judge)

    def _score(
        self,
        site: str,
        experiment: Experiment,
        until: datetime | None,
        *,
        dimensions: Sequence[str] = (),
        priors: Mapping[str, Prior] | None = None,
    ) -> Scorecard:
        return scorecard(
            self._reader,
            experiment,
            self._metrics,
            read_seconds=self._read_seconds,
            site=site,
            looking=watched(experiment),
            until=until,
            dimensions=dimensions,
            priors=priors,
        )

    def _scored_at(self, site: str, experiment: Experiment, at: datetime) -> "Past[Scorecard]":
        ended = replace(experiment, state="running", reason="", stopped_at=None)
        until = min(at, experiment.stopped_at or at)
        return Past(("scorecard", site, ended, until), lambda: self._score(site, ended, until))

    def _found(self, question: Question, experiment: Experiment, card: Scorecard, at: datetime) -> list[Evidence]:
        scenarios = {variant.scenario: variant.name for variant in experiment.variants}
        measured = {metric.metric for metric in self._metrics}
        found = []
        for study in question.studies.values():
            metric = study.metric or experiment.primary
            if study.kind != "experiment" or study.scenario not in scenarios or metric not in measured:
                continue
            if scenarios[study.scenario] == experiment.control:
                continue
            one = evidence_from(
                card, study=study.name, measures=study.measures, metric=metric, variant=scenarios[study.scenario]
            )
            if isinstance(one, Evidence):
                found.append(replace(one, source=experiment.experiment, at=at))
        return found

    def _fresh_or(self, key: Hashable, compute: Callable[[], AnswerT]) -> AnswerT:
        with self._lock_of(key):
            known = self._fresh.get(key)
            began = time.monotonic()
            if known is not None and began < known[0]:
                return cast(AnswerT, known[1])
            answer = compute()
            now = time.monotonic()
            self._fresh[key] = (now + max(FRESH_SECONDS, FRESH_TIMES * (now - began)), answer)
            return answer

    def _past_or(self, asked: "Past[AnswerT]") -> AnswerT:
        with self._lock_of(asked.key):
            if not self._is_known(asked):
                self._past[asked.key] = (time.monotonic() + PAST_SECONDS, asked.compute())
            return cast(AnswerT, self._past[asked.key][1])

    def _is_known(self, asked: "Past[AnswerT]") -> bool:
        known = self._past.get(asked.key)
        return known is not None and time.monotonic() < known[0]

    def _in_time(self, asked: Mapping[datetime, "Past[AnswerT]"]) -> list[tuple[datetime, AnswerT]]:
        """Answer for as many moments as there is time for, the ends first; those known already cost nothing.

        Where time is up, what was known some time ago is told again.
        """
        enough = time.monotonic() + HISTORY_SECONDS
        found = {}
        for at in spread(list(asked)):
            if self._is_known(asked[at]) or time.monotonic() < enough:
                found[at] = self._past_or(asked[at])
            elif (known := self._past.get(asked[at].key)) is not None:
                found[at] = cast(AnswerT, known[1])
        return sorted(found.items(), key=lambda one: one[0])

    def _lock_of(self, key: Hashable) -> threading.RLock:
        """One lock per answer: each is computed once, and none waits for another's history."""
        with self._lock:
            if len(self._locks) > REMEMBERED:
                for memory in (self._locks, self._fresh, self._past):
                    memory.clear()
            return self._locks.setdefault(key, threading.RLock())
