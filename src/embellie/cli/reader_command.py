"""`embellie reader`: what is kept of one reader, and how it goes."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from embellie.app.erasing import ErasureReport, erase_pending, erase_reader, erasure_document
from embellie.app.following_erasures import BOUND
from embellie.app.forgetting import erased_document
from embellie.app.log_keeping import place_of
from embellie.app.reader_data import reader_document
from embellie.app.rotating_salts import rotate_salt
from embellie.cli.log_command import DATA, JSON
from embellie.cli.main import print_json
from embellie.domain.errors import InputError

_SITE = click.option("--site", default="", help="Only on this site; on all of them by default.")
_READER = click.argument("reader", default="")


@click.group()
def command() -> None:
    """Give a reader all that is kept of them, or erase it everywhere.

    READER is the id that the pages send; `-` reads it from standard input, so that it stands in no list of processes.
    """


@command.command("export")
@_READER
@_SITE
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="FILE", help="Write it here instead.")
@DATA
@JSON
def export(reader: str, *, site: str, out: Path | None, data: Path, as_json: bool) -> None:
    """Print every event kept of READER, and what was put aside that names them, as one JSON document."""
    document = reader_document(place_of(data), _named(reader), site=site, now=datetime.now(UTC))
    if out is None:
        print_json(document)
        return
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    count = len(document["events"])
    if as_json:
        print_json({"schema": "embellie/reader-export/1", "file": str(out), "events": count})
    else:
        click.echo(f"{count:,} events, {len(document['put_aside']):,} put aside: {out}")


@command.command("erase")
@_READER
@_SITE
@click.option("--yes", is_flag=True, help="Do it: it cannot be undone.")
@click.option("--pending", is_flag=True, help="Erase all who asked for it by an `erasure` event, instead of READER.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="With the log in PostgreSQL: how many seconds to wait for the lakes and files of other servers.",
)
@click.option(
    "--vacuum-full",
    "rewrite",
    is_flag=True,
    help="With the log in PostgreSQL: also write its tables anew (VACUUM FULL). Readers and writers wait meanwhile.",
)
@DATA
@JSON
def erase(
    reader: str, *, site: str, yes: bool, pending: bool, wait: float, rewrite: bool, data: Path, as_json: bool
) -> None:
    """Erase READER from the log, the quarantine, the lake and all files of the data folder, and prove it.

    What is found is told before and after; then all files are searched for the id. Other servers on the same log follow by
    themselves and are waited for. Exits 1 if anything is left, or a server has not followed yet. Run it again after an
    interruption: it finishes.
    """
    place = place_of(data)
    if pending:
        reports = erase_pending(place, now=datetime.now(UTC))
        if as_json:
            print_json({"schema": "embellie/erasures/1", "erasures": [erasure_document(one) for one in reports]})
        else:
            click.echo(f"{len(reports):,} erasures were pending, {sum(one.gone for one in reports):,} are done.")
        sys.exit(0 if all(one.gone for one in reports) else 1)
    named = _named(reader)
    if not yes:
        raise InputError("An erasure cannot be undone.", hint="Say `--yes`; `embellie reader export` shows what goes.")
    report = erase_reader(place, named, site=site, now=datetime.now(UTC), wait=wait, rewrite=rewrite)
    if as_json:
        print_json(erasure_document(report))
    else:
        _tell(report)
    sys.exit(0 if report.gone_everywhere else 1)


@command.command("erased")
@DATA
@JSON
def erased(*, data: Path, as_json: bool) -> None:
    """List who was erased, by their marks: what a restored backup must forget again."""
    document = erased_document(place_of(data))
    if as_json:
        print_json(document)
        return
    for each in document["erased"]:
        click.echo(f"{each['at']}  {each['site']}  {each['mark']}")
    click.echo(f"{len(document['erased']):,} erased.")


@command.command("rotate")
@click.option("--site", default="", help="The site; not needed when there is one.")
@click.option("--anyway", is_flag=True, help="Also while an experiment runs: its readers are then counted twice.")
@click.option("--yes", is_flag=True, help="Do it: it cannot be undone.")
@DATA
@JSON
def rotate(*, site: str, anyway: bool, yes: bool, data: Path, as_json: bool) -> None:
    """Make another salt for a site with `pseudonyms = "salted"`: all its readers are new from now on.

    What was kept under the former words stays, and nobody can tell any more whose it was, you neither: export and erase first.
    """
    if not yes:
        raise InputError("A rotation cannot be undone.", hint="Say `--yes`.")
    chosen = rotate_salt(place_of(data), site, now=datetime.now(UTC), anyway=anyway)
    if as_json:
        print_json({"schema": "embellie/rotation/1", "site": chosen, "rotated": True})
    else:
        click.echo(f"The readers of {chosen} are new from now on.")


def _named(reader: str) -> str:
    found = sys.stdin.readline().rstrip("\r\n") if reader == "-" else reader
    if not found:
        raise InputError(
            "No reader is named.", hint="Give the id that the pages send, or `-` to read it from standard input."
        )
    return found


def _tell(report: ErasureReport) -> None:
    for one in report.sites:
        click.echo(f"{one.site}: mark {one.mark[:12]}…")
        rows: list[tuple[str, Any, Any]] = [
            ("log", one.before.log, one.after.log),
            ("quarantine", one.before.quarantine, one.after.quarantine),
            ("lake", one.before.lake, one.after.lake),
        ]
        click.echo(f"  {'':12} {'before':>10} {'after':>10}")
        for place, before, after in rows:
            click.echo(f"  {place:12} {before:>10,} {after:>10,}")
        for experiment, variant in one.experiments:
            click.echo(
                f"  `{experiment}` loses 1 unit of `{variant}`: its scorecards count without this reader from now on."
            )
    if report.states_removed:
        click.echo(f"{report.states_removed} snapshots removed: the next start folds the log.")
    if report.kept_on:
        click.echo(
            f"The id is also known on {', '.join(report.kept_on)}: files were not searched. Leave out --site to erase it there."
        )
    else:
        ending = "; the log's file was written anew" if report.scrubbed and not report.in_database else ""
        click.echo(
            f"{report.searched:,} files searched for {report.names:,} ids of reader, visits and events: ", nl=False
        )
        click.echo(f"{f'found in {len(report.left)}' if report.left else 'none found'}{ending}.")
        for one_left in report.left:
            click.echo(f"  left: {one_left.file} ({one_left.count:,})", err=True)
    _tell_of_the_database(report)
    click.echo("Kept: counts in the ledger, popularity and trained models, which name nobody.")
    here = "Gone" if report.gone else "NOT gone"
    elsewhere = ", but not everywhere yet" if report.gone and not report.gone_everywhere else ""
    click.echo(f"{here}{elsewhere}, {report.seconds:.1f} s.")


def _tell_of_the_database(report: ErasureReport) -> None:
    """Say what other servers have done, and what the database's own files may hold."""
    for one in report.servers:
        if one.followed:
            click.echo(f"{one.place}: its lake and files have followed.")
        else:
            click.echo(
                f"{one.place}: NOT yet. A running server follows within {BOUND}; this one was heard of at"
                f" {one.heard_at:%Y-%m-%d %H:%M:%S} UTC. See `embellie log lakes`; if it is no more,"
                f" remove its data folder and say `embellie log lakes --forget {one.lake}`."
            )
    if report.in_database and report.servers:
        click.echo("Servers that run forget within a second what they hold in memory.")
    if report.in_database and not report.scrubbed:
        click.echo(
            "PostgreSQL's own files may hold bytes of the rows until their room is used again (`--vacuum-full` writes the"
            " tables anew), its archives (WAL), copies and backups for as long as they are kept."
        )
    elif report.in_database:
        click.echo("PostgreSQL's tables were written anew; its archives (WAL), copies and backups were not reached.")
