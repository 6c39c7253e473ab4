"""Metric: a quantity followed per reader, with the part it plays in the decision."""

from dataclasses import dataclass
from typing import Literal

from embellie.domain.errors import InputError
from embellie.domain.money import Money

Role = Literal["primary", "guardrail", "diagnostic", "surrogate"]

Form = Literal["mean", "share", "quantile", "retention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A mean per reader (`numerator`), or a ratio of means (`numerator` over `denominator`).

    Both name a count of the log: `reads`, `visits`, `clicks`, `impressions`, `engaged_seconds`, `conversions`,
    `amount`. `denominator` `""` means per reader.

    Attributes:
        form: `mean`; `share`, the part of readers whose numerator is above zero; `quantile`, that of the numerator over
            readers; `retention`, the part of readers whose numerator is above zero `days` after their first exposure.
        goal: Only conversions of this goal count, in `conversions` and `amount`.
        quantile: For the form `quantile`, above 0 and below 1.
        days: For the form `retention`: from the first of these days since exposure on, until before the second.
        cap: A heavy reader counts as the value at this quantile (0.999) of the readers above zero; 0 caps nobody.
        role: `primary` decides; `guardrail` must not be harmed; `surrogate` foretells a primary one; `diagnostic` explains.
        margin: For a guardrail: the largest loss that is acceptable, as a share of the control's value.
        loss: The same in money per month, for all readers; needs `worth`.
        worth: What one more unit of the numerator brings.
        proxy: It stands in for a business result.
    """

    metric: str
    numerator: str
    denominator: str = ""
    role: Role = "diagnostic"
    margin: float = 0.0
    proxy: bool = False
    form: Form = "mean"
    goal: str = ""
    quantile: float = 0.5
    days: tuple[int, int] = (0, 0)
    cap: float = 0.0
    worth: Money | None = None
    loss: Money | None = None

    def __post_init__(self) -> None:
        wrong = [
            (
                self.denominator and self.form != "mean",
                "only a mean can be divided by another; leave `denominator` out",
            ),
            (not 0 < self.quantile < 1, "`quantile` lies between 0 and 1, such as 0.9"),
            (not 0 <= self.cap < 1, "`cap` is a quantile, such as 0.999"),
            (self.form == "retention" and not 0 <= self.days[0] < self.days[1], "`days` is two days, such as [7, 14]"),
            (self.loss is not None and self.worth is None, "`loss` in money needs `worth`: what one unit brings"),
            (
                self.loss is not None and self.worth is not None and self.loss.currency != self.worth.currency,
                "`loss` and `worth` are in two currencies",
            ),
            (self.margin < 0 or (self.loss is not None and self.loss.amount < 0), "a margin is 0 or more"),
        ]
        for is_wrong, what in wrong:
            if is_wrong:
                raise InputError(f"Metric `{self.metric}`: {what}.", hint="See the chapter on measuring.")
