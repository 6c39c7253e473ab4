"""A plan in words: what to do, when, and what it is worth, in English and in French."""

import pytest

from embellie.app.deciding import parse_question
from embellie.decide.plan_wording import plan_words
from embellie.domain.plan import Branch, Rival, Step
from embellie.domain.verdict import Figure

QUESTION = """
currency = "EUR"
[unknowns]
interest = "-3 % to 7 %"
gain = "-10 % to 25 %"
price = "0.008 to 0.02 EUR/article"
well = "discrete(-70: 50 %, 200: 50 %)"
[scenarios.status_quo]
benefit = "0 EUR/month"
[scenarios.heuristic]
build = "12k EUR"
benefit = "interest * 1M EUR/month"
[scenarios.ml]
needs = "heuristic"
build = "100k EUR"
benefit = "(interest + gain) * 1M EUR/month + 0 * price * 1 article/month + 0 * well * 1 EUR/month"
[studies.ab]
kind = "experiment"
measures = "interest"
scenario = "heuristic"
needs = "heuristic"
se = "1 %"
weeks = [2]
share = [0.5]
[studies.replay]
kind = "offline"
measures = "gain"
se = "3 %"
bias = "1 %"
[studies.finance]
kind = "measurement"
measures = "price"
se = 0.001
n = [12]
[studies.seismic]
kind = "measurement"
measures = "well"
[studies.seismic.signals]
none = [0.9, 0.2]
some = [0.1, 0.8]
"""
GAIN = Figure(value=18_312.0, error=40.0)


@pytest.fixture(scope="module")
def question():
    """A rule and a model on top of it, with four ways to learn."""
    return parse_question(QUESTION)


def step(live, study="", *branches, **more):
    """A step of a plan."""
    return Step(live=live, begins=0.0, study=study, branches=branches, **more)


def branch(low, high, chance, then, **more):
    """One of its branches."""
    return Branch(low=low, high=high, chance=chance, value=0.0, then=then, **more)


def said(question, first, gain=GAIN, at_once="heuristic", rivals=()):
    """Say a plan."""
    return plan_words(first, gain=gain, at_once=at_once, rivals=rivals, question=question)


@pytest.fixture(scope="module")
def whole(question):
    """Release and measure; take back, keep, or look at the model."""
    replay = step(
        "heuristic",
        "replay",
        branch(None, 0.12, 0.7, step("heuristic")),
        branch(0.12, None, 0.3, step("ml", starts=True)),
    )
    first = step(
        "heuristic",
        "ab",
        branch(None, 0.006, 0.27, step("status_quo", stops=True)),
        branch(0.006, 0.019, 0.4, step("heuristic")),
        branch(0.019, None, 0.33, replay),
        starts=True,
        weeks=2.0,
        share=0.5,
    )
    rival = Rival(live="status_quo", study="replay", weeks=0.0, share=0.0, gain=Figure(value=17_000.0, error=40.0))
    return said(question, first, rivals=[rival])


def test_a_whole_plan_in_english(whole):
    """What to begin with, what on each outcome, what it is worth, and by how much it leads."""
    assert whole["en"] == (
        "Build `heuristic`, put it in production and run `ab` for 2 weeks on 50 % of the traffic.",
        "If it shows less than 0.6 % (27 % likely): take `heuristic` back.",
        "If it shows 0.6 % to 1.9 % (40 % likely): keep `heuristic`.",
        (
            "If it shows more than 1.9 % (33 % likely): run `replay`; below about 12 %, keep `heuristic`; above about 12 %, "
            "build `ml` and put it in production."
        ),
        (
            "Following this is worth 18,300 EUR more, on average, than acting at once on `heuristic`; beginning with `replay` "
            "while keeping `status_quo` would bring 1,310 EUR less."
        ),
    )


def test_a_whole_plan_in_french(whole):
    """The same, sentence by sentence."""
    assert whole["fr"] == (
        "Construisez `heuristic`, mettez-le en production et lancez `ab` pendant 2 semaines sur 50 % du trafic.",
        "Si le résultat est inférieur à 0,6 % (27 % de chances) : retirez `heuristic`.",
        "Si le résultat est entre 0,6 % et 1,9 % (40 % de chances) : gardez `heuristic`.",
        (
            "Si le résultat dépasse 1,9 % (33 % de chances) : lancez `replay` ; au-dessous d'environ 12 %, gardez `heuristic` ; "
            "au-dessus d'environ 12 %, construisez `ml` et mettez-le en production."
        ),
        (
            "Suivre ce plan rapporte en moyenne 18\u202f300 EUR de plus qu'agir tout de suite avec `heuristic` ; en commençant "
            "par `replay` en gardant `status_quo`, 1\u202f310 EUR de moins."
        ),
    )


