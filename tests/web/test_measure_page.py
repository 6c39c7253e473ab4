"""The page of step 4: the answer first, and every picture true to the scorecard."""

import importlib.util
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from embellie.domain.scorecard import Check, Guardrail, SampleRatio, Shrunk
from embellie.web.effect_pictures import intervals_picture, margin_of, reached_at
from embellie.web.language import Words
from embellie.web.measure_page import measure_page
from embellie.web.phrases import MESSAGES
from embellie.web.view import View

_spec = importlib.util.spec_from_file_location("newsroom_fake", Path(__file__).with_name("newsroom_fake.py"))
fake = importlib.util.module_from_spec(_spec)
sys.modules["newsroom_fake"] = fake
_spec.loader.exec_module(fake)


def page(language="en", *, card=None, look=23, experiment=None, **query):
    """The page's document on a fake newsroom, whose scorecard may be another."""
    newsroom = fake.FakeNewsroom()
    newsroom.look = look
    if card is not None:
        newsroom.scorecard = lambda _: card
    if experiment is not None:
        newsroom.experiments = lambda _: (experiment,)
        newsroom.experiment = lambda _: experiment
    return measure_page(View(newsroom, "gazette", Words(language), query))


def test_the_answer_comes_first_in_both_languages():
    """A headline, what is known with its interval and its money in the page's way of writing it, and where to go."""
    english, french = page()["answer"], page("fr")["answer"]
    assert english["headline"] == "Yes: articles per visit went up."
    assert "worth about €" in english["because"]
    assert "EUR" not in english["because"] + french["because"]
    assert "The guardrail holds." in english["because"]
    assert english["onward"]["page"] == "/decide"
    assert french["headline"] == "Oui\u202f: articles par visite en hausse."
    assert "`" not in english["because"] + french["because"]
    assert " :" not in french["because"]


@pytest.mark.parametrize(
    ("changes", "headline", "onward"),
    [
        ({"srm": SampleRatio(p_value=0, log_e=20, alarm=True)}, "Do not use these figures yet.", None),
        ({"effects": ()}, "No answer yet.", None),
    ],
)
def test_what_forbids_or_lacks_an_answer_is_the_headline(changes, headline, onward):
    """An alarm, or nothing to go by, comes before any effect."""
    document = page(card=replace(fake.scorecard_at(23), **changes))
    answer = document["answer"]
    assert (answer["headline"], answer["onward"]) == (headline, onward)
    assert "€" not in answer["because"] + "".join(fact["value"] for fact in document["facts"])


def test_an_open_answer_says_how_far_it_is():
    """Still running: so many of the planned readers; all of them there: on to the decision."""
    unclear = tuple(replace(row, p_many=0.5) for row in fake.scorecard_at(23).effects if hasattr(row, "p_many"))
    card = replace(fake.scorecard_at(23), effects=unclear)
    answer = page(card=card)["answer"]
    assert answer["headline"] == "Not clear yet."
    assert answer["because"].endswith("Go on: 43,231 of the 56,000 planned so far.")
    assert answer["onward"] is None
    assert page(card=replace(card, planned=40_000))["answer"]["onward"]["page"] == "/decide"


def test_a_harmed_guardrail_sends_one_to_the_release():
    """Harm is the headline, and the link leads to where it is taken back."""
    card = fake.scorecard_at(23)
    harmed = tuple(
        replace(row, guardrail=Guardrail(state="harmed", margin=0.02)) if row.role == "guardrail" else row
        for row in card.effects
    )
    answer = page(card=replace(card, effects=harmed))["answer"]
    assert answer["headline"] == "A guardrail is harmed."
    assert answer["onward"]["page"] == "/release"


