"""The widget on pages that are out of the ordinary: consent tools, links from a server, sandboxes, pages prepared in advance."""

import importlib.util
from pathlib import Path

import pytest

from embellie.domain.reading import Click, ConsentChange, Impression, Read

_spec = importlib.util.spec_from_file_location("widget_site", Path(__file__).with_name("widget_site.py"))
widget_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(widget_site)

pytestmark = pytest.mark.chromium

# A consent tool that has the framework's form: `cmp.say(...)` is its reader's answer.
CMP = """<script>
window.cmp = { listeners: [], told: {gdprApplies: true, eventStatus: 'cmpuishown', purpose: {consents: {}}},
  say(status, ...purposes) {
    this.told = {gdprApplies: true, eventStatus: status, purpose: {consents: Object.fromEntries(purposes.map((one) => [one, true]))}};
    for (const one of this.listeners) one(this.told, true);
  } };
window.arrive = () => { window.__tcfapi = (command, version, answer) => {
  if (command === 'addEventListener' && version === 2) { cmp.listeners.push(answer); answer(cmp.told, true); } } };
</script>"""
ALL = "1, 5, 6, 8, 9"


@pytest.fixture
def site():
    with widget_site.running(widget_site.Site()) as one:
        yield one


@pytest.fixture
def asking(site):
    site.head, site.more = CMP + "<script>arrive()</script>", "data-tcf"
    return site


def states(site, page, count: int) -> list[str]:
    for _ in range(100):
        if len(site.bodies(ConsentChange)) >= count:
            break
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)
    return [one.state for one in site.bodies(ConsentChange)]


def stored(page) -> int:
    return page.evaluate("localStorage.length")


def open_page(site, page, name: str = "a") -> None:
    page.goto(f"{site.address}/{name}")
    page.get_by_role("link").first.wait_for(state="attached")


def test_a_consent_tool_is_followed(asking, page):
    """While it asks nothing is stored; yes, less, and no are each told once, and no deletes everything."""
    open_page(asking, page)
    page.wait_for_timeout(300)
    assert stored(page) == 0
    page.evaluate(f"cmp.say('useractioncomplete', {ALL})")
    assert states(asking, page, 1) == ["profiling"]
    page.evaluate("cmp.say('cmpuishown')")
    page.evaluate("cmp.say('useractioncomplete', 1, 8, 9)")
    assert states(asking, page, 2) == ["profiling", "measurement"]
    page.evaluate("cmp.say('useractioncomplete')")
    assert states(asking, page, 3) == ["profiling", "measurement", "none"]
    assert stored(page) == 0
    assert len({one.reader for one in asking.bodies(ConsentChange)}) == 1


def test_a_consent_tool_may_come_late(asking, page):
    """It loads seconds after the widget, and its answer holds all the same."""
    asking.head = CMP
    open_page(asking, page)
    page.evaluate(f"cmp.say('tcloaded', {ALL})")
    page.wait_for_timeout(1200)
    page.evaluate("arrive()")
    assert states(asking, page, 1) == ["profiling"]


def test_the_pages_own_word_is_above_the_tools(asking, page):
    """After `embellie.consent()`, what the tool says changes nothing on this page."""
    open_page(asking, page)
    page.evaluate("embellie.consent('measurement')")
    page.evaluate(f"cmp.say('useractioncomplete', {ALL})")
    page.evaluate("cmp.say('useractioncomplete')")
    assert states(asking, page, 1) == ["measurement"]


@pytest.mark.parametrize(("outside", "wanted"), [("", []), ("measurement", ["measurement"])])
def test_where_the_gdpr_does_not_apply_the_page_decides(asking, page, outside, wanted):
    """The value of `data-tcf` holds there; without one, nothing is stored."""
    asking.more = f'data-tcf="{outside}"'
    asking.head = CMP + "<script>cmp.told = {gdprApplies: false}; arrive()</script>"
    open_page(asking, page)
    assert states(asking, page, len(wanted)) == wanted


