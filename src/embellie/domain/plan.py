"""Plan: an order of studies and releases, with what to do on each outcome, valued as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embellie.domain.verdict import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What to do when a result lies from `low` to `high` (as the unknown is written; None: without end).

    Where the study gives one of a few `signals` these are named instead. `chance` is that of the branch once its step is taken,
    `value` the mean net benefit of all that is done when it comes so.
    """

    low: float | None
    high: float | None
    chance: float
    value: float
    then: Step
    signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: `live` is the scenario readers have from now on; then a study, and a branch for each of its outcomes.

    Without a study the step is the last: `live` stays to the end of the horizon. `begins` is in weeks from today, on average;
    `starts` is true where this step puts `live` in production, `stops` where it takes back what was there. `cost` is that of the
    study, building what it needs included.
    """

    live: str
    begins: float
    starts: bool = False
    stops: bool = False
    study: str = ""
    weeks: float = 0.0
    share: float = 0.0
    n: int = 0
    cost: float = 0.0
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another way to begin, and what following it brings on average over acting at once."""

    live: str
    study: str
    weeks: float
    share: float
    gain: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do first, and what then.

    `value` is the mean net benefit of following it, `gain` how much that is above acting at once on the best scenario, `words`
    the plan in sentences, by language (`en`, `fr`), and `rivals` the next best ways to begin, acting at once among them.
    """

    first: Step
    value: Figure
    gain: Figure
    words: Mapping[str, tuple[str, ...]]
    rivals: tuple[Rival, ...] = ()

    @property
    def release(self) -> str:
        """The scenario to put in production while the first study runs, if any."""
        return self.first.live if self.first.study and self.first.starts else ""
