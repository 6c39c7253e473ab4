"""Divergence: closed forms, bounds, and the values of an independent implementation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.recommend.divergence import calibration, fragmentation, jensen_shannon, plain_shares, ranked_shares

kinds = st.lists(st.sampled_from("abcde"), min_size=1, max_size=8)
SMALL = 0.0001
"""The reference implementation mixes this much of the other distribution into each."""


def mixed(p, q):
    return {kind: (1 - SMALL) * p.get(kind, 0.0) + SMALL * q.get(kind, 0.0) for kind in {**p, **q}}


def smoothed(p, q):
    return jensen_shannon(mixed(p, q), mixed(q, p))


CALIBRATED = [
    ("aab", "ab", 0.0),
    ("abcd", "aaab", 0.40062939956843946),
    ("aaaa", "bcd", 0.9985269664716709),
    ("abbcc", "cba", 0.017145750977062932),
    ("ab", "bbbbba", 0.18152156863894417),
]
FRAGMENTED = [
    ("abcd", "abcd", 0.0),
    ("abcd", "dcba", 0.17838623580406637),
    ("abc", "xyz", 0.998526966471671),
    ("abcd", "abxy", 0.279587550612068),
    ("aab", "ba", 0.18213221814019778),
]


@pytest.mark.parametrize(("history", "slate", "expected"), CALIBRATED)
def test_calibration_is_that_of_the_reference(history, slate, expected):
    """news-recommender-metrics 0.1.4, `Calibration()` (RADio, weights 1 / rank), run once: the same with its smoothing."""
    assert smoothed(plain_shares(history), ranked_shares(slate)) == pytest.approx(expected, abs=1e-12)
    assert calibration(history, slate) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(("one", "other", "expected"), FRAGMENTED)
def test_fragmentation_is_that_of_the_reference(one, other, expected):
    """The same package's `Fragmentation()` of two readers' slates."""
    assert smoothed(ranked_shares(one), ranked_shares(other)) == pytest.approx(expected, abs=1e-12)
    assert fragmentation([one, other]) == pytest.approx(expected, abs=2e-3)


def test_a_closed_form():
    """Of (1) and (½, ½): ½ log2(4/3) + ½ (½ log2(2/3) + ½)."""
    expected = 0.5 * math.log2(4 / 3) + 0.5 * (0.5 * math.log2(2 / 3) + 0.5 * 1.0)
    assert jensen_shannon({"a": 1.0}, {"a": 0.5, "b": 0.5}) == pytest.approx(expected)


@given(kinds, kinds)
def test_divergence_is_symmetric_and_between_nothing_and_one(one, other):
    """The same either way round; 0 with itself; 1 only when nothing is shared."""
    p, q = ranked_shares(one), ranked_shares(other)
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p))
    assert jensen_shannon(p, p) == 0.0
    assert (jensen_shannon(p, q) > 1 - 1e-9) == (not set(one) & set(other))


def test_the_first_places_count_most():
    """A slate that leads with what a reader never reads is further from them than one that ends with it."""
    assert calibration(["a", "a"], ["b", "a", "a"]) > calibration(["a", "a"], ["a", "a", "b"])


def test_one_public_or_many():
    """The same slate for everybody fragments nothing; nothing shared, entirely; half of the pairs, by half."""
    assert fragmentation([["a", "b"]] * 5) == 0.0
    assert fragmentation([["a"], ["b"], ["c"]]) == 1.0
    assert fragmentation([["a"], ["b"]] * 2) == pytest.approx(4 / 6)


def test_where_there_is_nothing_to_compare_nothing_is_said():
    """No history, no slate, one reader: no figure, never a 0."""
    assert calibration([], ["a"]) is None
    assert calibration(["a"], []) is None
    assert fragmentation([["a"], []]) is None
