"""Syncing: a site's feeds into the log, again and again, adding only what is new."""

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from embellie import __version__
from embellie.domain.article import Article
from embellie.domain.errors import EmbellieError, InputError
from embellie.domain.site import Site
from embellie.ports import Receipt
from embellie.store.article_files import read_article_lines
from embellie.store.article_texts import web_address, when
from embellie.store.feeds import FeedKind, Reading, Tombstone, read_feed, write_feed
from embellie.store.fetching import Ask, Fetched, Fetcher, authority, is_written_private
from embellie.store.pages import read_page

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

logger = logging.getLogger(__name__)

Publish = Callable[[Sequence[Article]], Receipt]
"""Puts articles in the log and waits until they are durable."""

Known = Callable[[str], Article | None]
"""Finds an article as last published, by its id."""

STATE_FILE = "feeds.json"
LONGEST_WAIT = timedelta(hours=6)
BATCH = 500

_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """What is remembered of a feed between two syncs."""

    etag: str = ""
    modified: str = ""
    ok_at: datetime | None = None
    next_at: datetime | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """What a sync did with one feed, page or file; counts are articles."""

    feed: str
    status: Literal["read", "not_modified", "waiting", "failed"]
    new: int = 0
    updated: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    error: str = ""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next_at: datetime | None = None


def sync_site(newsroom: "Newsroom", site: str, *, force: bool = False, due_only: bool = False) -> list[FeedReport]:
    """Fetch a site's feeds once and put what is new in the log.

    Args:
        newsroom: The installation.
        site: One of its sites.
        force: Ask even the feeds that are waiting after a failure.
        due_only: Leave out the feeds asked less than `feed_minutes` ago.

    Raises:
        UnknownName: The site does not exist.
    """
    own = newsroom.site(site)
    minutes = max(1.0, newsroom.config.sites[site].feed_minutes)
    return sync_feeds(
        own.feeds,
        publish=publish_of(newsroom, site),
        known=known_of(newsroom, site),
        fetcher=fetcher_of(own),
        memory=FeedMemory(newsroom.data / STATE_FILE, site),
        now=newsroom.clock(),
        interval=timedelta(minutes=minutes),
        force=force,
        due_only=due_only,
    )


def check_site(newsroom: "Newsroom", site: str, *, newest: int) -> FeedReport:
    """Ask for the pages of a site's newest articles and withdraw those that are gone; see `check_pages`."""
    return check_pages(
        list(newsroom.articles(site))[:newest],
        publish=publish_of(newsroom, site),
        known=known_of(newsroom, site),
        fetcher=fetcher_of(newsroom.site(site)),
        now=newsroom.clock(),
    )


def publish_of(newsroom: "Newsroom", site: str) -> Publish:
    """Return what puts articles in the log of a site and waits until they are durable."""
    return lambda articles: newsroom.publish(site, articles).result()


def known_of(newsroom: "Newsroom", site: str) -> Known:
    """Return what finds a site's article as last published."""
    return lambda article: newsroom.article(site, article)


def fetcher_of(site: Site) -> Fetcher:
    """Return what reads a site's feeds, and reaches no private address that its operator did not name."""
    named = [one for one in (*site.feeds, site.url) if site.allow_private or is_written_private(one)]
    return Fetcher(
        agent=f"embellie/{__version__} (+{site.url or 'feed reader of the newspaper'})",
        trusted=frozenset(authority(address) for address in named if web_address(address)),
    )


def sync_until(newsroom: "Newsroom", stopped: threading.Event, *, every: float = 15.0) -> None:
    """Keep all sites in step with their feeds until `stopped` is set; run it in a thread of the server."""
    while not stopped.is_set():
        for site, own in newsroom.sites.items():
            if own.feeds:
                _sync_and_log(newsroom, site, stopped)
        stopped.wait(every)


def _sync_and_log(newsroom: "Newsroom", site: str, stopped: threading.Event) -> None:
    try:
        for report in sync_site(newsroom, site, due_only=True):
            _log(site, report)
    except Exception as error:  # the job outlives whatever one site's feeds do to it
        if not stopped.is_set():
            logger.warning("The feeds of `%s` could not be synced: %s", site, error, exc_info=True)


