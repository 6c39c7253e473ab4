"""`embellie log copy`: the log from its file to PostgreSQL, or back."""

from pathlib import Path

import click

from embellie.app.copying_log import copy_document, copy_log_to, storage_lines
from embellie.app.log_keeping import place_of
from embellie.cli.log_command import DATA, JSON, progress_bar
from embellie.cli.main import print_json


@click.command("copy")
@click.option(
    "--to",
    required=True,
    metavar="URL|DIR",
    help="Where to: `postgresql://user@host/database`, or a folder, which gets a file `log.sqlite`.",
)
@click.option("--schema", default="embellie", show_default=True, help="In PostgreSQL: the schema that holds the log.")
@DATA
@JSON
def copy(*, to: str, schema: str, data: Path, as_json: bool) -> None:
    """Copy the whole log to another place, with its numbers, times, quarantine, ledger and marks of the erased.

    Stop the servers first. There must be no log at the other place. All of it is there at the end, read back and compared, or
    nothing is. The log copied from stays as it is.
    """
    place = place_of(data)
    with progress_bar("Copying", "rows") as progress:
        copied = copy_log_to(place, to, schema=schema, progress=progress)
    if as_json:
        print_json(copy_document(copied, data=place.beside))
        return
    rows = copied.done.rows
    click.echo(
        f"{rows['events']:,} events and {rows['quarantine']:,} put aside copied from {copied.source} to {copied.target}"
        f" in {copied.seconds:.1f} s; read back, both are the same (sha256 {copied.done.sha256[:12]}…)."
    )
    click.echo("Now write into embellie.toml:")
    for line in storage_lines(copied.target, data=place.beside):
        click.echo(f"  {line}")
    click.echo(f"{copied.source} stays as it is: remove it when all is well, it holds readers' data.")
