"""Paired differences: on the same targets, by reader, corrected for how many were looked at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.unavailable import Unavailable
from embellie.recommend.paired import corrected, paired_difference, paired_differences

UNIT = st.floats(0, 1, allow_nan=False)


def difference(one, other, clusters):
    return paired_difference(np.array(one), np.array(other), np.array(clusters), names=("a", "b"), metric="hr")


@given(st.lists(st.tuples(UNIT, UNIT, st.integers(0, 6)), min_size=8, max_size=40))
def test_the_other_way_round_is_the_opposite(rows):
    """A above B is B below A, by as much and as surely."""
    one, other, raw = zip(*rows, strict=True)
    _, clusters = np.unique(raw, return_inverse=True)
    found, back = difference(one, other, clusters), difference(other, one, clusters)
    if isinstance(found, Unavailable):
        assert isinstance(back, Unavailable)
        return
    assert (found.value, found.low, found.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-12)
    assert found.p == pytest.approx(back.p)
    assert -1.0 <= found.low <= found.value <= found.high <= 1.0
    assert 0.0 <= found.p <= 1.0


def test_pairing_finds_what_overlapping_intervals_hide():
    """Targets differ far more than policies do: each one's interval is wide, their difference is sure."""
    rng = np.random.default_rng(3)
    hard = (rng.random(4000) < 0.5).astype(float)
    better = np.where(rng.random(4000) < 0.02, 1.0, hard)
    found = difference(better, hard, np.arange(4000) // 2)
    assert 0.0 < found.low < found.value < 0.03
    assert found.p < 1e-6


def test_a_reader_of_many_clicks_counts_as_one():
    """A thousand targets of one reader and one of another do not make a difference sure."""
    one = np.ones(1001)
    other = np.zeros(1001)
    other[-1] = 1.0
    assert difference(one, other, [0] * 1000 + [1]).p > 0.05


def test_the_same_ranks_are_no_difference():
    """Two policies that rank alike differ by exactly nothing, and that is not chance either."""
    found = difference([1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0, 1, 2])
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_difference_without_variance_is_not_taken_for_certain():
    """Two readers who agree are two readers: p is that of two tosses, the interval is wide."""
    found = difference([1.0, 1.0], [0.0, 0.0], [0, 1])
    assert found.p == 0.5
    assert found.low < 0.0


def test_false_differences_are_rare_however_many_policies():
    """Eight policies that differ by chance alone: in 40 repetitions any is called real in at most a few."""
    rng = np.random.default_rng(11)
    clusters = np.arange(400) // 4
    alarms = 0
    for _ in range(40):
        gains = {f"p{i}": {"hr": (rng.random(400) < 0.3).astype(float)} for i in range(8)}
        alarms += any(one.real for one in paired_differences(gains, clusters))
    assert alarms <= 6


def test_correction_is_for_all_that_were_looked_at():
    """The same difference looked at alone is surer than among many."""
    rng = np.random.default_rng(2)
    clusters = np.arange(300)
    one = difference((rng.random(300) < 0.5).astype(float), (rng.random(300) < 0.4).astype(float), clusters)
    assert corrected([one])[0].p_holm == one.p
    assert corrected([one] * 5)[0].p_holm == pytest.approx(min(1.0, 5 * one.p))
