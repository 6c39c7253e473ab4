"""The widget on a hostile page: what the log holds afterwards is what was done, no more and no less."""

import time
from collections import Counter

import pytest

pytestmark = pytest.mark.chromium

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

POLICY = (
    "default-src 'none'; script-src 'nonce-n0' {host}; style-src 'nonce-n0'; connect-src {host}; base-uri 'none'; "
    "require-trusted-types-for 'script'"
)

# Scripts that fail, prototypes that are changed and frozen, functions that are missing: before the widget, and beside it.
PAGE = """<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>{name}</title>
<style nonce="n0">#text {{ height: 1600px }} #foot {{ height: 900px }}</style>
<script nonce="n0">
Array.prototype.toJSON = function () {{ return '[' + this.map((one) => JSON.stringify(one)).join(', ') + ']' }};
String.prototype.toJSON = function () {{ return '"' + this + '"' }};
Array.prototype.theirs = Object.prototype.theirs = 'extra';
delete Crypto.prototype.randomUUID;
Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(Function.prototype);
Object.freeze(Promise.prototype); Object.freeze(String.prototype);
console.debug = undefined;
addEventListener('click', () => {{ throw new Error('a listener of theirs') }}, true);
addEventListener('pagehide', () => {{ throw new Error('another') }}, true);
setInterval(() => {{ throw new Error('a timer of theirs') }}, 300);
Promise.reject(new Error('a promise of theirs'));
</script>
<script nonce="n0" async src="{host}/widget/v1.js" data-site="gazette" data-key="{key}" data-article="{name}"></script>
</head><body><h1>{name}</h1>
<button id="none">Non</button> <button id="profiling">Oui</button>
<div id="text">Texte</div><embellie-slate placement="article-bottom"></embellie-slate><div id="foot">Fin</div>
<script nonce="n0">
for (const one of document.querySelectorAll('button')) one.onclick = () => embellie.consent(one.id);
undefined.theirs;
</script></body></html>"""


@pytest.fixture
def scenarios() -> str:
    """Every reader is shown a slate."""
    return """
[scenarios.heuristic]
policy = "latest"
[scenarios.status_quo]
policy = "status_quo"
"""


@pytest.fixture
def person(remembering, pages, newsroom):
    """Somebody who reads: a fresh profile on the hostile pages of a real newspaper."""
    _, told = pages
    told["page"] = (PAGE, {"Content-Security-Policy": POLICY})
    context = remembering.new_context(viewport={"width": 900, "height": 700}, user_agent=PERSON)
    yield context.new_page()
    context.close()


def network(session, *, milliseconds: int = 0, offline: bool = False) -> None:
    """Make the page's network slow, or take it away. One session does both: two would undo each other."""
    speeds = {"downloadThroughput": 40_000, "uploadThroughput": 20_000}
    session.send("Network.emulateNetworkConditions", {"offline": offline, "latency": milliseconds, **speeds})


def arrive(page, address: str) -> None:
    page.goto(address)
    page.locator("embellie-slate a").last.wait_for(state="attached", timeout=15_000)


def look_at_the_slate(page) -> None:
    """Scroll to it, and stay long enough for all of it to be seen."""
    page.locator("embellie-slate a").last.scroll_into_view_if_needed()
    page.wait_for_timeout(1700)


