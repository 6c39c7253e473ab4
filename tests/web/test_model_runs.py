"""The page says which model is current, which trainings were refused and why, in both languages."""

import importlib.util
import sys
from pathlib import Path

import pytest

from embellie.web.language import Words
from embellie.web.model_runs import model_runs
from embellie.web.view import View

_spec = importlib.util.spec_from_file_location("newsroom_fake", Path(__file__).with_name("newsroom_fake.py"))
fake = importlib.util.module_from_spec(_spec)
sys.modules["newsroom_fake"] = fake
_spec.loader.exec_module(fake)


def told(language="en", **options):
    return model_runs(View(fake.FakeNewsroom(**options), "gazette", Words(language), {}))


@pytest.mark.parametrize(
    ("language", "name", "asks"), [("en", "freshness", "feed is down"), ("fr", "fraîcheur", "flux est en panne")]
)
def test_a_refused_training_says_which_check_refused_it_and_what_to_do(language, name, asks):
    """The last night's model failed: the check's name, its sentence, and that the one before is still current."""
    found = told(language)
    newest, before = found["runs"][:2]
    assert (newest["state"], newest["refused_for"]) == ("refused", ["freshness"])
    assert newest["because"][0]["check"].lower().startswith(name[:5])
    assert asks in newest["because"][0]["text"]
    assert before["state"] == "current"
    assert found["current"]["run"] == before["run"]


def test_the_current_model_stands_beside_the_heuristics():
    """When it was trained, and its figure beside theirs on the same lists; what is only watched is told, too."""
    found = told()
    assert "0.412" in found["current"]["figures"]
    assert "0.388" in found["current"]["beside"]
    assert found["runs"][2]["state"] == "accepted"
    assert "it is over since" in found["runs"][2]["because"][0]["text"]
    assert len(found["runs"]) == 5
    assert "3" in found["more"]


def test_without_a_model_one_line_says_how_to_train():
    """Nothing but the reason and what to do."""
    assert set(told(empty=True)) == {"unavailable", "remedy"}
    assert "embellie recommend train" in told("fr", empty=True)["remedy"]


def test_without_an_accepted_one_the_page_says_that_heuristics_answer(monkeypatch):
    """All were refused: no current model, and the reasons."""
    monkeypatch.setattr(fake.FakeNewsroom, "models", lambda *_: (fake.RUNS[:1], None))
    found = told()
    assert "heuristics answer" in found["current"]["unavailable"]
    assert found["runs"][0]["state"] == "refused"
