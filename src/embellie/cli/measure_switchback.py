"""`embellie measure switchback`: one shared thing, switched over time."""

import click

from embellie.app.switchback_table import (
    design_switchback,
    plan_rows,
    plan_switchback_document,
    switchback_document,
    switchback_from_table,
    switchback_picture,
    switchback_sentences,
)
from embellie.cli.main import print_json
from embellie.cli.measure_shown import json_option, language_option
from embellie.domain.errors import InputError


@click.command()
@click.argument("file", default="")
@click.option("--plan", type=click.IntRange(min=1), metavar="PERIODS", help="Instead of FILE: draw a plan to follow.")
@click.option(
    "--carryover", type=click.IntRange(min=0), default=0, show_default=True, help="Periods that an arm reaches on."
)
@click.option(
    "--every", type=click.IntRange(min=1), default=None, help="A coin every so many periods, not at the best points."
)
@click.option("--time", default="time", show_default=True, metavar="COL", help="Names and orders periods.")
@click.option("--arm", default="arm", show_default=True, metavar="COL", help="The column of the arm.")
@click.option("--outcome", default="outcome", show_default=True, metavar="COL", help="The column of the outcome.")
@click.option("--treatment", default="", metavar="VALUE", help="The arm that is the treatment.")
@click.option("--control", default="off", show_default=True, metavar="NAME", help="What --plan calls the control.")
@click.option("--baseline", type=float, help="A number near the outcomes, known beforehand; their mean when left out.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the coins of a plan, and of sampled paths."
)
@language_option
@json_option
def command(
    *, file: str, plan: int | None, carryover: int, every: int | None, time: str, arm: str, outcome: str, treatment: str,
    control: str, baseline: float | None, seed: int, language: str, as_json: bool,
) -> None:  # fmt: skip
    """Measure what cannot be split among readers (a shared cache, an advert's pace): switched over time by fair coins.

    FILE has a row or more per period: its time, its arm, its outcome. The p-value goes through the coins as they were thrown.
    """
    if plan is not None:
        if file:
            raise InputError("Both FILE and --plan are given.", hint="Plan first; then give what came of it.")
        design = design_switchback(plan, carry_over=carryover, every=every or 0)
        rows = plan_rows(design, seed=seed, control=control, treatment=treatment or "on")
        if as_json:
            print_json(plan_switchback_document(design, rows, seed=seed))
        else:
            click.echo("\n".join(["time,arm", *(f"{period},{which}" for period, which, _ in rows)]))
        return
    if not file:
        raise InputError(
            "No table is given.", hint="Give a FILE, or draw a plan: `embellie measure switchback --plan 28`."
        )
    told = switchback_from_table(
        file, time=time, arm=arm, outcome=outcome, carry_over=carryover, every=every or 0, treatment=treatment,
        baseline=baseline, seed=seed,
    )  # fmt: skip
    if as_json:
        print_json(switchback_document(told))
        return
    click.echo("\n".join([*switchback_sentences(told, language), "", *switchback_picture(told)]))
