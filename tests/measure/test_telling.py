"""Scorecards in words."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

import embellie.measure
from embellie.domain.scorecard import (
    Check,
    Effect,
    Guardrail,
    Interval,
    MoneyEffect,
    RelativeEffect,
    SampleRatio,
    Scorecard,
    Shrunk,
    UnavailableEffect,
)
from embellie.domain.unavailable import Unavailable
from embellie.measure.telling import answer, checks_told, effect_sentence, leading_rows, sentences, split_sentence
from embellie.measure.telling_checks import CHECKS, check_sentence, part_name
from embellie.measure.telling_numbers import amount_text, share_text
from embellie.measure.telling_reasons import REASONS_FR

ROOM = Path(embellie.measure.__file__).parent


def row(metric="articles_per_visit", *, at=0.028, half=0.024, control=2.0, **changes):
    """A row whose relative effect is `at` ± `half`."""
    return Effect(
        **{
            "metric": metric,
            "variant": "heuristic",
            "control_value": control,
            "variant_value": control * (1 + at),
            "effect": control * at,
            "se": control * half / 2,
            "p_value": 0.02,
            "interval": Interval(kind="always", level=0.95, low=control * (at - half), high=control * (at + half)),
            "relative": RelativeEffect(effect=at, low=at - half, high=at + half, se=half / 2),
        }
        | changes
    )


MISSING = UnavailableEffect(
    metric="click_through",
    variant="heuristic",
    because=Unavailable(
        "`status_quo` has no impressions, so `click_through` has no value there.",
        "Compare a metric that both variants have; per reader always works.",
        code="no_denominator",
        values={"variant": "status_quo", "counted": "impressions", "metric": "click_through"},
    ),
    proxy=True,
)

MONEY = MoneyEffect(effect=2312.0, low=331.0, high=4194.0, currency="EUR")


def card(*effects, **changes):
    return Scorecard(
        **{
            "unit": "reader",
            "control": "status_quo",
            "units": {"status_quo": 4000, "heuristic": 4000},
            "srm": SampleRatio(p_value=0.6, log_e=-2.0, alarm=False),
            "effects": effects or (row(role="primary", money=MONEY), MISSING),
            "excluded": {"two_variants": 3},
            "experiment": "first-light",
        }
        | changes
    )


@pytest.mark.parametrize(
    ("at", "words"), [(0.1, "Higher than"), (-0.1, "Lower than"), (0.005, "Too early to tell it from")]
)
def test_a_sentence_says_which_way_or_that_it_is_too_early(at, words):
    """The verdict of a sentence follows the interval."""
    assert words in effect_sentence(row(at=at), "status_quo")


def test_a_sentence_gives_change_interval_and_money_in_both_languages():
    """The change in per cent, its interval, and what it is worth per month with its own."""
    english, french = (sentences(card(), language)[0] for language in ("en", "fr"))
    assert english == (
        "Articles per visit, `heuristic`: +2.8 % (95 % interval +0.4 % to +5.2 %). Higher than `status_quo`. "
        "Worth +2,300 EUR a month (+300 to +4,200). Holds at every look."
    )
    assert french.startswith("Articles par visite, `heuristic` : +2,8\u202f% (intervalle à 95\u202f% de +0,4\u202f% à")
    assert "Soit +2\u202f300\u202fEUR par mois (de +300 à +4\u202f200)." in french


@pytest.mark.parametrize(
    ("money", "english", "french"),
    [
        ((0.0491, 0.01, 0.09), "Worth under 1 EUR a month.", "Soit moins de 1\u202fEUR par mois."),
        ((-0.2, -0.9, 0.5), "Worth about 0 EUR a month.", "Soit environ 0\u202fEUR par mois."),
        (
            (0.43, -3.2, 4.1),
            "Worth under 1 EUR a month (−3.2 to +4.1).",
            "Soit moins de 1\u202fEUR par mois (de −3,2 à",
        ),
    ],
)
def test_small_money_is_told_as_small(money, english, french):
    """Nobody acts on cents a month; a range wholly below one of the currency says nothing more."""
    effect, low, high = money
    small = row(role="primary", money=MoneyEffect(effect=effect, low=low, high=high, currency="EUR"))
    assert english in effect_sentence(small, "status_quo")
    assert french in effect_sentence(small, "status_quo", "fr")
    worth = english.removeprefix("W").rstrip(".")
    assert f"), w{worth}." in answer(card(small)).text


@pytest.mark.parametrize(
    ("state", "english", "french"),
    [
        ("holds", "The guardrail holds: a loss of more than 1 % (300 EUR a month) is ruled out.", "Le garde-fou tient"),
        ("harmed", "The guardrail is harmed: the loss is more than 1 %", "Le garde-fou est touché"),
        ("open", "A loss of more than 1 % (300 EUR a month) cannot be ruled out yet: hold.", "n’est pas encore exclue"),
    ],
)
def test_a_guardrail_says_whether_it_holds(state, english, french):
    """The margin as a share of the control's value and in money; never whether it is higher."""
    guarded = row(role="guardrail", guardrail=Guardrail(state=state, margin=0.02, money=300.0), money=MONEY)
    said = effect_sentence(guarded, "status_quo")
    assert english in said
    assert "Higher" not in said
    assert french in effect_sentence(guarded, "status_quo", "fr")


