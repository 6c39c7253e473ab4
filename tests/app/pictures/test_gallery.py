"""Pictures: each says what to see, is well-formed, stays inside its frame, and speaks both languages."""

import importlib.util
import itertools
import math
import re
import string
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.app.answers.drawn import cost_benefit_cloud
from embellie.app.deciding import decide
from embellie.app.pictures.canvas import NARROW, WIDE, nice_ticks, spread_out, width_of, wrap
from embellie.app.pictures.gallery import Known, Voice, decide_pictures, frame_pictures
from embellie.app.pictures.picture_phrases import PHRASES
from embellie.domain.plan import Branch, Step
from embellie.domain.verdict import Spread

_spec = importlib.util.spec_from_file_location("whole_answer", Path(__file__).parents[2] / "whole_answer.py")
answer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(answer)

KEYS = [
    "plan", "net-benefit", "worth", "curve-interest", "curve-ml-gain", "curve-revenue", "duration", "stopping-ab-heuristic",
    "burn-down", "tornado", "stress", "cases", "cloud",
]  # fmt: skip


@pytest.fixture(scope="module")
def question():
    return answer.question()


@pytest.fixture(scope="module")
def verdict():
    return answer.whole()


def drawn(question, verdict, language="en"):
    quantiles = {value.scenario: value.dots() for value in decide(question, draws=1024).scenarios}
    points = cost_benefit_cloud(question, draws=1024, points=64)
    history = [Known(label="as written", evpi=30_000.0), Known(label="ask_finance", evpi=19_600.0)]
    decided = decide_pictures(question, verdict, language=language, quantiles=quantiles, points=points, history=history)
    framed = frame_pictures(question, verdict, language=language, quantiles=quantiles, points=points)
    return {each.key: each for each in [*framed, *decided]}


@pytest.fixture(scope="module", params=["en", "fr"])
def exhibits(request, question, verdict):
    return drawn(question, verdict, request.param)


def test_every_record_of_a_whole_answer_is_drawn(question, verdict):
    """In the order in which it is read."""
    quantiles = {value.scenario: value.dots() for value in decide(question, draws=1024).scenarios}
    points = cost_benefit_cloud(question, draws=1024, points=64)
    found = decide_pictures(question, verdict, quantiles=quantiles, points=points)
    assert [each.key for each in found] == KEYS


def test_a_quick_answer_draws_what_it_has(question, verdict):
    """Nothing is drawn of what was not computed, and nothing fails."""
    quick = replace(
        verdict,
        curves=(),
        tipping=(),
        tornado=(),
        tops=(),
        stopping=(),
        plan=None,
        stress=None,
        cases=(),
        prospect=None,
    )
    assert [each.key for each in decide_pictures(question, quick)] == ["worth"]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_drawing_is_well_formed_and_named(exhibits, width):
    """One SVG element with the role of an image, a title and a description."""
    for exhibit in exhibits.values():
        root = ET.fromstring(exhibit.svg(width))
        assert (root.tag, root.get("role")) == ("svg", "img")
        assert root.find("title").text == exhibit.title
        assert root.find("desc").text == exhibit.sentence
        assert len(exhibit.sentence) > 20


def test_the_parts_of_a_page_have_ids_of_their_own(exhibits):
    """No two drawings share an id."""
    ids = [found for exhibit in exhibits.values() for found in re.findall(r' id="([^"]+)"', exhibit.pair())]
    assert len(ids) == len(set(ids))


def test_a_drawing_held_by_something_with_a_name_has_none(exhibits):
    """A screen reader hears it once."""
    for exhibit in exhibits.values():
        assert 'role="img"' not in exhibit.pair(named=False)
        assert exhibit.pair(named=False).count('aria-hidden="true"') == 2


