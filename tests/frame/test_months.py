"""Months: closed forms against sums over short steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.frame.months import Months
from embellie.frame.units import WEEKS_PER_MONTH, WEEKS_PER_YEAR

YEAR = WEEKS_PER_YEAR


def by_steps(horizon, discount, begins, ends, *, live, ramp, fading, steps=200_000):
    """The same integral by midpoints, discounted from each month's end."""
    edges = np.linspace(begins, min(ends, horizon), steps + 1)
    week = (edges[1:] + edges[:-1]) / 2
    month_ends = np.minimum(np.ceil(week / WEEKS_PER_MONTH) * WEEKS_PER_MONTH, horizon)
    age = week - live
    grown = np.minimum(1.0, age / ramp) if ramp > 0 else 1.0
    worth = grown * (1 - fading) ** (age / YEAR) * (1 + discount) ** (-month_ends / YEAR)
    return float(np.sum(worth * np.diff(edges)))


def test_money_is_discounted_from_the_end_of_its_month():
    """PV of 1 a month for two years at 8 %: (1 - 1.08^-2) / (1.08^(1/12) - 1)."""
    months = Months(2 * YEAR, 0.08)
    assert float(months.tail(0.0)) / WEEKS_PER_MONTH == pytest.approx(
        (1 - 1.08**-2) / (1.08 ** (1 / 12) - 1), rel=1e-12
    )


def test_end_of_month_lies_a_known_factor_below_continuous_discounting():
    """Continuous at the same effective rate: ∫ 1.08^-t dt; month by month it is less by (g-1)/ln g, g = 1.08^(1/12)."""
    growth = 1.08 ** (1 / 12)
    continuous = (1 - 1.08**-2) / np.log(1.08) * YEAR
    assert float(Months(2 * YEAR, 0.08).tail(0.0)) == pytest.approx(
        continuous * np.log(growth) / (growth - 1), rel=1e-12
    )


def test_a_continuous_rate_is_an_effective_one_written_otherwise():
    """A payment in a year at 5 % continuous is worth e^-0.05: r = e^0.05 - 1."""
    assert Months(YEAR, np.expm1(0.05)).rate(YEAR) == pytest.approx(np.exp(-0.05), rel=1e-14)


def test_without_growth_or_fading_it_is_the_flat_sum():
    """Both routes agree to rounding."""
    months = Months(100.0, 0.08)
    begins, ends = np.array([0.0, 3.2, 40.0]), np.array([100.0, 17.0, 200.0])
    zero = np.zeros(())
    found = months.between(begins, ends, live=begins, ramp=zero, fading=zero)
    assert found == pytest.approx(months.tail(begins) - months.tail(ends), rel=1e-12)


@given(
    horizon=st.floats(5.0, 300.0), discount=st.floats(0.0, 0.3), live=st.floats(0.0, 50.0), wait=st.floats(0.0, 60.0),
    length=st.floats(0.5, 300.0), ramp=st.sampled_from([0.0, 0.7, 9.0, 80.0]),
    fading=st.sampled_from([0.0, 1e-9, 0.001, 0.1, 0.7, -0.2]),
)  # fmt: skip
def test_growing_and_fading_money_is_summed_exactly(horizon, discount, live, wait, length, ramp, fading):
    """Closed form and short steps agree for any window."""
    begins = live + wait
    if begins >= horizon:
        return
    ends = begins + length
    found = Months(horizon, discount).between(
        *(np.array([x]) for x in (begins, ends)),
        **{name: np.array(x) for name, x in {"live": live, "ramp": ramp, "fading": fading}.items()},
    )
    expected = by_steps(horizon, discount, begins, ends, live=live, ramp=ramp, fading=fading, steps=20_000)
    assert float(found[0]) == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_a_speed_per_draw_equals_one_for_all():
    """An uncertain share lost a year gives in each draw what it would give alone."""
    months, live = Months(104.0, 0.05), np.array([0.0, 10.0, 20.0])
    fading, ramp, until = np.array([0.0, 0.2, 0.5]), np.array([0.0, 6.0, 30.0]), np.array(90.0)
    together = months.between(live, until, live=live, ramp=ramp, fading=fading)
    alone = [float(months.between(live[at], until, live=live[at], ramp=ramp[at], fading=fading[at])) for at in range(3)]
    assert together == pytest.approx(alone, rel=1e-13)


def test_what_begins_after_the_horizon_is_worth_nothing():
    """Nor does what ends before it begins."""
    months = Months(50.0, 0.05)
    args = {"ramp": np.array(4.0), "fading": np.array(0.2)}
    for week in (60.0, 1e9):
        assert months.between(np.array([week]), np.array([2e9]), live=np.array([week]), **args).tolist() == [0.0]