def test_the_facts_are_money_readers_guardrails_and_checks():
    """Four numbers beside the answer; those there are nothing of are left out."""
    facts = page()["facts"]
    assert [fact["label"] for fact in facts] == [
        "Worth a month",
        "Readers measured",
        "Guardrails that hold",
        "Checks that are fine",
    ]
    assert facts[1]["note"] == "of 56,000 planned"
    assert facts[3]["value"] == "2 of 4"
    bare = replace(fake.scorecard_at(23), effects=(), checks=(), planned=None)
    assert [fact["label"] for fact in page(card=bare)["facts"]] == ["Readers measured"]


def test_metrics_stand_by_role_with_the_adjusted_row_leading():
    """One row per metric in the picture: the adjusted one with the unadjusted one as its ghost, a guardrail with its margin."""
    document = page()
    assert [group["title"] for group in document["roles"]] == ["Decides", "Must not be harmed", "Explains", "Foretells"]
    rows = document["figures"]["intervals"]["data"]["rows"]
    assert [row["label"] for row in rows] == [
        "articles per visit (decides, adjusted)",
        "visits per reader (guardrail, holds)",
        "reads per reader",
        "click-through (proxy)",
    ]
    lead, guard = rows[0], rows[1]
    assert lead["ghost"]["high"] - lead["ghost"]["low"] > lead["high"] - lead["low"]
    assert guard["mark"] == pytest.approx(-0.022 / 2.2)
    assert len(document["figures"]["intervals"]["rows"]) == 5


def test_checks_are_told_by_shape_word_and_sentence():
    """Each check has its name, its state in a word, and what was found; the split is told once."""
    checks = page("fr")["checks"]
    assert [(check["check"], check["state_text"]) for check in checks] == [
        ("split", "bon"),
        ("split_by", "bon"),
        ("two_variants", "à suivre"),
        ("completeness", "inconnu"),
    ]
    assert checks[2]["said"].startswith("12 vus dans deux variantes")


def test_a_check_without_a_sentence_is_still_shown():
    """A code that is not known is told by its name and state."""
    odd = Check(check="moon", state="watch", code="full_moon")
    checks = page(card=replace(fake.scorecard_at(23), checks=(odd,)))["checks"]
    assert checks[1]["said"] == "moon: watch."


def test_pictures_without_slices_or_money_are_left_out():
    """What was not asked for is no empty picture."""
    card = fake.scorecard_at(23)
    bare = replace(card, slices=(), effects=tuple(replace(row, money=None) for row in card.effects[:1]))
    assert set(page(card=bare)["figures"]) == {"effect", "intervals", "readers", "units"}


def test_parts_of_the_readers_show_raw_and_shrunk():
    """The shrunk effect leads and the raw one is its ghost; without shrinkage the raw one stands alone."""
    card = fake.scorecard_at(23)
    shown = page(card=card)["figures"]["segments"]
    assert all("ghost" in row for row in shown["data"]["rows"])
    assert shown["columns"][-1] == "After shrinkage"
    raw = tuple(replace(part, effects=tuple(replace(row, shrunk=None) for row in part.effects)) for part in card.slices)
    alone = page(card=replace(card, slices=raw))["figures"]["segments"]
    assert not any("ghost" in row for row in alone["data"]["rows"])
    assert len(alone["columns"]) == 4


def test_a_dimension_with_one_part_is_left_out():
    """All readers being new is no comparison of parts."""
    card = fake.scorecard_at(23)
    kept = tuple(part for part in card.slices if part.value != "returning")
    labels = [row["label"] for row in page(card=replace(card, slices=kept))["figures"]["segments"]["data"]["rows"]]
    assert labels == ["Consent: profiling", "Consent: measurement"]


def test_parts_of_which_one_is_not_shrunk_make_a_whole_table():
    """Every row has as many cells as there are columns, shrunk or not."""
    card = fake.scorecard_at(23)
    first, *rest = card.slices
    part = replace(first, effects=tuple(replace(row, shrunk=Shrunk(effect=0, low=0, high=0)) for row in first.effects))
    bare = [replace(one, effects=tuple(replace(row, shrunk=None) for row in one.effects)) for one in rest]
    figure = page(card=replace(card, slices=(part, *bare)))["figures"]["segments"]
    assert {len(row) for row in figure["rows"]} == {len(figure["columns"])}


