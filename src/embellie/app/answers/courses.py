"""Courses: what living through stages is worth, worked out once per course of events rather than once per draw.

When all waiting times are the same in every draw, what a course is worth is linear in the scenarios' flows: so much for each
unit of money a week of one's benefit, so much for each of its running cost, its build, its rollback. Those weights are what
the timeline gives for flows that are units of each kind.
"""

from collections.abc import Sequence

import numpy as np

from embellie.app.answers.drawn import Array, Sample
from embellie.frame.months import Months
from embellie.frame.timeline import Flow, Stage, Timeline

_MONEY = ("benefit", "run", "build", "rollback")
_TIMES = ("ready", "ramp", "obsolescence")

Weights = dict[tuple[tuple[Stage, ...], frozenset[str]], Array]
"""What a unit of money of each scenario and kind is worth in a course, by its stages and what is built."""


class Courses:
    """The courses through one sample of a question.

    Args:
        sample: Its draws.
        weights: Those found in other draws of the same sample, where all waiting times were the same.
    """

    def __init__(self, sample: Sample, *, weights: Weights | None = None) -> None:
        self.sample = sample
        self.flows = {name: sample.model.flow(sample.named, name) for name in sample.question.scenarios}
        self._linear = not any(sample.model.is_lump(name) for name in self.flows) and all(
            np.ndim(getattr(flow, time)) == 0 for flow in self.flows.values() for time in _TIMES
        )
        self._months = Months(sample.question.horizon_weeks, sample.question.discount)
        self._units = _units(self.flows)
        self.weights: Weights = {} if weights is None else weights

    def net(self, stages: Sequence[Stage], *, built: frozenset[str]) -> Array:
        """Return today's worth of living through stages, in each draw or once for all; as `Model.course` gives it."""
        if not self._linear:
            return self.sample.model.course(self.sample.named, stages, built=built).net
        weights = self._weighted(tuple(stages), built)
        money = (getattr(flow, kind) for flow in self.flows.values() for kind in _MONEY)
        found = sum((weight * amount for weight, amount in zip(weights, money, strict=True) if weight), np.zeros(()))
        return np.asarray(found, dtype=float)

    def _weighted(self, stages: tuple[Stage, ...], built: frozenset[str]) -> Array:
        if (stages, built) not in self.weights:
            line = Timeline(self.sample.question, months=self._months, flow=self._units.__getitem__, built=built)
            for stage in stages:
                line.begin(stage)
            size = len(_MONEY) * len(self.flows)
            self.weights[stages, built] = np.broadcast_to(line.worth().net, (size,))
        return self.weights[stages, built]


def _units(flows: dict[str, Flow]) -> dict[str, Flow]:
    """Return flows whose draws stand for one unit of money each: of one scenario, and one kind."""
    every = iter(np.eye(len(_MONEY) * len(flows)))
    return {
        name: Flow(
            **{kind: next(every) for kind in _MONEY},
            **{time: getattr(flow, time) for time in _TIMES},
        )
        for name, flow in flows.items()
    }
