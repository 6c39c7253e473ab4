"""Courses: stages lived through one after another, by hand."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embellie.frame.question_file import parse_question
from embellie.frame.units import WEEKS_PER_MONTH
from embellie.frame.valuing import Model, Stage

MONTH = WEEKS_PER_MONTH

TEXT = """horizon = "12 months"
discount = "{discount} %/year"
[scenarios.today]
benefit = "{today} EUR/month"
[scenarios.rule]
build = "500 EUR"
run = "10 EUR/month"
ready = "2 months"
benefit = "100 EUR/month"
rollback = "70 EUR"
[scenarios.model]
needs = "rule"
build = "1000 EUR"
run = "20 EUR/month"
ready = "3 months"
benefit = "300 EUR/month"
rollback = "30 EUR"
[scenarios.other]
needs = "rule"
build = "200 EUR"
ready = "1 month"
benefit = "150 EUR/month"
"""


def course(*stages, discount=0, today=40, built=(), text=TEXT, **draws):
    """Net benefit and cost of stages given as (scenario, month)."""
    model = Model(parse_question(text.format(discount=discount, today=today)))
    named = model.named({name: np.array([x]) for name, x in draws.items()})
    lived = [Stage(name, month * MONTH) for name, month in stages]
    found = model.course(named, lived, built=frozenset(built))
    return float(np.max(found.net)), float(np.max(found.cost))


def test_rule_first_and_model_later():
    """2 months of today, the rule to month 9, the model from 6 + 3; each build when its stage begins."""
    net, cost = course(("rule", 0), ("model", 6))
    assert net == pytest.approx(2 * 40 + 7 * 90 + 3 * 280 - 1500)
    assert cost == pytest.approx(1500 + 7 * 10 + 3 * 20)


def test_later_builds_are_discounted():
    """The model's 1000 is paid at month 6; flows at each month's end."""
    net, _ = course(("rule", 0), ("model", 6), discount=8, today=0)
    flows = sum(90 * 1.08 ** (-k / 12) for k in range(3, 10)) + sum(280 * 1.08 ** (-k / 12) for k in range(10, 13))
    assert net == pytest.approx(flows - 500 - 1000 * 1.08**-0.5, rel=1e-12)


def test_what_a_scenario_needs_goes_live_as_soon_as_it_is_ready():
    """Begun at once, the model is ready at 3, the rule at 2; begun after 4, both come 4 months later."""
    assert course(("model", 0))[0] == pytest.approx(2 * 40 + 1 * 90 + 9 * 280 - 1500)
    assert course(("model", 4))[0] == pytest.approx(6 * 40 + 1 * 90 + 5 * 280 - 1500)


def test_going_back_to_the_baseline_is_at_once_and_costs_the_rollback():
    """The rule is live from 2 to 7."""
    assert course(("rule", 0), ("today", 7))[0] == pytest.approx(7 * 40 + 5 * 90 - 500 - 70)


def test_going_back_to_what_it_was_built_on_costs_only_the_rollback_of_what_is_left():
    """The model is live from 5 to 8, then the rule again, without a wait."""
    net, _ = course(("rule", 0), ("model", 2), ("rule", 8))
    assert net == pytest.approx(2 * 40 + 3 * 90 + 3 * 280 + 4 * 90 - 1500 - 30)


def test_going_back_all_the_way_takes_everything_back():
    """Model and rule, both live by then."""
    net, cost = course(("model", 0), ("today", 8), discount=8, today=0)
    flows = 90 * 1.08 ** (-3 / 12) + sum(280 * 1.08 ** (-k / 12) for k in range(4, 9))
    assert net == pytest.approx(flows - 1500 - 100 * 1.08 ** (-8 / 12), rel=1e-12)
    assert cost > 1500 + 90


def test_what_is_not_live_yet_is_not_rolled_back():
    """Stopped after a month, the rule is paid for and never seen."""
    assert course(("rule", 0), ("today", 1))[0] == pytest.approx(12 * 40 - 500)


def test_what_was_built_goes_live_at_once_the_second_time():
    """The rule is live 2 to 4 and again 6 to 12: it is not built again, nor waited for."""
    net, _ = course(("rule", 0), ("today", 4), ("rule", 6))
    assert net == pytest.approx(2 * 40 + 2 * 90 + 2 * 40 + 6 * 90 - 500 - 70)


def test_until_it_is_ready_what_went_before_goes_on():
    """The model stays live to 9 while another one is built on the same rule; nothing falls back to the rule."""
    net, _ = course(("model", 0), ("other", 8))
    assert net == pytest.approx(2 * 40 + 1 * 90 + 6 * 280 + 3 * 150 - 1700)


def test_what_stands_ready_is_not_paid_and_goes_live_at_once():
    """With the rule built for a study: the rule from 5, the model from 8; its own build alone is paid."""
    assert course(("model", 5), built=["rule"])[0] == pytest.approx(5 * 40 + 3 * 90 + 4 * 280 - 1000)
    assert course(("rule", 5), built=["rule"])[0] == pytest.approx(5 * 40 + 7 * 90)


def test_a_scenario_said_to_be_built_costs_no_build_and_is_ready():
    """In the question itself, also where it is what others need."""
    text = TEXT.replace("[scenarios.rule]", "[scenarios.rule]\nbuilt = true")
    assert course(("rule", 0), text=text) == pytest.approx((12 * 90.0, 120.0))
    assert course(("model", 2), text=text)[0] == pytest.approx(2 * 40 + 3 * 90 + 7 * 280 - 1000)


def test_a_built_baseline_goes_on_from_today():
    """What stands needs no building, whatever its build once was."""
    text = TEXT.replace("[scenarios.today]", '[scenarios.today]\nbuilt = true\nbuild = "9k EUR"\nready = "5 months"')
    assert course(("rule", 0), text=text)[0] == pytest.approx(2 * 40 + 10 * 90 - 500)


def test_working_on_the_same_scenario_again_changes_nothing():
    """Nor does staying with the baseline."""
    assert course(("rule", 0), ("rule", 5)) == course(("rule", 0))
    assert course(("today", 0), ("today", 3), discount=7) == course(("today", 0), discount=7)


def test_stages_end_at_the_horizon():
    """Only the build of what begins too late is left of it."""
    assert course(("rule", 0), ("model", 11))[0] == pytest.approx(2 * 40 + 10 * 90 - 1500)


def test_a_lump_counts_where_it_is_the_last():
    """Its value and its build have no time; flows lived through before it count, and after it none but what comes next."""
    text = TEXT + '[scenarios.sale]\nvalue = "5000 EUR"\nbuild = "1000 EUR"\n'
    assert course(("sale", 3), text=text, discount=8) == pytest.approx((4000.0, 1000.0))
    assert course(("rule", 0), ("sale", 6), text=text)[0] == pytest.approx(2 * 40 + 4 * 90 - 500 + 4000)
    assert course(("sale", 0), ("rule", 0), text=text)[0] == pytest.approx(10 * 90 - 500 - 1000)


AGED = """horizon = "12 months"
[scenarios.today]
benefit = "0 EUR/month"
[scenarios.rule]
benefit = "100 EUR/month"
{more}
"""


def test_a_benefit_grows_linearly_over_its_ramp():
    """Four months to the whole: half of them is lost; costs do not wait."""
    text = AGED.format(more='ramp = "4 months"\nrun = "10 EUR/month"')
    assert course(("rule", 0), text=text)[0] == pytest.approx(100 * (12 - 2) - 120)
    assert course(("rule", 9), text=text)[0] == pytest.approx(100 * 3 * (3 / 4) / 2 - 30)


def test_a_benefit_fades_by_its_obsolescence():
    """∫ 100 · 0.8^t dt over a year, a bare share meaning a year too."""
    expected = 12 * 100 * (1 - 0.8) / -np.log(0.8)
    for written in ('"20 %/year"', '"2 % + 18 %"'):
        found = course(("rule", 0), text=AGED.format(more=f"obsolescence = {written}"))[0]
        assert found == pytest.approx(expected, rel=1e-12)


def test_growth_and_fading_are_counted_from_first_going_live():
    """Taken back and put live again, it is as old as it is."""
    text = AGED.format(more='ramp = "6 months"')
    net, _ = course(("rule", 0), ("today", 3), ("rule", 6), text=text)
    assert net == pytest.approx(100 * (3 * 0.25 + 6))


def test_what_never_went_live_has_not_aged():
    """Stopped before it was ready, it grows from the day it does go live."""
    text = AGED.format(more='ramp = "6 months"\nready = "2 months"')
    net, _ = course(("rule", 0), ("today", 1), ("rule", 6), text=text)
    assert net == pytest.approx(100 * 6 * 0.5)


def test_a_wait_that_differs_by_draw_is_followed_in_each():
    """Ready in 1 or in 5 months, and the next stage begins at 3."""
    text = TEXT.replace('ready = "2 months"', 'ready = "wait"') + '[unknowns]\nwait = "1 to 5 month"\n'
    model = Model(parse_question(text.format(discount=0, today=40)))
    named = model.named({"wait": np.array([1.0, 5.0])})
    net = model.course(named, [Stage("rule", 0.0), Stage("today", 3 * MONTH)]).net
    assert net == pytest.approx([10 * 40 + 2 * 90 - 500 - 70, 12 * 40 - 500])
    net = model.course(named, [Stage("rule", 0.0), Stage("model", 3 * MONTH)]).net
    assert net == pytest.approx([40 + 5 * 90 + 6 * 280 - 1500, 5 * 40 + 90 + 6 * 280 - 1500])


@given(delay=st.floats(0.0, 90.0), scenario=st.sampled_from(["today", "rule", "model", "other"]))
def test_one_stage_is_worth_what_the_scenario_is(delay, scenario):
    """Begun at any week."""
    model = Model(parse_question(TEXT.format(discount=8, today=40)))
    named = model.named({})
    assert model.course(named, [Stage(scenario, delay)]) == model.worth(named, scenario, delay=delay)


FLOWS = {"today": (40, 0, 0, 0), "rule": (90, 500, 2, 70), "model": (280, 1000, 3, 30), "other": (150, 200, 1, 0)}
NEEDS = {"today": ["today"], "rule": ["rule"], "model": ["rule", "model"], "other": ["rule", "other"]}


def lived_month_by_month(stages):
    """The same rules walked in steps of a quarter of a month, without discount: what is live, and what is on its way."""
    ready, begun, lived, coming, now, live, net = {"today": 0.0}, {"today"}, set(), [], "today", "today", 0.0
    for step in range(48):
        month = step / 4
        for name, begins in stages:
            if begins != month or name == now:
                continue
            if name == "today" or name in NEEDS[now]:
                net -= sum(FLOWS[part][3] for part in NEEDS[now] if part not in NEEDS[name] and part in lived)
            at = month
            for part in NEEDS[name]:
                if part not in ready:
                    net -= FLOWS[part][1]
                    ready[part] = month + FLOWS[part][2]
                at = max(at, ready[part])
                if part == name or part not in begun:
                    coming.append((part, at))
                begun.add(part)
            now = name
        due = [place for place, (_, at) in enumerate(coming) if at <= month]
        if due:
            live = coming[due[-1]][0]
            lived |= {coming[place][0] for place in due}
            coming = coming[due[-1] + 1 :]
        net += FLOWS[live][0] / 4
    return net


@example(names=["rule", "today", "model", "today"], quarters=[0, 1, 2, 9])  # called off before it was ready
@example(names=["today", "other", "today"], quarters=[0, 1, 10, 11])  # live beneath what was built on it
@given(
    names=st.lists(st.sampled_from(list(FLOWS)), min_size=1, max_size=4),
    quarters=st.lists(st.integers(0, 40), min_size=4, max_size=4, unique=True).map(sorted),
)
def test_any_course_is_worth_what_living_through_it_brings(names, quarters):
    """Whatever the order of stages and however soon one follows another."""
    stages = [(name, quarter / 4) for name, quarter in zip(names, quarters, strict=False)]
    assert course(*stages)[0] == pytest.approx(lived_month_by_month(stages))