def test_what_is_built_for_a_test_is_said_and_not_built_twice(question):
    """The readers keep what they have; after a good result it only has to be put in production."""
    first = step(
        "status_quo",
        "ab",
        branch(None, -0.0123, 0.2, step("status_quo")),
        branch(-0.0123, None, 0.8, step("heuristic", starts=True)),
        weeks=1.0,
        share=0.1,
    )
    words = said(question, first)
    assert words["en"][:3] == (
        "Build `heuristic` for the test and run `ab` for 1 week on 10 % of the traffic.",
        "If it shows less than −1.2 % (20 % likely): keep `status_quo`.",
        "If it shows more than −1.2 % (80 % likely): put `heuristic` in production.",
    )
    assert words["fr"][0] == "Construisez `heuristic` pour l'essai et lancez `ab` pendant 1 semaine sur 10 % du trafic."


def test_acting_at_once(question):
    """No study brings more than it costs; the best of them is named with its price."""
    rival = Rival(live="heuristic", study="replay", weeks=0.0, share=0.0, gain=Figure(value=-943.0, error=1.0))
    words = said(question, step("heuristic", starts=True), gain=Figure(value=0.0, error=0.0), rivals=[rival])
    assert words["en"] == (
        "Build `heuristic` and put it in production at once: none of the studies offered brings more than it costs.",
        "Beginning with `replay` would bring 943 EUR less.",
    )
    assert words["fr"][0].startswith("Construisez `heuristic` et mettez-le en production tout de suite")
    kept = said(question, step("status_quo"), gain=Figure(value=0.0, error=0.0))
    assert kept["en"] == ("Keep `status_quo`: none of the studies offered brings more than it costs.",)


def test_rivals_that_cannot_be_told_apart_are_called_so(question):
    """Within the error, neither is said to lead."""
    first = step("status_quo", "replay", branch(None, None, 1.0, step("heuristic", starts=True)))
    rival = Rival(live="heuristic", study="ab", weeks=2.0, share=0.5, gain=Figure(value=18_300.0, error=40.0))
    words = said(question, first, rivals=[rival])
    assert words["en"][1] == "Whatever it shows: build `heuristic` and put it in production."
    assert words["en"][2].endswith("beginning with `ab` while `heuristic` is in production is worth about as much.")
    assert words["fr"][1].startswith("Quel que soit le résultat : construisez")


def test_signals_are_named(question):
    """No thresholds where there are none."""
    first = step(
        "status_quo",
        "seismic",
        branch(None, None, 0.55, step("status_quo"), signals=("none",)),
        branch(None, None, 0.45, step("heuristic", starts=True), signals=("some", "none")),
    )
    words = said(question, first)
    assert words["en"][1] == "If the signal is `none` (55 % likely): keep `status_quo`."
    assert words["fr"][2].startswith("Si le signal est `some` ou `none` (45 % de chances)")


def test_results_are_written_in_the_unit_of_the_unknown(question):
    """As finely as telling two thresholds apart takes."""
    first = step(
        "status_quo",
        "finance",
        branch(None, 0.01234, 0.5, step("status_quo")),
        branch(0.01234, 0.01267, 0.2, step("heuristic", starts=True)),
        branch(0.01267, None, 0.3, step("ml", starts=True)),
        n=12,
    )
    words = said(question, first)
    assert words["en"][0] == "Run `finance` (n = 12)."
    assert words["en"][2].startswith("If it shows 0.0123 EUR/article to 0.0127 EUR/article")
    assert words["fr"][1].startswith("Si le résultat est inférieur à 0,012")


def test_a_third_study_is_left_to_its_day(question):
    """Two results deep, the plan says to decide by the next one."""
    deep = step("heuristic", "finance", branch(None, None, 1.0, step("heuristic")))
    second = step("heuristic", "replay", branch(None, 0.1, 0.5, deep), branch(0.1, None, 0.5, step("ml", starts=True)))
    first = step(
        "heuristic", "ab", branch(None, 0.0, 0.5, second), branch(0.0, None, 0.5, step("heuristic")), starts=True
    )
    words = said(question, first)
    assert words["en"][1].endswith("run `replay` and decide by all results.")
    assert words["fr"][1].endswith("lancez `replay` et décidez selon tous les résultats.")
