"""Guarding: what a change is worth per month, and whether a loss beyond a guardrail's margin can be ruled out. Pure."""

import math
from typing import Literal

from embellie.domain.metric import Metric
from embellie.domain.scorecard import Guardrail, MoneyEffect
from embellie.measure.aggregates import Aggregates
from embellie.measure.columns import metric_columns
from embellie.measure.comparing import Compared
from embellie.measure.designing import Design
from embellie.measure.looking import margin_reach


def money_of_one(design: Design, aggregates: Aggregates, metric: Metric) -> float | None:
    """Return what an effect of one, in the metric's unit, is worth per month if all readers had the variant.

    What it is multiplied by in a month among all readers (readers, or visits for a metric per visit: `Σ denominator` over all
    variants, by the share of readers that take part and by months), times the worth of one more of the numerator. None without
    a worth, without a duration, and for a quantile, which no sum follows from.
    """
    if metric.worth is None or metric.form == "quantile" or not design.months or design.months <= 0:
        return None
    below = metric_columns(metric)[1:]
    total = sum(
        side.n * (side.mean(below[0].name) if below else 1.0)
        for name, side in aggregates.moments.items()
        if name in design.weights
    )
    return total / design.share / design.months * metric.worth.amount


def money_effect(metric: Metric, one: float | None, interval: tuple[float, float, float]) -> MoneyEffect | None:
    """Return an effect, its low and its high end in money per month."""
    if one is None or metric.worth is None:
        return None
    effect, *ends = (one * each for each in interval)
    return MoneyEffect(effect=effect, low=min(ends), high=max(ends), currency=metric.worth.currency)


def guard(design: Design, metric: Metric, compared: Compared, *, one: float | None) -> Guardrail | None:
    """Say whether a guardrail holds: the effect cannot be below minus the margin, whenever one looks.

    A margin that is a share m of the control's value moves with it: what is bounded is `D + m·|C|`, whose variance counts that both
    share the control's readers, `Var D + m² Var C − 2 m cov`. A margin in money is a fixed number. Each bound is one-sided, at
    the level of the design: the chance that a guardrail is *ever* said to hold though the loss is beyond the margin is at most
    5 %, and so is that of an alarm though it is not.

    Args:
        design: What was planned.
        metric: The guardrail, with `margin` or `loss`.
        compared: What was found.
        one: What an effect of one is worth per month.
    """
    money: float | None
    if metric.loss is not None:
        if not one:
            return None
        margin, share, money = metric.loss.amount / abs(one), 0.0, metric.loss.amount
    else:
        margin, share = metric.margin * abs(compared.control_value), metric.margin
        money = None if one is None else margin * abs(one)
    if compared.control_value < 0:
        share = -share
    found = compared.found
    variance = found.se**2 + share**2 * compared.base_variance - 2.0 * share * compared.cross
    half = margin_reach(design.looking, found.n) * math.sqrt(max(0.0, variance))
    low, high = found.value - half, found.value + half
    state: Literal["holds", "harmed", "open"] = "holds" if low > -margin else "harmed" if high < -margin else "open"
    return Guardrail(state=state, margin=margin, money=money, low=low, high=high)
