"""The widget moves nothing that a reader sees, and is used by everyone: layout shift, accessibility, direction, print."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("widget_site", Path(__file__).with_name("widget_site.py"))
widget_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(widget_site)

pytestmark = pytest.mark.chromium

AXE = Path(__file__).parents[2] / "widget" / "node_modules" / "axe-core" / "axe.min.js"

# Every shift counts here, those that the browser forgives after a click or a key too.
SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => { for (const one of list.getEntries()) shifts.push(one.value) })
.observe({type: 'layout-shift', buffered: true})"""

# Room is there from the first paint only if the element is in the page itself.
RESERVE = "<style>embellie-slate { display: block; min-height: 420px }</style>"
ELEMENT = widget_site.TAG.replace('data-placement="article-bottom"', "") + (
    '<embellie-slate placement="article-bottom"></embellie-slate>'
)


@pytest.fixture
def site():
    with widget_site.running(widget_site.Site()) as one:
        for item in one.items:
            item["image"] = "/picture.svg"
        one.items[1]["image"] = "/no-such-picture.svg"
        yield one


@pytest.fixture
def measured(page):
    page.add_init_script(SHIFTS)
    return page


def shift(page) -> float:
    page.wait_for_timeout(400)
    return page.evaluate("shifts.reduce((sum, one) => sum + one, 0)")


def height(page) -> float:
    return page.evaluate("document.querySelector('embellie-slate').getBoundingClientRect().height")


def scroll_through(page) -> None:
    for _ in range(14):
        page.mouse.wheel(0, 200)
        page.wait_for_timeout(60)


def test_an_article_with_content_below_does_not_move(site, measured):
    """Read from top to bottom, pictures loaded and one missing: the shift is 0, and the slate was there."""
    measured.goto(f"{site.address}/a")
    scroll_through(measured)
    measured.get_by_role("link").first.wait_for()
    assert height(measured) > 100
    assert shift(measured) == 0


@pytest.mark.parametrize("delay", [0.8, 2.0])
def test_a_slate_that_comes_late_moves_nothing(site, measured, delay):
    """Its place already in view, or passed, a slate waits until nobody looks; then it is there."""
    site.slate_delay = delay
    measured.goto(f"{site.address}/a")
    measured.evaluate("scrollTo(0, 1200)")
    measured.wait_for_timeout(int(delay * 1000) + 500)
    assert height(measured) == 0
    measured.evaluate("scrollTo(0, 0)")
    measured.get_by_role("link").first.wait_for(state="attached")
    scroll_through(measured)
    assert height(measured) > 100
    assert shift(measured) == 0


def test_a_place_in_view_from_the_start_is_filled_where_room_is_reserved(site, measured):
    """On a page too short to scroll, reserved room is filled at once and nothing below moves."""
    site.height, site.head, site.tag = 60, RESERVE, ELEMENT
    measured.goto(f"{site.address}/a")
    measured.get_by_role("link").first.wait_for()
    assert shift(measured) == 0


def test_the_last_thing_on_a_page_needs_no_reserve(site, measured):
    """With nothing below it, there is nothing to move: the slate shows at once."""
    site.height, site.after = 60, ""
    measured.goto(f"{site.address}/a")
    measured.get_by_role("link").first.wait_for()
    assert shift(measured) == 0


def test_without_reserve_it_waits_and_says_so(site, measured):
    """In view, with content below and no room: nothing moves, nothing shows, and the console says why."""
    said: list[str] = []
    measured.on("console", lambda message: said.append(message.text) if message.type == "info" else None)
    site.height = 60
    measured.goto(f"{site.address}/a")
    assert shift(measured) == 0
    assert height(measured) == 0
    assert said == ["embellie: slate held back: it would move what is in view"]


def test_a_bar_that_stays_at_the_bottom_is_not_below(site, measured):
    """A fixed bar, such as a question of consent, does not move with the page: it holds nothing back."""
    site.height, site.after = 60, '<div style="position:fixed;bottom:0;height:80px;width:100%">Cookies</div>'
    measured.goto(f"{site.address}/a")
    measured.get_by_role("link").first.wait_for()
    assert shift(measured) == 0


