"""The verdict: its rule, its words, its bytes."""

import json

import pytest

from embellie.app.deciding import decide, frame_document, parse_question, verdict_document
from embellie.domain.errors import InputError, QuestionError

STUDY = '[studies.s]\nkind = "measurement"\nmeasures = "x"\nse = 0.1\ncost = "{cost} EUR"'


@pytest.mark.parametrize(
    ("unknown", "more", "expected"),
    [
        ("normal(0, 1)", "", "learn_more"),
        ("normal(5, 1)", "", "ship"),
        ("normal(-5, 1)", "", "stop"),
        ("normal(0.2, 1)", STUDY.format(cost=0.01), "learn_more"),
        ("normal(0.2, 1)", STUDY.format(cost=9), "ship"),
        ("normal(-0.2, 1)", STUDY.format(cost=9), "hold"),
        ("normal(-9, 1)", STUDY.format(cost=9), "stop"),
    ],
)
def test_the_rule(answer, unknown, more, expected):
    """Learn while it pays; else ship the best, stop when the rest is clearly worse, hold when it cannot be told."""
    assert answer(f'x = "{unknown}"', "x", more).verdict == expected


def test_the_words_name_the_question_and_the_money(answer):
    """In English and in French: what to ask, what it is worth."""
    verdict = answer('x = { range = "normal(0, 1000)", ask = "Do readers care?" }', "x", STUDY.format(cost=50))
    because = verdict.next.because
    assert "Do readers care?" in because["en"]
    assert "349 EUR net of its cost of 50 EUR" in because["en"]
    assert because["fr"].startswith("Apprenez d'abord")
    assert all(text.count(". ") <= 2 for text in because.values())


def test_same_question_same_bytes(answer):
    """Twice the same document, to the last byte."""
    one, two = (json.dumps(verdict_document(answer('x = "-1 to 3"', "x"))) for _ in range(2))
    assert one == two


def test_the_document_is_as_promised(answer):
    """Its keys, its order, and no number where there is none."""
    verdict = answer('x = "normal(0, 1)"\ny = "normal(0, 2)"', "x + y", STUDY.format(cost=0.01))
    document = verdict_document(verdict)
    assert document["schema"] == "embellie/verdict/1"
    assert [unknown["name"] for unknown in document["unknowns"]] == ["y", "x"]
    assert set(document["scenarios"]["act"]) == {
        "net_benefit", "cost", "roi", "p_best", "p_loss", "expected_loss", "open_questions", "quantiles",
    }  # fmt: skip
    assert set(document["scenarios"]["nothing"]["roi"]) == {"unavailable", "remedy"}
    assert "groups" not in document
    assert sum(s["p_best"] for s in document["scenarios"].values()) == pytest.approx(1.0)
    assert document["next"]["action"] == document["verdict"]
    json.dumps(document, allow_nan=False)


def test_ties_share_the_first_place(answer):
    """Two scenarios that are always equal are each best half of the time."""
    verdict = answer('x = "normal(0, 1)"', "0 * x")
    assert [value.p_best for value in verdict.scenarios] == [0.5, 0.5]
    assert verdict.evpi.value == 0.0


def test_an_unknown_that_changes_no_choice_is_not_open(answer):
    """However uncertain it is."""
    found = {u.name: u for u in answer('x = "normal(9, 1)"\ny = "normal(0, 1)"', "x + 0.001 * y").unknowns}
    assert not found["x"].open
    assert not found["y"].open


def test_a_question_too_dear_to_ask_is_not_open(answer):
    """Its answer is worth less than the cheapest study of it."""
    assert answer('x = "normal(0, 1)"', "x").unknowns[0].open
    assert not answer('x = "normal(0, 1)"', "x", STUDY.format(cost=2)).unknowns[0].open


@pytest.mark.parametrize("draws", [100, 32, 2**23])
def test_draws_are_a_power_of_two(answer, draws):
    """Sobol points lose their balance otherwise."""
    with pytest.raises(InputError, match="power of two"):
        answer('x = "normal(0, 1)"', "x", draws=draws)


@pytest.mark.parametrize(
    "study",
    ['kind = "measurement"', 'kind = "count"', 'kind = "survey"\nsd = 1', 'kind = "experiment"\nweeks = 2\nsd = 1'],
)
def test_a_study_must_say_how_precise_it_is(answer, study):
    """Or no value can be put on it; the message says what to write."""
    with pytest.raises(QuestionError, match="Write"):
        answer('x = "normal(0, 1)"', "x", f'[studies.s]\nmeasures = "x"\n{study}')


def test_a_formula_without_a_finite_value_is_told(answer):
    """Where it stands and in how many of the draws."""
    with pytest.raises(QuestionError, match="no finite value in 50"):
        answer('x = "normal(0, 1)"', "sqrt(x)")


def test_the_frame_document_echoes_what_was_understood():
    """Family, mean, median and the chance of being negative, for each unknown."""
    question = parse_question('[unknowns]\nx="0 % to 3 %"\n[scenarios.a]\nvalue=0\n[scenarios.b]\nvalue="x"')
    document = frame_document(question, decide(question))
    assert document["schema"] == "embellie/frame/1"
    assert document["unknowns"][0]["family"] == "normal"
    assert document["unknowns"][0]["p_negative"] == pytest.approx(0.05, abs=1e-6)


def test_a_question_of_many_unknowns_is_answered():
    """Sixty unknowns, none of them special."""
    names = [f"x{number}" for number in range(60)]
    unknowns = "\n".join(f'{name} = "normal(0, 1)"' for name in names)
    sums = "\n".join(f's{k} = "{" + ".join(names[20 * k : 20 * k + 20])}"' for k in range(3))
    text = f'[unknowns]\n{unknowns}\n[formulas]\n{sums}\n[scenarios.a]\nvalue=0\n[scenarios.b]\nvalue="s0 + s1 + s2"'
    verdict = decide(parse_question(text))
    assert verdict.evpi.value == pytest.approx(0.3989422804 * 60**0.5, rel=0.005)
