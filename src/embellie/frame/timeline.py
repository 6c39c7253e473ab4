"""Timeline: what is built, goes live, is replaced and is taken back, week by week, in each draw.

Between stages nothing is chosen: from the week a stage begins one works on its scenario, and what went before goes on until it
is ready. What a scenario needs is built with it, and goes live as soon as it is ready itself, unless an earlier stage
had begun it: then what went before goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.domain.question import Question, Scenario
from embellie.frame.months import Months

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Worth:
    """A scenario's net benefit and its cost (building, running, taking back), in money of today, one number per draw."""

    net: Array
    cost: Array


@dataclass(frozen=True, slots=True)
class Flow:
    """What a scenario brings and takes: money per week from `ready` (weeks), `build` at the start, `rollback` at its end.

    The benefit grows over `ramp` weeks, and fades by the share `obsolescence` a year.
    """

    benefit: Array
    run: Array
    build: Array
    ready: Array
    ramp: Array
    obsolescence: Array
    rollback: Array


@dataclass(frozen=True, slots=True)
class Stage:
    """From week `begins` on, one works on `scenario`; a number of weeks from today, the same in every draw."""

    scenario: str
    begins: float


@dataclass(frozen=True, slots=True)
class _Event:
    """A scenario goes live at a week of each draw; `paid` is today's worth of what was spent for it."""

    scenario: str
    at: Array
    paid: Array


def goes_on(baseline: Scenario) -> bool:
    """Whether the baseline is what happens today: it has flows, and nothing to build or wait for."""
    waits = not baseline.built and (baseline.build or baseline.ready)
    return not (baseline.value or waits or baseline.needs)


def built_on(question: Question, scenario: str) -> list[str]:
    """Return what a scenario needs, first things first, then the scenario."""
    chain = [scenario]
    while needed := question.scenarios[chain[0]].needs:
        chain.insert(0, needed)
    return chain


class Timeline:
    """One course through a question's scenarios, stage after stage.

    Args:
        question: Its first scenario is the baseline.
        months: Up to the horizon.
        flow: Gives a scenario's flows, draw by draw.
        built: What stands ready from the start, paid for elsewhere.
    """

    def __init__(
        self, question: Question, *, months: Months, flow: Callable[[str], Flow], built: frozenset[str]
    ) -> None:
        self._question, self._months = question, months
        self._flow = flow
        self._ready: dict[str, Array] = {name: np.asarray(0.0) for name in built}
        self._events: list[_Event] = []
        self._spent: Array = np.asarray(0.0)
        self._now = ""
        self._baseline = next(iter(question.scenarios))
        if goes_on(question.scenarios[self._baseline]):
            self._ready[self._baseline] = np.asarray(0.0)
            self._now = self._baseline
            self._go_live(self._baseline, np.asarray(0.0), np.asarray(0.0))

    def begin(self, stage: Stage) -> None:
        """Work on a scenario from a week on."""
        if stage.scenario == self._now:
            return
        self._take_back(stage)
        self._now = stage.scenario
        at = np.asarray(stage.begins)
        for name in built_on(self._question, stage.scenario):
            paid = np.asarray(0.0)
            if name not in self._ready:
                flow = self._flow(name)
                self._ready[name] = np.maximum(flow.ready, 0.0) + stage.begins
                paid = flow.build * self._months.rate(stage.begins)
            at = np.maximum(self._ready[name], at)
            if name == stage.scenario or not any(event.scenario == name for event in self._events):
                self._go_live(name, at, paid)

    def worth(self) -> Worth:
        """Return today's worth of it all, up to the horizon."""
        net, cost = -self._spent, self._spent
        lived: dict[str, Array] = {}
        for event, ends in zip(self._events, self._ends(), strict=True):
            flow = self._flow(event.scenario)
            weeks = self._months.tail(event.at) - (0.0 if ends is None else self._months.tail(ends))
            live = np.minimum(lived.get(event.scenario, np.asarray(np.inf)), event.at)
            spent = flow.run * weeks + event.paid
            net = net + self._brought(flow, weeks, live, event.at, ends) - spent
            cost = cost + spent
            lived[event.scenario] = live if ends is None else np.where(event.at < ends, live, np.inf)
        return Worth(net, cost)

    def _go_live(self, scenario: str, at: Array, paid: Array) -> None:
        self._events.append(_Event(scenario, at, paid))

    def _take_back(self, stage: Stage) -> None:
        """Pay for going back to the baseline, or to what the present scenario was built on, where that is live already."""
        if not self._now:
            return
        kept, chain = built_on(self._question, stage.scenario), built_on(self._question, self._now)
        if stage.scenario != self._baseline and stage.scenario not in chain:
            return
        for name in chain:
            if name not in kept and name != self._baseline and self._question.scenarios[name].rollback:
                places = [place for place, event in enumerate(self._events) if event.scenario == name]
                lived = [self._lived(place, stage) for place in places]
                live = np.any(np.broadcast_arrays(*lived), axis=0)
                self._spent = self._spent + self._flow(name).rollback * live * self._months.rate(stage.begins)

    def _lived(self, place: int, stage: Stage) -> Array:
        """Whether readers had it before a stage begins: what was called off before it was ready was never live."""
        at = self._events[place].at
        lived = at < stage.begins
        for later in self._events[place + 1 :]:
            lived = lived & ~(later.at < at)
        return np.asarray(lived)

    def _ends(self) -> list[Array | None]:
        """Return when each event is over: as soon as something begun after it goes live; None at the horizon."""
        ends: list[Array | None] = []
        soonest: Array | None = None
        for event in reversed(self._events):
            ends.append(None if soonest is None else np.maximum(soonest, event.at))
            soonest = event.at if soonest is None else np.minimum(soonest, event.at)
        return ends[::-1]

    def _brought(self, flow: Flow, weeks: Array, live: Array, begins: Array, ends: Array | None) -> Array:
        if not (np.any(flow.ramp > 0) or np.any(flow.obsolescence)):
            return flow.benefit * weeks
        until = np.asarray(np.inf) if ends is None else ends
        return flow.benefit * self._months.between(begins, until, live=live, ramp=flow.ramp, fading=flow.obsolescence)
