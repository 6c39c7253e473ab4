"""`embellie measure`: what changed because of it? One file per subcommand, loaded when it is asked for."""

import importlib
from dataclasses import replace
from pathlib import Path

import click

from embellie.app.measuring import scorecard, watched
from embellie.app.scorecard_document import scorecard_document
from embellie.cli.main import print_json, project_option
from embellie.cli.measure_shown import json_option, language_option, looking_of, planned_option, show
from embellie.domain.errors import InputError

SUBCOMMANDS = {
    "table": "scorecard of a table: CSV, Parquet, or a database",
    "srm": "is a split the designed one?",
    "plan": "sample size, duration, smallest effect worth detecting",
}
"""Every subcommand beside `experiment`, with its line of help; `measure_<name>.py` holds it."""


class _DefaultExperiment(click.Group):
    """`measure NAME` is `measure experiment NAME`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in {*self.commands, *SUBCOMMANDS, "--help", "-h"}:
            args = ["experiment", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *SUBCOMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in SUBCOMMANDS:
            found: click.Command = importlib.import_module(f"embellie.cli.measure_{cmd_name}").command
            found.name = cmd_name
            return found
        return super().get_command(ctx, cmd_name)


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

    looking = looking_of(sequential, planned) if sequential else None
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
        show(card, language)