def test_a_guardrail_without_margin_speaks_of_any_loss():
    """A margin of nothing is not written as a number."""
    guarded = row(role="guardrail", guardrail=Guardrail(state="open", margin=0.0))
    assert "A loss cannot be ruled out yet: hold." in effect_sentence(guarded, "status_quo")


def test_what_only_foretells_is_no_reason_to_ship():
    """Proxies and surrogates say so, in both languages."""
    assert "no reason to ship" in effect_sentence(row(proxy=True), "status_quo")
    assert "no reason to ship" in effect_sentence(row(role="surrogate"), "status_quo")
    assert "indice" in effect_sentence(row(proxy=True), "status_quo", "fr")


def test_the_adjusted_row_leads_and_names_what_it_saved():
    """One sentence for both rows: the adjusted change first, then the variance saved and the unadjusted change."""
    raw, adjusted = row(at=0.02), row(at=0.03, half=0.02, adjusted=True, saved=0.31)
    (said,) = sentences(card(raw, adjusted))
    assert said.startswith("Articles per visit, `heuristic`: +3.0 % (95 % interval +1.0 % to +5.0 %).")
    assert "takes 31 % of the variance away; unadjusted +2.0 % (−0.4 % to +4.4 %)." in said
    assert said.count("Higher than") == 1


def test_an_adjusted_row_that_cannot_be_computed_does_not_lead():
    """The unadjusted row is told."""
    raw = row()
    missing = UnavailableEffect(
        metric=raw.metric, variant=raw.variant, because=Unavailable("No.", "Wait."), adjusted=True
    )
    assert leading_rows((raw, missing)) == [(raw, None)]


def test_several_comparisons_are_counted():
    """A corrected p-value is told when it is larger, and says when the effect is no longer clear."""
    assert "With all comparisons counted: p = 0.04." in effect_sentence(row(p_many=0.04), "status_quo")
    assert "Not clear with all comparisons counted: p = 0.12." in effect_sentence(row(p_many=0.12), "status_quo")
    assert "comparisons" not in effect_sentence(row(p_many=0.02), "status_quo")
    assert "comparisons" not in effect_sentence(row(at=0.001, p_many=0.9), "status_quo")


def test_a_shrunk_effect_is_told():
    """What is left after shrinkage, with its range."""
    shrunk = row(shrunk=Shrunk(effect=0.019, low=0.002, high=0.036))
    assert "After shrinkage: +1.9 % (+0.2 % to +3.6 %)." in effect_sentence(shrunk, "status_quo")
    learnt = row(shrunk=Shrunk(effect=0.019, low=0.002, high=0.036, above_zero=0.97))
    assert "Given past experiments: +1.9 % (+0.2 % to +3.6 %), above zero with a chance of 97 %." in effect_sentence(
        learnt, "status_quo"
    )


def test_sentences_stand_by_role():
    """The primary metric first, then guardrails, then diagnostics, then what only foretells."""
    rows = (row("c", proxy=True), row("d"), row("g", role="guardrail"), row("p", role="primary"))
    assert [said[0] for said in sentences(card(*rows))] == ["P", "G", "D", "C"]


def test_what_is_missing_is_said_in_both_languages():
    """No impressions in the control: reason and remedy."""
    assert "`status_quo` has no impressions" in sentences(card())[1]
    assert "`status_quo` n’a aucun « impressions »" in sentences(card(), "fr")[1]


def test_the_split_is_said_with_who_was_left_out():
    """Units per variant, and the readers seen in two of them."""
    assert split_sentence(card()) == (
        "The split is as designed: `status_quo` 4,000, `heuristic` 4,000. 3 seen in two variants, left out."
    )
    broken = replace(card(), srm=SampleRatio(p_value=0.0, log_e=9.0, alarm=True))
    assert split_sentence(broken).startswith("The split is not the designed one")
    assert split_sentence(broken, "fr").startswith("La répartition n’est pas celle prévue")


FINE = tuple(
    Check(check=name, state="fine", code=code) for name, code in (("split", "split_fine"), ("completeness", "complete"))
)
HOLDS = row("reads", role="guardrail", guardrail=Guardrail(state="holds", margin=0.02))


def test_the_answer_is_for_who_decides():
    """Effect, worth, guardrails, checks, and what follows, in a few sentences."""
    found = answer(card(row(role="primary", money=MONEY), HOLDS, checks=FINE))
    assert found.standing == "better"
    assert found.text == (
        "Articles per visit: +2.8 % (+0.4 % to +5.2 %), worth about 2,300 EUR a month (+300 to +4,200). "
        "The guardrail holds. 2 checks are fine. What to do with it: `embellie decide`."
    )


