"""`embellie log backup` and `embellie log restore`: an installation in one file, and back."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from embellie.app.backing_up import back_up, backup_document, restore_document
from embellie.app.backing_up import restore as restore_backup
from embellie.app.last_backup import note_backup
from embellie.app.log_keeping import place_of
from embellie.cli.log_command import DATA, JSON, progress_bar
from embellie.cli.main import print_json, project_option
from embellie.domain.errors import InputError


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@DATA
@JSON
def backup(file: Path, *, data: Path, as_json: bool) -> None:
    """Write the installation to FILE (a tar archive): the log as of now, models, keys and configuration. The server may run.

    Each part has its SHA-256 in the archive, which is read back before this returns. Keep it as you keep the data folder: it
    holds keys and readers.
    """
    place, now = place_of(data), datetime.now(UTC)
    with progress_bar("Copying", "rows") as progress:
        archive = back_up(place, file, now=now, project=data, progress=progress)
    note_backup(place.beside, now)
    if as_json:
        print_json(backup_document(file, archive))
    else:
        click.echo(
            f"{file}: {len(archive.parts)} parts, {archive.bytes / 1e6:,.1f} MB, the log up to event {archive.through:,};"
            " read back, every sum is right."
        )


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Set aside the data folder, and the log in PostgreSQL, that are there.")
@click.option(
    "--erased",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Erase these again too: the output of `embellie reader erased --json`.",
)
@project_option
@JSON
def restore(file: Path, *, yes: bool, erased: Path | None, project: Path, as_json: bool) -> None:
    """Put the backup FILE in the place of the data folder; the former one is set aside beside it. The server must not run.

    The log goes where embellie.toml says, a file or PostgreSQL, wherever it was when the backup was taken. Every sum is checked before anything is touched. Who was erased since, by the log that is replaced or by `--erased`, is
    erased again; exits 1 if that was not complete.
    """
    marks = _marks(erased) if erased else []
    with progress_bar("Restoring", "rows") as progress:
        done = restore_backup(file, project, now=datetime.now(UTC), yes=yes, erased=marks, progress=progress)
    document = restore_document(done)
    if as_json:
        print_json(document)
    else:
        click.echo(
            f"Restored {document['parts']} parts of {document['created']}, the log up to event {document['through']:,}."
        )
        if done.replaced:
            click.echo(
                f"What was there before is in {done.replaced}: remove it when all is well; it holds readers' data."
            )
        if done.replaced_schema:
            click.echo(f"The former log is in the schema {done.replaced_schema}: drop it when all is well.")
        if done.erased_again:
            click.echo(f"{len(done.erased_again):,} readers erased since were erased again.")
    sys.exit(0 if document["gone"] else 1)


def _marks(file: Path) -> list[tuple[str, str]]:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return [(str(one["site"]), str(one["mark"])) for one in said["erased"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "This is no list of erasures.", hint="`embellie reader erased --json` writes one.", at=str(file)
        ) from None
