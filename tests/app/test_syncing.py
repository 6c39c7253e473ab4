"""Syncing: reading feeds again and again adds only what is new, and one bad feed stops no other."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from embellie.app.syncing import (
    FeedMemory,
    check_pages,
    import_articles,
    settled,
    sync_feeds,
    sync_site,
    sync_until,
)
from embellie.domain.article import Article
from embellie.domain.errors import Busy
from embellie.domain.event import Event, fact_id
from embellie.ports import Receipt
from embellie.store.feeds import write_feed
from embellie.store.fetching import Fetcher, Limits, authority
from embellie.testing.feed_server import Answer, feed_server

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)


@dataclass
class Paper:
    """The log as syncing sees it: the first of an id is kept, the last event of an article is what is known."""

    ids: set[str] = field(default_factory=set)
    shelf: dict[str, Article] = field(default_factory=dict)
    busy: bool = False

    def publish(self, articles: Sequence[Article]) -> Receipt:
        if self.busy:
            raise Busy("The log cannot keep up.")
        events = [
            Event(id=fact_id("g", "article", one.article, repr(one)), site="g", at=NOW, body=one) for one in articles
        ]
        fresh = tuple(event for event in events if event.id not in self.ids)
        self.ids |= {event.id for event in fresh}
        self.shelf |= {event.body.article: event.body for event in fresh}
        return Receipt(accepted=fresh, duplicates=len(events) - len(fresh), quarantined=())


@pytest.fixture
def server():
    with feed_server() as served:
        yield served


@pytest.fixture
def paper():
    return Paper()


@pytest.fixture
def sync(server, paper, tmp_path):
    limits = Limits(seconds=0.8, silence=0.4, size=100_000)
    fetcher = Fetcher(agent="t", limits=limits, trusted=frozenset({authority(server.address)}))

    def run(*feeds, now=NOW, **options):
        memory = FeedMemory(tmp_path / "feeds.json", "g")
        return sync_feeds(
            feeds, publish=paper.publish, known=paper.shelf.get, fetcher=fetcher, memory=memory, now=now, **options
        )

    return run


def article(name: str = "a", **fields) -> Article:
    given = {"url": f"https://gazette.example/{name}", "title": f"Title {name}", "language": "fr", **fields}
    return Article(article=name, published_at=NOW - timedelta(days=1), **given)


def counts(report):
    return report.new, report.updated, report.withdrawn, report.unchanged


def put(server, path, *articles, kind="rss", **options):
    return server.put(path, Answer(write_feed(articles, kind=kind), **options))


def test_reading_again_adds_nothing(server, paper, sync):
    """The same feed read in full twice adds its articles once, with or without tags."""
    feed = put(server, "/f", article("a"), article("b"), etag=False)
    assert [counts(*sync(feed)), counts(*sync(feed))] == [(2, 0, 0, 0), (0, 0, 0, 2)]
    assert len(paper.ids) == 2


def test_an_unchanged_feed_is_not_sent_again(server, sync):
    """The second request is conditional and the answer 304."""
    feed = put(server, "/f", article())
    sync(feed)
    (report,) = sync(feed)
    assert report.status == "not_modified"
    assert "if-none-match" in server.requests[-1][1]


@pytest.mark.parametrize("change", [{"title": "Corrected"}, {"section": "Monde"}, {"updated_at": NOW}])
def test_a_changed_article_is_an_update(server, paper, sync, change):
    """A change of title, section or date is a new event about the same article."""
    sync(put(server, "/f", article(), article("b")))
    (report,) = sync(put(server, "/f", replace(article(), **change), article("b")))
    assert counts(report) == (0, 1, 0, 1)
    assert len(paper.shelf) == 2


def test_a_change_taken_back_is_a_change_too(server, paper, sync):
    """Going back to the first title is recorded, though that content was seen before."""
    for minute, title in enumerate(["First", "Second", "First", "Second", "First"]):
        (report,) = sync(put(server, "/f", article(title=title)), now=NOW + timedelta(minutes=10 * minute))
        assert report.new + report.updated == 1
        assert paper.shelf["a"].title == title


def test_absence_from_a_feed_is_no_withdrawal(server, paper, sync):
    """A feed is a window: what has left it stays in the catalogue."""
    sync(put(server, "/f", article("a"), article("b")))
    sync(put(server, "/f", article("b")))
    assert paper.shelf["a"].state == "live"


def test_a_tombstone_withdraws_once(server, paper, sync):
    """A deleted entry withdraws the article with its fields kept; told again, it changes nothing."""
    sync(put(server, "/f", article("a"), article("b")))
    gone = replace(article("a"), state="withdrawn", updated_at=NOW)
    assert counts(*sync(put(server, "/f", gone, article("b")))) == (0, 0, 1, 1)
    assert (paper.shelf["a"].state, paper.shelf["a"].title) == ("withdrawn", "Title a")
    assert counts(*sync(put(server, "/f", gone, etag=False), force=True)) == (0, 0, 0, 1)


def test_a_withdrawn_article_stays_so_until_its_source_changes_it(server, paper, sync):
    """Standing in a feed unchanged does not bring it back; a newer version does."""
    paper.publish([article(state="withdrawn", updated_at=NOW)])
    assert counts(*sync(put(server, "/f", article(), etag=False))) == (0, 0, 0, 1)
    assert counts(*sync(put(server, "/f", article(updated_at=NOW + timedelta(hours=1))))) == (0, 1, 0, 0)
    assert paper.shelf["a"].state == "live"


def test_the_rest_goes_on(server, paper, sync):
    """Slow, broken, failing, hostile and absent feeds are each reported; the good one beside them is read."""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><rss version="2.0"/>'
    cut = write_feed([article("kept"), article("lost")])
    feeds = {
        "slow": server.put("/slow", Answer(pause=5)),
        "trickle": server.put("/trickle", Answer(b"<rss>", trickle=True)),
        "cut": server.put("/cut", Answer(cut[: cut.rindex(b"<link>")])),
        "500": server.put("/500", Answer(status=500)),
        "html": server.put("/html", Answer(b"<html><body>Maintenance</body></html>", content_type="text/html")),
        "bomb": server.put("/bomb", Answer(bomb)),
        "big": server.put("/big", Answer(b" " * 3_000_000, gzipped=True)),
        "inside": server.put("/inside", Answer(status=302, headers={"Location": "http://127.0.0.1:9/secret"})),
        "file": "file:///etc/passwd",
        "absent": f"{server.address}/absent",
        "moved": server.put("/moved", Answer(status=301, headers={"Location": "/good"})),
        "good": put(server, "/good", article("good")),
    }
    reports = dict(zip(feeds, sync(*feeds.values()), strict=True))
    failed = {name for name, report in reports.items() if report.status == "failed"}
    assert failed == {"html", "slow", "trickle", "500", "bomb", "big", "inside", "file", "absent"}
    assert all(reports[name].error for name in failed)
    assert reports["cut"].problems
    assert {"kept", "good"} <= set(paper.shelf)
    assert "write that address" in reports["moved"].notes[0]


def test_a_clock_that_was_ahead_does_not_keep_a_feed_waiting(server, sync):
    """It was a day ahead when the feed was read: put right, the feed is due at once, not in a day."""
    feed = put(server, "/f", article())
    sync(feed, now=NOW + timedelta(days=1))
    (again,) = sync(feed, now=NOW, due_only=True)
    assert again.status == "not_modified"
    (waiting,) = sync(feed, now=NOW + timedelta(minutes=1), due_only=True)
    assert waiting.status == "waiting"


def test_a_failing_feed_waits_longer_each_time(server, sync):
    """Back-off doubles, a manual sync respects it, `force` does not, and success forgets it."""
    feed = server.put("/f", Answer(status=500))
    (first,) = sync(feed)
    (waiting,) = sync(feed, now=NOW + timedelta(minutes=9))
    (second,) = sync(feed, now=NOW + timedelta(minutes=10))
    assert (first.next_at, waiting.status) == (NOW + timedelta(minutes=10), "waiting")
    assert second.next_at == NOW + timedelta(minutes=30)
    put(server, "/f", article())
    (third,) = sync(feed, now=NOW + timedelta(minutes=11), force=True)
    assert (third.status, third.next_at) == ("read", NOW + timedelta(minutes=16))


@pytest.mark.parametrize(
    ("header", "wait"), [("7200", 7200), ("Mon, 04 May 2026 11:00:00 GMT", 10_800), ("999999999", 86_400)]
)
def test_retry_after_is_respected(server, sync, header, wait):
    """A server that says when to come back is not asked before, up to a day."""
    (report,) = sync(server.put("/f", Answer(status=503, headers={"Retry-After": header})))
    assert report.next_at == NOW + timedelta(seconds=wait)


def test_a_feed_is_asked_at_its_interval(server, sync):
    """The server's own job leaves a feed alone between two intervals."""
    feed = put(server, "/f", article())
    sync(feed)
    (report,) = sync(feed, now=NOW + timedelta(minutes=4), due_only=True)
    assert (report.status, len(server.requests)) == ("waiting", 1)