def texts_of(svg):
    for text in ET.fromstring(svg).iter("text"):
        said = "".join(text.itertext())
        size = float(text.get("font-size", 13))
        wide = width_of(said, size) * 0.9
        x = float(text.get("x"))
        start = {"start": x, "middle": x - wide / 2, "end": x - wide}[text.get("text-anchor", "start")]
        yield said, start, start + wide, float(text.get("y"))


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_words_stay_inside_their_drawing(exhibits, width):
    """Nothing is cut at the edge, on a phone either."""
    for exhibit in exhibits.values():
        height = float(ET.fromstring(exhibit.svg(width)).get("height"))
        outside = [
            said
            for said, left, right, y in texts_of(exhibit.svg(width))
            if left < -2 or right > width + 2 or not 0 < y <= height
        ]
        assert outside == [], exhibit.key


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_number_of_a_drawing_is_odd(exhibits, width):
    """No NaN, no infinity, whatever is drawn."""
    for exhibit in exhibits.values():
        assert re.search(r"\b(nan|inf)\b", exhibit.svg(width)) is None


def test_a_drawing_needs_no_style_and_no_script(exhibits):
    """Presentation attributes alone, each colour with a fallback; nothing is fetched."""
    for exhibit in exhibits.values():
        markup = exhibit.pair()
        assert not re.search(r"style=|<style|<script|href|url\(", markup)
        assert re.findall(r"var\(--[a-z_0-9-]+\)", markup) == []


def test_each_has_a_table_that_says_the_same(exhibits):
    """Rows as long as the headings, and not one empty."""
    for exhibit in exhibits.values():
        assert exhibit.rows
        assert {len(row) for row in exhibit.rows} == {len(exhibit.columns)}
        assert all(cell for row in exhibit.rows for cell in row), exhibit.key


def test_nothing_is_worth_is_said_as_such(question, verdict):
    """What is not above the noise of the draws is about 0, and open unknowns are marked with who could answer at what price."""
    markup = drawn(question, verdict)["worth"].svg()
    assert "≈ 0" in markup
    assert "open · Experiment ab_heuristic, from €1,500" in markup


def test_tipping_points_are_labelled_with_the_value(question, verdict):
    """As people write it: `Heuristic wins above 0.9%`."""
    assert "Heuristic wins above 0.9%" in drawn(question, verdict)["curve-interest"].svg()
    assert "Règle simple au-dessus de 0,9\u202f%" in drawn(question, verdict, "fr")["curve-interest"].svg()


def test_an_unknown_that_changes_nothing_says_so(question, verdict):
    """No tipping point: the best stays the best."""
    assert (
        drawn(question, verdict)["curve-revenue"].sentence
        == "Whatever the answer, the heuristic stays the best on average."
    )


def test_the_region_names_what_to_do_on_each_side(question, verdict):
    """Ship above, stop below, go on between."""
    markup = drawn(question, verdict)["stopping-ab-heuristic"].svg()
    assert all(said in markup for said in ("enough: ship the heuristic", "enough: stop, keep the status quo", "go on"))


def test_a_study_that_does_not_pay_has_no_region(question, verdict):
    """There is no week in which to go on with what should not be begun."""
    costly = tuple(replace(each, enbs=replace(each.enbs, value=-10.0)) for each in verdict.stopping)
    assert "stopping-ab-heuristic" not in drawn(question, replace(verdict, stopping=costly))


def test_the_plan_shows_every_way_it_can_end(question, verdict):
    """Each branch with its chance, each end with its value, from the first step to the last."""
    exhibit = drawn(question, verdict)["plan"]
    assert "it can end in 4 ways" in exhibit.sentence
    for said in ("Below 0.9%", "From 0.9% to 3.4%", "Above 3.4%", "30% chance", "€212,000", "Keep the status quo"):
        assert said in exhibit.svg(NARROW)
    assert sum(float(row[1].rstrip("%")) for row in exhibit.rows if "Run" not in row[2]) == pytest.approx(100, abs=2)


