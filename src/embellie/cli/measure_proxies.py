"""`embellie measure proxies`: how well has a proxy foretold what counts?"""

from pathlib import Path

import click

from embellie.app.proxy_validity import (
    ProxyValidity,
    effects_picture,
    proxies_from_log,
    validity_document,
    validity_from_file,
    validity_sentences,
)
from embellie.cli.main import print_json, project_option
from embellie.cli.measure_shown import json_option, language_option


@click.command()
@click.argument("file", default="")
@project_option
@click.option("--proxy", default="proxy", metavar="NAME", help="What to call the proxy of FILE.")
@click.option("--metric", default="metric", metavar="NAME", help="What to call the metric of FILE.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the bootstrap over experiments.")
@language_option
@json_option
def command(*, file: str, project: Path, proxy: str, metric: str, seed: int, language: str, as_json: bool) -> None:
    """Say how well effects on a proxy have foretold those on the metric that counts, over past experiments.

    From the project's log: every stopped experiment, its proxies beside its primary metric. Or from FILE, a row per comparison:
    experiment, proxy_effect, proxy_se, metric_effect, metric_se and, where known, the covariance of the two errors.
    """
    if file:
        one, told = validity_from_file(file, proxy=proxy, metric=metric, seed=seed)
        if not told:
            click.echo("No column `covariance`: the two errors are taken to be independent.", err=True)
        found = [one]
    else:
        found = _from_log(project, seed=seed)
    if as_json:
        print_json(validity_document(found))
        return
    for place, one in enumerate(found):
        if place:
            click.echo()
        click.echo("\n".join(validity_sentences(one, language)))
        picture = effects_picture(one, language)
        if picture:
            click.echo("\n" + "\n".join(picture))


def _from_log(project: Path, *, seed: int) -> list[ProxyValidity]:
    from embellie.app.config import metrics_of
    from embellie.app.newsroom import Newsroom
    from embellie.app.proxy_validity import log_aggregates

    with Newsroom.open(project) as newsroom:
        where = {one.experiment: site for site in newsroom.sites for one in newsroom.experiments(site)}
        summed = log_aggregates(newsroom.scored, read_seconds=newsroom.config.read_seconds, sites=where)
        experiments = [newsroom.experiment(name) for name in where]
        return proxies_from_log(experiments, metrics_of(newsroom.config), summed, seed=seed)
