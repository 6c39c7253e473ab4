"""Cases: the same question with some of its texts set otherwise, each a whole question."""

import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.question_file import parse_question

BASE = """\
question = "Ship it?"
[quantities]
visits = "4M visit/month"
[unknowns]
revenue = { range = "0.006 to 0.011 EUR/visit", ask = "Worth?", kind = "business" }
lift = { range = "-1 % to 3 %", tails = "fat" }
k = "0.3 to 0.9"
[correlations]
"lift ~ revenue" = 0.3
[formulas]
base = "visits * revenue"
[scenarios.nothing]
benefit = "0 EUR/month"
[scenarios.act]
build = "8k to 20k EUR"
benefit = "base * lift"
[studies.ab]
measures = "lift"
transfer = "k"
se = 0.01
[studies.finance]
kind = "measurement"
measures = "revenue"
se = 0.001
[groups]
money = ["revenue"]
[cases.other]
"""


def case(text):
    return parse_question(BASE + text).cases["other"]


def test_a_case_sets_an_unknown_to_another_range_and_keeps_its_question():
    """Who asks, what kind it is and its fat tails stay; a unit left out is the one of the range it replaces."""
    found = case('revenue = "0.02 to 0.03"\nlift = "0 % to 1 %"')
    assert found.sets == {"revenue": "0.02 to 0.03", "lift": "0 % to 1 %"}
    revenue, lift = found.question.unknowns["revenue"], found.question.unknowns["lift"]
    assert (revenue.prior.parameters, revenue.label) == ((0.02, 0.03), "EUR/visit")
    assert (revenue.ask, revenue.kind) == ("Worth?", "business")
    assert lift.prior.family == "t"


def test_the_unit_left_out_goes_before_the_family():
    """`(uniform)` stays at the end."""
    assert case('revenue = "0.02 to 0.03 (uniform)"').question.unknowns["revenue"].prior.family == "uniform"


def test_an_unknown_set_to_one_value_is_known():
    """It becomes a quantity; its correlations, its groups and the studies of it fall away."""
    question = case('revenue = "0.02"').question
    assert question.quantities["revenue"] == "0.02 EUR/visit"
    assert "revenue" not in question.unknowns
    assert (question.correlations, question.groups, list(question.studies)) == ({}, {}, ["ab"])


def test_a_case_sets_quantities_formulas_and_what_is_whole():
    """One value or a range for a quantity, another formula, another horizon and discount."""
    found = case('visits = "3M to 5M"\nbase = "visits * revenue / 2"\nhorizon = "12 months"\ndiscount = 0.05')
    assert found.question.unknowns["visits"].label == "visit/month"
    assert found.question.quantities == {}
    assert found.question.formulas["base"] == "visits * revenue / 2"
    assert (found.question.horizon_weeks, found.question.discount) == (pytest.approx(52.1775), 0.05)


@pytest.mark.parametrize(
    "written",
    [
        'scenarios.act.build = "3k EUR"',
        '"scenarios.act.build" = "3k EUR"',
        'act.build = "3k EUR"',
        '[cases.other.scenarios.act]\nbuild = "3k EUR"',
    ],
)
def test_a_field_of_a_scenario_is_set_by_dotted_name(written):
    """However the dots are written; the unknown its range had made is gone."""
    question = case(written).question
    assert question.scenarios["act"].build == "3k EUR"
    assert "act.build" not in question.unknowns


def test_a_case_may_have_it_built_and_with_thinner_tails():
    """Flags and the keys of an unknown can be set too, and a number of a study."""
    question = case('scenarios.act.built = true\nlift.tails = "normal"\nstudies.ab.se = 0.02').question
    assert question.scenarios["act"].built
    assert question.unknowns["lift"].prior.family == "normal"
    assert question.studies["ab"].se == 0.02


def test_a_case_has_no_cases_and_leaves_the_question_as_it_was():
    """Each is whole, and the question itself is what it would be without them."""
    with_case, without = parse_question(BASE + 'lift = "1 %"'), parse_question(BASE.replace("[cases.other]\n", ""))
    assert with_case.cases["other"].question.cases == {}
    assert with_case.unknowns == without.unknowns


@pytest.mark.parametrize(
    ("written", "says", "hint"),
    [
        ('lft = "1 %"', "Unknown name to set in a case `lft`", "Did you mean `lift`"),
        ('lift = "3 % to 1 %"', "do not rise", "low end first"),
        ('lift = "1,234"', "two ways", "Write 1234"),
        ('revenue = "0.02 EUR/article"', "this case sets it in EUR/article", "Write it in EUR/visit"),
        ('revenue = "2 to 3 week"', "this case sets it in week", "Write it in EUR/visit"),
        ('k = "0.5"', "`ab` is transferred by", "narrow range"),
        ('scenarios.atc.build = "1 EUR"', "Unknown scenario `atc`", "Did you mean `act`"),
        ('scenarios.act.biuld = "1 EUR"', "Unknown key of a scenario `biuld`", "Did you mean `build`"),
        ("studies.abc.se = 1", "Unknown study `abc`", "Did you mean `ab`"),
        ('base = "visits * revenu"', "Unknown name `revenu`", "Did you mean `revenue`"),
        ('base = "visits + revenue"', "adds", "same unit"),
        ('currency = "USD"', "Unknown name to set in a case `currency`", "Available"),
        ("lift = [1, 2]", "must be a text or a number", "between quotes"),
        ("lift = true", "Unknown name to set in a case `lift`", "Available"),
        ('horizon = "12"', "no duration", "24 months"),
        ('lift.tail = "fat"', "Unknown name to set in a case `lift.tail`", "Available"),
        ('scenarios.act.built = "yes"', "`scenarios.act.built` is `yes`", "without quotes"),
    ],
)
def test_a_wrong_case_says_which_line_of_the_case(written, says, hint):
    """The line is the one in the case, not the one it sets."""
    with pytest.raises(QuestionError) as error:
        case(written)
    assert error.value.at == f"question.toml:{len(BASE.splitlines()) + 1}"
    assert says in error.value.message
    assert hint in error.value.hint


def test_a_case_that_sets_nothing_is_refused():
    """It would be the question again."""
    with pytest.raises(QuestionError, match="sets nothing"):
        case("")


def test_too_many_cases_are_refused():
    """Each is a whole question."""
    with pytest.raises(QuestionError, match="At most 20 cases"):
        parse_question(BASE + 'lift = "1 %"' + "".join(f'\n[cases.c{at}]\nlift = "1 %"' for at in range(21)))
