"""Verdict: what to do now, in a word and a reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioValue:
    """What a scenario is worth over the horizon, in the question's currency."""

    scenario: str
    net_benefit: Spread
    cost: float
    roi: Spread | Unavailable
    p_best: float
    p_loss: float
    expected_loss: float
    open_questions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownValue:
    """What knowing an unknown is worth, and what is believed about it before and after evidence."""

    name: str
    kind: str
    ask: str
    open: bool
    prior: Spread
    posterior: Spread
    evppi: Figure


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
    """What to do next; `because` holds the reason in words, by language (`en`, `fr`)."""

    action: Action
    because: Mapping[str, str]
    scenario: str = ""
    study: str = ""
    weeks: float = 0.0
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole answer to a question. `noise_floor` is what an unknown that matters nothing is found worth by these draws."""

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

    @property
    def verdict(self) -> Action:
        """`ship`, `hold`, `stop` or `learn_more`."""
        return self.next.action
