"""Verdict: what to do now, in a word and a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from embellie.domain.plan import Plan
from embellie.domain.unavailable import Unavailable

Action = Literal["ship", "hold", "stop", "learn_more"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number and its numerical error: half the width of a 95 % interval over independent scrambles of the draws."""

    value: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A distribution in five numbers; `error` is the numerical error of the mean."""

    mean: float
    p05: float
    p50: float
    p95: float
    error: float = 0.0


def _between(values: tuple[float, ...], place: float) -> float:
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioValue:
    """What a scenario is worth over the horizon, in the question's currency.

    `quantiles` are those of its net benefit at evenly spaced probabilities, the first and last half a step from the ends.
    """

    scenario: str
    net_benefit: Spread
    cost: float
    roi: Spread | Unavailable
    p_best: float
    p_loss: float
    expected_loss: float
    open_questions: int
    quantiles: tuple[float, ...] = ()

    def dots(self, many: int = 20) -> list[float]:
        """Pick equally likely outcomes of its net benefit, from low to high; the mean where no quantile is known.

        >>> spread = Spread(mean=2.0, p05=0.2, p50=2.0, p95=3.8)
        >>> scenario = ScenarioValue(
        ...     scenario="ml",
        ...     net_benefit=spread,
        ...     cost=0,
        ...     roi=spread,
        ...     p_best=1,
        ...     p_loss=0,
        ...     expected_loss=0,
        ...     open_questions=0,
        ...     quantiles=(0.0, 1.0, 2.0, 3.0, 4.0),
        ... )
        >>> scenario.dots(1), scenario.dots(5)
        ([2.0], [0.0, 1.0, 2.0, 3.0, 4.0])
        """
        known = self.quantiles or (self.net_benefit.mean,)
        places = ((index + 0.5) / many * len(known) - 0.5 for index in range(many))
        return [_between(known, min(max(place, 0.0), len(known) - 1.0)) for place in places]


def at_stake(scenarios: Sequence[ScenarioValue]) -> float:
    """Return the largest amount that a scenario could plausibly win or lose: the farthest end of their 90 % ranges."""
    return max((abs(end) for one in scenarios for end in (one.net_benefit.p05, one.net_benefit.p95)), default=0.0)


Method = Literal["none", "exact", "curve", "spline"]
"""How an EVPPI was found: by no formula, in closed form, by a conditional curve, or by a penalised spline on the draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownValue:
    """What knowing an unknown is worth, and what is believed about it before and after evidence.

    `lower` is the cross-fitted lower bound of its EVPPI, where it was found by regression; `floor` is what the same draws
    would find for an unknown that matters nothing, and what is not above it is no more than noise.
    """

    name: str
    kind: str
    ask: str
    open: bool
    prior: Spread
    posterior: Spread
    evppi: Figure
    method: Method = "spline"
    lower: Figure | None = None
    floor: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Each scenario's expected net benefit, were the unknown known to be a value.

    `values` rise, in the unit as written (shares as fractions); `chances` are the probabilities of lying below them.
    """

    unknown: str
    values: tuple[float, ...]
    chances: tuple[float, ...]
    net_benefit: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TippingPoint:
    """Where the best scenario changes: `below` is the best under `value`, `above` over it."""

    unknown: str
    value: float
    below: str
    above: str
    chance_above: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """A bar of the tornado: by how much `best` leads `rival` on average, were the unknown at its p05, or at its p95."""

    unknown: str
    best: str
    rival: str
    at_p05: float
    at_p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """What a study of so many weeks is worth."""

    weeks: float
    evsi: float
    enbs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatTop:
    """ENBS by duration at one share of the traffic: from `low` to `high` weeks it loses at most 5 % of the best."""

    study: str
    share: float
    best: Duration
    low: float
    high: float
    durations: tuple[Duration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """After so many weeks, a result so far between `low` and `high` (as written) is a reason to go on; None: none is."""

    weeks: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """A study that one may end any week: what that is worth, how long it lasts on average, and when to go on.

    `enbs` compares with deciding today, as `StudyValue.enbs` does; `fixed` is the ENBS of the best duration fixed beforehand.
    """

    study: str
    share: float
    most_weeks: float
    enbs: Figure
    fixed: float
    expected_weeks: float
    boundaries: tuple[Boundary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stressed:
    """The answer under a harsher belief: every range widened by `factor`, or every tail made fat."""

    factor: float
    fat: bool
    action: Action
    scenario: str
    evpi: float
    net_benefit: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """How much of the verdict rests on our ranges being right.

    `flips_at` is the least factor by which all ranges would have to be widened for the best scenario to change, None when it
    stays up to `tried`; `learns_at` the least factor at which acting at once turns into learning first, likewise.
    """

    flips_at: float | None
    becomes: str
    learns_at: float | None
    tried: float
    widened: tuple[Stressed, ...]
    fat: Stressed


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseValue:
    """The answer in a what-if case: what is set, and what then would be best."""

    case: str
    sets: Mapping[str, str]
    action: Action
    best: str
    evpi: Figure
    net_benefit: Mapping[str, Spread]
    p_best: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """EVPI after a study, before it is run: its mean is EVPI - EVSI, and it may rise after a surprise."""

    study: str
    weeks: float
    share: float
    now: float
    after: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyValue:
    """What one design of a study is worth, net of what it costs."""

    name: str
    weeks: float
    share: float
    n: int
    evsi: Figure
    cost: float
    enbs: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAction:
    """What to do next; `because` holds the reason in words, by language (`en`, `fr`).

    `scenario` is the best today; `release` the one to put live while the study runs, if any.
    """

    action: Action
    because: Mapping[str, str]
    scenario: str = ""
    study: str = ""
    weeks: float = 0.0
    share: float = 0.0
    release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole answer to a question. `noise_floor` is what an unknown that matters nothing is found worth by these draws.

    What follows `warnings` is there when the whole answer was asked for.
    """

    question: str
    currency: str
    draws: int
    seed: int
    scenarios: tuple[ScenarioValue, ...]
    best: str
    evpi: Figure
    unknowns: tuple[UnknownValue, ...]
    studies: tuple[StudyValue, ...]
    groups: tuple[tuple[str, Figure], ...]
    next: NextAction
    noise_floor: float = 0.0
    warnings: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    tipping: tuple[TippingPoint, ...] = ()
    tornado: tuple[Swing, ...] = ()
    tops: tuple[FlatTop, ...] = ()
    stopping: tuple[Stopping, ...] = ()
    plan: Plan | None = None
    stress: Stress | None = None
    cases: tuple[CaseValue, ...] = ()
    prospect: Prospect | None = None

    @property
    def verdict(self) -> Action:
        """`ship`, `hold`, `stop` or `learn_more`."""
        return self.next.action

    @property
    def stake(self) -> float:
        """The largest amount that a scenario could plausibly win or lose."""
        return at_stake(self.scenarios)