def sync_feeds(
    feeds: Sequence[str],
    *,
    publish: Publish,
    known: Known,
    fetcher: Fetcher,
    memory: "FeedMemory",
    now: datetime,
    interval: timedelta = timedelta(minutes=5),
    force: bool = False,
    due_only: bool = False,
) -> list[FeedReport]:
    """Fetch feeds together, then take each in; one that fails is reported and waits longer, the others go on."""
    states = memory.read()
    reports: dict[str, FeedReport] = {}
    asks: dict[str, Ask] = {}
    for feed in dict.fromkeys(feeds):
        state = states.get(feed, FeedState())
        if _waits(state, now, interval=interval, force=force, due_only=due_only):
            reports[feed] = FeedReport(feed=feed, status="waiting", next_at=state.next_at)
        else:
            asks[feed] = Ask(url=feed, etag=state.etag, modified=state.modified)
    for feed, fetched in zip(asks, fetcher.all(list(asks.values())), strict=True):
        report = _take_in(feed, fetched, publish=publish, known=known, now=now)
        states[feed] = _remember(states.get(feed, FeedState()), fetched, report, now=now, interval=interval)
        reports[feed] = replace(report, next_at=states[feed].next_at)
        # After each feed: what is durable in the log is remembered even if the next one ends the process.
        memory.write(states)
    return [reports[feed] for feed in dict.fromkeys(feeds)]


def import_articles(
    file: Path, *, publish: Publish, known: Known, now: datetime, columns: Mapping[str, str] | None = None
) -> FeedReport:
    """Take in a file: JSON lines, an RSS or Atom feed (`.xml`, `.rss`, `.atom`) or a page (`.html`).

    Raises:
        InputError: The file is absent or of no such kind.
    """
    return _publish(file.name, _read_file(file, columns), publish=publish, known=known, now=now)


def export_feed(file: Path, *, kind: FeedKind = "rss", title: str = "", url: str = "") -> tuple[bytes, FeedReport]:
    """Turn a file of articles into an RSS or Atom feed, with a report of what was left out."""
    reading = _read_file(file, None)
    report = FeedReport(
        feed=file.name, status="read", new=len(reading.articles), problems=reading.problems, notes=reading.notes
    )
    return write_feed(reading.articles, kind=kind, title=title or file.stem, url=url), report


def check_pages(
    articles: Sequence[Article], *, publish: Publish, known: Known, fetcher: Fetcher, now: datetime
) -> FeedReport:
    """Ask for the page of each article and withdraw those that are gone (404 or 410).

    When more than half of four or more pages are gone at once, nothing is withdrawn: that is a broken site.
    """
    asks = [Ask(url=article.url, body=False) for article in articles]
    gone = [article for article, page in zip(articles, fetcher.all(asks), strict=True) if page.status in _GONE]
    if len(articles) >= 4 and len(gone) * 2 > len(articles):
        return FeedReport(
            feed="pages",
            status="failed",
            unchanged=len(articles),
            error=f"{len(gone)} of {len(articles)} pages are gone at once: nothing was withdrawn. Is the site up?",
        )
    stones = tuple(Tombstone(article.article, now) for article in gone)
    report = _publish("pages", Reading(removed=stones), publish=publish, known=known, now=now)
    return replace(report, unchanged=len(articles) - report.withdrawn)


def settled(article: Article, known: Article | None, *, now: datetime) -> Article | None:
    """Say what to put in the log for an article as read, given how it was last published; None for nothing.

    A change that its source does not date is dated `now`, so that going back to an earlier text is a change too. A
    withdrawn article comes back only when its source changed it since.
    """
    if article.state == "withdrawn":
        return _withdrawn(known, article.updated_at or now)
    if known is None:
        return article
    newer = article.updated_at is not None and (known.updated_at is None or article.updated_at > known.updated_at)
    same = replace(article, updated_at=known.updated_at, state=known.state) == known
    if same and not newer and (known.state in ("withdrawn", article.state)):
        return None
    return article if newer else replace(article, updated_at=now)