def events_of(newsroom, wanted: dict[str, int], seconds: float = 12.0) -> list:
    """Wait until the log holds as many events as were done, then a little longer for any too many."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        counts = Counter(event.kind for _, event in newsroom.log.scan())
        if all(counts[kind] >= count for kind, count in wanted.items()):
            break
        time.sleep(0.1)
    time.sleep(2.5)
    return [event for _, event in newsroom.log.scan()]


def counts_of(events: list) -> Counter[str]:
    return Counter(event.kind for event in events if event.kind not in {"article", "question", "release"})


def test_the_log_is_what_was_done_through_refusal_loss_of_network_and_return(person, pages, newsroom):
    """Consent refused, then given, then withdrawn; slow, offline, back by the button: each act is one event."""
    origin, told = pages
    page = person
    session = page.context.new_cdp_session(page)
    network(session, milliseconds=400)

    # Refused: read, see, choose.
    arrive(page, f"{origin}/article-0")
    page.click("#none")
    look_at_the_slate(page)
    assert page.evaluate("localStorage.length") == 0
    page.locator("embellie-slate a").first.click()
    page.wait_for_url(lambda url: not url.endswith("/article-0"))
    second = page.url.rpartition("/")[2]
    page.locator("embellie-slate a").last.wait_for(state="attached")
    assert page.evaluate("localStorage.length") == 0

    # Given, then without a network: what is seen and chosen waits on the device, and outlives the page.
    page.click("#profiling")
    page.wait_for_timeout(2500)
    network(session, offline=True)
    look_at_the_slate(page)
    told["away"] = True
    page.locator("embellie-slate a").nth(1).click(no_wait_after=True)
    page.wait_for_timeout(1500)
    assert page.title() != "article-9"  # the browser's own page, which would load the article itself as soon as it can
    page.goto("about:blank")
    told["away"] = False
    network(session, milliseconds=200)

    # Back on the network: the next page tells it. Left and come back to, it is read a second time.
    arrive(page, f"{origin}/article-5")
    look_at_the_slate(page)
    arrive(page, f"{origin}/article-4")
    page.go_back(wait_until="commit")
    page.wait_for_timeout(1500)
    assert page.url.endswith("/article-5")
    page.evaluate("window.mark = performance.getEntriesByType('navigation')[0].type")
    restored = page.evaluate("window.mark") == "navigate"
    assert restored, "the browser did not keep the page: this test would show nothing about its return"

    # Withdrawn.
    page.click("#none")
    page.wait_for_timeout(1500)
    assert page.evaluate("localStorage.length") == 0
    page.goto("about:blank")

    done = {"served": 4, "impression": 9, "click": 2, "read": 5, "consent": 2}
    events = events_of(newsroom, done)
    assert counts_of(events) == done
    assert len({event.id for event in events}) == len(events)
    of = {kind: [event for event in events if event.kind == kind] for kind in done}

    given, withdrawn = (event.body for event in of["consent"])
    assert (given.state, withdrawn.state, given.reader == withdrawn.reader != "") == ("profiling", "none", True)
    me = given.reader
    assert [(event.body.article, event.body.reader) for event in of["read"]] == [
        ("article-0", ""), (second, me), ("article-5", me), ("article-4", me), ("article-5", ""),
    ]  # fmt: skip
    slates = {event.body.slate_id: event.body for event in of["served"]}
    by_page = {slate.article: slate for slate in slates.values()}
    assert [(event.body.slate_id, event.body.position, event.body.reader) for event in of["click"]] == [
        (by_page["article-0"].slate_id, 1, ""), (by_page[second].slate_id, 2, me),
    ]  # fmt: skip
    assert Counter((slates[event.body.slate_id].article, event.body.reader) for event in of["impression"]) == {
        ("article-0", ""): 3, (second, me): 3, ("article-5", me): 3,
    }  # fmt: skip
    seen = {(event.body.slate_id, event.body.position) for event in of["impression"]}
    assert len(seen) == 9
    for event in of["impression"] + of["click"]:
        assert slates[event.body.slate_id].items[event.body.position - 1].article == event.body.article
    assert {event.consent for event in of["read"] if event.body.reader} == {"profiling"}
    assert {event.consent for event in of["read"] if not event.body.reader} == {"none"}
    ledger = newsroom.ledger()
    assert sum(row.quarantined for row in ledger) == 0
    assert sum(row.received for row in ledger) == sum(row.accepted + row.duplicates for row in ledger)


def test_a_server_that_is_away_for_three_pages_is_told_all_of_it(person, pages, newsroom):
    """Posts fail on three pages in a row; the fourth tells what was done on all of them, each once and in order."""
    origin, _ = pages
    page = person
    arrive(page, f"{origin}/article-0")
    page.click("#profiling")
    page.wait_for_timeout(2500)
    page.context.route("**/v1/events?*", lambda route: route.abort())
    look_at_the_slate(page)
    for name in ("article-1", "article-2", "article-3"):
        arrive(page, f"{origin}/{name}")
        look_at_the_slate(page)
    page.context.unroute_all(behavior="wait")
    arrive(page, f"{origin}/article-4")
    done = {"served": 5, "impression": 12, "read": 4, "consent": 1}
    events = events_of(newsroom, done)
    assert counts_of(events) == done
    reads = [event for event in events if event.kind == "read"]
    assert [event.body.article for event in reads] == [f"article-{number}" for number in range(4)]
    assert [event.at for event in reads] == sorted(event.at for event in reads)


def test_two_tabs_without_a_network_lose_nothing(person, pages, newsroom):
    """Each tab keeps its own; the next page takes up both, and so does the tab that stays."""
    origin, _ = pages
    one, context = person, person.context
    arrive(one, f"{origin}/article-0")
    one.click("#profiling")
    one.wait_for_timeout(2500)
    other = context.new_page()
    arrive(other, f"{origin}/article-1")
    third = context.new_page()
    arrive(third, f"{origin}/article-2")
    context.set_offline(True)
    for tab in (one, other):
        tab.bring_to_front()
        look_at_the_slate(tab)
    one.goto("about:blank")  # left as a reader leaves; a driven browser may close a tab without telling it
    third.wait_for_timeout(1000)  # what it left waits for whoever asks next, or another tab has taken it up already
    one.close()
    context.set_offline(False)
    other.wait_for_timeout(2500)
    done = {"served": 3, "impression": 6, "consent": 1, "read": 1}
    events = events_of(newsroom, done)
    assert counts_of(events) == done
    pages_seen = {event.body.slate_id for event in events if event.kind == "impression"}
    served = {event.body.article: event.body.slate_id for event in events if event.kind == "served"}
    assert pages_seen == {served["article-0"], served["article-1"]}
