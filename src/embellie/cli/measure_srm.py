"""`embellie measure srm`: is a split the designed one?"""

import math
import re
import sys

import click

from embellie.app.measuring import check_split
from embellie.app.scorecard_document import srm_document
from embellie.cli.main import print_json
from embellie.cli.measure_shown import json_option
from embellie.domain.errors import InputError
from embellie.domain.scorecard import SampleRatio


@click.command()
@click.argument("counts", nargs=-1, required=True, type=click.IntRange(min=0))
@click.option("--weights", default="", metavar="1:1", help="The designed split; equal when left out.")
@json_option
def command(*, counts: tuple[int, ...], weights: str, as_json: bool) -> None:
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
