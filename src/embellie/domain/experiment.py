"""Experiment: a randomised comparison of variants, one of them the control."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from embellie.domain.errors import InputError, unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One side of an experiment: a scenario, carried out by a release."""

    name: str
    weight: float
    scenario: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A split of a placement's readers, to learn; an event of kind `experiment` carries it whole.

    `planned` readers, both sides together, is where its intervals are tightest: part of the design, fixed before the
    first look. `looks` planned moments of decision make the intervals of what decides group-sequential; without them
    every interval holds at every look. `share` is the part of all readers that takes part. `pre_days` before a reader's first
    exposure are what adjusted rows compare with. `salt` fixes who falls where. The analysis unit is the randomisation
    unit: the reader. `holdout` marks the lasting comparison of readers kept out of everything.
    """

    kind: ClassVar[str] = "experiment"

    experiment: str
    placement: str
    control: str
    variants: tuple[Variant, ...]
    salt: str
    layer: str = "default"
    share: float = 1.0
    planned: int = 10_000
    looks: int = 0
    pre_days: int = 14
    holdout: bool = False
    unit_kind: Literal["reader"] = "reader"
    primary: str = "articles_per_visit"
    metrics: tuple[str, ...] = ()
    state: Literal["running", "stopped"] = "running"
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        if len(names) < 2 or len(set(names)) < len(names):
            raise InputError(
                f"Experiment `{self.experiment}` needs two or more variants with different names.",
                hint="Write for example variants = { status_quo = 1, heuristic = 1 }.",
            )
        if self.control not in names:
            raise unknown_name("variant", self.control, names)
        if not all(variant.weight > 0 for variant in self.variants) or not 0 < self.share <= 1:
            raise InputError(
                f"Experiment `{self.experiment}` has a weight or a share that is not above 0 (share at most 1).",
                hint="Give each variant a positive weight; leave a variant out to drop it.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A unit met its variant: starts its analysis clock; once per unit and experiment. `bot` says by what sign it is no person."""

    kind: ClassVar[str] = "exposure"

    experiment: str
    unit: str
    variant: str
    bot: str = ""


Why = Literal["SPLIT", "STATIC", "DEFAULT", "DISABLED"]
"""OpenFeature's words: by a split of readers; the same for all; this reader takes no part; the experiment is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Which variant of an experiment a reader has, and why; `exposures` are due once the reader meets it."""

    experiment: Experiment
    variant: str
    reason: Why
    takes_part: bool = False
    exposures: tuple[Exposure, ...] = ()
