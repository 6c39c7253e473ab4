"""Tipping: where the upper envelope of curves passes from one option to another."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.decide.tipping import Tip, lead, nearest_rival, tips, two_best

LINE = np.linspace(0.0, 4.0, 9)


def places(found, points=LINE):
    return [float(np.interp(tip.place, np.arange(len(points)), points)) for tip in found]


def test_two_lines_tip_where_they_cross():
    """0 against 2x - 3: at 1.5, whatever the points."""
    found = tips(np.stack([0 * LINE, 2 * LINE - 3]))
    assert [(tip.below, tip.above) for tip in found] == [(0, 1)]
    assert places(found) == [pytest.approx(1.5, rel=1e-12)]


def test_three_lines_tip_twice_even_between_two_points():
    """0, x - 1 and 3x - 3.2: the second is best from 1 to 1.1 only."""
    points = np.array([0.0, 4.0])
    found = tips(np.stack([0 * points, points - 1, 3 * points - 3.2]))
    assert [(tip.below, tip.above) for tip in found] == [(0, 1), (1, 2)]
    assert places(found, points) == [pytest.approx(1.0), pytest.approx(1.1)]


def test_one_may_be_best_at_both_ends():
    """A bump in the middle tips to it and back."""
    found = tips(np.stack([0 * LINE, 1 - (LINE - 2) ** 2]))
    assert [(tip.below, tip.above) for tip in found] == [(0, 1), (1, 0)]
    assert places(found) == [pytest.approx(1.0), pytest.approx(3.0)]


def test_curves_that_only_touch_or_differ_by_rounding_do_not_tip():
    """Nor does one that is always best."""
    assert tips(np.stack([0 * LINE, -((LINE - 2) ** 2)])) == ()
    assert tips(np.stack([LINE, LINE * (1 + 1e-13)])) == ()
    assert tips(np.stack([LINE + 1, LINE, LINE - 1])) == ()


def test_ties_are_told_as_the_one_that_wins():
    """Three meet in one point: the steepest goes on from there."""
    found = tips(np.stack([0 * LINE, LINE - 2, 2 * LINE - 4]))
    assert found == (Tip(pytest.approx(4.0), 0, 2),)


@given(
    slopes=st.lists(st.floats(-5, 5), min_size=2, max_size=5),
    levels=st.lists(st.floats(-5, 5), min_size=5, max_size=5),
    points=st.integers(2, 12),
)
def test_the_best_between_tips_is_the_best_of_all(slopes, levels, points):
    """Following the tips from the left one is on the upper envelope everywhere."""
    line = np.linspace(-3.0, 3.0, points)
    net = np.stack([slope * line + level for slope, level in zip(slopes, levels, strict=False)])
    found = tips(net)
    best = int(np.argmax(net[:, 0]))
    edges = [0.0, *(tip.place for tip in found), points - 1.0]
    assert edges == sorted(edges)
    for (low, high), option in zip(pairwise(edges), [best, *(tip.above for tip in found)], strict=True):
        middle = (low + high) / 2
        there = np.array([np.interp(middle, np.arange(points), row) for row in net])
        assert there[option] >= there.max() - 1e-7


def test_a_lead_is_a_difference_and_the_two_best_are_by_mean():
    """Of equal ones the first."""
    assert lead(np.array([[1.0, 2.0], [5.0, 1.0]]), best=1, rival=0).tolist() == [4.0, -1.0]
    assert two_best(np.array([1.0, 5.0, 3.0])) == (1, 2)
    assert two_best(np.array([2.0, 2.0])) == (0, 1)


def test_the_rival_along_an_unknown_is_the_one_that_comes_closest():
    """Whoever overtakes at an end, not whoever is second on average; none where the unknown moves nothing."""
    assert nearest_rival(np.array([[0.0, 0.0], [-3.0, 9.0], [2.0, 2.0]]), 1) == 2
    assert nearest_rival(np.array([[0.0, 0.0], [5.0, 5.0], [4.0, 1.0]]), 1) == 2
    assert nearest_rival(np.array([[0.0, 0.0], [5.0, 5.0]]), 1) is None