def test_a_page_may_allow_the_shift(site, measured):
    """`data-shift="allow"` shows at once, and the measure sees what that costs."""
    site.height, site.more = 60, 'data-shift="allow"'
    measured.goto(f"{site.address}/a")
    measured.get_by_role("link").first.wait_for()
    assert shift(measured) > 0.01


@pytest.mark.parametrize("head", ["", RESERVE])
def test_an_empty_slate_moves_nothing(site, measured, head):
    """With room reserved it keeps that room while in view, and gives it back when nobody looks; else it takes none."""
    site.items, site.height, site.head, site.tag = [], 1500, head, ELEMENT
    measured.goto(f"{site.address}/a")
    measured.wait_for_timeout(400)
    assert height(measured) == 0
    measured.evaluate("scrollTo(0, 1200)")
    assert shift(measured) == 0
    site.height = 60
    measured.goto(f"{site.address}/b")
    assert shift(measured) == 0
    assert height(measured) == (420 if head else 0)


def test_what_the_page_put_inside_stands_until_a_slate_does(site, measured):
    """Links inside the element are shown when there is no slate, and give way to one."""
    inside = '<embellie-slate placement="side"><a href="/editors">Le choix de la rédaction</a></embellie-slate>'
    site.tag = widget_site.TAG.replace('data-placement="article-bottom"', "") + inside
    measured.goto(f"{site.address}/a")
    measured.get_by_role("link", name="L’article b").wait_for(state="attached")
    assert not measured.get_by_text("Le choix de la rédaction").is_visible()
    site.items = []
    measured.goto(f"{site.address}/a")
    assert measured.get_by_text("Le choix de la rédaction").is_visible()
    assert shift(measured) == 0


@pytest.mark.parametrize("where", ["script", "element"])
def test_a_lazy_slate_is_asked_for_when_its_place_comes_near(site, page, where):
    """Out of reach, nothing is asked; within the distance that the page gives, once."""
    site.height = 4000
    if where == "script":
        site.more = 'data-lazy="300px"'
    else:
        site.tag = widget_site.TAG.replace('data-placement="article-bottom"', "")
        site.tag += '<embellie-slate placement="article-bottom" lazy="300px"></embellie-slate>'
    page.goto(f"{site.address}/a")
    page.wait_for_timeout(800)
    assert site.asked == []
    page.evaluate("scrollTo(0, 3200)")
    page.get_by_role("link").first.wait_for(state="attached")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(100)
    page.evaluate("scrollTo(0, 3200)")
    page.wait_for_timeout(300)
    assert len(site.asked) == 1


def test_it_follows_the_direction_of_the_page(site, page):
    """On a page that runs from right to left, the first article stands on the right."""
    site.direction = "rtl"
    page.goto(f"{site.address}/a")
    page.get_by_role("link").last.wait_for(state="attached")
    first, second = (one.bounding_box()["x"] for one in page.get_by_role("link").all())
    assert first > second


def test_it_is_not_printed(site, page):
    """On paper, the slate takes no room."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    page.emulate_media(media="print")
    assert height(page) == 0


def test_nothing_moves_by_itself(site, page):
    """There is no animation and no transition, whatever the reader prefers."""
    page.goto(f"{site.address}/a")
    page.get_by_role("link").first.wait_for(state="attached")
    moving = """[...document.querySelector('embellie-slate').shadowRoot.querySelectorAll('*')].filter((one) => {
      const style = getComputedStyle(one);
      return style.animationName !== 'none' || style.transitionDuration !== '0s'; }).length"""
    assert page.evaluate(moving) == 0


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core in widget/node_modules: make -C widget check")
@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing(site, page, language, scheme, forced):
    """The automatic checks of accessibility, contrast and size of targets included, find nothing to mend."""
    site.language = language
    page.emulate_media(color_scheme=scheme, forced_colors=forced)
    page.goto(f"{site.address}/a")
    page.get_by_role("link").last.scroll_into_view_if_needed()
    page.locator("summary").first.click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        ".then((all) => [all.violations.map((one) => [one.id, one.nodes.map((node) => node.target.join(' '))]),"
        " all.passes.length, all.passes.some((one) => one.nodes.some((node) => node.target[0] instanceof Array))])"
    )
    assert found[0] == []
    assert found[1] > 15
    assert found[2], "the checks did not look inside the slate"
