"""The split in time, the fingerprint and the spread of features."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.recommend.trainer import Gathered, fingerprint, list_numbers, spread_of, time_split


@dataclass(frozen=True, eq=False)
class Some:
    features: Any
    labels: Any
    groups: Any
    weights: Any
    at: Any
    feature_names: tuple[str, ...] = ("age", "popular")

    def where(self, keep):
        rows = np.repeat(keep, self.groups)
        return replace(self, features=self.features[rows], labels=self.labels[rows], groups=self.groups[keep],
                       weights=self.weights[rows], at=self.at[keep])  # fmt: skip


def some(seed=1, lists=50):
    rng = np.random.default_rng(seed)
    rows = 3 * lists
    made = Some(
        features=rng.normal(size=(rows, 2)).astype(np.float32),
        labels=rng.integers(2, size=rows),
        groups=np.full(lists, 3),
        weights=np.ones(rows, np.float32),
        at=np.arange(lists) * 1_000,
    )
    names = [f"s{number}" for number in range(lists)]
    return Gathered(lists=made, ids=names, readers=names, visits=names)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["", "a", "b", "c"])), min_size=1, max_size=40),
    st.floats(0.05, 0.95),
)
def test_no_visit_is_on_both_sides_and_no_later_list_is_learned_from(given_lists, later):
    """Whatever the visits, everything learned from came before everything checked on, and from other visits."""
    at = np.array([when for when, _ in given_lists])
    visits = [visit for _, visit in given_lists]
    earlier, after = time_split(at, visits, later=later)
    assert not (earlier & after).any()
    if earlier.any() and after.any():
        assert at[earlier].max() < at[after].min()
    named = np.array(visits)
    assert not (set(named[earlier]) & set(named[after])) - {""}


def test_the_fingerprint_is_of_the_data_and_all_that_decides_the_model():
    """The same is the same; another seed, setting, code, order of rows or single number is another."""
    one = some()
    options = {"settings": {"trees": 10}, "seed": 1, "code": "1"}
    name = fingerprint(one, **options)
    assert name == fingerprint(some(), **options)
    assert len(name) == 64
    touched = one.lists.features.copy()
    touched[7, 1] = np.nextafter(touched[7, 1], 9)
    others = [
        fingerprint(one, **options | {"seed": 2}),
        fingerprint(one, **options | {"settings": {"trees": 11}}),
        fingerprint(one, **options | {"code": "2"}),
        fingerprint(replace(one, ids=one.ids[::-1]), **options),
        fingerprint(replace(one, lists=replace(one.lists, features=touched)), **options),
        fingerprint(replace(one, lists=replace(one.lists, feature_names=("popular", "age"))), **options),
    ]
    assert len({name, *others}) == 7


def test_rows_know_their_list():
    """Rows are numbered by the sizes of the lists."""
    made = replace(some(lists=2).lists, groups=np.array([1, 5]))
    assert list_numbers(made).tolist() == [0, 1, 1, 1, 1, 1]


def test_the_spread_of_what_is_new_is_told_over_the_former_bins():
    """The same data over its own tenths is even; what came since is counted on its own, over the same edges."""
    lists = some(lists=200).lists
    whole = spread_of(lists)
    assert whole.shares["age"] == pytest.approx([0.1] * 10, abs=0.02)
    since = spread_of(lists, edges=whole.edges, since=150_000)
    assert since.lists == 50
    assert sum(since.shares["age"]) == pytest.approx(1.0)
    assert spread_of(lists, edges=whole.edges, since=10**9) is None