@pytest.mark.parametrize(
    ("effects", "changes", "standing", "then"),
    [
        ((row(role="primary", at=0.01),), {"planned": 10_000}, "open", "Go on: 8,000 of the 10,000 planned so far."),
        ((row(role="primary", at=0.01),), {"planned": 8_000}, "open", "The planned 8,000 are reached"),
        ((row(role="primary", at=0.01),), {}, "open", "Go on measuring."),
        ((row(role="primary", at=-0.05),), {}, "worse", "No reason to ship."),
        ((row(role="primary", p_many=0.3),), {}, "open", "Go on measuring."),
        (
            (row(role="primary"), replace(HOLDS, guardrail=Guardrail(state="open", margin=0.02))),
            {},
            "better",
            "Hold until the guardrails are clear.",
        ),
        (
            (row(role="primary"), replace(HOLDS, guardrail=Guardrail(state="harmed", margin=0.02))),
            {},
            "harmed",
            "Roll back, or find out why.",
        ),
        ((row(role="primary"),), {"srm": SampleRatio(p_value=0, log_e=9, alarm=True)}, "alarm", "Use none"),
        ((replace(MISSING, role="primary", proxy=False),), {}, "none", ""),
        ((row(proxy=True, role="primary"),), {}, "none", ""),
    ],
)
def test_the_answer_says_what_follows(effects, changes, standing, then):
    """Alarm before harm before the effect; a proxy answers nothing."""
    found = answer(card(*effects, **changes))
    assert found.standing == standing
    assert found.then.startswith(then)
    assert answer(card(*effects, **changes), "fr").standing == standing


def test_a_guardrail_that_could_not_be_computed_does_not_hold():
    """A missing figure is not a good one: it is named, and one waits."""
    missing = replace(MISSING, metric="subscribers", role="guardrail", proxy=False)
    found = answer(card(row(role="primary"), HOLDS, missing))
    assert "Not known to hold: subscribers." in found.said
    assert not any("guardrails hold" in said for said in found.said)
    assert found.then == "Hold until the guardrails are clear."


def test_an_alarm_stands_alone():
    """What forbids to use the figures is said instead of them."""
    alarm = Check(check="split_by", state="alarm", code="split_by_broken", values={"dimension": "bot", "value": "bot"})
    found = answer(card(checks=(*FINE, alarm)))
    assert "%" not in found.text
    assert found.said[0].startswith("In one part, Bots, the split is not the designed one")
    assert "Dans une partie, Robots" in answer(card(checks=(alarm,)), "fr").said[0]


def test_the_check_of_the_split_is_told_with_its_readers():
    """The counts on each side, once; who was left out is another check's."""
    told = {check.check: said for check, said in checks_told(card(checks=FINE))}
    assert told["split"] == "The split is as designed: `status_quo` 4,000, `heuristic` 4,000."


def test_check_figures_are_written_as_the_language_does():
    """Shares in per cent, counts with separators, a change with its sign; what is not known is a dash."""
    figures = {"n": 1204.0, "share": 0.034, "with": 0.0512345, "without": -0.001}
    bots = Check(check="bots", state="watch", code="bots_matter", figures=figures)
    assert check_sentence(bots).startswith("1,204 look like bots (3.4 %)")
    assert "+0.0512 instead of −0.001" in check_sentence(bots)
    assert "1\u202f204 ressemblent à des robots (3,4\u202f%)" in check_sentence(bots, "fr")
    assert "– look like bots" in check_sentence(replace(bots, figures={}))
    assert "42 look like bots" in check_sentence(replace(bots, values={"n": "42"}))


def test_one_is_not_told_as_several():
    """A single part, a single bot."""
    one = Check(check="split_by", state="fine", code="split_by_fine", figures={"parts": 1.0})
    assert "the one part" in check_sentence(one)
    assert "each of 3 parts" in check_sentence(replace(one, figures={"parts": 3.0}))


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_every_phrase_of_a_check_fills_in_the_same_values(code):
    """English and French speak of the same."""
    english, french = (set(re.findall(r"{(\w+)}", text)) for text in CHECKS[code])
    assert english == french


def codes_of(name):
    """The codes written in the measuring rooms, in calls of this name."""
    found = set()
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                given = [each.value for each in node.keywords if each.arg == "code"]
                if name == "Check" and len(node.args) > 2:
                    given.append(node.args[2])
                found |= {
                    (path.name, c.value)
                    for each in given
                    for c in ast.walk(each)
                    if isinstance(c, ast.Constant) and c.value
                }
    return found


def test_every_check_that_is_made_has_its_sentence():
    """No code of a check without a phrase."""
    assert {(file, code) for file, code in codes_of("Check") if code not in CHECKS} == set()


def test_every_reason_that_is_given_has_its_french():
    """No code of a reason without its French."""
    found = {(file, code) for file, code in codes_of("Unavailable") if code not in REASONS_FR}
    assert {code for _, code in codes_of("Unavailable")} >= {"few_units"}
    assert found == set()


def test_numbers_are_rounded_to_what_their_range_deserves():
    """Amounts to the interval's second digit; shares to two significant digits below 10 %."""
    assert amount_text(-12_345.0, 4_000.0, currency="EUR") == "−12,300 EUR"
    assert amount_text(-3.0, 4_000.0) == "0"
    assert (share_text(0.999), share_text(0.0214)) == ("100 %", "2.1 %")
    assert part_name("since", "3") == "day 3"
