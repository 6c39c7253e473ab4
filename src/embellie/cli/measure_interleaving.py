"""`embellie measure interleaving`: which of two rankers do readers side with?"""

from pathlib import Path
from typing import Any

import click

from embellie.app.interleaving_log import (
    PLANNED,
    preference_document,
    preference_from_log,
    preference_from_table,
    preference_picture,
    preference_sentences,
)
from embellie.cli.main import print_json, project_option
from embellie.cli.measure_shown import json_option, language_option


@click.command()
@click.argument("file", default="")
@project_option
@click.option("--site", default="", help="The site; not needed when there is one.")
@click.option("--placement", default="", help="The placement; not needed when there is only one.")
@click.option(
    "--reward", type=click.Choice(["read", "click"]), default="read", show_default=True, help="What earns credit."
)
@click.option(
    "--planned", type=click.IntRange(min=2), default=PLANNED, show_default=True,
    help="Readers with credit at which the interval is tightest.",
)  # fmt: skip
@language_option
@json_option
def command(
    *, file: str, project: Path, site: str, placement: str, reward: Any, planned: int, language: str, as_json: bool
) -> None:
    """Say which of two rankers readers side with, from slates that both drafted (policy `interleaved`).

    From the project's log, or from FILE with the columns reader, team and credit. It ranks the two and is no amount of money.
    """
    if file:
        told = preference_from_table(file, planned=planned)
    else:
        from embellie.app.config import read_config
        from embellie.app.log_keeping import place_of

        told = preference_from_log(
            place_of(project).log,
            site=site,
            placement=placement,
            read_seconds=read_config(project).read_seconds,
            reward=reward,
            planned=planned,
        )
    if as_json:
        print_json(preference_document(told))
        return
    click.echo("\n".join([*preference_sentences(told, language), "", *preference_picture(told, language)]).rstrip())
