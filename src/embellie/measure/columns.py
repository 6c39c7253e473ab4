"""Columns: the numbers per unit that metrics are made of, each with a name of its own."""

from dataclasses import dataclass
from typing import Literal

from embellie.domain.metric import Metric

Window = Literal["during", "before"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One number per unit.

    Attributes:
        counted: A count of the log, or a column of a table; `due` is 1 for a unit exposed at least `days[1]` days ago.
        goal: Only conversions of this goal.
        window: Since the first exposure, or in the days before it (the experiment's `pre_days`).
        days: Only from the first to before the second of these days since the first exposure; (0, 0) for all.
        share: 1 where the number is above zero, else 0.
        cap: At most the value at this quantile of the units above zero, and at least its counterpart below; 0 for no cap.
    """

    counted: str
    goal: str = ""
    window: Window = "during"
    days: tuple[int, int] = (0, 0)
    share: bool = False
    cap: float = 0.0

    @property
    def name(self) -> str:
        """Its name in aggregates, one per column.

        >>> Column(counted="amount", goal="subscription", window="before", cap=0.999).name
        'amount:subscription^0.999@before'
        """
        goal = f":{self.goal}" if self.goal else ""
        cap = f"^{self.cap:g}" if self.cap else ""
        share = ">0" if self.share else ""
        window = "@before" if self.window == "before" else f"@{self.days[0]}-{self.days[1]}" if self.days[1] else ""
        return f"{self.counted}{goal}{cap}{window}{share}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotient:
    """One column divided by another, mean by mean, as a ratio metric is."""

    numerator: Column
    denominator: Column


def metric_columns(metric: Metric) -> tuple[Column, ...]:
    """Return the one or two columns of a metric: what is summed, and what that is divided by.

    >>> [column.name for column in metric_columns(Metric(metric="m", numerator="reads", denominator="visits"))]
    ['reads', 'visits']
    >>> back = Metric(metric="back", numerator="visits", form="retention", days=(7, 14))
    >>> [column.name for column in metric_columns(back)]
    ['visits@7-14>0', 'due@7-14']
    """
    counted, goal = metric.numerator, metric.goal
    if metric.form == "retention":
        return (
            Column(counted=counted, goal=goal, days=metric.days, share=True),
            Column(counted="due", days=metric.days),
        )
    top = Column(counted=counted, goal=goal, share=metric.form == "share", cap=metric.cap)
    return (top, Column(counted=metric.denominator)) if metric.denominator else (top,)


def before(column: Column) -> Column:
    """Return the same column in the days before the first exposure.

    >>> before(Column(counted="reads")).name
    'reads@before'
    """
    return Column(counted=column.counted, goal=column.goal, window="before", share=column.share, cap=column.cap)


def metric_before(metric: Metric) -> Column | Quotient | None:
    """Return a metric as it was before the experiment: its covariate; none for what needs time or an order.

    >>> metric_before(Metric(metric="m", numerator="reads", denominator="visits")).denominator.name
    'visits@before'
    """
    if metric.form in {"quantile", "retention"}:
        return None
    columns = [before(column) for column in metric_columns(metric)]
    return columns[0] if len(columns) == 1 else Quotient(numerator=columns[0], denominator=columns[1])
