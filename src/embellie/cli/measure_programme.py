"""`embellie measure programme`: what do past experiments together teach?"""

from pathlib import Path

import click

from embellie.app.programme import (
    Programme,
    programme_document,
    programme_from_file,
    programme_from_log,
    programme_picture,
    programme_sentences,
)
from embellie.cli.main import print_json, project_option
from embellie.cli.measure_shown import json_option, language_option
from embellie.domain.errors import unknown_name


@click.command()
@click.argument("file", default="")
@project_option
@click.option("--metric", default="", metavar="NAME", help="Whose effects; the first primary metric when left out.")
@language_option
@json_option
def command(*, file: str, project: Path, metric: str, language: str, as_json: bool) -> None:
    """Say how large effects have been, as a prior to write in a question, and what is left of each after the winner's curse.

    From the project's log: every stopped experiment's relative effect on a metric. Or from FILE, a row per effect (CSV, Parquet
    or JSON lines): estimate, se and, where known, name and shipped (yes or no).
    """
    found = programme_from_file(file, metric=metric or "effect") if file else _from_log(project, metric)
    if as_json:
        print_json(programme_document(found))
        return
    click.echo("\n".join(programme_sentences(found, language)))
    picture = programme_picture(found, language)
    if picture:
        click.echo("\n" + "\n".join(picture))


def _from_log(project: Path, name: str) -> Programme:
    from embellie.app.config import metrics_of
    from embellie.app.newsroom import Newsroom

    with Newsroom.open(project) as newsroom:
        metrics = {metric.metric: metric for metric in metrics_of(newsroom.config)}
        if not name:
            name = next((one for one, metric in metrics.items() if metric.role == "primary"), next(iter(metrics), ""))
        if name not in metrics:
            raise unknown_name("metric", name, metrics, at="--metric")
        return programme_from_log(
            newsroom.scored,
            {site: newsroom.experiments(site) for site in newsroom.sites},
            metrics[name],
            read_seconds=newsroom.config.read_seconds,
            rollouts=[one for site in newsroom.sites for one in newsroom.rollouts(site)],
        )
