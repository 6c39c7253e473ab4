"""The pictures the dashboard shares with the mailed report: in the page, in its twin, and left out where there is nothing to draw."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest

from embellie.web.language import Words
from embellie.web.view import View

_spec = importlib.util.spec_from_file_location("dashboard_tests", Path(__file__).with_name("test_dashboard.py"))
dashboard_tests = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dashboard_tests)
fake, Site = dashboard_tests.fake, dashboard_tests.Site

SHARED = {
    "decide": {"plan", "curve-interest", "duration", "stopping-ab-heuristic", "tornado", "stress", "burn-down"},
    "frame": {"kinds", "tornado", "curve-interest", "cases"},
}


@pytest.fixture
def site():
    """A newsroom with a whole answer."""
    return Site(fake.FakeNewsroom())


@pytest.fixture
def quick(site, monkeypatch):
    """A newsroom whose answer is a quick one."""
    bare = {"curves": (), "tipping": (), "tornado": (), "tops": (), "stopping": (), "cases": (), "unknowns": ()}
    whole = site.newsroom.verdict()
    found = replace(whole, **bare, plan=None, stress=None, prospect=None)
    monkeypatch.setattr(site.newsroom, "verdict", lambda: found)
    return site


@pytest.mark.parametrize("name", SHARED)
def test_the_twin_holds_the_drawings_and_their_figures(site, name):
    """Each drawing by name, beside the words and the table of its picture."""
    document = site.get(f"/{name}.json").json()
    assert set(document["drawings"]) >= SHARED[name]
    for key, drawing in document["drawings"].items():
        assert drawing.startswith("<svg")
        assert document["figures"][key]["drawing"] == "svg"
        assert document["figures"][key]["rows"]


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_page_shows_each_once_under_its_name(site, name, language):
    """Inline, inside what says its name, without a style attribute, which the policy of the page would refuse."""
    text = site.get(f"/{name}", params={"lang": language}).text
    document = site.get(f"/{name}.json", params={"lang": language}).json()
    for key, drawing in document["drawings"].items():
        assert text.count(drawing) == 1
        assert f'id="figure-{key}"' in text
    held = re.findall(r'<div class="drawn" role="img" aria-label="([^"]+)"><svg', text)
    assert len(held) == len(document["drawings"])
    assert " style=" not in text


def test_the_plan_is_told_in_words_beside_its_tree(site):
    """A sentence for each step, scenarios by their words."""
    page = site.get("/decide", params={"lang": "fr"}).text
    assert "gardez le statu quo\u202f: plus rien ne vaut d’être demandé." in page
    assert page.index("Que faire, étape par étape") < page.index('id="figure-plan"') < page.index('id="figure-worth"')


@pytest.mark.parametrize("name", SHARED)
def test_a_quick_answer_leaves_out_what_it_does_not_hold(quick, name):
    """No empty frame, no plan."""
    document = quick.get(f"/{name}.json").json()
    assert document["drawings"] == {}
    assert "plan-words" not in quick.get(f"/{name}").text


@pytest.mark.parametrize("name", SHARED)
def test_without_a_question_nothing_is_drawn(name):
    """The page of an empty newsroom has no drawing, and says what to do."""
    assert Site(fake.FakeNewsroom(empty=True)).get(f"/{name}.json").json()["drawings"] == {}


def test_a_view_asks_for_the_question_and_the_verdict_once(site, monkeypatch):
    """Reading a question's file takes its time, and each picture of a page needs it."""
    asked = []
    for name, found in [(name, getattr(site.newsroom, name)()) for name in ("question", "verdict")]:
        monkeypatch.setattr(site.newsroom, name, lambda name=name, found=found: asked.append(name) or found)
    view = View(site.newsroom, "gazette", Words("en"), {})
    assert view.question() is view.question()
    assert view.verdict() is view.verdict()
    assert asked == ["question", "verdict"]
