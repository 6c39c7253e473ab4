"""`embellie log retain`: names past their time are taken out."""

from datetime import UTC, datetime
from pathlib import Path

import click

from embellie.app.log_keeping import place_of
from embellie.app.retaining import Retained, retain, retention_document, retention_of
from embellie.cli.log_command import DATA, JSON
from embellie.cli.main import print_json


@click.command("retain")
@click.option("--dry-run", "dry", is_flag=True, help="Only say what is past its time.")
@DATA
@JSON
def command(*, dry: bool, data: Path, as_json: bool) -> None:
    """Take reader and visit out of what is past the time that [retention] of embellie.toml keeps them for.

    Events stay and are counted; experiments lose the readers whose exposure is past its time. The server does it each night.
    """
    found = retain(place_of(data), retention_of(data), now=datetime.now(UTC), dry=dry)
    if as_json:
        print_json(retention_document(found))
    else:
        _tell(found)


def _tell(found: Retained) -> None:
    if not found.before:
        click.echo("Names are kept for good: [retention] of embellie.toml says otherwise if you write it there.")
        return
    for consent, moment in found.before.items():
        click.echo(f"{consent}: names of what arrived before {moment:%Y-%m-%d %H:%M} UTC go.")
    past = found.past
    for (site, experiment), units in sorted(past.units.items()):
        click.echo(f"`{experiment}` of {site} loses {units:,} readers: its scorecard does not count them any more.")
    verb = "changed" if found.done else "would change"
    click.echo(
        f"{past.nameless:,} events {verb}, {past.exposures:,} exposures and {past.quarantined:,} put aside"
        f" {'removed' if found.done else 'would go'}."
    )
