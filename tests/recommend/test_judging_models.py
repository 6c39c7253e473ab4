"""Judging: equal scores get no credit, readers are the units, and what a place does is told from what stands there."""

import numpy as np
import pytest

from embellie.recommend.judging_models import attention, list_ndcg, mean_by_reader

SIZE = 4


def test_equal_scores_get_no_credit_for_the_order_of_the_slate():
    """A constant model has the nDCG of a random order, wherever the choice stood."""
    lists = np.array([0, 0, 0, 1, 1, 1])
    found = list_ndcg(np.zeros(6), np.array([1, 0, 0, 0, 0, 1]), lists)
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx((1 + 1 / np.log2(3) + 0.5) / 3)


def test_lists_without_a_choice_do_not_count():
    """There is nothing to rank first."""
    assert np.isnan(list_ndcg(np.array([1.0, 2.0]), np.array([0, 0]), np.array([0, 0]))[0])


def test_a_chatty_reader_does_not_narrow_the_interval():
    """The same lists by one reader say less than by many."""
    values = np.random.default_rng(1).normal(size=400)
    by_many = mean_by_reader(values, np.arange(400))
    shifted = values + np.repeat([1.0, -1.0], 200)
    by_two = mean_by_reader(shifted, np.repeat([0, 1], 200))
    assert by_two.error > 5 * by_many.error


def ordered(seed=7, lists=6000, fade=0.7):
    """Lists in the order of a heuristic that sees half the taste; readers look at each place less than at the one above."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(lists, SIZE))
    heuristic = 0.7 * taste + rng.normal(size=taste.shape)
    places = (-heuristic).argsort(axis=1).argsort(axis=1)
    chance = 0.06 * np.exp(0.8 * taste) * fade**places
    labels = (rng.random(taste.shape) < chance).astype(np.float64)
    return taste, heuristic, places + 1, labels


def test_how_far_down_readers_look_is_found_from_choices():
    """What a place does is told from what stands there, within a tenth, though better articles stand higher."""
    _, heuristic, positions, labels = ordered(lists=20_000)
    found = attention(positions.ravel(), heuristic.reshape(-1, 1), labels.ravel())
    assert found[:4] == pytest.approx([1.0, 0.7, 0.49, 0.343], abs=0.1)