def test_links_that_a_server_rendered_are_followed_as_they_are(site, page):
    """No slate is asked for; impressions and clicks name the slate, article and position that the server put there."""
    site.tag = widget_site.TAG.replace('data-placement="article-bottom"', "") + (
        '<embellie-slate data-slate-id="s-server"><ul><li><a data-article="x" href="/x">X</a></li>'
        '<li><a data-article="y" data-position="5" href="/y">Y</a></li></ul></embellie-slate>'
    )
    site.height, site.more = 60, 'data-reader="account-7" data-consent="measurement"'
    page.goto(f"{site.address}/a")
    site.wait_for(Impression, page)
    page.get_by_role("link", name="Y").click()
    page.wait_for_url("**/y")
    (click,) = site.wait_for(Click, page)
    assert site.asked == []
    seen = site.bodies(Impression)
    assert [(one.slate_id, one.article, one.position) for one in seen] == [("s-server", "x", 1), ("s-server", "y", 5)]
    assert (click.slate_id, click.article, click.position, click.reader) == ("s-server", "y", 5, "account-7")
    assert "account-7" not in page.evaluate("JSON.stringify(localStorage)")


def test_a_page_prepared_in_advance_tells_nothing_until_it_is_shown(site, page):
    """While the browser prepares it, nothing is asked, told or stored; then it is a page like any other."""
    page.add_init_script("""Object.defineProperty(Document.prototype, 'prerendering', {configurable: true, get: () => true});
    window.activate = () => { delete Document.prototype.prerendering; document.dispatchEvent(new Event('prerenderingchange')) }""")
    page.goto(f"{site.address}/a")
    page.wait_for_function("window.embellie")
    page.evaluate("embellie.consent('profiling')")
    page.wait_for_timeout(2500)
    assert (site.asked, site.posts, stored(page)) == ([], [], 0)
    page.evaluate("activate()")
    page.get_by_role("link").first.wait_for(state="attached")
    assert states(site, page, 1) == ["profiling"]
    page.goto("about:blank")
    (read,) = site.wait_for(Read, page)
    assert read.engaged_seconds < 2.4


def test_one_prepared_and_never_shown_is_no_read(site, page):
    """A page that nobody sees leaves no trace."""
    page.add_init_script("Object.defineProperty(Document.prototype, 'prerendering', {get: () => true})")
    page.goto(f"{site.address}/a")
    page.wait_for_timeout(300)
    page.goto("about:blank")
    page.wait_for_timeout(500)
    assert (site.asked, site.posts) == ([], [])


@pytest.mark.parametrize(
    "missing",
    [
        "delete window.IntersectionObserver",
        "delete Crypto.prototype.randomUUID; delete Crypto.prototype.getRandomValues",
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})",
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }",
        "delete CSSStyleSheet.prototype.replaceSync",
    ],
)
def test_a_browser_that_lacks_something_still_shows_and_tells(site, page, missing):
    """What is missing costs what it is needed for, and nothing else: the slate is there, click and read are told."""
    page.add_init_script(missing)
    site.more = 'data-consent="measurement"'
    open_page(site, page)
    page.get_by_role("link").first.click()
    page.wait_for_url("**/b")
    (click,) = site.wait_for(Click, page)
    assert click.reader != ""
    assert [one.article for one in site.wait_for(Read, page)] == ["a"]
    assert page.troubles == []


def test_in_a_sandbox_nothing_is_thrown(site, page):
    """A frame without an origin of its own has no storage, and is no page of the site: it stays quiet."""
    site.tag = ""
    page.goto(f"{site.address}/a")
    tag = widget_site.TAG.format(host=site.address, article="a", more='data-consent="profiling"')
    page.evaluate(
        "([tag]) => { const frame = document.createElement('iframe'); frame.sandbox = 'allow-scripts';"
        " frame.srcdoc = '<h1>Framed</h1>' + tag; document.body.append(frame) }",
        [tag],
    )
    page.wait_for_timeout(1500)
    assert page.frames[1].evaluate("typeof embellie") == "object"
    assert page.troubles == []


def test_a_withdrawal_holds_in_every_tab(site, page):
    """Withdrawn in one tab, the other stores and names nobody any more."""
    site.more = 'data-consent=""'
    open_page(site, page)
    page.evaluate("embellie.consent('profiling')")
    states(site, page, 1)
    other = page.context.new_page()
    open_page(site, other, "b")
    assert site.asked[1]["consent"] == ["profiling"]
    page.evaluate("embellie.consent('none')")
    assert states(site, page, 2) == ["profiling", "none"]
    other.get_by_role("link").first.click()
    other.wait_for_url("**/b")
    assert [one.reader for one in site.wait_for(Click, other)] == [""]
    assert stored(other) == 0
