"""Value along one unknown's ranks, against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embellie.decide.curves import FAR, WITHIN, gain_of_curves, gain_of_states, mean_of_curves, smoothed
from embellie.decide.preposterior import RANKS


def loss(m, s):
    """Return the unit normal loss: the EVPI of {0, N(m, s)}."""
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def gain(*curves):
    return gain_of_curves(np.stack([0 * FAR, *curves])[None], FAR)[0]


def test_ranks_are_within_the_far_ones():
    """The same numbers, so that a curve is cut out, not interpolated."""
    assert FAR[WITHIN] == pytest.approx(RANKS, abs=1e-12)


@pytest.mark.parametrize(("m", "s"), [(0, 1), (0.3, 1), (-50_000, 100_000), (1, 1), (-1.5, 2)])
def test_two_options_apart_by_a_normal(m, s):
    """U(m, s), to one in a million."""
    assert gain(m + s * FAR) == pytest.approx(loss(m, s), rel=1e-6)


def test_three_options_affine_in_one_normal():
    """{0, -1 + 2x, -4 + 3x}, x ~ N(1, 1)."""
    x = 1 + FAR
    assert gain(2 * x - 1, 3 * x - 4) == pytest.approx(0.4040838174, rel=1e-6)


def test_a_parabola():
    """θ² - 1 is worth 2 φ(1) to know, though no straight line sees it."""
    assert gain(FAR**2 - 1) == pytest.approx(0.4839414490, rel=5e-6)


@pytest.mark.parametrize(("cost", "expected"), [(100_000, 13_200.3833), (120_000, 14_236.1223)])
def test_a_log_normal(cost, expected):
    """{0, 1e6 X - c} with X from 5 % to 20 %."""
    sd = (np.log(0.2) - np.log(0.05)) / 2 / 1.6448536269514722
    assert gain(1e6 * 0.1 * np.exp(sd * FAR) - cost) == pytest.approx(expected, rel=1e-6)


def test_a_fat_tail_is_held_whole():
    """Student's t with 4 degrees of freedom at its location: 1/2."""
    tail = np.sign(FAR) * -stats.t.ppf(stats.norm.cdf(-np.abs(FAR)), 4)
    assert gain(tail) == pytest.approx(0.5, rel=1e-6)


def test_an_option_that_dominates_leaves_nothing_to_know():
    """Whatever the unknown, the same choice."""
    assert gain(FAR - 20) == pytest.approx(0, abs=1e-12)


def test_states_are_summed():
    """Three investments in three states: 350."""
    worth = np.array([[1500, 300, -800], [900, 600, -200], [500, 500, 500]], dtype=float)
    assert gain_of_states(worth[None], np.array([0.5, 0.3, 0.2]))[0] == pytest.approx(350)


@pytest.mark.parametrize("sd", [0.0, 0.2, 0.8])
def test_smoothing_takes_the_mean_of_what_is_left_open(sd):
    """E[(m + sd ε)²] = m² + sd²."""
    centres = np.array([-1.0, 0.0, 2.0])
    assert smoothed(FAR**2, FAR, centres=centres, sd=sd) == pytest.approx(centres**2 + sd**2, abs=1e-3)


@given(
    st.lists(st.floats(-3, 3), min_size=6, max_size=6), st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    st.floats(-1e3, 1e3), st.floats(1e-3, 1e3),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_gain_is_no_less_than_nothing_and_scales(slopes, levels, constant, rate):
    """At least 0; the same money for all changes nothing, and another currency changes the unit alone."""
    curves = np.array(levels)[:, None] + np.outer(slopes[:3], FAR) + np.outer(slopes[3:], np.cos(FAR))
    plain = gain_of_curves(curves[None], FAR)[0]
    moved = gain_of_curves((rate * curves + constant)[None], FAR)[0]
    assert plain >= 0
    assert moved == pytest.approx(rate * plain, rel=1e-6, abs=1e-9 * (abs(constant) + rate))
    fine = np.linspace(-8, 8, 4_001)
    dense = np.array(levels)[:, None] + np.outer(slopes[:3], fine) + np.outer(slopes[3:], np.cos(fine))
    weights = stats.norm.pdf(fine) * (fine[1] - fine[0])
    assert plain == pytest.approx((dense.max(axis=0) @ weights) - (dense @ weights).max(), rel=1e-4, abs=2e-5)


def test_the_mean_of_a_curve_takes_in_its_tails():
    """E[exp(r)] = √e."""
    assert mean_of_curves(np.exp(FAR), FAR) == pytest.approx(np.exp(0.5), rel=1e-8)
