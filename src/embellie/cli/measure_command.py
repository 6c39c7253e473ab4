"""`embellie measure`: what changed because of it? One file per subcommand, loaded when it is asked for."""

import importlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embellie.app.measuring import DIMENSIONS, day_ends, scorecard, watched
from embellie.app.scorecard_document import scorecard_document, series_document
from embellie.cli.main import moment_option, print_json, project_option
from embellie.cli.measure_shown import (
    csv_option,
    json_option,
    language_option,
    looking_of,
    parquet_option,
    planned_option,
    show,
    show_days,
    show_slices,
    write_files,
)
from embellie.domain.errors import InputError
from embellie.domain.scorecard import Scorecard

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

SUBCOMMANDS = {
    "aa": "history assigned anew: is the scorecard wrong as often as it says?",
    "table": "scorecard of a table: CSV, Parquet, or a database",
    "srm": "is a split the designed one?",
    "proxies": "how well has a proxy foretold what counts?",
    "surrogate": "a long-term effect, foretold from what is there early",
    "interleaving": "which of two rankers do readers side with?",
    "switchback": "one shared thing, switched over time",
    "programme": "what do past experiments together teach?",
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([("experiment", "scorecard of an experiment, from the log"), *SUBCOMMANDS.items()])


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
    help="How often results are looked at; as planned, or whenever (always), unless said otherwise.",
)
@planned_option
@click.option(
    "--by",
    "dimensions",
    multiple=True,
    type=click.Choice(DIMENSIONS),
    help="Show parts of the readers too; may be repeated.",
)
@click.option("--days", is_flag=True, help="Instead, one metric's effect day by day.")
@click.option(
    "--metric", default="", metavar="NAME", help="For --days, instead of the primary one; for --by, instead of all."
)
@click.option(
    "--as-known-at",
    "known_at",
    default="",
    metavar="TIME",
    help="As it could be computed at that time (ISO 8601), without what arrived later; and what that moved.",
)
@csv_option
@parquet_option
@language_option
@json_option
def experiment(
    *,
    name: str,
    project: Path,
    sequential: str,
    planned: int | None,
    dimensions: tuple[str, ...],
    days: bool,
    metric: str,
    known_at: str,
    csv: Path | None,
    parquet: Path | None,
    language: str,
    as_json: bool,
) -> None:
    """Give the scorecard of experiment NAME, computed from the log (NAME may be left out when there is one).

    Its intervals hold at every look, tightest at the readers it is planned for (`planned` in embellie.toml).
    """
    from embellie.app.config import metrics_of
    from embellie.app.newsroom import Newsroom
    from embellie.app.restating import KnownAt, Restated, late_days, moved, restated_document, restated_sentences
    from embellie.app.retaining import lost_units_line

    if known_at and days:
        raise InputError("--days already tells each day.", hint="Leave one of them out.", at="--as-known-at")
    then = moment_option(known_at) if known_at else None
    looking = looking_of(sequential, planned) if sequential else None
    with Newsroom.open(project, threads=0) as newsroom:
        names = [one.experiment for site in newsroom.sites for one in newsroom.experiments(site)]
        if not name and len(names) != 1:
            raise InputError("Which experiment?", hint=f"There are: {', '.join(names) or 'none'}.")
        site, test = newsroom.placed(name or names[0])
        if planned is not None:
            test = replace(test, planned=planned)
        now = _as_of(newsroom)

        def card_at(until: datetime | None, by: tuple[str, ...], *, known: datetime | None = None) -> Scorecard:
            return scorecard(
                KnownAt(newsroom.scored, known) if known else newsroom.scored,
                test,
                metrics_of(newsroom.config),
                read_seconds=newsroom.config.read_seconds,
                site=site,
                looking=looking or watched(test),
                until=until,
                now=known or now,
                dimensions=by,
                priors=newsroom.priors(),
            )

        if days:
            history = [(at, card_at(at, ())) for at in day_ends(test, now)]
            card = history[-1][1] if history else None
        else:
            card = card_at(then, DIMENSIONS, known=then)
        late = Restated(
            late_days(newsroom.scored, test, site=site, known_at=then),
            known_at=then,
            moved=moved(card, card_at(then, ()), test.primary) if then and card else (),
        )
        lost = lost_units_line(newsroom.config.retention, test, newsroom.clock(), language=language)
    if lost:
        click.echo(lost, err=True)
    if card is not None:
        write_files(card, csv=csv, parquet=parquet)
    if days:
        chosen = metric or test.primary
        if as_json or (card is not None and chosen not in {row.metric for row in card.effects}):
            document = series_document(history, chosen)
            print_json(document | {"restated": restated_document(late)})
        else:
            show_days(history, chosen, language)
            _say(restated_sentences(late, language))
    elif card is not None and as_json:
        print_json(scorecard_document(card) | {"restated": restated_document(late)})
    elif card is not None:
        show(card, language)
        _say(restated_sentences(late, language))
        show_slices(card, dimensions, language, metric=metric)


def _say(lines: list[str]) -> None:
    if lines:
        click.echo("\n" + "\n".join(lines))


def _as_of(newsroom: "Newsroom") -> datetime:
    """Now; the last event's time where the log stands still for a day or more, as a log of other times does."""
    (found,) = newsroom.analysis.rows("SELECT max(received_at) AS last FROM events", {})
    now, last = newsroom.clock(), found["last"]
    if last is None:
        return now
    at: datetime = last.replace(tzinfo=UTC)
    return now if now - at < timedelta(days=1) else at
