"""`embellie measure`: what changed because of it? From the log, from any table, or planned ahead."""

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from embellie.app.measuring import (
    ExperimentPlan,
    Looking,
    TableSpec,
    check_split,
    effect_sentence,
    interval_plot,
    parse_looking,
    plan_document,
    plan_sentences,
    scorecard,
    scorecard_document,
    split_sentence,
    srm_document,
    watched,
)
from embellie.app.measuring_tables import parse_weights, table_document, table_scorecard
from embellie.cli.main import JSON_HELP, print_json, project_option
from embellie.domain.errors import InputError
from embellie.domain.scorecard import SampleRatio, Scorecard

json_option = click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
language_option = click.option(
    "--lang", "language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the text."
)
sequential_option = click.option(
    "--sequential",
    default="none",
    show_default=True,
    metavar="always|group:K|none",
    help="How often results are looked at: whenever, at K planned looks, or once.",
)
planned_option = click.option(
    "--planned", type=click.IntRange(min=2), help="Units of both sides at the planned end, for --sequential."
)


class _DefaultExperiment(click.Group):
    """`measure NAME` is `measure experiment NAME`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in {"--help", "-h"}:
            args = ["experiment", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DefaultExperiment, invoke_without_command=False)
def command() -> None:
    """Say what an experiment changed, with intervals, and whether its split can be trusted.

    `embellie measure NAME` gives the scorecard of an experiment from the project's log.
    """


@command.command()
@click.argument("name", default="")
@project_option
@click.option(
    "--sequential",
    default="",
    metavar="always|group:K|none",
    help="How often results are looked at; whenever (always), unless said otherwise.",
)
@planned_option
@language_option
@json_option
def experiment(*, name: str, project: Path, sequential: str, planned: int | None, language: str, as_json: bool) -> None:
    """Give the scorecard of experiment NAME, computed from the log (NAME may be left out when there is one).

    Its intervals hold at every look, tightest at the readers it is planned for (`planned` in embellie.toml).
    """
    from embellie.app.config import metrics_of
    from embellie.app.newsroom import Newsroom

    looking = _looking(sequential, planned) if sequential else None
    with Newsroom.open(project) as newsroom:
        names = [one.experiment for site in newsroom.sites for one in newsroom.experiments(site)]
        if not name and len(names) != 1:
            raise InputError("Which experiment?", hint=f"There are: {', '.join(names) or 'none'}.")
        test = newsroom.experiment(name or names[0])
        if planned is not None:
            test = replace(test, planned=planned)
        card = scorecard(
            newsroom.analysis,
            test,
            metrics_of(newsroom.config),
            read_seconds=newsroom.config.read_seconds,
            looking=looking or watched(test),
        )
    if as_json:
        print_json(scorecard_document(card))
    else:
        _show(card, language)


@command.command()
@click.argument("file")
@click.argument("more", nargs=-1, metavar="")
@click.option("--unit", default="", metavar="COL", help="The column of the unit of randomisation.")
@click.option("--variant", required=True, metavar="COL", help="The column of the variant.")
@click.option("--metric", "metrics", multiple=True, metavar="SPEC…", help="A column, or NUM/DEN for a ratio of means.")
@click.option("--control", default="", metavar="VALUE", help="The control's value in the variant column.")
@click.option("--weights", default="", metavar="A=1,B=1", help="The designed split; equal when left out.")
@click.option(
    "--covariate",
    "covariates",
    multiple=True,
    metavar="METRIC=SPEC…",
    help="A column or ratio from before the experiment: the adjusted row is given beside the unadjusted one.",
)
@sequential_option
@planned_option
@click.option("--segment", default="", metavar="COL", help="Also a scorecard for each value of this column.")
@click.option("--where", multiple=True, metavar="COL=VALUE", help="Only rows with this value; may be repeated.")
@click.option(
    "--trials", default="", metavar="COL", help="Rows are counts: so many units, of which METRIC did something."
)
@click.option(
    "--missing",
    type=click.Choice(["refuse", "zero"]),
    default="refuse",
    show_default=True,
    help="What an empty cell of a metric means.",
)
@language_option
@json_option
def table(
    *,
    file: str,
    more: tuple[str, ...],
    unit: str,
    variant: str,
    metrics: tuple[str, ...],
    control: str,
    weights: str,
    covariates: tuple[str, ...],
    sequential: str,
    planned: int | None,
    segment: str,
    where: tuple[str, ...],
    trials: str,
    missing: Literal["refuse", "zero"],
    language: str,
    as_json: bool,
) -> None:
    """Give the scorecard of a table: a CSV or Parquet FILE, or `URL::table` of a database.

    Several rows of a unit are summed first. A unit in two variants is left out and counted.
    """
    found = table_scorecard(
        file,
        spec=TableSpec(
            unit=unit, variant=variant, trials=trials, segment=segment, where=_pairs(where, "--where"), missing=missing
        ),
        metrics=_metrics(metrics, more),
        covariates=_pairs([*covariates, *(text for text in more if "=" in text)], "--covariate"),
        control=control,
        weights=parse_weights(weights) if weights else None,
        looking=_looking(sequential, planned),
    )
    if found.control_chosen:
        click.echo(f"Control: `{found.card.control}` (name another with --control).", err=True)
    if as_json:
        print_json(table_document(found))
        return
    _show(found.card, language)
    for name, card in found.segments:
        click.echo(f"\n{segment} = {name}")
        _show(card, language)


@command.command()
@click.argument("counts", nargs=-1, required=True, type=click.IntRange(min=0))
@click.option("--weights", default="", metavar="1:1", help="The designed split; equal when left out.")
@json_option
def srm(*, counts: tuple[int, ...], weights: str, as_json: bool) -> None:
    """Check whether COUNTS of units are split as designed (sample-ratio mismatch). Exits 1 when they are not."""
    if len(counts) < 2:
        raise InputError("A split needs two counts or more.", hint="Write `embellie measure srm 821588 815482`.")
    found = check_split(counts, _ratio(weights, len(counts)))
    if as_json:
        print_json(srm_document(found))
    elif isinstance(found, SampleRatio):
        word = "not the designed one" if found.alarm else "as designed"
        click.echo(f"The split is {word}: p = {found.p_value:.3g}, log e = {found.log_e:.3g}.")
    else:
        click.echo(f"{found.reason} {found.remedy}")
    if isinstance(found, SampleRatio) and found.alarm:
        sys.exit(1)


@command.command()
@click.option("--baseline", type=float, required=True, help="The metric's value today.")
@click.option("--sd", type=float, help="Its standard deviation per unit; for a share of yes it follows from BASELINE.")
@click.option("--effect", default="", metavar="D|P%", help="The effect to detect: in the metric's unit, or `5%`.")
@click.option("--traffic", default="", metavar="N[/week|/day]", help="New units that take part, per week.")
@click.option("--variants", type=int, default=2, show_default=True, help="How many, the control included.")
@click.option("--power", type=float, default=0.8, show_default=True, help="The chance to see it if it is there.")
@click.option("--level", type=float, default=0.95, show_default=True, help="Of the interval.")
@click.option("--correlation", type=float, default=0.0, help="Of the metric with a covariate from before.")
@json_option
def plan(
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


def _show(card: Scorecard, language: str) -> None:
    click.echo(split_sentence(card, language))
    for row in card.effects:
        click.echo(effect_sentence(row, card.control, language))
    plot = interval_plot(card, language)
    if plot:
        click.echo("\n" + "\n".join(plot))


def _looking(sequential: str, planned: int | None) -> Looking:
    looking = parse_looking(sequential, planned=planned)
    if looking.kind == "always" and planned is None:
        click.echo(f"Always-valid intervals are tightest at {looking.planned} units (see --planned).", err=True)
    return looking


def _metrics(metrics: Sequence[str], more: Sequence[str]) -> list[str]:
    found = [*metrics, *(text for text in more if "=" not in text)]
    if not metrics:
        raise InputError("No metric is named.", hint="Add `--metric revenue` or `--metric orders/sessions`.")
    return found


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"`{text}` is no pair.", hint=f"Write `{option} NAME=VALUE`.")
        if name in pairs:
            raise InputError(f"`{name}` is given twice.", hint=f"One `{option}` for each name.")
        pairs[name] = value
    return pairs


def _ratio(text: str, expected: int) -> list[float]:
    if not text:
        return [1.0] * expected
    parts = re.split(r"[:,]", text)
    try:
        weights = [float(part) for part in parts]
    except ValueError:
        weights = []
    if len(weights) != expected or not all(0 < weight < math.inf for weight in weights):
        raise InputError(
            f"`{text}` does not give {expected} weights above 0.",
            hint=f"Write for example `--weights {':'.join(['1'] * expected)}`.",
        )
    return weights


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
