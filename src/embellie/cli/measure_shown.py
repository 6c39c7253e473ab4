"""What the `measure` commands share: their options, and how a scorecard is shown."""

import click

from embellie.app.measuring import (
    Looking,
    effect_sentence,
    interval_plot,
    parse_looking,
    split_sentence,
)
from embellie.cli.main import JSON_HELP
from embellie.domain.scorecard import Scorecard

json_option = click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
language_option = click.option(
    "--lang", "language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the text."
)
sequential_option = click.option(
    "--sequential",
    default="none",
    show_default=True,
    metavar="always|group:K|none",
    help="How often results are looked at: whenever, at K planned looks, or once.",
)
planned_option = click.option(
    "--planned", type=click.IntRange(min=2), help="Units of both sides at the planned end, for --sequential."
)


def show(card: Scorecard, language: str) -> None:
    """Print a scorecard as sentences and a plot."""
    click.echo(split_sentence(card, language))
    for row in card.effects:
        click.echo(effect_sentence(row, card.control, language))
    plot = interval_plot(card, language)
    if plot:
        click.echo("\n" + "\n".join(plot))


def looking_of(sequential: str, planned: int | None) -> Looking:
    """Read `--sequential` and `--planned`; says what was assumed."""
    looking = parse_looking(sequential, planned=planned)
    if looking.kind == "always" and planned is None:
        click.echo(f"Always-valid intervals are tightest at {looking.planned} units (see --planned).", err=True)
    return looking
