"""Conditional curves."""

import numpy as np
import pytest
from scipy import stats

from embellie.app.conditional import Conditional
from embellie.app.deciding import parse_question
from embellie.app.drawn import take_sample
from embellie.decide.preposterior import RANKS, Noise, evsi

LUMP = """
[unknowns]
p = "normal(1, 1)"
q = "normal(0, 2)"
[scenarios.nothing]
value = "0"
[scenarios.act]
value = "p - q"
[scenarios.late]
value = "2 * p - 3"
"""

MONTHLY = """
horizon = "104 weeks"
[unknowns]
gain = "normal(0.01, 0.02)"
cost = "5k to 20k EUR"
[scenarios.status_quo]
benefit = "0 EUR/week"
[scenarios.treat]
build = "cost"
benefit = "20000 EUR/week * gain"
"""


def conditional(text, **options):
    return Conditional(take_sample(parse_question(text), **options))


def test_net_is_what_each_scenario_is_worth_were_the_unknown_known():
    """0, p and 2p - 3, at every rank of p."""
    found = conditional(LUMP)
    p = found.values("p")
    assert found.net("p") == pytest.approx(np.stack([0 * p, p, 2 * p - 3]), abs=0.05)


def test_what_begins_later_is_worth_less_time():
    """A gain of x a week over the weeks that are left."""
    found = conditional(MONTHLY)
    gain = found.values("gain")
    cost = -found.net("gain")[1][150] + 20_000 * 104 * gain[150]
    assert found.net("gain", 52.0)[1] == pytest.approx(20_000 * 52 * gain - cost, abs=500)
    assert found.subject("gain", weeks=52.0) is not None


def test_a_subject_holds_the_differences_to_the_first_scenario():
    """For all draws and for each scramble."""
    found = conditional(LUMP)
    subject = found.subject("q")
    assert subject.conditional.shape == (9, 2, len(RANKS))
    assert subject.conditional[0] == pytest.approx(found.net("q")[1:] - found.net("q")[:1])


def test_an_expression_is_met_as_an_unknown_is():
    """A study of p - q itself, sd √5, is worth as much as the formula says."""
    found = conditional(LUMP.replace('[scenarios.late]\nvalue = "2 * p - 3"', ""))
    draws = found.sample.draws.values
    subject = found.subject_of(draws["p"] - draws["q"], key="p - q")
    s = 5 / 6**0.5
    z = 1 / s
    expected = s * (stats.norm.pdf(z) - z * stats.norm.sf(z))
    assert evsi(subject, Noise(se=1.0)).value == pytest.approx(expected, rel=0.01)
