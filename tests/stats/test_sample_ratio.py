"""The check of the split against published values and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.stats.sample_ratio import chi_square_p, log_e_value, mixed_log_e_value


def test_reference_values():
    """Kohavi, Tang and Xu 2020 for chi-square, the authors' code for the e-value."""
    assert chi_square_p([821_588, 815_482], [1, 1]) == pytest.approx(1.82179e-6, rel=1e-5)
    assert log_e_value([821_588, 815_482], [1, 1]) == pytest.approx(8.765972283203155, abs=1e-9)


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=4))
def test_an_arm_of_weight_zero_changes_nothing(counts):
    """Neither the p-value nor the e-value depends on an arm that was never meant to get units."""
    weights = [1.0] * len(counts)
    assert chi_square_p([*counts, 0], [*weights, 0.0]) == chi_square_p(counts, weights)
    assert log_e_value([*counts, 0], [*weights, 0.0]) == log_e_value(counts, weights)


def test_no_unit_is_no_evidence():
    """Before the first unit the e-value is 1."""
    assert log_e_value([0, 0], [1, 3]) == pytest.approx(0.0, abs=1e-9)


def test_the_designed_ratio_is_respected():
    """A 95/5 design at 95/5 raises nothing; judged as equal it does."""
    assert chi_square_p([9500, 500], [95, 5]) == pytest.approx(1.0)
    assert log_e_value([9500, 500], [95, 5]) < 0 < log_e_value([9500, 500], [1, 1])


def test_peeking_at_the_e_value_keeps_the_error():
    """On a right split, watched after each of 400 batches, at most 1 % of 1,000 streams ever reach ln 100."""
    rng = np.random.default_rng(9)
    first = rng.binomial(50, 0.5, (1000, 400)).cumsum(axis=1)
    total = 50 * np.arange(1, 401)
    alarms = sum(watched(stream, total).max() >= math.log(100) for stream in first)
    assert alarms / 1000 <= 0.01


def test_a_small_broken_split_is_seen_while_watched():
    """Losing a tenth of one side is noticed within 5,000 units in most streams."""
    rng = np.random.default_rng(10)
    total = 50 * np.arange(1, 101)
    seen = [
        watched(stream, total).max() >= math.log(100) for stream in rng.binomial(50, 0.53, (100, 100)).cumsum(axis=1)
    ]
    assert np.mean(seen) > 0.7


def watched(stream, total):
    """The mixed log e-value after each batch; only looks that could matter are computed."""
    z = np.abs(2 * stream - total) / np.sqrt(total)
    worth = np.flatnonzero(z > 2.5)
    looks = worth if len(worth) else np.array([len(total) - 1])
    return np.array([mixed_log_e_value([int(stream[k]), int(total[k] - stream[k])], [1, 1]) for k in looks])
