"""Fetching: polite, bounded, and never steered into the house."""

import asyncio
import time

import pytest

from embellie.store.fetching import Ask, Fetcher, Limits, authority
from embellie.testing.feed_server import Answer, feed_server


@pytest.fixture(scope="module")
def server():
    with feed_server() as served:
        yield served


@pytest.fixture
def fetcher(server):
    limits = Limits(seconds=0.6, silence=0.4, size=50_000)
    return Fetcher(agent="embellie-test", limits=limits, trusted=frozenset({authority(server.address)}))


def fetch(fetcher, url, **known):
    return fetcher.all([Ask(url=url, **known)])[0]


def test_a_known_version_is_asked_for_by_its_tag(server, fetcher):
    """The second time the tag is sent, and 304 comes back with no body."""
    url = server.put("/tag", Answer(b"<rss/>", headers={"Last-Modified": "Mon, 04 May 2026 08:00:00 GMT"}))
    first = fetch(fetcher, url)
    second = fetch(fetcher, url, etag=first.etag, modified=first.modified)
    assert (first.status, second.status, second.content) == (200, 304, b"")
    sent = server.requests[-1][1]
    assert (sent["if-none-match"], sent["if-modified-since"]) == (first.etag, "Mon, 04 May 2026 08:00:00 GMT")
    assert sent["user-agent"] == "embellie-test"


def test_gzip_is_unpacked(server, fetcher):
    """A compressed answer is asked for and unpacked."""
    assert fetch(fetcher, server.put("/gzip", Answer(b"x" * 1000, gzipped=True))).content == b"x" * 1000


def test_a_bomb_of_gzip_stops_at_the_limit(server, fetcher):
    """The size counted is the unpacked one."""
    assert "Larger than" in fetch(fetcher, server.put("/bomb", Answer(b"0" * 5_000_000, gzipped=True))).error


@pytest.mark.parametrize("answer", [Answer(pause=5), Answer(b"<rss>", trickle=True)])
def test_slowness_ends(server, fetcher, answer):
    """Neither silence nor a trickle keeps us longer than the limit."""
    started = time.monotonic()
    fetched = fetch(fetcher, server.put("/slow", answer))
    assert ("0.4 s" in fetched.error or "0.6 s" in fetched.error, fetched.status) == (True, 0)
    assert time.monotonic() - started < 2


def test_a_redirect_is_followed_and_said(server, fetcher):
    """The final address is given, marked as moved."""
    server.put("/final", Answer(b"<rss/>"))
    fetched = fetch(fetcher, server.put("/old", Answer(status=301, headers={"Location": "/final"})))
    assert (fetched.status, fetched.moved, fetched.url) == (200, True, f"{server.address}/final")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/round", "redirects"),
        ("file:///etc/passwd", "no `http` or `https`"),
        ("http://127.0.0.1:1/admin", "private address"),
        ("http://[::1]/admin", "private address"),
        ("http://169.254.169.254/latest/meta-data", "private address"),
        ("http://10.0.0.1/", "private address"),
    ],
)
def test_a_redirect_leads_nowhere_it_should_not(server, fetcher, target, reason):
    """Loops, other schemes and private hosts are refused."""
    url = server.put("/round", Answer(status=302, headers={"Location": target}))
    assert reason in fetch(fetcher, url).error


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "gopher://x", "http://", "not an address"])
def test_only_web_addresses_are_fetched(fetcher, url):
    """Anything but `http` and `https` is an error, not a file read."""
    assert "no `http` or `https`" in fetch(fetcher, url).error


def test_what_is_down_is_an_answer_too(fetcher):
    """A refused connection or an unknown host comes back as an error in words."""
    assert fetch(Fetcher(agent="x", trusted=frozenset({"127.0.0.1:1"})), "http://127.0.0.1:1/").error
    assert fetch(fetcher, "http://no-such-host.invalid/").error


def test_answers_keep_the_order_of_the_asks(server, fetcher):
    """A slow one first does not shift the others."""
    slow = server.put("/slow-first", Answer(b"slow", pause=0.2))
    fast = server.put("/fast", Answer(b"fast"))
    assert [one.content for one in fetcher.all([Ask(url=slow), Ask(url=fast)])] == [b"slow", b"fast"]


def test_it_works_inside_an_event_loop(server, fetcher):
    """A notebook, or a server, may call it while its own loop runs."""
    url = server.put("/inside", Answer(b"<rss/>"))

    async def cell():
        return fetch(fetcher, url)

    assert asyncio.run(cell()).status == 200
