"""Metric: a quantity followed per reader, with the part it plays in the decision."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["primary", "guardrail", "diagnostic", "surrogate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A mean per reader (`numerator`), or a ratio of means (`numerator` over `denominator`).

    Both name a count of the log: `reads`, `visits`, `clicks`, `impressions`, `engaged_seconds`, `conversions`,
    `amount`. `denominator` `""` means per reader. `proxy` marks what stands in for a business result.
    """

    metric: str
    numerator: str
    denominator: str = ""
    role: Role = "diagnostic"
    margin: float = 0.0
    proxy: bool = False
