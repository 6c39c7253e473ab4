"""Planning experiments: from given figures, or from the site's own log; as a document and as sentences."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from embellie.app.worth import parse_margin
from embellie.domain.errors import InputError, unknown_name
from embellie.domain.experiment import Experiment
from embellie.domain.metric import Metric
from embellie.domain.money import Money
from embellie.measure.aggregates import Aggregates
from embellie.measure.from_log import read_aggregates
from embellie.measure.planning import (
    Detectable,
    ExperimentPlan,
    Seen,
    SitePlan,
    plan_experiment,
    plan_on_site,
    seen,
)
from embellie.measure.planning_query import AsIfExposed, past_experiment, span_sql
from embellie.measure.telling_plan import plan_sentences as _plan_sentences
from embellie.measure.telling_plan import site_plan_sentences as _site_plan_sentences
from embellie.ports import AggregateReader

__all__ = [
    "ExperimentPlan",
    "SitePlan",
    "parse_cost",
    "plan_document",
    "plan_from_log",
    "plan_sentences",
    "site_plan_document",
    "site_plan_sentences",
]

SPANS = (1.0, 2.0, 4.0, 8.0, 12.0)
"""Weeks back that are looked at, as far as the log goes."""

_WEEK = timedelta(days=7)


def plan_from_log(
    reader: AggregateReader,
    metrics: Sequence[Metric],
    *,
    read_seconds: float,
    metric: str = "",
    experiment: Experiment | None = None,
    site: str = "",
    now: datetime,
    variants: int = 2,
    share: float = 1.0,
    cost: Money | None = None,
    effect: float = 0.0,
    relative: bool = False,
    weeks: float = 4.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> SitePlan:
    """Read from the log what an experiment would meet: the metric today, its spread, its past, and who comes.

    Everybody who came in the last one to twelve weeks is taken for the readers of an experiment that began then: so the
    spread is that of so many weeks, and readers who come back are counted once.

    Args:
        reader: Runs SQL over the log.
        metrics: Those of the project; guardrails with a margin are planned for too.
        read_seconds: Engaged seconds from which an article counts as read.
        metric: Which one is to change; the experiment's primary one, or the project's, when empty.
        experiment: Whose variants, share and metric are planned with.
        site: Only this site's readers.
        now: Nothing after this is looked at.
        variants: How many, all of one weight, without an experiment.
        share: The part of readers that takes part, without an experiment.
        cost: Per month, of what must pay for itself.
        effect: To be seen; 0 when none is named.
        relative: It is a share of the metric's value.
        weeks: The duration that guardrails are judged at.
        alpha: 1 less the level of the interval.
        power: The chance to see it if it is there.

    Raises:
        UnknownName: There is no such metric.
        InputError: The log is too short, or the metric has no value in it.
    """
    named = {one.metric: one for one in metrics}
    primary = next((one.metric for one in metrics if one.role == "primary"), next(iter(named), ""))
    name = metric or (experiment.primary if experiment else primary)
    if name not in named:
        raise unknown_name("metric", name, named)
    guarding = [one for one in metrics if one.role == "guardrail" and (one.margin or one.loss) and one.metric != name]
    wanted = [named[name], *guarding]
    spans = _spans(reader, experiment, wanted, read_seconds=read_seconds, site=site, now=now)
    histories = {one.metric: _history(spans, one) for one in wanted}
    if not histories[name]:
        raise InputError(
            f"`{name}` has no value in the log yet, or is the same for every reader.",
            hint="Plan with a metric that readers move, or give `--baseline` and `--sd`.",
        )
    weights = (1.0,) * variants
    if experiment is not None:
        others = [variant.weight for variant in experiment.variants if variant.name != experiment.control]
        weights = (next(each.weight for each in experiment.variants if each.name == experiment.control), *others)
    return SitePlan(
        metric=named[name],
        history=histories[name],
        weights=weights,
        share=experiment.share if experiment else share,
        effect=effect,
        relative=relative,
        cost=cost,
        guardrails=tuple((one, histories[one.metric]) for one in guarding),
        weeks=weeks,
        alpha=alpha,
        power=power,
    )


def _history(spans: Sequence[tuple[float, Aggregates, bool]], metric: Metric) -> tuple[Seen, ...]:
    found: list[Seen] = []
    for weeks, aggregates, adjusted in spans:
        one = seen(aggregates, metric, weeks=weeks, adjusted=adjusted)
        if one is not None and not adjusted and found:
            # The log is too short to have a past before this span: its past foretells what that of a shorter one did.
            one = replace(one, correlation=found[-1].correlation)
        if one is not None:
            found.append(one)
    return tuple(found)


def _spans(
    reader: AggregateReader,
    experiment: Experiment | None,
    metrics: Sequence[Metric],
    *,
    read_seconds: float,
    site: str,
    now: datetime,
) -> list[tuple[float, Aggregates, bool]]:
    """Return, by rising weeks, what was seen in so many, and whether there was a past before them."""
    (row,) = reader.rows(span_sql(site=bool(site)), {"site": site})
    if row["first"] is None:
        raise InputError("Nobody is in the log yet.", hint="Serve pages first; or give `--baseline` and `--traffic`.")
    first, last = (moment.replace(tzinfo=UTC) for moment in (row["first"], row["last"]))
    last = min(last, now)
    whole = (last - first) / _WEEK
    if whole < 1 / 7:
        raise InputError(
            "The log holds less than a day.", hint="Wait for a few days; or give `--baseline` and `--traffic`."
        )
    lengths = sorted(
        {*(span for span in SPANS if span <= whole), min(whole, SPANS[-1])} | ({whole / 2} if whole < 2 else set())
    )
    past = past_experiment()
    if experiment is not None and experiment.pre_days:
        past = replace(past, pre_days=experiment.pre_days)
    found = []
    for weeks in lengths:
        since = last - weeks * _WEEK
        aggregates = read_aggregates(
            AsIfExposed(reader, since, site=site),
            past,
            metrics,
            read_seconds=read_seconds,
            site=site,
            until=last,
            now=last,
            prior=True,
        )
        found.append((weeks, aggregates, since - timedelta(days=past.pre_days) >= first - timedelta(days=1)))
    return found


def parse_cost(text: str) -> Money:
    """Read money per time, as money per month.

    >>> parse_cost("12k EUR/year")
    Money(amount=1000.0, currency='EUR')

    Raises:
        InputError: It is none.
    """
    cost = parse_margin(text, at="--cost")
    if not isinstance(cost, Money) or not cost.amount > 0:
        raise InputError(f"`{text}` is no cost.", hint="Write money per time, such as `20k EUR/year`.", at="--cost")
    return cost


def plan_sentences(plan: ExperimentPlan, language: str = "en") -> list[str]:
    """Say a plan in words."""
    return _plan_sentences(plan, plan_experiment(plan), language)


def site_plan_sentences(plan: SitePlan, language: str = "en") -> list[str]:
    """Say a plan made from the log in words, with a line drawn per duration."""
    return _site_plan_sentences(plan, plan_on_site(plan), language)


def plan_document(plan: ExperimentPlan) -> dict[str, Any]:
    """Return the JSON form of a plan, `embellie/plan/1`; what was not asked for is left out."""
    found = plan_experiment(plan)
    document: dict[str, Any] = {
        "schema": "embellie/plan/1",
        "baseline": plan.baseline,
        "sd": plan.sd,
        "effect": plan.effect or None,
        "units_per_variant": found.units_per_variant,
        "rule_of_thumb": found.rule_of_thumb,
        "units": found.units,
        "weeks": found.weeks,
        "smallest_effects": [_smallest(each) for each in found.detectable],
    }
    return {name: value for name, value in document.items() if value not in (None, [])}


def site_plan_document(plan: SitePlan) -> dict[str, Any]:
    """Return the JSON form of a plan made from the log; what was not asked for is left out."""
    found = plan_on_site(plan)
    worth = plan.metric.worth
    document: dict[str, Any] = {
        "schema": "embellie/plan/1",
        "metric": plan.metric.metric,
        "baseline": found.seen.value,
        "sd": found.seen.sd,
        "correlation": found.seen.correlation,
        "currency": worth.currency if worth else None,
        "history": [
            {"weeks": one.weeks, "units": round(one.units), "value": one.value, "sd": one.sd} for one in plan.history
        ],
        "effect": plan.effect or None,
        "relative": plan.relative if plan.effect else None,
        "units": found.units,
        "weeks": found.weeks,
        "smallest_effects": [_smallest(each) for each in found.detectable],
        "guardrails": [
            {
                "metric": one.metric,
                "weeks": one.weeks,
                "margin": one.margin,
                "relative": one.relative,
                "chance": one.chance,
            }
            for one in found.guardrails
        ],
    }
    if found.pays is not None:
        document["pays"] = {
            "cost": found.pays.cost.amount,
            "currency": found.pays.cost.currency,
            "effect": found.pays.effect,
            "relative": found.pays.relative,
            "weeks": found.pays.weeks,
        }
    return {name: value for name, value in document.items() if value not in (None, [])}


def _smallest(each: Detectable) -> dict[str, Any]:
    document: dict[str, Any] = {
        "weeks": each.weeks,
        "units_per_variant": each.units_per_variant,
        "effect": each.effect,
        "relative": each.relative,
        "always": each.always,
    }
    if each.money is not None:
        document["money"] = each.money
    if each.beyond:
        document["beyond"] = True
    return document
