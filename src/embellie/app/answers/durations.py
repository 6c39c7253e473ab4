"""Durations: how long a study should run, when to end it early, and what may be left to learn after it."""

import itertools
from collections.abc import Sequence

import numpy as np

from embellie.app.answers.drawn import Array
from embellie.app.answers.studying import Studies
from embellie.decide.information import evpi
from embellie.decide.judging import Design, value_design
from embellie.decide.preposterior import RANKS, outlook
from embellie.decide.stopping import Durations, Trial
from embellie.domain.question import Study
from embellie.domain.verdict import Boundary, Duration, Figure, FlatTop, Prospect, Spread, Stopping
from embellie.stats.sampling import SCRAMBLES
from embellie.stats.splines import fit_curves

SHORTEST = 1.0
"""Weeks of the shortest experiment looked at: days of a week differ, so that less than a week measures some days only."""

LOST = 0.05
"""What a duration on the flat top may lose of the best."""

MOST_WEEKS = 52
"""An experiment that may be ended any week lasts no longer."""

_KNOTS = (0.4, 1.0)
"""Parts of the longest duration at which what follows is valued, besides the shortest and longest design of the file."""

_COARSE, _FINE = 10, 12


def flat_tops(studies: Studies) -> tuple[FlatTop, ...]:
    """Return ENBS by duration, for each experiment whose precision grows with its weeks and each share of the traffic."""
    return tuple(
        _Passing(studies, study, share).top()
        for study in studies.question.studies.values()
        if studies.grows(study)
        for share in studies.shares(study)
    )


def stoppings(studies: Studies, tops: Sequence[FlatTop] | None = None) -> tuple[Stopping, ...]:
    """Return when to end each experiment that may be ended any week, at its best share of the traffic.

    Args:
        studies: The studies of a question.
        tops: Their flat tops, when they are known.
    """
    best: dict[str, FlatTop] = {}
    for top in flat_tops(studies) if tops is None else tops:
        if top.study not in best or top.best.enbs > best[top.study].best.enbs:
            best[top.study] = top
    found = (_Passing(studies, studies.question.studies[top.study], top.share).stopping() for top in best.values())
    return tuple(stopping for stopping in found if stopping)


def prospect(studies: Studies, best: Design, *, today: Figure) -> Prospect:
    """Return what EVPI may be after a study; on average it is EVPI - EVSI.

    Args:
        studies: The studies of a question.
        best: The design to be run.
        today: EVPI as it is now. What is left after is counted on the draws, so its error holds theirs.
    """
    study = studies.question.studies[best.study]
    net = studies.sample.draws.net
    after = outlook(best.now, best.noise, shown=studies.shown(study), net=net)
    order = np.argsort(after.evpi, kind="stable")
    reached = np.cumsum(after.chances[order]) - after.chances[order] / 2
    p05, p50, p95 = np.interp([0.05, 0.5, 0.95], reached / after.chances.sum(), after.evpi[order])
    return Prospect(
        study=best.study,
        weeks=best.weeks,
        share=best.share,
        now=today.value,
        after=Spread(
            mean=float(after.chances @ after.evpi / after.chances.sum()),
            p05=float(p05),
            p50=float(p50),
            p95=float(p95),
            error=after.error + evpi(net).error,
        ),
    )


