"""`embellie log`: data in and out, what was put aside, and the ledger that proves nothing was lost."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from embellie.app.following_erasures import follow_erasures
from embellie.app.log_keeping import (
    export_log,
    import_clicks,
    lake_line,
    lake_named,
    ledger_document,
    place_of,
    quarantine_document,
    replay_log,
)
from embellie.cli.main import JSON_HELP, PROJECT_HELP, print_json
from embellie.domain.event import PUBLIC_KINDS

DATA = click.option(
    "--project",
    "--data",
    "data",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help=f"{PROJECT_HELP} Its data folder will do.",
)
PROJECT = click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help=PROJECT_HELP,
)
JSON = click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
SITE = click.option("--site", default="", help="The site; not needed when there is one.")
_SHOWN = 5


@click.group()
def command() -> None:
    """Bring data into the log and out of it, and check that none was lost."""


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reader", default="", metavar="COL", help="The column of the reader's id.")
@click.option("--visit", default="", metavar="COL", help="The column of the visit's id.")
@click.option("--article", default="", metavar="COL", help="The column of the article's id.")
@click.option("--at", default="", metavar="COL", help="The column of the time.")
@click.option(
    "--unit",
    type=click.Choice(["auto", "ms", "s", "iso"]),
    default="auto",
    help="What the time is written in; told by the size of the numbers by default.",
)
@click.option("--where", default="", metavar="SQL", help="A condition on the file's columns: \"eventType = 'VIEW'\".")
@click.option(
    "--consent",
    type=click.Choice(["none", "measurement", "profiling"]),
    default="none",
    help="What these readers had agreed to.",
)
@SITE
@DATA
@JSON
def import_(
    file: Path,
    *,
    reader: str,
    visit: str,
    article: str,
    at: str,
    unit: Any,
    where: str,
    consent: Any,
    site: str,
    data: Path,
    as_json: bool,
) -> None:
    """Bring FILE (a click log: CSV, CSV.gz, Parquet) into the log as `read` events.

    A bad row is put aside alone, with its line; importing the same file again adds nothing.
    """
    place = place_of(data)
    with progress_bar("Importing", "clicks") as progress:
        done = import_clicks(
            place,
            file,
            site=place.site(site),
            columns={"reader": reader, "visit": visit, "article": article, "at": at},
            unit=unit,
            where=where,
            consent=consent,
            progress=progress,
        )
    for row in done.bad_rows[:_SHOWN]:
        click.echo(f"{file.name}:{row.line}: {row.reason}", err=True)
    if len(done.bad_rows) > _SHOWN:
        click.echo(f"… and {len(done.bad_rows) - _SHOWN} more: `embellie log quarantine`.", err=True)
    if as_json:
        print_json(
            {
                "schema": "embellie/log-import/1",
                "rows": done.clicks + len(done.bad_rows),
                "accepted": done.accepted,
                "duplicates": done.duplicates,
                "quarantined": done.quarantined,
                "bad_rows": [{"line": row.line, "reason": row.reason} for row in done.bad_rows],
            }
        )
    else:
        click.echo(
            f"{done.clicks + len(done.bad_rows):,} rows: {done.accepted:,} new, {done.duplicates:,} already there,"
            f" {len(done.bad_rows):,} bad ({done.quarantined:,} newly put aside)."
        )


@command.command("export")
@click.argument("folder", metavar="FOLDER|URL")
@click.option("--all", "everything", is_flag=True, help="Also what arrived in the hour that is not over yet.")
@click.option("--anew", is_flag=True, help="Write every file again, from the log alone.")
@DATA
@JSON
def export(folder: str, *, everything: bool, anew: bool, data: Path, as_json: bool) -> None:
    """Write the log to FOLDER, or to a bucket (`s3://…`, `gs://…`, `az://…`), as Parquet, a file per site and day.

    Days to which nothing came are left alone.
    """
    place = place_of(data)
    with lake_named(place, folder) as lake:
        own = lake.place == place.open_lake().place
        if own:
            follow_erasures(place, now=datetime.now(UTC))
        with progress_bar("Exporting", "events") as progress:
            done = export_log(place, lake, complete_hours=not everything, anew=anew, progress=progress)
        if own:
            follow_erasures(place, now=datetime.now(UTC))  # and say where it ends now
    if as_json:
        print_json(
            {
                "schema": "embellie/log-export/1",
                "folder": folder,
                "written": [each.folder for each in done.written],
                "unchanged": done.unchanged,
                "events": done.events,
                "too_recent": done.too_recent,
                "through": done.through,
            }
        )
    else:
        click.echo(
            f"{done.events:,} events in {len(done.written) + done.unchanged:,} files:"
            f" {len(done.written):,} written, {done.unchanged:,} unchanged."
        )
    if done.too_recent:
        click.echo(
            f"{done.too_recent:,} events arrived in the hour that is not over yet: `--all` takes them too.", err=True
        )


@command.command("fold")
@PROJECT
@JSON
def fold(*, project: Path, as_json: bool) -> None:
    """Fold the log into the state file, from which the server then starts in seconds.

    The server does it by itself while it runs; do it by hand to start warm after an upgrade that folds otherwise.
    """
    from embellie.app.state_keeping import keep_state

    done = keep_state(project)
    if as_json:
        print_json(
            {
                "schema": "embellie/log-fold/1",
                "through": done.start.sequence,
                "taken": done.start.taken,
                "folded": done.start.folded,
                "refused": done.start.refused,
                "bytes": done.bytes,
                "seconds": round(done.seconds, 3),
            }
        )
    else:
        click.echo(
            f"{done.start}\nThe state file holds the log up to event {done.start.sequence:,}: {done.bytes:,} bytes."
        )


@command.command("ledger")
@click.option("--verify", is_flag=True, help="Count the log anew; exit 1 when the ledger disagrees.")
@DATA
@JSON
def ledger(*, verify: bool, data: Path, as_json: bool) -> None:
    """Show, by site and hour, that received = accepted + duplicates + quarantined."""
    place = place_of(data)
    document = ledger_document(place, verify=verify)
    if as_json:
        print_json(document)
    else:
        _print_ledger(document)
        if line := lake_line(place):
            click.echo(line)
    for each in document["imbalances"]:
        click.echo(
            f"{each['site']} {each['hour']}: the ledger says {each['ledger']} {each['what']},"
            f" the log holds {each['found']}.",
            err=True,
        )
    sys.exit(1 if document["imbalances"] else 0)


@command.command("replay")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help=f"Only events of this kind (repeatable); by default those a page may send: {', '.join(sorted(PUBLIC_KINDS))}.",
)
@DATA
@JSON
def replay(*, kinds: tuple[str, ...], data: Path, as_json: bool) -> None:
    """Try again the events that were put aside; those now good are accepted, the others stay."""
    done = replay_log(place_of(data), kinds=frozenset(kinds) or PUBLIC_KINDS)
    if as_json:
        print_json(
            {
                "schema": "embellie/log-replay/1",
                "accepted": len(done.accepted),
                "duplicates": done.duplicates,
                "still_quarantined": done.still_quarantined,
            }
        )
    else:
        click.echo(
            f"{len(done.accepted):,} accepted, {done.duplicates:,} already there,"
            f" {done.still_quarantined:,} still in quarantine."
        )


@command.command("quarantine")
@click.option("--site", default="", help="Only of this site.")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, help="How many, from the newest.")
@DATA
@JSON
def quarantine(*, site: str, limit: int, data: Path, as_json: bool) -> None:
    """List the events that were put aside, newest first, each with its reason."""
    document = quarantine_document(place_of(data), site=site, limit=limit)
    if as_json:
        print_json(document)
        return
    for each in document["events"]:
        payload = each["payload"] if len(each["payload"]) <= 100 else each["payload"][:100] + "…"
        click.echo(f"{each['number']}  {each['received_at']}  {each['site'] or '·'}  {each['at']}")
        click.echo(f"    {each['reason']}")
        click.echo(f"    {payload}")
    click.echo(f"{document['total']:,} in quarantine, {len(document['events']):,} shown.")


def _print_ledger(document: dict[str, Any]) -> None:
    names = ["received", "accepted", "duplicates", "quarantined"]
    names += [name for name in ("erased", "refused") if document["total"][name]]
    width = max([len("site"), len("total"), *(len(row["site"]) for row in document["rows"])])
    click.echo(f"{'site':{width}}  {'hour':20}" + "".join(f"  {name:>12}" for name in names))
    for row in document["rows"]:
        click.echo(f"{row['site']:{width}}  {row['hour']:20}" + "".join(f"  {row[name]:>12,}" for name in names))
    click.echo(f"{'total':{width}}  {'':20}" + "".join(f"  {document['total'][name]:>12,}" for name in names))
    if document["verified"] and not document["imbalances"]:
        click.echo("Counted anew: the ledger balances.")


@contextmanager
def progress_bar(label: str, unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar on standard error when someone watches."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=0, label=f"{label} {unit}", file=sys.stderr) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield tell


def _add_others() -> None:
    """Add what has a file of its own."""
    from embellie.cli import log_backup, log_copy, log_lakes, log_retain

    for each in (log_retain.command, log_backup.backup, log_backup.restore, log_copy.copy, log_lakes.lakes):
        command.add_command(each)


_add_others()