def test_a_busy_log_forgets_no_article(server, paper, sync):
    """When the log refuses, the tag is not kept: the next sync reads the feed in full."""
    feed = put(server, "/f", article())
    paper.busy = True
    assert sync(feed)[0].status == "failed"
    paper.busy = False
    assert counts(*sync(feed, force=True)) == (1, 0, 0, 0)


def test_a_damaged_memory_costs_one_full_read(server, sync, tmp_path):
    """A state file cut short is no reason to stop."""
    feed = put(server, "/f", article())
    sync(feed)
    (tmp_path / "feeds.json").write_text('{"sites": {"g"')
    assert counts(*sync(feed)) == (0, 0, 0, 1)
    assert json.loads((tmp_path / "feeds.json").read_text())["sites"]["g"][feed]["failures"] == 0


def test_a_feed_keeps_what_is_known_of_the_paywall(server, paper, sync):
    """Feeds have no word for the paywall, so they do not take it down."""
    paper.publish([article(paywalled=True)])
    assert counts(*sync(put(server, "/f", article()))) == (0, 0, 0, 1)


def test_pages_that_are_gone_are_withdrawn(server, paper, sync):
    """A page that answers 404 or 410 withdraws its article; other errors do not."""
    found = [
        article(name, url=server.put(f"/{name}", Answer(status=status)))
        for name, status in [("here", 200), ("there", 200), ("sick", 500), ("gone", 410)]
    ]
    paper.publish(found)
    fetcher = Fetcher(agent="t", trusted=frozenset({authority(server.address)}))
    report = check_pages(found, publish=paper.publish, known=paper.shelf.get, fetcher=fetcher, now=NOW)
    assert counts(report) == (0, 0, 1, 3)
    assert paper.shelf["gone"].state == "withdrawn"


