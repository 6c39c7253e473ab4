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


def resolver(*answers):
    """Gives one answer after the other, as a name does whose owner turns it."""
    given, asked = list(answers), []

    async def resolve(host, port):
        asked.append(host)
        return given.pop(0)

    return resolve, asked


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.1.2.3"], ["192.168.0.9"], ["172.16.0.1"], ["100.64.0.1"], ["0.0.0.0"], ["::1"], ["fe80::1%eth0"],
        ["fd00::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["224.0.0.1"], ["169.254.169.254"],
        ["fd00:ec2::254"], ["93.184.216.34", "127.0.0.1"],
    ],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused(addresses):
    """Private, loopback, link-local, shared and disguised addresses; one bad one among good ones is enough."""
    resolve, _ = resolver(addresses)
    fetched = fetch(Fetcher(agent="x", resolve=resolve), "http://feeds.example/rss")
    assert "is a private address" in fetched.error


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0"])
def test_where_machines_ask_for_their_keys_is_refused_to_everyone(address):
    """Even a host the operator named may not be a cloud's metadata address."""
    resolve, _ = resolver([address])
    named = Fetcher(agent="x", resolve=resolve, trusted=frozenset({"feeds.example"}))
    assert "is a private address" in fetch(named, "http://feeds.example/rss").error


def test_the_address_that_was_checked_is_the_one_that_is_asked(server):
    """A name that turns between the check and the call gains nothing: it is looked up once, and asked for by its name."""
    server.put("/rss", Answer(b"<rss/>"))
    port = server.address.rpartition(":")[2]
    resolve, asked = resolver(["127.0.0.1"], ["10.0.0.1"])
    fetcher = Fetcher(agent="x", resolve=resolve, trusted=frozenset({"feeds.example"}))
    fetched = fetch(fetcher, f"http://feeds.example:{port}/rss")
    assert (fetched.content, fetched.url) == (b"<rss/>", f"http://feeds.example:{port}/rss")
    assert asked == ["feeds.example"]
    assert server.requests[-1][1]["host"] == f"feeds.example:{port}"


def test_each_redirect_is_checked_anew(server):
    """A public host that sends us inside is refused at the second step."""
    port = server.address.rpartition(":")[2]
    server.put("/hop", Answer(status=302, headers={"Location": "http://inside.example/secrets"}))
    resolve, asked = resolver(["127.0.0.1"], ["10.0.0.1"])
    fetcher = Fetcher(agent="x", resolve=resolve, trusted=frozenset({"feeds.example"}))
    assert "`inside.example` is a private address" in fetch(fetcher, f"http://feeds.example:{port}/hop").error
    assert asked == ["feeds.example", "inside.example"]


def test_the_next_address_is_asked_when_one_does_not_answer(server):
    """A host with a dead address is still reached."""
    server.put("/rss", Answer(b"<rss/>"))
    port = server.address.rpartition(":")[2]
    resolve, _ = resolver(["127.0.0.2", "127.0.0.1"])
    fetcher = Fetcher(agent="x", resolve=resolve, trusted=frozenset({"feeds.example"}))
    assert fetch(fetcher, f"http://feeds.example:{port}/rss").status == 200
