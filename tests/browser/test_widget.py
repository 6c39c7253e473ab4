"""The widget on a page of its own, against a small server that writes down what it is sent."""

import importlib.util
import re
from pathlib import Path

import pytest

from embellie.domain.reading import Click, ConsentChange, Impression, Read

_spec = importlib.util.spec_from_file_location("widget_site", Path(__file__).with_name("widget_site.py"))
widget_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(widget_site)

pytestmark = pytest.mark.chromium

UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
RESERVE = "<style>embellie-slate { display: block; min-height: 300px }</style>"


@pytest.fixture
def site():
    with widget_site.running(widget_site.Site()) as one:
        yield one


def storage(page) -> tuple[int, int, str]:
    return tuple(page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]"))


def test_a_slate_is_a_list_of_links(site, page):
    """One tag: a named landmark, a heading, a link per article, the reason on demand, in the page's language."""
    page.goto(f"{site.address}/a")
    links = page.get_by_role("navigation", name="Articles recommandés").get_by_role("link")
    links.first.wait_for()
    assert links.all_inner_texts() == ["L’article b", "L’article c"]
    assert page.get_by_role("heading", name="À lire aussi").is_visible()
    assert not page.get_by_text("Très lu en ce moment").first.is_visible()
    page.get_by_text("Pourquoi cet article ?").first.click()
    assert page.get_by_text("Très lu en ce moment").first.is_visible()
    assert page.troubles == []


def test_the_slate_is_asked_as_agreed(site, page):
    """Site, key, placement and article are in the query; before consent, no reader and no visit."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for()
    assert site.asked == [
        {"site": ["gazette"], "key": ["pk_test"], "placement": ["article-bottom"], "article": ["a"],
         "consent": ["none"], "language": ["fr"]}
    ]  # fmt: skip


def test_before_consent_nothing_is_stored(site, page):
    """A whole visit without consent leaves nothing behind, and its events name nobody."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.click()
    page.wait_for_url("**/b")
    page.get_by_role("link").first.wait_for()
    assert storage(page) == (0, 0, "")
    assert page.context.cookies() == []
    assert site.wait_for(Click, page)
    assert {(one["reader"], one["visit"], one["consent"]) for one in site.received} == {("", "", "none")}


def test_an_impression_takes_half_of_it_for_a_second(site, page):
    """Out of view there is none; in view there is one per article, after a second, with its thresholds."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    page.wait_for_timeout(2800)
    assert site.bodies(Impression) == []
    page.get_by_role("link").last.scroll_into_view_if_needed()
    found = site.wait_for(Impression, page)
    assert [(one.slate_id, one.article, one.position) for one in found] == [("s-1", "b", 1), ("s-1", "c", 2)]
    assert all(one.share >= 0.5 and 1.0 <= one.seconds < 3 for one in found)
    assert {(one.threshold_share, one.threshold_seconds) for one in found} == {(0.5, 1.0)}
    page.mouse.wheel(0, -3000)
    page.wait_for_timeout(300)
    page.mouse.wheel(0, 3000)
    page.wait_for_timeout(2800)
    assert len(site.bodies(Impression)) == 2


def test_a_glance_is_no_impression(site, page):
    """Half a second in view, then gone: nothing is told."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    page.get_by_role("link").last.scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(3000)
    assert site.bodies(Impression) == []


def test_a_click_and_the_read_it_ends_survive_the_page(site, page):
    """Both leave with the page, by one preflight-free request that outlives it."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").last.scroll_into_view_if_needed()
    page.wait_for_timeout(1200)
    page.get_by_role("link").last.click()
    page.wait_for_url("**/c")
    (click,) = site.wait_for(Click, page)
    assert (click.slate_id, click.article, click.position) == ("s-1", "c", 2)
    (read,) = site.wait_for(Read, page)
    assert (read.article, read.referrer) == ("a", "direct")
    assert 1.0 <= read.engaged_seconds < 10
    assert read.scroll_depth > 0.9
    path, headers = site.posts[0]
    assert path == "/v1/events?site=gazette&key=pk_test"
    assert headers["content-type"].startswith("text/plain")
    assert "cookie" not in headers


def test_one_read_per_page(site, page):
    """Three pages, three reads, each told once, whatever way the page is left."""
    for name in "abc":
        page.goto(f"{site.address}/{name}")
        page.get_by_role("link").first.wait_for(state="attached")
        page.wait_for_timeout(100)
    page.goto("about:blank")
    page.wait_for_timeout(300)
    assert [one.article for one in site.bodies(Read)] == ["a", "b", "c"]
    assert [one.referrer for one in site.bodies(Read)] == ["direct", "direct", "direct"]


def test_consent_gives_an_id_that_lasts(site, page):
    """After consent the reader is the same on the next page, in slates and events; where they came from is known."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    page.evaluate("embellie.consent('profiling')")
    (change,) = site.wait_for(ConsentChange, page)
    page.get_by_role("link").first.click()
    page.wait_for_url("**/b")
    page.get_by_role("link").first.wait_for(state="attached")
    page.goto("about:blank")
    page.wait_for_timeout(300)
    assert (change.state, site.asked[1]["reader"], site.asked[1]["consent"]) == (
        "profiling",
        [change.reader],
        ["profiling"],
    )
    first, second = site.bodies(Read)
    assert (first.reader, second.reader, second.referrer) == (change.reader, change.reader, "recommendation")
    assert first.visit == second.visit != ""