def test_a_plan_may_be_to_act_at_once(question, verdict):
    """A single step, without a study."""
    plan = replace(verdict.plan, first=Step(live="heuristic", begins=0, starts=True))
    exhibit = drawn(question, replace(verdict, plan=plan))["plan"]
    assert exhibit.sentence.startswith("Nothing is worth asking first")
    assert "Put the heuristic in production" in exhibit.svg()


def test_a_deep_plan_stays_within_its_width(question, verdict):
    """Six studies one after the other still fit a phone, and a plan without end is cut."""
    step = Step(live="ml", begins=40)
    for _ in range(6):
        low = Branch(low=None, high=0.01, chance=0.5, value=1e4, then=Step(live="status_quo", begins=9, stops=True))
        high = Branch(low=0.01, high=None, chance=0.5, value=2e4, then=step)
        step = Step(
            live="heuristic", begins=0, study="ab_heuristic", weeks=1, share=0.5, cost=9e3, branches=(low, high)
        )
    markup = drawn(question, replace(verdict, plan=replace(verdict.plan, first=step)))["plan"].svg(NARROW)
    assert [said for said, _, right, _ in texts_of(markup) if right > NARROW + 2] == []


def test_a_surprise_may_raise_doubt(question, verdict):
    """The fan says so when it reaches above today's."""
    prospect = replace(verdict.prospect, after=Spread(mean=9e3, p05=0.0, p50=6e3, p95=31_000.0))
    assert "it may also rise, to €31,000" in drawn(question, replace(verdict, prospect=prospect))["burn-down"].sentence


def test_a_verdict_that_rests_on_narrow_ranges_is_told(question, verdict):
    """Flipping before one and a half times the range is as good as undecided."""
    fragile = replace(verdict, stress=replace(verdict.stress, flips_at=1.2))
    assert "Take the verdict as undecided" in drawn(question, fragile)["stress"].sentence
    firm = replace(verdict, stress=replace(verdict.stress, flips_at=None))
    assert "even if every range were 4 times wider" in drawn(question, firm)["stress"].sentence


def test_one_harsh_supposition_does_not_press_the_others_together(question, verdict):
    """What lies far out is pointed to; the rest keeps its distances."""
    far = replace(verdict.stress.widened[-1], net_benefit={"status_quo": 0.0, "heuristic": 2e4, "ml": -9e6})
    harsh = replace(verdict, stress=replace(verdict.stress, widened=(*verdict.stress.widened[:-1], far)))

    def gap(found):
        dots = re.findall(r'<circle cx="([\d.]+)"', drawn(question, found)["stress"].svg())
        return float(dots[1]) - float(dots[0])  # status quo and heuristic, as written

    assert gap(harsh) > 0.4 * gap(verdict)


def test_the_same_answer_draws_the_same_bytes(question, verdict):
    """Nothing in a drawing hangs on chance or on the clock."""
    first, again = (drawn(question, verdict) for _ in range(2))
    assert [each.pair() for each in first.values()] == [each.pair() for each in again.values()]


def test_what_others_wrote_is_escaped(question, verdict):
    """A question asked in a file never becomes markup."""
    evil = replace(question.unknowns["interest"], ask="<script>alert(1)</script> & more?")
    changed = replace(question, unknowns={**question.unknowns, "interest": evil})
    markup = "".join(each.pair() for each in drawn(changed, verdict).values())
    assert "<script" not in markup
    assert "&lt;script" in markup


