"""The dashboard in a real Chromium: drawn, readable on a phone, by keyboard, without a script, and live."""

import importlib.util
import socket
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from embellie.web import dashboard
from embellie.web.access import Caller
from embellie.web.dashboard import PAGES, path_of

pytestmark = pytest.mark.chromium

_spec = importlib.util.spec_from_file_location("newsroom_fake", Path(__file__).parents[1] / "web" / "newsroom_fake.py")
fake = importlib.util.module_from_spec(_spec)
sys.modules["newsroom_fake"] = fake
_spec.loader.exec_module(fake)

AXE = Path(__file__).parents[2] / "widget" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


class Served:
    """The dashboard on a fake newsroom, on a port of its own."""

    def __init__(self, newsroom) -> None:
        self.newsroom = newsroom
        app = Starlette(routes=dashboard.routes())
        app.state.newsroom, app.state.stopping = newsroom, threading.Event()
        self.stopping = app.state.stopping

        async def door(scope, receive, send):
            scope.setdefault("state", {})["caller"] = Caller("ana", "session", "operator")
            await app(scope, receive, send)

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        config = uvicorn.Config(door, log_level="error", lifespan="off", timeout_graceful_shutdown=3)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def close(self) -> float:
        began = time.monotonic()
        self.stopping.set()
        self.server.should_exit = True
        self.thread.join(10)
        return time.monotonic() - began


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(dashboard, "TICK_SECONDS", 0.3)
    opened = Served(fake.FakeNewsroom())
    yield opened
    opened.close()


@pytest.fixture
def look(chromium, served):
    """Open a page in a fresh profile and wait until it is drawn; troubles are kept."""
    contexts = []

    def open_(name, *, size="desktop", language="en", **options):
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.troubles, page.asked = [], []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("console", lambda said: page.troubles.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(f"{served.address}{path_of(name)}?lang={language}", wait_until="domcontentloaded")
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-drawn]", timeout=8000)
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_itself_without_trouble(look, served, name, size):
    """Each picture is drawn, nothing sticks out, nothing is asked elsewhere, and the console stays silent."""
    page = look(name, size=size, language="fr")
    empty = page.locator(".plot:not(:has(svg))")
    assert empty.count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [address for address in page.asked if not address.startswith(served.address)] == []
    assert page.troubles == []


def test_drawings_stay_inside_their_figure(look):
    """No label of a drawing is cut by the edge of a phone."""
    for name in PAGES:
        page = look(name, size="phone")
        cut = page.evaluate(
            "[...document.querySelectorAll('.plot text, .drawn text')].filter(text => {"
            " const box = text.getBoundingClientRect(); return box.width && (box.left < 0 || box.right > innerWidth + 1) })"
            ".map(text => text.textContent)"
        )
        assert cut == []


@pytest.mark.parametrize(("size", "shown"), [("desktop", "wide"), ("phone", "narrow")])
def test_a_drawing_made_on_the_server_fits_its_place(look, size, shown):
    """Of its two layouts one is seen, as wide as it has room for; its words do not lie on one another."""
    page = look("decide", size=size, language="fr")
    drawings = page.evaluate(
        "[...document.querySelectorAll('.drawn')].map(each => [...each.children].filter(svg => svg.getBoundingClientRect().width)"
        ".map(svg => svg.getAttribute('class')))"
    )
    assert len(drawings) > 6
    assert all(each == [shown] for each in drawings)
    overlapping = page.evaluate(
        "[...document.querySelectorAll('.drawn svg')].filter(svg => svg.getBoundingClientRect().width).flatMap(svg => {"
        " const boxes = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);"
        " return boxes.flatMap(([one, a], at) => boxes.slice(at + 1).filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1"
        " && a.top < b.bottom - 5 && b.top < a.bottom - 5).map(([other]) => `${one} | ${other}`)) })"
    )
    assert overlapping == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("hours", [0.5, 3, 14, 30, 62, 100, 300, 1500, 9000])
