"""The question that `embellie init` writes: what it advises, and how its plan changes when the question does."""

from functools import cache
from pathlib import Path

import pytest

import embellie.app
from embellie.app.deciding import decide, read_question

QUESTION = Path(embellie.app.__file__).parent / "templates" / "question.toml"


@cache
def question():
    return read_question(QUESTION)


@cache
def answer(case=""):
    """The whole answer, as it is or in one of its cases."""
    asked = question().cases[case].question if case else question()
    return decide(asked, draws=4096, whole=True)


def steps(step):
    yield step
    for branch in step.branches:
        yield from steps(branch.then)


def test_it_is_short_enough_to_be_read_and_says_where_its_ranges_come_from():
    """A product lead reads it first: some 130 lines, a source for each range."""
    assert len(QUESTION.read_text(encoding="utf-8").splitlines()) <= 130
    own = [unknown for name, unknown in question().unknowns.items() if "." not in name]
    assert all(unknown.source and unknown.ask for unknown in own)
    assert question().warnings == answer().warnings == ()


def test_it_puts_the_simple_rule_in_production_and_tests_it():
    """Cheap to build, and readers may like it: it earns while it is tested, and is taken back if they do not."""
    verdict = answer()
    first = verdict.plan.first
    assert (verdict.verdict, first.live, first.starts, first.study) == ("learn_more", "heuristic", True, "ab_heuristic")
    assert verdict.next.release == "heuristic"
    assert first.branches[0].then.live == "status_quo"
    assert first.branches[-1].then.live == "heuristic"
    assert "ml" not in {step.live for step in steps(first)}


def test_a_costly_rule_is_not_built_before_something_cheaper_was_tried():
    """Links by hand first; the rule only if they do well."""
    first = answer("costly_rule").plan.first
    assert (first.live, first.starts, first.study) == ("status_quo", False, "by_hand")
    assert first.branches[0].then.live == "status_quo"
    assert first.branches[-1].then.live == "heuristic"


def test_what_is_known_is_not_asked():
    """Readers' interest known: ship the rule, and ask nothing more."""
    verdict = answer("interest_known")
    assert (verdict.verdict, verdict.best) == ("ship", "heuristic")
    assert (verdict.plan.first.live, verdict.plan.first.study) == ("heuristic", "")


def test_fat_tails_make_the_model_worth_a_look():
    """When a model may surprise, past clicks are replayed with it, and it is built when they promise enough."""
    first = answer("surprising_model").plan.first
    assert {"replay_ml"} <= {step.study for step in steps(first)}
    assert "ml" in {step.live for step in steps(first)}


@pytest.mark.parametrize("case", ["", "costly_rule", "interest_known", "surprising_model", "long_crisis"])
def test_a_plan_is_worth_no_less_than_acting_at_once(case):
    """Nor more than knowing everything."""
    verdict = answer(case)
    assert -verdict.plan.gain.error <= verdict.plan.gain.value <= verdict.evpi.value + verdict.plan.gain.error