def _withdrawn(known: Article | None, at: datetime) -> Article | None:
    if known is None or known.state == "withdrawn":
        return None
    return replace(known, state="withdrawn", updated_at=max(at, known.updated_at or at))


def _take_in(feed: str, fetched: Fetched, *, publish: Publish, known: Known, now: datetime) -> FeedReport:
    if fetched.status == 304:
        return FeedReport(feed=feed, status="not_modified")
    if fetched.status != 200:
        return FeedReport(feed=feed, status="failed", error=fetched.error or _refusal(fetched.status))
    try:
        reading = _read(fetched, known)
        if reading.problems and not reading.articles and not reading.removed:
            # A page of maintenance answered with 200 is no empty feed: it is asked again, and its tag not kept.
            return FeedReport(feed=feed, status="failed", error=" ".join(reading.problems[:3]), notes=reading.notes)
        report = _publish(feed, reading, publish=publish, known=known, now=now)
    except EmbellieError as error:
        return FeedReport(feed=feed, status="failed", error=str(error))
    if fetched.moved:
        moved = f"Answered from `{fetched.url}`: write that address in embellie.toml if it moved for good."
        return replace(report, notes=(*report.notes, moved))
    return report


def _refusal(status: int) -> str:
    if status in _GONE:
        return f"HTTP {status}: the feed is gone. Correct its address in embellie.toml, or take it out."
    if status in {401, 403}:
        return f"HTTP {status}: the site refuses us. Allow the agent `embellie` there."
    return f"HTTP {status}."


def _read(fetched: Fetched, known: Known) -> Reading:
    kind = fetched.content_type.partition(";")[0].strip().lower()
    start = fetched.content[:512].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if kind in {"application/x-ndjson", "application/jsonl"}:
        return read_article_lines(fetched.content.decode("utf-8", "replace").split("\n"))
    if start.startswith((b"<!doctype html", b"<html")):
        return read_page(_decoded(fetched), url=fetched.url)
    reading = read_feed(fetched.content, url=fetched.url, content_type=fetched.content_type)
    return replace(reading, articles=tuple(_with_paywall(article, known) for article in reading.articles))


def _with_paywall(article: Article, known: Known) -> Article:
    """Keep what is known of the paywall: a feed has no word for it."""
    before = known(article.article)
    return replace(article, paywalled=before.paywalled) if before is not None else article


def _decoded(fetched: Fetched) -> str:
    charset = fetched.content_type.lower().partition("charset=")[2].strip("\"' ;") or "utf-8"
    try:
        return fetched.content.decode(charset, "replace")
    except LookupError:
        return fetched.content.decode("utf-8", "replace")


def _read_file(file: Path, columns: Mapping[str, str] | None) -> Reading:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read `{file}`: {error.strerror}.", hint="Check the path.") from None
    if file.suffix.lower() in {".xml", ".rss", ".atom"}:
        return read_feed(content)
    if file.suffix.lower() in {".html", ".htm"}:
        return read_page(content.decode("utf-8", "replace"))
    try:
        # Never by `splitlines`: a text may hold a line separator of its own.
        return read_article_lines(content.decode("utf-8-sig").split("\n"), columns=columns)
    except UnicodeDecodeError:
        raise InputError(f"`{file.name}` is not UTF-8 text.", hint="Save it as UTF-8.") from None


def _publish(feed: str, reading: Reading, *, publish: Publish, known: Known, now: datetime) -> FeedReport:
    before = {article.article: known(article.article) for article in reading.articles}
    before |= {stone.article: known(stone.article) for stone in reading.removed}
    chosen = [settled(article, before[article.article], now=now) for article in reading.articles]
    chosen += [_withdrawn(before[stone.article], stone.removed_at or now) for stone in reading.removed]
    changes = [article for article in chosen if article is not None]
    accepted: set[str] = set()
    for start in range(0, len(changes), BATCH):
        receipt = publish(changes[start : start + BATCH])
        accepted |= {event.body.article for event in receipt.accepted if isinstance(event.body, Article)}
    taken = [article for article in changes if article.article in accepted]
    withdrawn = sum(article.state == "withdrawn" for article in taken)
    new = sum(before[article.article] is None for article in taken)
    return FeedReport(
        feed=feed,
        status="read",
        new=new,
        updated=len(taken) - new - withdrawn,
        withdrawn=withdrawn,
        unchanged=len(chosen) - len(taken),
        problems=reading.problems,
        notes=reading.notes,
    )


