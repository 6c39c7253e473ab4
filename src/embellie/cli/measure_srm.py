"""`embellie measure srm`: is a split the designed one?"""

import math
import re
import sys

import click

from embellie.app.measured_words import reason_and_remedy
from embellie.app.measuring import check_split
from embellie.app.scorecard_document import srm_document
from embellie.cli.main import print_json
from embellie.cli.measure_shown import json_option, language_option
from embellie.domain.errors import InputError
from embellie.domain.scorecard import SampleRatio

_SAID = {
    ("en", False): "The split is as designed: p = {}, log e = {}.",
    ("en", True): "The split is not the designed one: p = {}, log e = {}.",
    ("fr", False): "La répartition est celle prévue : p = {}, log e = {}.",
    ("fr", True): "La répartition n’est pas celle prévue : p = {}, log e = {}.",
}


@click.command()
@click.argument("counts", nargs=-1, required=True, type=click.IntRange(min=0))
@click.option("--weights", default="", metavar="1:1", help="The designed split; equal when left out.")
@language_option
@json_option
def command(*, counts: tuple[int, ...], weights: str, language: str, as_json: bool) -> None:
    """Check whether COUNTS of units are split as designed (sample-ratio mismatch). Exits 1 when they are not."""
    if len(counts) < 2:
        raise InputError("A split needs two counts or more.", hint="Write `embellie measure srm 821588 815482`.")
    found = check_split(counts, _ratio(weights, len(counts)))
    if as_json:
        print_json(srm_document(found))
    elif isinstance(found, SampleRatio):
        click.echo(
            _SAID[language, found.alarm].format(*(_number(each, language) for each in (found.p_value, found.log_e)))
        )
    else:
        click.echo(" ".join(reason_and_remedy(found, language)))
    if isinstance(found, SampleRatio) and found.alarm:
        sys.exit(1)


def _number(value: float, language: str) -> str:
    text = f"{value:.3g}".replace("-", "−")
    return text.replace(".", ",") if language == "fr" else text


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