def test_withdrawal_forgets_the_reader(site, page):
    """Withdrawing deletes what is stored, tells it once, and what follows names nobody."""
    site.more = 'data-consent="measurement"'
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    assert storage(page)[0] > 0
    page.evaluate("embellie.consent('none')")
    page.wait_for_timeout(300)
    given, taken = site.bodies(ConsentChange)
    assert (given.state, taken.state, given.reader == taken.reader != "") == ("measurement", "none", True)
    assert storage(page) == (0, 0, "")
    page.get_by_role("link").first.click()
    assert site.wait_for(Click, page)[0].reader == ""


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (404, b'{"error": {"code": "unknown_site"}}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"slate_id": "s", "items": []}'),
    ],
)
def test_the_page_does_not_notice_a_failure(site, page, status, body):
    """Whatever the server answers, nothing is thrown and no room is taken; reads are still told."""
    site.slate_status, site.slate_body = status, body
    page.goto(f"{site.address}/a")
    page.wait_for_timeout(1200)
    height = page.evaluate("document.querySelector('embellie-slate').getBoundingClientRect().height")
    gap = page.evaluate("document.querySelector('#here').getBoundingClientRect().height")
    assert (page.troubles, height, gap) == ([], 0, 0)
    page.goto("about:blank")
    assert site.wait_for(Read, page)


def test_the_server_may_be_away_and_come_back(site, page):
    """503 then 202: the events arrive, each once."""
    site.event_statuses = [503, 202]
    site.height, site.head = 10, RESERVE
    page.goto(f"{site.address}/a")
    assert len(site.wait_for(Impression, page, 8)) == 2
    assert len({one["id"] for one in site.received}) == len(site.received)


def test_hostile_titles_are_text(site, page):
    """HTML in a title, a reason or an address is shown or dropped, never run."""
    site.items[0] |= {"title": "<img src=x onerror=alert(1)>", "reason": "<script>alert(1)</script>"}
    site.items[1] |= {"url": "javascript:alert(1)"}
    page.on("dialog", lambda dialog: page.troubles.append(dialog.message))
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for()
    assert page.get_by_role("link").all_inner_texts() == ["<img src=x onerror=alert(1)>"]
    assert page.troubles == []


def test_a_strict_content_policy_is_enough(site, page):
    """No inline style or script is needed: the slate is drawn and dressed under `default-src 'self'`."""
    site.headers = {"Content-Security-Policy": "default-src 'self'; style-src 'self'"}
    site.more = 'data-shift="allow"'
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for()
    assert (
        page.evaluate(
            "getComputedStyle(document.querySelector('embellie-slate').shadowRoot.querySelector('ul')).listStyleType"
        )
        == "none"
    )


def test_an_element_can_stand_anywhere(site, page):
    """With the tag in the head, `<embellie-slate>` is filled where it stands, with its own settings."""
    site.head = '<script async src="/widget/v1.js" data-site="gazette" data-key="pk_test" data-article="a"></script>'
    site.tag = '<embellie-slate placement="side" n="1" heading="Encore"></embellie-slate>'
    page.goto(f"{site.address}/a")
    page.get_by_role("heading", name="Encore").wait_for(state="attached")
    assert (site.asked[0]["placement"], site.asked[0]["n"]) == (["side"], ["1"])


def test_the_keyboard_reaches_everything(site, page):
    """Links and reasons are in the tab order, in the order they are read."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    focused = []
    for _ in range(4):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.shadowRoot.activeElement.tagName"))
    assert focused == ["A", "SUMMARY", "A", "SUMMARY"]


def test_ids_are_time_ordered(site, page):
    """Events carry UUIDv7 ids and the time of the page, in UTC."""
    site.height, site.head = 10, RESERVE
    page.goto(f"{site.address}/a")
    site.wait_for(Impression, page)
    assert all(re.match(UUID7, one["id"]) and one["at"].endswith("Z") for one in site.received)


HIDE = """state => { Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => state});
document.dispatchEvent(new Event('visibilitychange')) }"""


def test_hiding_a_page_after_ten_seconds_ends_its_read(site, page):
    """A read of ten engaged seconds leaves when the tab is hidden, and is not told again when the page is left."""
    page.clock.install()
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    page.clock.run_for(12_000)
    page.evaluate(HIDE, "hidden")
    (read,) = site.wait_for(Read, page)
    assert 10 <= read.engaged_seconds < 16
    page.evaluate(HIDE, "visible")
    page.goto("about:blank")
    page.wait_for_timeout(300)
    assert len(site.bodies(Read)) == 1


def test_a_glance_at_another_tab_keeps_the_read_open(site, page):
    """Hidden after three seconds, back for nine more: one read, of the seconds in view only."""
    page.clock.install()
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    page.clock.run_for(3_000)
    page.evaluate(HIDE, "hidden")
    page.clock.run_for(60_000)
    assert site.bodies(Read) == []
    page.evaluate(HIDE, "visible")
    page.mouse.move(30, 40)
    page.clock.run_for(9_000)
    page.goto("about:blank")
    (read,) = site.wait_for(Read, page)
    assert 11 <= read.engaged_seconds < 20


def test_a_page_that_comes_back_is_another_read(site, page):
    """Restored by the browser's button, a page is read anew, from inside the site."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    page.goto("about:blank")
    page.wait_for_timeout(300)
    assert [(one.article, one.referrer) for one in site.bodies(Read)] == [("a", "direct"), ("a", "internal")]
