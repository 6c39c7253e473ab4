"""Tipping points against closed forms: options {0, u X - c} and cash flows affine in one unknown."""

import numpy as np
import pytest
from scipy import stats

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import take_sample
from embellie.app.answers.tipping_points import curves, tipping, tornado
from embellie.app.deciding import parse_question
from embellie.domain.verdict import Figure, Spread, UnknownValue
from embellie.frame.units import WEEKS_PER_YEAR
from embellie.frame.valuing import Model
from embellie.stats.distributions import Z95


def conditional(text, *, draws=1024):
    return Conditional(take_sample(parse_question(text), draws=draws, seed=3))


def known(name, value=1.0, error=0.0, floor=0.0):
    five = Spread(mean=0.0, p05=0.0, p50=0.0, p95=0.0)
    worth = Figure(value=value, error=error)
    return UnknownValue(name=name, kind="", ask="", open=True, prior=five, posterior=five, evppi=worth, floor=floor)


LOGNORMAL = """[unknowns]
x = "5 % to 20 %"
y = "normal(0, 2)"
[scenarios.nothing]
value = 0
[scenarios.it]
value = "1M EUR * x - 120k EUR + 1000 EUR * y"
"""


def test_a_choice_tips_where_the_gain_pays_the_cost():
    """{0, u X - c}: at c / u, with the chance of the log-normal above it."""
    text = LOGNORMAL.replace('"5 % to 20 %"', '"lognormal(5 %, 20 %)"')
    (point,) = [point for point in tipping(conditional(text)) if point.unknown == "x"]
    assert (point.below, point.above) == ("nothing", "it")
    assert point.value == pytest.approx(0.12, rel=1e-9)
    sd = np.log(4) / (2 * Z95)
    assert point.chance_above == pytest.approx(stats.norm.sf((np.log(0.12) - np.log(0.1)) / sd), abs=1e-4)


def test_three_options_tip_twice():
    """C4, {0, -1 + 2x, -4 + 3x} with x ~ N(1, 1): at 1/2 and at 3."""
    text = '[unknowns]\nx = "normal(1, 1)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "2 * x - 1"\n'
    found = tipping(conditional(text + '[scenarios.c]\nvalue = "3 * x - 4"\n'))
    assert [(point.below, point.above) for point in found] == [("a", "b"), ("b", "c")]
    assert [point.value for point in found] == pytest.approx([0.5, 3.0], rel=1e-9)
    assert [point.chance_above for point in found] == pytest.approx(stats.norm.sf([-0.5, 2.0]), abs=1e-5)


FLOWS = """horizon = "24 months"
discount = "8 %/year"
[unknowns]
lift = "-1 % to 5 %"
ready = "1 to 5 months"
[scenarios.today]
benefit = "0 EUR/month"
[scenarios.rule]
build = "20k EUR"
run = "500 EUR/month"
ready = "3 months"
benefit = "{benefit}"
"""


def test_cash_flows_tip_where_discounted_gains_pay_build_and_running():
    """lift* = (build / PV(1 a month) + run) / gain a month per unit of lift."""
    found = tipping(conditional(FLOWS.format(benefit="100k EUR/month * lift")))
    model = Model(parse_question(FLOWS.format(benefit="100k EUR/month * lift")))
    months = float(model.tail(3 * WEEKS_PER_YEAR / 12)) * 12 / WEEKS_PER_YEAR
    assert [point.value for point in found] == [pytest.approx((20e3 / months + 500) / 100e3, rel=1e-9)]


def test_what_cannot_change_the_choice_has_no_tipping_point():
    """A certain winner, and an unknown that is part of no formula."""
    assert tipping(conditional(FLOWS.format(benefit="100k EUR/month * (lift + 100 %)"))) == ()
    assert {point.unknown for point in tipping(conditional(FLOWS.format(benefit="100k EUR/month * lift")))} == {"lift"}


def test_a_tie_on_the_draws_is_no_tipping_point_of_what_matters_nothing():
    """Two options of equal mean; y moves both alike."""
    text = (
        '[unknowns]\nx = "normal(0, 1)"\ny = "normal(0, 1)"\n[scenarios.a]\nvalue = "y"\n'
        '[scenarios.b]\nvalue = "x ** 3 + y"\n'
    )
    assert {point.unknown for point in tipping(conditional(text))} == {"x"}


def test_states_tip_between_two_of_them():
    """From dry to wet: the chance above is that of the states above."""
    text = (
        '[unknowns]\nstate = "discrete(0: 50 %, 1: 30 %, 2: 20 %)"\n[scenarios.no]\nvalue = 0\n'
        '[scenarios.drill]\nvalue = "-70 if state < 0.5 else (50 if state < 1.5 else 200)"\n'
    )
    held = conditional(text)
    (point,) = tipping(held)
    assert 0 < point.value < 1
    assert point.chance_above == pytest.approx(0.5)
    (curve,) = curves(held, [known("state")])
    assert curve.values == (0.0, 1.0, 2.0)
    assert curve.net_benefit["drill"] == pytest.approx((-70, 50, 200))
    (swing,) = tornado(held)
    assert (swing.at_p05, swing.at_p95) == pytest.approx((-70, 200))


def test_curves_are_drawn_over_the_central_99_percent():
    """Rising, with the chance below each; only of what could change the choice."""
    held = conditional(LOGNORMAL.replace('"5 % to 20 %"', '"lognormal(5 %, 20 %)"'))
    (curve,) = curves(held, [known("x", value=0.0), known("y", value=1.0, floor=2.0)])
    assert curve.unknown == "x"  # for its tipping point
    assert 50 <= len(curve.values) <= 61
    assert list(curve.values) == sorted(set(curve.values))
    assert curve.chances[0] == pytest.approx(0.005, abs=5e-4)
    assert curve.chances[-1] == pytest.approx(0.995, abs=5e-4)
    assert curve.net_benefit["it"] == pytest.approx([1e6 * x - 120e3 for x in curve.values], rel=1e-6, abs=1.0)
    assert curves(held, [known("y", value=10.0, error=1.0, floor=2.0)])[0].unknown == "y"


def test_swings_are_leads_at_the_ends_widest_first():
    """X of sd 2 against Y of sd 1: (mean ± 1.645 sd) less the other's mean, all else as believed."""
    text = (
        '[unknowns]\nx = "normal(3, 2)"\ny = "normal(1, 1)"\nz = "normal(0, 1)"\n[scenarios.a]\nvalue = "y"\n'
        '[scenarios.b]\nvalue = "x + 0 * z"\n[scenarios.c]\nvalue = "-50 + z"\n'
    )
    wide, *others = tornado(conditional(text))
    narrow = next(swing for swing in others if swing.unknown == "y")
    assert [swing.rival for swing in others if swing.unknown == "z"] == ["c"]  # all it moves, far behind as it is
    assert (wide.unknown, wide.best, wide.rival) == ("x", "b", "a")
    assert (wide.at_p05, wide.at_p95) == pytest.approx((2 - 2 * Z95, 2 + 2 * Z95), rel=1e-9)
    assert (narrow.at_p05, narrow.at_p95) == pytest.approx((2 + Z95, 2 - Z95), rel=1e-9)


def test_names_asked_for_are_told_in_their_order():
    """As the page ranks them."""
    text = (
        '[unknowns]\nx = "normal(0, 1)"\ny = "normal(0, 1)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "x + y"\n'
    )
    held = conditional(text)
    assert [point.unknown for point in tipping(held, ["y", "x"])] == ["y", "x"]
    assert [point.unknown for point in tipping(held, ["y"])] == ["y"]
