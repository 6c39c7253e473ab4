"""Cash flows: what a scenario is worth, by hand."""

import numpy as np
import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.question_file import parse_question
from embellie.frame.units import WEEKS_PER_MONTH
from embellie.frame.valuing import Model, value


def worth(text, scenario, *, delay=0.0, **draws):
    model = Model(parse_question(text))
    found = value({name: np.array([x]) for name, x in draws.items()}, scenario, model=model, delay=delay)
    return float(np.max(found.net)), float(np.max(found.cost))


FLOWS = """horizon = "12 months"
discount = "{discount} %/year"
[scenarios.today]
benefit = "{today} EUR/month"
[scenarios.rule]
build = "500 EUR"
run = "10 EUR/month"
ready = "2 months"
benefit = "100 EUR/month"
[scenarios.model]
needs = "rule"
build = "1000 EUR"
run = "20 EUR/month"
ready = "6 months"
benefit = "300 EUR/month"
"""


def test_flows_begin_when_ready_and_builds_are_paid_at_the_start():
    """Ten months of 100 less 10, less 500."""
    assert worth(FLOWS.format(discount=0, today=0), "rule") == pytest.approx((400.0, 600.0))


def test_until_ready_things_go_on_as_today():
    """Two months of today's 40 come before."""
    assert worth(FLOWS.format(discount=0, today=40), "rule")[0] == pytest.approx(480.0)


def test_a_scenario_takes_over_from_the_one_it_needs():
    """Two months of today, four of the rule, six of the model; both builds, each once."""
    net, cost = worth(FLOWS.format(discount=0, today=40), "model")
    assert net == pytest.approx(2 * 40 + 4 * 90 + 6 * 280 - 1500)
    assert cost == pytest.approx(1500 + 4 * 10 + 6 * 20)


def test_flows_are_discounted_at_the_end_of_each_month():
    """PV = Σ c (1+r)^(-k/12)."""
    expected = sum(90 * 1.08 ** (-k / 12) for k in range(3, 13)) - 500
    assert worth(FLOWS.format(discount=8, today=0), "rule")[0] == pytest.approx(expected)


def test_a_delay_shortens_what_is_left():
    """Begun three months later, the end of the horizon stays."""
    net, _ = worth(FLOWS.format(discount=0, today=40), "rule", delay=3 * WEEKS_PER_MONTH)
    assert net == pytest.approx(5 * 40 + 7 * 90 - 500)


def test_what_is_ready_after_the_horizon_brings_nothing():
    """Only its build is paid."""
    text = FLOWS.format(discount=0, today=0).replace('ready = "2 months"', 'ready = "20 months"')
    assert worth(text, "rule") == pytest.approx((-500.0, 500.0))


def test_one_name_is_one_quantity():
    """X - x is 0 in every draw."""
    text = '[unknowns]\nx = "normal(0, 1)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "x - x"\n'
    assert worth(text, "b", x=3.0) == (0.0, 0.0)


def test_a_lump_value_is_taken_as_it_is():
    """No time, no discount, no cost."""
    text = (
        'discount = "50 %/year"\n[unknowns]\nx = "normal(0, 1)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "x"\n'
    )
    assert worth(text, "b", x=3.0) == (3.0, 0.0)


BARE = '[unknowns]\nlift = "1 % to 3 %"\n[scenarios.a]\nbenefit = "0"\n[scenarios.b]\nbenefit = "{benefit}"\n'


def test_a_benefit_without_a_unit_is_taken_as_money_a_month_and_said():
    """A share given as a benefit would otherwise pass for cents without a word; a plain 0 needs none."""
    (note,) = Model(parse_question(BARE.format(benefit="lift"))).notes
    assert note == "`benefit` of `b` has no unit: `lift` is taken as EUR/month."
    assert Model(parse_question(BARE.format(benefit="12"))).notes == []


def test_a_wrong_unit_names_the_unit_of_each_name():
    """So that the one that lacks its unit is seen at once."""
    text = '[quantities]\nvisits = "6M"\n' + BARE.format(benefit="lift * visits * 2 EUR")
    with pytest.raises(QuestionError) as error:
        parse_question(text)
    assert error.value.hint == (
        "Check the units of the names it uses: `lift` is a pure number, `visits` is a pure number."
    )


def test_a_study_that_measures_nothing_is_told_so():
    """Not that the unknown `` does not exist."""
    with pytest.raises(QuestionError, match="Study `ab` does not say what it measures"):
        parse_question(BARE.format(benefit="1") + "[studies.ab]\nse = 0.01\n")
