"""Readings over time: what cannot be is said, what can be is left alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.unavailable import Unavailable
from embellie.measure.readings import Reading, check_readings, moments_of_reading
from embellie.stats.moments import Moments


def reading(at, control, treatment):
    return Reading(at=at, column="m", sides={"control": side(*control), "treatment": side(*treatment)})


def side(units, mean):
    return Moments(units, {"m": mean}, {("m", "m"): mean * (1 - mean)})


@pytest.mark.parametrize(("cells", "code"), [((0, 0.0, 0.0), "nobody_exposed"), ((None, 0.1, 0.1), "nobody_exposed"), ((10, 0.1, None), "no_variance"), ((10, None, 0.1), "no_variance"), ((10, float("nan"), 0.1), "no_variance")])  # fmt: skip
def test_a_reading_without_units_or_variance_is_unavailable(cells, code):
    """It says why and what to do; never a zero, never a division by zero."""
    found = moments_of_reading(*cells, column="m")
    assert isinstance(found, Unavailable)
    assert found.code == code


def test_units_that_become_fewer_are_told():
    """Cumulative counts only grow: the side and the time are named."""
    (found,) = check_readings([reading(1, (100, 0.5), (100, 0.5)), reading(2, (200, 0.6), (90, 0.4))])
    assert (found.code, found.values["variant"], found.figures["at"]) == ("units_fell", "treatment", 2)


def test_a_side_that_stands_still_while_the_other_gains_is_told():
    """Control's mean has not moved in the last digit while treatment gained 30 events."""
    (found,) = check_readings([reading(1, (1000, 0.2), (1000, 0.2)), reading(2, (1000, 0.2), (1000, 0.23))])
    assert (found.code, found.values["variant"]) == ("side_silent", "control")
    assert found.figures["events"] == pytest.approx(30)


def test_a_quiet_hour_is_no_fault():
    """A few events on one side and none on the other happen."""
    assert check_readings([reading(1, (1000, 0.2), (1000, 0.2)), reading(2, (1000, 0.2), (1000, 0.205))]) == ()


@given(
    st.lists(
        st.tuples(*[st.integers(1, 500)] * 2, *[st.floats(0.01, 0.99)] * 2), min_size=1, max_size=8
    )
)  # fmt: skip
def test_growing_sides_that_both_move_are_left_alone(steps):
    """Whatever the sizes and the shares: units that grow and means that move are no fault."""
    units, readings = [100, 100], [reading(0, (100, 0.5), (100, 0.5))]
    for place, (more, others, one, other) in enumerate(steps, 1):
        units = [units[0] + more, units[1] + others]
        readings.append(reading(place, (units[0], one + place * 1e-3), (units[1], other + place * 1e-3)))
    still = any(
        one.sides[name].mean("m") == other.sides[name].mean("m")
        for one, other in pairwise(readings)
        for name in one.sides
    )
    assert still or check_readings(readings) == ()