def test_ticks_of_time_say_each_thing_once(look, served, monkeypatch, size, hours):
    """On any span, each day is named once under the traffic, and no label repeats or lies on its neighbour."""
    start, step = fake.START.replace(hour=6), fake.timedelta(hours=hours) / 72
    rows = [{"at": (start + step * k).isoformat(), "kind": "served", "count": 9} for k in range(72)]
    monkeypatch.setattr(served.newsroom, "traffic", lambda *_, **__: rows)
    page = look("serve", size=size, language="fr")
    boxes = page.evaluate(
        "[...document.querySelectorAll('#figure-traffic [aria-label=\"x-axis tick label\"] text')].map(text => {"
        " const box = text.getBoundingClientRect(); return [text.textContent, box.left, box.right] })"
    )
    labels = [label for label, *_ in boxes]
    assert len(labels) >= 1
    days = [label for label in labels if ":" not in label]
    assert len(set(days)) == len(days)
    assert all(before[0] != after[0] and before[2] < after[1] for before, after in pairwise(boxes))


@pytest.mark.parametrize("size", SIZES)
def test_the_words_of_the_scorecard_s_drawings_can_be_read(look, size):
    """On the page of step 4 no label of a drawing lies on another, on a phone either."""
    page = look("measure", size=size, language="fr")
    overlapping = page.evaluate(
        "[...document.querySelectorAll('.plot svg')].flatMap(svg => {"
        " const boxes = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]).filter(([, box]) => box.width);"
        " return boxes.flatMap(([one, a], at) => boxes.slice(at + 1).filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1"
        " && a.top < b.bottom - 5 && b.top < a.bottom - 5).map(([other]) => `${one} | ${other}`)) })"
    )
    assert page.locator(".plot svg").count() >= 6
    assert overlapping == []


def test_another_metric_is_chosen_by_keyboard(look):
    """The metrics are links: one is reached, opened, and marked as the one shown."""
    page = look("measure")
    page.locator(".choose a").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-drawn]")
    assert page.locator(".choose a[aria-current]").inner_text() == "visits per reader"
    assert "visits per reader" in page.locator("#title-effect").inner_text()


def test_the_page_moves_with_the_newsroom(look, served):
    """A change in the log reaches the words and the drawings by itself; an open table stays open."""
    served.newsroom.look = 6
    page = look("front")
    assert page.locator("h1").inner_text().endswith("Learn more before you choose.")
    page.locator("#figure-burndown summary").click()
    served.newsroom.look = 23
    page.locator("h1", has_text="Shipping the heuristic").wait_for(timeout=9000)
    assert page.locator("#figure-burndown svg").count() == 1
    assert page.locator("#figure-burndown details").get_attribute("open") is not None
    assert page.troubles == []


def test_without_a_script_everything_is_said(look):
    """Sentences and tables stand without JavaScript."""
    page = look("decide", java_script_enabled=False)
    assert page.locator("figcaption").count() == page.locator("figure").count() > 10
    assert "Shipping the heuristic" in page.content()
    page.locator("summary").first.click()
    assert page.locator("details table").first.is_visible()


def test_the_keyboard_skips_to_the_content(look):
    """The first stop is the skip link; it leads to the main region."""
    page = look("front")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_reason_being_written_is_left_alone(look, served):
    """A tick never pulls a form away from under the hand."""
    page = look("release")
    page.locator("input[name=reason]").fill("Because")
    served.newsroom.look = 10
    page.wait_for_timeout(3500)
    assert page.locator("input[name=reason]").input_value() == "Because"


def test_a_page_held_open_does_not_hold_up_the_server(look, served):
    """The stream of ticks ends with the server."""
    look("front")
    assert served.close() < 2.5


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core in widget/node_modules: make -C widget check")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(look, name, scheme):
    """The automatic checks of accessibility, contrast included, find nothing to mend."""
    page = look(name, color_scheme=scheme, bypass_csp=True)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.target.join(' ')).slice(0, 3)]))"
    )
    assert found == []
