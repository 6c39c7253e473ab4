"""Evidence: what a study found about an unknown. Appended, never overwriting the prior."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from embellie.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A study's result; an event of kind `study` carries it whole.

    Either `estimate` with its standard error `se`, in the unit of the unknown, or `successes` of `trials`.
    """

    kind: ClassVar[str] = "study"

    measures: str
    estimate: float | None = None
    se: float | None = None
    successes: int | None = None
    trials: int | None = None
    study: str = ""
    source: str = ""
    at: datetime | None = None

    def __post_init__(self) -> None:
        normal = self.estimate is not None and self.se is not None and self.se > 0
        counted = self.successes is not None and self.trials is not None and 0 <= self.successes <= self.trials != 0
        if normal == counted:
            raise InputError(
                f"Evidence about `{self.measures}` needs `estimate` and `se` above 0, or `successes` and `trials`.",
                hint='Write {"measures": "interest", "estimate": 0.012, "se": 0.006}.',
            )
