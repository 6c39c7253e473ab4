"""`embellie measure table`: the scorecard of any table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from embellie.app.measuring import TableSpec
from embellie.app.measuring_tables import parse_weights, table_document, table_scorecard
from embellie.cli.main import print_json
from embellie.cli.measure_shown import (
    csv_option,
    json_option,
    language_option,
    looking_of,
    parquet_option,
    planned_option,
    sequential_option,
    show,
    write_files,
)
from embellie.domain.errors import InputError
from embellie.domain.scorecard import Slice


@click.command()
@click.argument("file")
@click.argument("more", nargs=-1, metavar="")
@click.option("--unit", default="", metavar="COL", help="The column of the unit of randomisation.")
@click.option("--variant", required=True, metavar="COL", help="The column of the variant.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="SPEC…",
    help="A column, NUM/DEN, share(COL), median(COL), p90(COL), capped(COL[, 99.5%]).",
)
@click.option("--control", default="", metavar="VALUE", help="The control's value in the variant column.")
@click.option("--weights", default="", metavar="A=1,B=1", help="The designed split; equal when left out.")
@click.option(
    "--covariate",
    "covariates",
    multiple=True,
    metavar="METRIC=SPEC…",
    help="A column or ratio from before the experiment, or several: the adjusted row is given beside the unadjusted one.",
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
@csv_option
@parquet_option
@language_option
@json_option
def command(
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
    csv: Path | None,
    parquet: Path | None,
    language: str,
    as_json: bool,
) -> None:
    """Give the scorecard of a table: a CSV or Parquet FILE, or `URL::table` of a database.

    Several rows of a unit are summed first. A unit in two variants is left out and counted.
    """
    found = table_scorecard(
        file,
        spec=TableSpec(
            unit=unit, variant=variant, trials=trials, segment=segment, where=_wheres(where), missing=missing
        ),
        metrics=_metrics(metrics, more),
        covariates=_lists([*covariates, *(text for text in more if "=" in text)], "--covariate"),
        control=control,
        weights=parse_weights(weights) if weights else None,
        looking=looking_of(sequential, planned),
    )
    if found.control_chosen:
        click.echo(f"Control: `{found.card.control}` (name another with --control).", err=True)
    parts = [
        Slice(dimension=segment, value=name, units=card.units, effects=card.effects) for name, card in found.segments
    ]
    write_files(replace(found.card, slices=(*found.card.slices, *parts)), csv=csv, parquet=parquet)
    if as_json:
        print_json(table_document(found))
        return
    show(found.card, language)
    for name, card in found.segments:
        click.echo(f"\n{segment} = {name}")
        show(card, language)


def _metrics(metrics: Sequence[str], more: Sequence[str]) -> list[str]:
    found = [*metrics, *(text for text in more if "=" not in text)]
    if not metrics:
        raise InputError("No metric is named.", hint="Add `--metric revenue` or `--metric orders/sessions`.")
    return found


def _wheres(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for name, values in _lists(texts, "--where").items():
        if len(values) > 1:
            raise InputError(f"`{name}` is given twice.", hint="One `--where` for each name.")
        found[name] = values[0]
    return found


def _lists(texts: Sequence[str], option: str) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"`{text}` is no pair.", hint=f"Write `{option} NAME=VALUE`.")
        lists.setdefault(name, []).append(value)
    return lists