def values_of(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_values():
    """Each phrase has both languages, with the same values in them, and French has its narrow spaces."""
    for key, said in PHRASES.items():
        assert set(said) == {"en", "fr"}, key
        assert values_of(said["en"]) == values_of(said["fr"]), key
        assert not re.search(r" [:;?!»%]|« ", said["fr"]), key


def test_a_threshold_is_as_fine_as_it_need_be(question):
    """To a hundredth of the range, unless another threshold would read the same."""
    voice = Voice("en", question)
    assert voice.about("interest", 0.01234) == "1.2%"
    assert voice.about("interest", 0.01234, 0.0119, None) == "1.23%"
    assert voice.about("interest", -0.0001) == "0%"
    assert voice.finely("interest", -0.0001) == "−0.01%"


def test_names_and_amounts_are_set_as_on_the_dashboard(question):
    """Scenarios by their words, with a capital where a sentence begins; amounts with the currency's sign."""
    english, french = Voice("en", question), Voice("fr", question)
    assert english.said("Stop. `ml` loses 1,200 EUR, `ab` 3 %.") == "Stop. The ML model loses €1,200, `ab` 3%."
    assert french.said("`ml` perd 1\u202f200 EUR : 3 %.") == "Le modèle appris perd 1\u202f200\u202f€\u202f: 3\u202f%."
    assert (
        french.said("Construisez `heuristic`, mettez-le en ligne.")
        == "Construisez la règle simple, mettez-la en ligne."
    )
    assert english.ask("ml.build") == "What does building the ML model cost?"
    assert french.quantity("revenue", 0.0125) == "0,0125 €/article"
    formulas = {"both": "interest * ml_gain", "mixed": "interest * revenue"}
    shares = Voice("en", replace(question, formulas=question.formulas | formulas))
    assert [shares.quantity(name, 0.5) for name in formulas] == ["50%", "0.5"]
    assert english.ticks((-50_000.0, 0.0, 50_000.0)) == ["−€50k", "0", "€50k"]


def test_small_amounts_are_told_as_small(question):
    """A total down to one of the currency, what learning is worth down to a thousandth of the stake; noise as nothing."""
    english, french = (Voice(language, question, stake=250_000.0) for language in ("en", "fr"))
    assert [english.money(value) for value in (0.0491, -0.0491, 40.0)] == ["under €1", "about €0", "€40"]
    assert [english.worth(value) for value in (0.0491, 40.0, 8_400.0)] == ["under €100", "under €100", "€8,400"]
    assert (english.worth(40.0, 50.0), english.worth(0.0, 0.0)) == ("≈ 0", "≈ 0")
    assert [english.worth_up_to(value, 50.0) for value in (40.0, 60.0, 8_400.0)] == [
        "≈ 0",
        "under €100",
        "up to €8,400",
    ]
    assert (english.signed(0.4), english.signed(12.0)) == ("under €1", "+€12")
    assert english.money_range(-0.2, 900.0) == "€0 to €900"
    assert french.worth(40.0) == "moins de 100\u202f€"


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 10))
def test_ticks_are_round_even_and_inside(low, span, most):
    """Never more than asked for, each inside the range, all at one distance."""
    high = low + span
    if span < 1e-6 * abs(low):
        return
    ticks = nice_ticks(low, high, most)
    assert len(ticks) <= most + 1
    slack = 1e-6 * (abs(low) + span)
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    steps = [after - before for before, after in itertools.pairwise(ticks)]
    assert all(math.isclose(step, steps[0], rel_tol=1e-3) for step in steps)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_places_spread_out_keep_their_order_and_distance(places):
    """Neighbours are at least the gap apart and keep their order, where there is room."""
    moved = spread_out(places, 10.0, -200.0, 500.0)
    order = sorted(range(len(places)), key=lambda at: places[at])
    gaps = [moved[after] - moved[before] for before, after in itertools.pairwise(order)]
    assert all(gap >= 10.0 - 1e-6 for gap in gaps)


@given(st.text(alphabet="abc mW€", max_size=80), st.floats(40, 400))
def test_wrapped_lines_lose_no_word(text, width):
    """No line is too wide; all words are there, in order, unless one is wider than a line."""
    lines = wrap(text, width, lines=99)
    assert all(width_of(line) <= width for line in lines)
    if all(width_of(word) <= width for word in text.split(" ")):
        assert " ".join(lines) == text