def test_a_site_that_is_down_withdraws_nothing(server, paper):
    """When most pages are gone at once, the site is at fault, not the articles."""
    found = [article(name, url=f"{server.address}/{name}") for name in "abcd"]
    paper.publish(found)
    fetcher = Fetcher(agent="t", trusted=frozenset({authority(server.address)}))
    report = check_pages(found, publish=paper.publish, known=paper.shelf.get, fetcher=fetcher, now=NOW)
    assert (report.status, {one.state for one in paper.shelf.values()}) == ("failed", {"live"})


def test_a_file_is_imported_once(paper, tmp_path):
    """JSON lines come in, a withdrawal among them; the same file again adds nothing."""
    file = tmp_path / "articles.jsonl"
    rows = [{"id": name, "url": f"https://g.example/{name}", "title": name, "date": "2026-05-01"} for name in "abc"]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": "b", "state": "withdrawn"}]))
    first = import_articles(file, publish=paper.publish, known=paper.shelf.get, now=NOW)
    assert counts(first)[0] == 2
    file.write_text('{"id": "a", "state": "withdrawn"}\n')
    assert import_articles(file, publish=paper.publish, known=paper.shelf.get, now=NOW).withdrawn == 1


def test_embargo_then_live_is_an_update():
    """A change of state alone is a change."""
    held = article(state="embargoed")
    assert settled(article(), held, now=NOW) is not None
    assert settled(held, held, now=NOW) is None


@pytest.fixture
def newsroom(server, tmp_path):
    from embellie.app.newsroom import Newsroom

    feeds = [f"{server.address}/f"]
    text = f'[sites.gazette]\nname = "Gazette"\nurl = "https://gazette.example"\nfeeds = {json.dumps(feeds)}\n'
    (tmp_path / "embellie.toml").write_text(text)
    opened = Newsroom.open(tmp_path)
    yield opened
    opened.close()


def test_a_sites_feeds_reach_its_readers(server, newsroom):
    """Through the real log: articles are showable at once, a second sync adds none."""
    put(server, "/f", article("a"), article("b"), etag=False)
    assert counts(*sync_site(newsroom, "gazette")) == (2, 0, 0, 0)
    assert {one.article for one in newsroom.articles("gazette")} == {"a", "b"}
    assert counts(*sync_site(newsroom, "gazette")) == (0, 0, 0, 2)


def test_the_servers_job_syncs_until_told_to_stop(server, newsroom):
    """The job reads the due feeds in the background and ends when asked."""
    put(server, "/f", article("a"))
    stopped = threading.Event()
    job = threading.Thread(target=sync_until, args=(newsroom, stopped), kwargs={"every": 0.01})
    job.start()
    for _ in range(500):
        if newsroom.article("gazette", "a") is not None or stopped.wait(0.01):
            break
    stopped.set()
    job.join(5)
    assert newsroom.article("gazette", "a").title == "Title a"
    assert len(server.requests) == 1


def test_the_servers_job_outlives_an_accident(server, newsroom, monkeypatch, caplog):
    """An error nobody foresaw is logged, and the job goes on to the next round."""
    from embellie.app import syncing

    stopped, rounds = threading.Event(), []

    def broken(*_, **__):
        rounds.append(1)
        if len(rounds) == 3:
            stopped.set()
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(syncing, "sync_site", broken)
    sync_until(newsroom, stopped, every=0.01)
    assert len(rounds) == 3
    assert "could not be synced: unforeseen" in caplog.text


def test_a_name_is_trusted_to_be_inside_only_where_the_site_says_so():
    """An address that is private as written was meant; a name may be turned by whoever owns it."""
    from embellie.app.syncing import fetcher_of
    from embellie.domain.site import Site

    feeds = ("http://10.0.0.7/rss", "https://partner.example/rss")
    careful = Site(site="s", name="S", url="https://s.example", feeds=feeds)
    assert fetcher_of(careful).trusted == {"10.0.0.7:80"}
    inside = Site(site="s", name="S", url="https://s.example", feeds=feeds, allow_private=True)
    assert fetcher_of(inside).trusted == {"10.0.0.7:80", "partner.example:443", "s.example:443"}
