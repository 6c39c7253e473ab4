"""`embellie measure plan`: how many units, how long, and the smallest effect worth waiting for."""

import math
import re
from pathlib import Path

import click

from embellie.app.planning_experiments import (
    ExperimentPlan,
    SitePlan,
    parse_cost,
    plan_document,
    plan_from_log,
    plan_sentences,
    site_plan_document,
    site_plan_sentences,
)
from embellie.cli.main import print_json, project_option
from embellie.cli.measure_shown import json_option, language_option
from embellie.domain.errors import InputError


@click.command()
@click.option("--baseline", type=float, help="The metric's value today; read from the project's log when left out.")
@click.option("--sd", type=float, help="Its standard deviation per unit; for a share of yes it follows from BASELINE.")
@click.option("--effect", default="", metavar="D|P%", help="The effect to detect: in the metric's unit, or `5%`.")
@click.option("--traffic", default="", metavar="N[/week|/day]", help="New units that take part, per week.")
@click.option("--correlation", type=float, default=0.0, help="Of the metric with a covariate from before.")
@click.option(
    "--experiment", default="", metavar="NAME", help="From the log: with this experiment's variants and share."
)
@click.option(
    "--metric", default="", metavar="NAME", help="From the log: the metric to change; the primary one otherwise."
)
@click.option("--site", default="", metavar="NAME", help="From the log: only this site's readers.")
@click.option(
    "--cost", default="", metavar="MONEY/TIME", help="From the log: what must pay for itself, as `20k EUR/year`."
)
@click.option(
    "--share", type=float, default=1.0, show_default=True, help="From the log: part of readers that takes part."
)
@click.option("--weeks", type=float, default=4.0, show_default=True, help="From the log: when guardrails are judged.")
@project_option
@click.option("--variants", type=int, default=2, show_default=True, help="How many, the control included.")
@click.option("--power", type=float, default=0.8, show_default=True, help="The chance to see it if it is there.")
@click.option("--level", type=float, default=0.95, show_default=True, help="Of the interval.")
@language_option
@json_option
def command(
    *,
    baseline: float | None,
    sd: float | None,
    effect: str,
    traffic: str,
    correlation: float,
    experiment: str,
    metric: str,
    site: str,
    cost: str,
    share: float,
    weeks: float,
    project: Path,
    variants: int,
    power: float,
    level: float,
    language: str,
    as_json: bool,
) -> None:
    """Say how many units an effect needs, how long that takes, and the smallest effect one can see.

    With `--baseline`, from the figures given; without, from the project's own log: its readers, how they differ, what their
    past foretells and how many come.
    """
    if baseline is None:
        if sd is not None or traffic or correlation:
            raise InputError(
                "Figures are given without a baseline.", hint="Add `--baseline`, or leave them to the project's log."
            )
        if not 0 < level < 1 or not 0 < power < 1:
            raise InputError(
                "The level and the power must be between 0 and 1.", hint="See `embellie measure plan --help`."
            )
        planned = _from_log(
            project,
            experiment=experiment,
            metric=metric,
            site=site,
            cost=cost,
            effect=effect,
            share=share,
            weeks=weeks,
            variants=variants,
            power=power,
            level=level,
        )
        if as_json:
            print_json(site_plan_document(planned))
        else:
            click.echo("\n".join(site_plan_sentences(planned, language)))
        return
    for name, given in (("--experiment", experiment), ("--metric", metric), ("--site", site), ("--cost", cost)):
        if given:
            raise InputError(f"`{name}` reads the log, `--baseline` does not.", hint="Leave one of them out.")
    if sd is None:
        if not 0 < baseline < 1:
            raise InputError(
                "The standard deviation is missing.", hint="Add `--sd`; only a share of yes implies its own."
            )
        sd = math.sqrt(baseline * (1 - baseline))
    size, relative = _effect(effect)
    given_plan = ExperimentPlan(
        baseline=baseline,
        sd=sd,
        effect=size * baseline if relative else size,
        traffic=_weekly(traffic),
        variants=variants,
        alpha=1 - level,
        power=power,
        correlation=correlation,
    )
    if as_json:
        print_json(plan_document(given_plan))
    else:
        click.echo("\n".join(plan_sentences(given_plan, language)))


def _from_log(
    project: Path,
    *,
    experiment: str,
    metric: str,
    site: str,
    cost: str,
    effect: str,
    share: float,
    weeks: float,
    variants: int,
    power: float,
    level: float,
) -> SitePlan:
    from embellie.app.config import metrics_of
    from embellie.app.newsroom import Newsroom

    money = parse_cost(cost) if cost else None
    size, relative = _effect(effect)
    with Newsroom.open(project) as newsroom:
        return plan_from_log(
            newsroom.scored,
            metrics_of(newsroom.config),
            read_seconds=newsroom.config.read_seconds,
            metric=metric,
            experiment=newsroom.experiment(experiment) if experiment else None,
            site=site,
            now=newsroom.clock(),
            variants=variants,
            share=share,
            cost=money,
            effect=size,
            relative=relative,
            weeks=weeks,
            alpha=1 - level,
            power=power,
        )


def _effect(text: str) -> tuple[float, bool]:
    """Read an effect, and whether it is a share of the baseline."""
    if not text:
        return 0.0, False
    cleaned = text.replace(" ", "").replace("\u202f", "").replace(",", ".")
    try:
        return (float(cleaned[:-1]) / 100, True) if cleaned.endswith("%") else (float(cleaned), False)
    except ValueError:
        raise InputError(f"`{text}` is no effect.", hint="Write `0.05` in the metric's unit, or `5%`.") from None


def _weekly(text: str) -> float:
    if not text:
        return 0.0
    found = re.fullmatch(r"\s*([\d_]+(?:\.\d+)?)([kM]?)\s*(?:/\s*(week|day))?\s*", text)
    if not found:
        raise InputError(f"`{text}` is no traffic.", hint="Write `20000/week` or `3000/day`.")
    number = float(found[1].replace("_", "")) * {"": 1, "k": 1e3, "M": 1e6}[found[2]]
    return number * (7 if found[3] == "day" else 1)