def _waits(state: FeedState, now: datetime, *, interval: timedelta, force: bool, due_only: bool) -> bool:
    if force or state.next_at is None or state.next_at <= now:
        return False
    if state.next_at - now > (max(interval, timedelta(days=1)) if state.failures else interval):
        return False  # further ahead than it is ever put: the clock was ahead when it was written down
    return due_only or state.failures > 0


def _remember(
    state: FeedState, fetched: Fetched, report: FeedReport, *, now: datetime, interval: timedelta
) -> FeedState:
    if report.status == "failed":
        failures = state.failures + 1
        wait = max(min(interval * 2 ** min(failures, 12), LONGEST_WAIT), _asked_wait(fetched.retry_after, now))
        return replace(state, failures=failures, next_at=now + wait)
    return FeedState(
        etag=fetched.etag or (state.etag if fetched.status == 304 else ""),
        modified=fetched.modified or (state.modified if fetched.status == 304 else ""),
        ok_at=now,
        next_at=now + interval,
    )


def _asked_wait(retry_after: str, now: datetime) -> timedelta:
    """Read `Retry-After`, seconds or a date, up to a day."""
    if retry_after.isascii() and retry_after.isdigit():
        asked = timedelta(seconds=min(int(retry_after[:9]), 86_400))
    else:
        until = when(retry_after).time
        asked = until - now if until else timedelta()
    return min(max(asked, timedelta()), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class FeedMemory:
    """The state of a site's feeds, in one small JSON file of the data folder; losing it costs one full read."""

    file: Path
    site: str

    def read(self) -> dict[str, FeedState]:
        """Return the state by feed; none when the file is absent or damaged."""
        own = self._sites().get(self.site)
        feeds = own if isinstance(own, dict) else {}
        return {feed: _state(raw) for feed, raw in feeds.items() if isinstance(raw, dict)}

    def write(self, states: Mapping[str, FeedState]) -> None:
        """Replace the site's part of the file at once, or not at all."""
        sites = self._sites() | {self.site: {feed: _plain(state) for feed, state in states.items()}}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_name(f"{self.file.name}.{os.getpid()}.{threading.get_ident()}.new")
        with fresh.open("w", encoding="utf-8") as stream:
            json.dump({"schema": "embellie/feeds/1", "sites": sites}, stream, ensure_ascii=False, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self.file)

    def _sites(self) -> dict[str, Any]:
        try:
            sites = json.loads(self.file.read_text(encoding="utf-8"))["sites"]
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, OSError):
            logger.warning("`%s` could not be read: every feed is read in full once.", self.file.name)
            return {}
        return sites if isinstance(sites, dict) else {}


def _plain(state: FeedState) -> dict[str, Any]:
    return {
        "etag": state.etag,
        "modified": state.modified,
        "ok_at": state.ok_at.isoformat() if state.ok_at else None,
        "next_at": state.next_at.isoformat() if state.next_at else None,
        "failures": state.failures,
    }


def _state(raw: Mapping[str, Any]) -> FeedState:
    return FeedState(
        etag=str(raw.get("etag") or ""),
        modified=str(raw.get("modified") or ""),
        ok_at=when(str(raw.get("ok_at") or "")).time,
        next_at=when(str(raw.get("next_at") or "")).time,
        failures=int(raw.get("failures") or 0),
    )


def _log(site: str, report: FeedReport) -> None:
    # What stands behind the `?` may be the newspaper's own token.
    name, query, _ = report.feed.partition("?")
    feed = f"{name}?…" if query else name
    if report.status == "failed":
        logger.warning("Feed `%s` of `%s`: %s", feed, site, report.error.replace(report.feed, feed))
    elif report.new or report.updated or report.withdrawn:
        logger.info(
            "Feed `%s` of `%s`: %d new, %d updated, %d withdrawn.",
            feed, site, report.new, report.updated, report.withdrawn,
        )  # fmt: skip