def test_the_metric_over_time_is_the_one_asked_for():
    """A metric is chosen by its name; an unknown one leaves the primary one."""
    assert "visits per reader" in page(metric="visits_per_reader")["figures"]["effect"]["title"]
    assert "articles per visit" in page(metric="x")["figures"]["effect"]["title"]
    chosen = [each["metric"] for each in page(metric="visits_per_reader")["metrics"] if each["here"]]
    assert chosen == ["visits_per_reader"]


def test_the_effect_over_time_shows_the_plan():
    """The planned end and the planned looks where they lie in time, and a guardrail's margin."""
    planned = replace(fake.experiment(), planned=56_000, looks=4)
    figure = page(experiment=planned, metric="visits_per_reader")["figures"]["effect"]
    assert figure["data"]["planned"]["at"] > figure["data"]["points"][-1]["at"]
    assert len(figure["data"]["looks"]) == 4
    assert figure["data"]["looks"][-1] == figure["data"]["planned"]["at"]
    assert figure["data"]["margin"]["at"] == pytest.approx(-0.01)
    assert "Planned end: about 17 Mar." in figure["note"]


def test_a_plan_that_is_reached_is_told_in_the_past():
    """Enough readers: the day they were reached."""
    card = replace(fake.scorecard_at(23), planned=20_000)
    newsroom = fake.FakeNewsroom()
    history = [(at, replace(one, planned=20_000)) for at, one in newsroom.scorecard_history("first-light")]
    newsroom.scorecard, newsroom.scorecard_history = (lambda _: card), (lambda _: history)
    figure = measure_page(View(newsroom, "gazette", Words("en"), {}))["figures"]["effect"]
    assert "The planned readers were reached on 7 Mar." in figure["note"]


def test_when_readers_are_reached_is_read_off_or_foreseen():
    """Between two looks by interpolation; after the last at the pace of the later half; never when nobody comes."""
    counts = [(fake.START + timedelta(days=day), 100 * day) for day in range(5)]
    assert reached_at(counts, 250) == fake.START + timedelta(days=2.5)
    assert reached_at(counts, 600) == fake.START + timedelta(days=6)
    assert reached_at([(at, 100) for at, _ in counts], 600) is None
    assert reached_at(counts, 10**12) is None


def test_a_row_without_margin_has_no_mark():
    """A guardrail of margin 0 is the line of no difference itself."""
    guarded = next(row for row in fake.scorecard_at(23).effects if row.role == "guardrail")
    assert margin_of(guarded) is not None
    assert margin_of(replace(guarded, guardrail=Guardrail(state="open", margin=0.0))) is None


def test_files_lead_to_the_rows_and_the_documents():
    """CSV, Parquet, JSON and the history of the metric shown."""
    assert [each["href"] for each in page(metric="click_through")["files"]] == [
        "/v1/experiments/first-light.csv",
        "/v1/experiments/first-light.parquet",
        "/v1/experiments/first-light",
        "/v1/experiments/first-light/series?metric=click_through",
    ]


def test_nothing_that_can_be_drawn_is_said():
    """A scorecard without effects says what is missing."""
    view = View(fake.FakeNewsroom(), "gazette", Words("en"), {})
    assert intervals_picture(view, replace(fake.scorecard_at(3), effects=())).remedy == MESSAGES["remedy.effects"]["en"]


def test_what_late_events_restated_is_told():
    """Which day, how many events, and when the last one came; in both languages."""
    (english,), (french,) = page()["restated"], page("fr")["restated"]
    assert english.startswith("Restated: 31 events arrived after their day had closed")
    assert french.startswith("Chiffres révisés : 31 événements")
    assert fake.START.date().isoformat() in english
