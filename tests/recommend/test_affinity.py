"""Affinity: what a reader has read, by section, and how much more they like a section than others do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.recommend import affinity
from embellie.recommend.affinity import section_weights
from embellie.recommend.popularity import MICROS_PER_HOUR

SECTIONS = np.array([0, 1, 2, 1, 3, 0, 2, 2], np.uint16)
NOW = 1_000 * MICROS_PER_HOUR
HISTORIES = st.dictionaries(st.integers(0, 7), st.integers(0, NOW + MICROS_PER_HOUR))


def weights(history, more=()):
    return section_weights(history, more, SECTIONS, count=4, now=NOW, half_life=24.0)


def test_a_read_counts_half_after_a_half_life_and_that_of_an_unknown_section_not():
    """Now 1, a day ago a half; two of a section add up; what this visit opened counts as now, once."""
    day = 24 * MICROS_PER_HOUR
    assert weights({1: NOW, 3: NOW - day, 4: NOW - 2 * day, 0: NOW}, [6, 1]).tolist() == [0.0, 1.5, 1.0, 0.25]
    assert weights({1: NOW + day}).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert weights({}).tolist() == [0.0] * 4


@given(history=HISTORIES, more=st.lists(st.integers(0, 7), unique=True))
def test_few_reads_and_many_are_summed_alike(history, more):
    """One by one or as arrays: the same but for the last bits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(affinity, "_FEW", -1)
        as_arrays = weights(history, more)
    np.testing.assert_allclose(weights(history, more), as_arrays, rtol=1e-13)