class _Passing:
    """An experiment at one share of the traffic, as its weeks go by."""

    def __init__(self, studies: Studies, study: Study, share: float) -> None:
        self.studies = studies
        self.study = study
        self.share = share
        self.before = studies.preparation(study)
        self.delay = studies.delay(study)
        left = studies.question.horizon_weeks - self.before.weeks - self.delay
        self.most = max(left / 2, 2 * SHORTEST)
        self.now = float(studies.sample.draws.net.mean(axis=1).max())
        self.earning = studies.earning(study, share)
        self.traffic = studies.noise(study, 1.0, share, 0)
        self.durations = Durations(self._trial(), shortest=SHORTEST, most=min(self.most, float(MOST_WEEKS)))

    def _trial(self) -> Trial:
        """Gather what is known of the experiment week by week; decisions in between are taken as on a parabola."""
        written = [weeks for weeks in self.study.weeks if weeks < self.most]
        knots = np.unique([*(np.array(_KNOTS) * self.most), *written[:1], *written[-1:]])
        ends = [self.before.weeks + self.delay + weeks for weeks in knots]
        subjects = [self.studies.subject(self.study, weeks, self.before.built) for weeks in ends]
        nets = [self.studies.sample.net_from(weeks, self.before.built) for weeks in ends]
        noise = self.traffic[0]
        return Trial(
            values=subjects[0].values,
            se=noise.se,
            bias=noise.bias,
            knots=knots,
            leads=np.stack([subject.conditional[0] for subject in subjects]),
            means=np.stack([net.mean(axis=1) for net in nets]),
            now=self.studies.subject(self.study).conditional[0],
            earning=self._earning_known(subjects[0].values),
        )

    def _earning_known(self, values: Array) -> Array:
        """Return what the experiment earns in a week, were what it shows known to be each of `values`."""
        if not self.earning.any():
            return np.zeros_like(RANKS)
        shown = self.studies.shown(self.study)
        scores = np.interp(shown, values, RANKS)
        curves = fit_curves(scores, self.earning[None], blocks=SCRAMBLES, carrier=shown)
        return np.asarray(curves.at(RANKS, values)[0, 0], dtype=float)

    def _cost(self, weeks: float) -> float:
        return self.studies.cost(self.study, weeks, self.share, round(self.traffic[1] * weeks)) if weeks else 0.0

    def _tail(self, weeks: float) -> float:
        return float(self.studies.sample.model.tail(self.before.weeks + weeks))

    def duration(self, weeks: float) -> Duration:
        """Return what so many weeks are worth."""
        earned = float(self.earning.mean()) * (self._tail(0.0) - self._tail(weeks))
        evsi, after = self.durations.at(weeks)
        worth = after + earned - self._cost(weeks) - self.before.upfront - self.now
        return Duration(weeks=weeks, evsi=evsi, enbs=float(worth))

    def top(self) -> FlatTop:
        """Return ENBS by duration, from one week to where it stays negative or half of the horizon."""
        found = {weeks: self.duration(weeks) for weeks in np.geomspace(SHORTEST, self.most, _COARSE).tolist()}
        positive = [weeks for weeks, one in found.items() if one.enbs > 0]
        end = min((weeks for weeks in found if weeks > max(positive)), default=self.most) if positive else self.most
        more = np.linspace(SHORTEST, end, _FINE + 2)[1:-1].tolist()
        found = {weeks: one for weeks, one in found.items() if weeks <= end}
        found |= {weeks: self.duration(weeks) for weeks in more}
        for _ in range(2):
            weeks = sorted(found)
            place = weeks.index(max(found.values(), key=lambda one: one.enbs).weeks)
            near = weeks[max(place - 1, 0) : place + 2]
            middles = [(one + other) / 2 for one, other in itertools.pairwise(near)]
            found |= {middle: self.duration(middle) for middle in middles}
        durations = tuple(found[weeks] for weeks in sorted(found))
        best = max(durations, key=lambda one: one.enbs)
        low, high = _within(durations, best, best.enbs - LOST * abs(best.enbs))
        return FlatTop(study=self.study.name, share=self.share, best=best, low=low, high=high, durations=durations)

    def stopping(self) -> Stopping | None:
        """Return when to end the experiment, or nothing where there is no week to choose."""
        most = int(min(self.most, MOST_WEEKS))
        if most < 2:
            return None
        tails = np.array([self._tail(float(week)) for week in range(most + 1)])
        costs = np.diff([self._cost(float(week)) for week in range(most + 1)])
        stopped = self.durations.stopping(tails[:-1] - tails[1:], costs)
        fixed = int(np.argmax(stopped.fixed))
        reference = self.studies.design(self.study, fixed + 1.0, self.share, 0, self.delay)
        error = value_design(reference, self.studies.sample.draws.net).enbs.error
        spent = self.before.upfront + self.now
        return Stopping(
            study=self.study.name,
            share=self.share,
            most_weeks=float(most),
            enbs=Figure(value=stopped.worth - spent, error=error),
            fixed=float(stopped.fixed[fixed]) - spent,
            expected_weeks=stopped.expected_weeks,
            boundaries=_boundaries(stopped.low, stopped.high),
        )


def _within(durations: Sequence[Duration], best: Duration, least: float) -> tuple[float, float]:
    """Return the shortest and longest duration around the best that are worth `least`, on straight lines in between."""
    place = durations.index(best)

    def reach(path: Sequence[Duration]) -> float:
        for inner, outer in itertools.pairwise(path):
            if outer.enbs < least:
                part = (inner.enbs - least) / (inner.enbs - outer.enbs)
                return inner.weeks + part * (outer.weeks - inner.weeks)
        return path[-1].weeks

    return reach(durations[place::-1]), reach(durations[place:])


def _boundaries(low: Array, high: Array) -> tuple[Boundary, ...]:
    """Return the weeks up to the first after which one never goes on."""
    on = np.flatnonzero(np.isfinite(low))
    last = min(on[-1] + 2, len(low)) if len(on) else min(1, len(low))
    return tuple(
        Boundary(weeks=week + 1.0, low=float(low[week]), high=float(high[week]))
        if np.isfinite(low[week])
        else Boundary(weeks=week + 1.0, low=None, high=None)
        for week in range(last)
    )
