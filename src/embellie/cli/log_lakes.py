"""`embellie log lakes`: the lakes of the servers on one log, and which erasures each has followed."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from embellie.app.following_erasures import (
    Followed,
    follow_erasures,
    forget_lake_of,
    lakes_document,
    lakes_of_place,
)
from embellie.app.log_keeping import place_of
from embellie.cli.log_command import DATA, JSON
from embellie.cli.main import print_json


@click.command("lakes")
@click.option("--follow", is_flag=True, help="First take out of this one whoever was erased by another server.")
@click.option("--forget", default="", metavar="NAME", help="Strike one out that is no more: nobody waits for it then.")
@DATA
@JSON
def lakes(*, follow: bool, forget: str, data: Path, as_json: bool) -> None:
    """List the lakes of the servers on one log in PostgreSQL, each with the files beside it; exits 1 if one has not followed an erasure.

    A running server follows by itself. Whatever does not run holds what its data folder held.
    """
    place = place_of(data)
    if forget:
        forget_lake_of(place, forget)
    followed: Followed | None = follow_erasures(place, now=datetime.now(UTC)) if follow else None
    document = lakes_document(*lakes_of_place(place), followed=followed)
    if as_json:
        print_json(document)
    else:
        for one in document["lakes"]:
            state = "has followed every erasure" if one["followed"] else "has NOT followed the last erasure"
            click.echo(f"{one['lake']}  {one['place']}{' (this one)' if one['own'] else ''}: {state};", nl=False)
            click.echo(f" ends on event {one['through']:,}, heard of at {one['heard_at']}")
        if followed and followed.events:
            click.echo(f"{followed.events:,} events of {followed.readers:,} readers taken out just now.")
        if not document["lakes"]:
            click.echo("The log is a file, or no server has a lake yet.")
    for file in document["just_now"]["left"] if document["just_now"] else ():
        click.echo(f"  left: {file}", err=True)
    # A running server asks about its own alone: the others' is theirs to do.
    behind = [one for one in document["lakes"] if not one["followed"] and (one["own"] or not follow)]
    sys.exit(1 if behind else 0)
