"""`embellie measure plan`: how many units, how long, and the smallest effect worth waiting for."""

import math
import re

import click

from embellie.app.planning_experiments import ExperimentPlan, plan_document, plan_sentences
from embellie.cli.main import print_json
from embellie.cli.measure_shown import json_option
from embellie.domain.errors import InputError


@click.command()
@click.option("--baseline", type=float, required=True, help="The metric's value today.")
@click.option("--sd", type=float, help="Its standard deviation per unit; for a share of yes it follows from BASELINE.")
@click.option("--effect", default="", metavar="D|P%", help="The effect to detect: in the metric's unit, or `5%`.")
@click.option("--traffic", default="", metavar="N[/week|/day]", help="New units that take part, per week.")
@click.option("--variants", type=int, default=2, show_default=True, help="How many, the control included.")
@click.option("--power", type=float, default=0.8, show_default=True, help="The chance to see it if it is there.")
@click.option("--level", type=float, default=0.95, show_default=True, help="Of the interval.")
@click.option("--correlation", type=float, default=0.0, help="Of the metric with a covariate from before.")
@json_option
def command(
    *,
    baseline: float,
    sd: float | None,
    effect: str,
    traffic: str,
    variants: int,
    power: float,
    level: float,
    correlation: float,
    as_json: bool,
) -> None:
    """Say how many units an effect needs, how long that takes, and the smallest effect one can see."""
    if sd is None:
        if not 0 < baseline < 1:
            raise InputError(
                "The standard deviation is missing.", hint="Add `--sd`; only a share of yes implies its own."
            )
        sd = math.sqrt(baseline * (1 - baseline))
    planned = ExperimentPlan(
        baseline=baseline,
        sd=sd,
        effect=_effect(effect, baseline),
        traffic=_weekly(traffic),
        variants=variants,
        alpha=1 - level,
        power=power,
        correlation=correlation,
    )
    if as_json:
        print_json(plan_document(planned))
    else:
        click.echo("\n".join(plan_sentences(planned)))


def _effect(text: str, baseline: float) -> float:
    if not text:
        return 0.0
    cleaned = text.replace(" ", "").replace(",", ".")
    try:
        return float(cleaned[:-1]) / 100 * baseline if cleaned.endswith("%") else float(cleaned)
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
