"""`embellie catalogue`: bring in articles from feeds, pages and files, and list them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from embellie.app.choosing import choose
from embellie.app.newsroom import Newsroom
from embellie.app.syncing import (
    FeedReport,
    check_site,
    export_feed,
    import_articles,
    known_of,
    publish_of,
    sync_site,
)
from embellie.cli.main import JSON_HELP, print_json, project_option
from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.moment import iso

SITE = click.option("--site", default="", help="The site; not needed when there is one.")
JSON = click.option("--json", "as_json", is_flag=True, help=JSON_HELP)


@click.group()
def command() -> None:
    """Bring in articles from feeds, pages and files."""


@command.command("sync")
@project_option
@SITE
@click.option("--force", is_flag=True, help="Ask also the feeds that wait after a failure.")
@click.option(
    "--check-pages", type=click.IntRange(min=0), default=0, help="Ask for the pages of the N newest articles."
)
@JSON
def sync(*, project: Path, site: str, force: bool, check_pages: int, as_json: bool) -> None:
    """Fetch the feeds of embellie.toml once. Exits 1 when one of them failed."""
    with _opened(project, site) as (newsroom, sites):
        reports = {name: sync_site(newsroom, name, force=force) for name in sites}
        for name in sites if check_pages else ():
            reports[name].append(check_site(newsroom, name, newest=check_pages))
    if as_json:
        print_json({"schema": "embellie/sync/1", "sites": {n: [_document(r) for r in rs] for n, rs in reports.items()}})
    for name, own in reports.items():
        _tell(name, own, quiet=as_json)
    sys.exit(1 if any(report.status == "failed" for own in reports.values() for report in own) else 0)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@project_option
@SITE
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="Where a field of an article stands.")
@JSON
def import_(file: Path, *, project: Path, site: str, columns: Sequence[str], as_json: bool) -> None:
    """Bring in FILE: JSON lines, an RSS or Atom feed, or a page. Exits 1 when a part of it was left out."""
    with _opened(project, site) as (newsroom, sites):
        own = choose("site", site, sites)
        report = import_articles(
            file,
            publish=publish_of(newsroom, own),
            known=known_of(newsroom, own),
            now=newsroom.clock(),
            columns=dict(_pair(column) for column in columns),
        )
    if as_json:
        print_json({"schema": "embellie/import/1", **_document(report)})
    _tell(own, [report], quiet=as_json)
    sys.exit(1 if report.problems else 0)


@command.command("export-feed")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; standard output by default.")
@click.option("--kind", type=click.Choice(["rss", "atom"]), default="rss", help="Which feed.")
@click.option("--title", default="", help="The feed's title; the file's name by default.")
@click.option("--url", default="", help="The site's address.")
def export(file: Path, *, out: Path | None, kind: Any, title: str, url: str) -> None:
    """Turn FILE (JSON lines of articles) into a feed. Exits 1 when a part of it was left out."""
    content, report = export_feed(file, kind=kind, title=title, url=url)
    if out is None:
        click.echo(content, nl=False)
    else:
        out.write_bytes(content)
        click.echo(f"{report.new} articles in {out}.", err=True)
    _complain(report)
    sys.exit(1 if report.problems else 0)


@command.command("list")
@project_option
@SITE
@click.option("-n", "count", type=click.IntRange(min=1), default=20, help="How many, newest first.")
@JSON
def list_(*, project: Path, site: str, count: int, as_json: bool) -> None:
    """List the articles readers may be shown now, newest first."""
    with _opened(project, site) as (newsroom, sites):
        shown = {name: list(newsroom.articles(name)) for name in sites}
    if as_json:
        articles = [_row(name, article) for name, own in shown.items() for article in own[:count]]
        totals = {name: len(own) for name, own in shown.items()}
        print_json({"schema": "embellie/catalogue/1", "total": totals, "articles": articles})
        return
    for name, own in shown.items():
        click.echo(f"{name}: {len(own)} articles can be shown")
        for article in own[:count]:
            day = article.published_at.date().isoformat() if article.published_at else "undated   "
            click.echo(f"  {day}  {article.section or '·':12}  {article.title}")


@contextmanager
def _opened(folder: Path, site: str) -> Iterator[tuple[Newsroom, list[str]]]:
    with Newsroom.open(folder) as newsroom:
        yield newsroom, [newsroom.site(site).site] if site else list(newsroom.sites)


def _pair(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not (field and equals and column):
        raise InputError(f"`{text}` is no FIELD=COLUMN.", hint="Write for example `--column title=headline`.")
    return field, column


def _tell(site: str, reports: Sequence[FeedReport], *, quiet: bool) -> None:
    """Print a line per feed (unless `quiet`), and on standard error what went wrong."""
    for report in reports:
        if not quiet:
            click.echo(f"{site}  {report.feed}  {_outcome(report)}")
        _complain(report)
    if not reports and not quiet:
        click.echo(f'{site}  no feed yet: add `feeds = ["https://…"]` to its part of embellie.toml.')


def _outcome(report: FeedReport) -> str:
    if report.status == "read":
        return f"{report.new} new, {report.updated} updated, {report.withdrawn} withdrawn, {report.unchanged} unchanged"
    if report.status == "waiting":
        until = report.next_at.isoformat(timespec="seconds") if report.next_at else "later"
        return f"waits until {until} (--force asks now)"
    return "not modified" if report.status == "not_modified" else "failed"


def _complain(report: FeedReport, *, most: int = 10) -> None:
    said = [f"Error: {report.error}"] if report.error else []
    said += [f"Left out: {problem}" for problem in report.problems[:most]]
    said += [f"Note: {note}" for note in report.notes[:most]]
    more = max(len(report.problems) - most, 0) + max(len(report.notes) - most, 0)
    said += [f"… and {more} more."] if more else []
    for line in said:
        click.echo(f"{report.feed}: {line}", err=True)


def _document(report: FeedReport) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(report).items()}


def _row(site: str, article: Article) -> dict[str, Any]:
    return {"site": site} | {name: _plain(value) for name, value in asdict(article).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return list(value) if isinstance(value, tuple) else value
