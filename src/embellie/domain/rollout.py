"""Rollout: the gradual change of a placement from its stable release to a canary, in steps with gates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from embellie.domain.errors import InputError

RolloutState = Literal["running", "held", "completed", "rolled_back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Where a placement's change stands; an event of kind `rollout` carries it whole, the last one holds.

    A reason that a verb or a gate gave has a `reason_code`, with the `reason_figures` it speaks of, so that it can be
    said in another language; a person's own words have none. The weight only grows, on one hash of the reader, so a reader once in the canary stays there until it is complete or rolled back.
    """

    kind: ClassVar[str] = "rollout"

    rollout: str
    placement: str
    stable: str
    canary: str
    steps: tuple[float, ...]
    step: int = 0
    state: RolloutState = "running"
    salt: str = ""
    reason: str = ""
    reason_code: str = ""
    reason_figures: Mapping[str, float] = field(default_factory=dict, hash=False)
    by: str = ""
    changed_at: datetime | None = None

    def __post_init__(self) -> None:
        grows = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or not grows or not 0 < self.steps[0] <= self.steps[-1] <= 1:
            raise InputError(
                f"The steps {list(self.steps)} of rollout `{self.rollout}` must grow from above 0 to at most 1.",
                hint="Write for example steps = [0.01, 0.05, 0.25, 1.0].",
            )

    @property
    def weight(self) -> float:
        """The share of readers on the canary now."""
        if self.state == "completed":
            return 1.0
        return 0.0 if self.state == "rolled_back" else self.steps[self.step]
