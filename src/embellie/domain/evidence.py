"""Evidence: what a study found about an unknown. Appended, never overwriting the prior."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from embellie.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A study's result; an event of kind `study` carries it whole.

    Either `estimate` with its standard error `se`, or `successes` of `trials`, or the `signal` that its study gave. `measures`
    is an unknown (the result is then in the unit it is written in) or a formula (in money, per week where it is per time). A
    `study` of the question adds its bias, and its transfer: it then shows the measured divided by that unknown.
    """

    kind: ClassVar[str] = "study"

    measures: str
    estimate: float | None = None
    se: float | None = None
    successes: int | None = None
    trials: int | None = None
    signal: str = ""
    study: str = ""
    source: str = ""
    at: datetime | None = None

    def __post_init__(self) -> None:
        normal = _finite(self.estimate) and _finite(self.se) and (self.se or 0.0) > 0
        counted = self.successes is not None and self.trials is not None and 0 <= self.successes <= self.trials != 0
        if normal + counted + bool(self.signal) != 1:
            raise InputError(
                f"Evidence about `{self.measures}` needs `estimate` and `se` above 0, or `successes` and `trials`, or `signal`.",
                hint='Write {"measures": "interest", "estimate": 0.012, "se": 0.006}.',
            )


def _finite(number: float | None) -> bool:
    return number is not None and math.isfinite(number)
