"""`embellie measure aa`: history assigned anew without any effect; is the scorecard wrong as often as it says?"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from embellie.app.measuring import TableSpec
from embellie.app.re_randomised_words import re_randomised_sentences
from embellie.app.re_randomising import RUNS, ReRandomised, re_randomised_document
from embellie.app.re_randomising_units import re_randomise_log, re_randomise_table
from embellie.cli.main import print_json, project_option
from embellie.cli.measure_shown import json_option, language_option
from embellie.domain.errors import InputError

runs_option = click.option(
    "--runs", type=click.IntRange(min=100), default=RUNS, show_default=True, help="How often units are assigned anew."
)
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of the assignments.")


class _DefaultLog(click.Group):
    """`measure aa NAME` is `measure aa log NAME`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, "--help", "-h"}:
            args = ["log", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DefaultLog, invoke_without_command=False)
def command() -> None:
    """Assign history anew at random, again and again, and score it: without any effect, 5 % may be called different.

    `embellie measure aa NAME` takes an experiment's readers, `embellie measure aa --from DAY` all readers of a period,
    `embellie measure aa table` the units of a table. Exits 1 when a metric's rate is another than 5 %.
    """


@command.command()
@click.argument("name", default="")
@project_option
@click.option(
    "--from",
    "since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Instead of an experiment's readers: all who came from this day on (UTC).",
)
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="The last day looked at; today by default.")
@click.option("--site", default="", help="Only this site's readers, with --from.")
@runs_option
@seed_option
@language_option
@json_option
def log(
    *,
    name: str,
    project: Path,
    since: datetime | None,
    until: datetime | None,
    site: str,
    runs: int,
    seed: int,
    language: str,
    as_json: bool,
) -> None:
    """Assign the readers of experiment NAME anew, or all readers of a period, and compute the project's metrics."""
    from embellie.app.config import metrics_of
    from embellie.app.newsroom import Newsroom

    with Newsroom.open(project, threads=0) as newsroom:
        test = None
        if since is None:
            names = [one.experiment for each in newsroom.sites for one in newsroom.experiments(each)]
            if not name and len(names) != 1:
                raise InputError(
                    "Which experiment?",
                    hint=f"There are: {', '.join(names) or 'none'}. Or name a period: `--from 2026-03-02`.",
                )
            site, test = newsroom.placed(name or names[0], site=site)
        elif name:
            raise InputError("An experiment and a period are given.", hint="Name one of them.")
        end = newsroom.clock() if until is None else until.replace(tzinfo=UTC) + timedelta(days=1)
        found = re_randomise_log(
            newsroom.scored,
            metrics_of(newsroom.config),
            read_seconds=newsroom.config.read_seconds,
            until=end,
            experiment=test,
            since=since.replace(tzinfo=UTC) if since else None,
            site=site,
            runs=runs,
            seed=seed,
        )
    _show(found, language, as_json=as_json)


@command.command()
@click.argument("file")
@click.option("--unit", required=True, metavar="COL", help="The column of the unit of analysis.")
@click.option(
    "--assigned", default="", metavar="COL", help="The column of what is assigned at random, if that is not the unit."
)
@click.option("--metric", "metrics", multiple=True, metavar="SPEC", help="As for `measure table`; may be repeated.")
@click.option("--covariate", "covariates", multiple=True, metavar="METRIC=SPEC", help="As for `measure table`.")
@click.option("--where", multiple=True, metavar="COL=VALUE", help="Only rows with this value; may be repeated.")
@click.option("--share", type=click.FloatRange(0.01, 0.99), default=0.5, show_default=True, help="Of the treatment.")
@runs_option
@seed_option
@language_option
@json_option
def table(
    *,
    file: str,
    unit: str,
    assigned: str,
    metrics: tuple[str, ...],
    covariates: tuple[str, ...],
    where: tuple[str, ...],
    share: float,
    runs: int,
    seed: int,
    language: str,
    as_json: bool,
) -> None:
    """Assign the units of a table anew: a CSV or Parquet FILE, or `URL::table` of a database."""
    if not metrics:
        raise InputError("No metric is named.", hint="Add `--metric revenue` or `--metric orders/sessions`.")
    adjusting: dict[str, list[str]] = {}
    for name, text in _pairs(covariates, "--covariate"):
        adjusting.setdefault(name, []).append(text)
    found = re_randomise_table(
        file,
        spec=TableSpec(unit=unit, variant=unit, where=dict(_pairs(where, "--where"))),
        metrics=metrics,
        covariates=adjusting,
        assigned=assigned,
        runs=runs,
        seed=seed,
        share=share,
    )
    _show(found, language, as_json=as_json)


def _pairs(texts: Sequence[str], option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"`{text}` is no pair.", hint=f"Write `{option} NAME=VALUE`.")
        pairs.append((name, value))
    return pairs


def _show(found: ReRandomised, language: str, *, as_json: bool) -> None:
    if as_json:
        print_json(re_randomised_document(found))
    else:
        click.echo("\n".join(re_randomised_sentences(found, language)))
    if not found.passed:
        sys.exit(1)
