"""Rankings: one total order, however far one reads and however one asks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.recommend.ranking import Ranking, best_first, rank_of

columns = st.integers(1, 120).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0]), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        st.permutations([f"a{i}" for i in range(n)]),
    )
)


def in_order(scores, recency, ids):
    return sorted(range(len(ids)), key=lambda i: (-scores[i], -recency[i], ids[i]))


@given(columns, st.integers(1, 130))
@settings(max_examples=200, deadline=None)
def test_the_best_are_those_of_a_full_sort(columns, k):
    """The first k, ties and all, are exactly the first k of sorting everything."""
    scores, recency, ids = columns
    found = best_first(np.array(scores), np.array(recency), ids, k)
    assert found.tolist() == in_order(scores, recency, ids)[:k]


@given(columns)
@settings(max_examples=100, deadline=None)
def test_counting_gives_the_position_of_sorting(columns):
    """The rank found by counting better ones is the position in the sorted list, for every article."""
    scores, recency, ids = columns
    for position, place in enumerate(in_order(scores, recency, ids), start=1):
        assert rank_of(place, np.array(scores), np.array(recency), ids) == position


@given(columns, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_ranking_reads_as_a_list(columns, step):
    """Read whole, by index or by slice, in part or narrowed down, it is the same order."""
    scores, recency, ids = columns
    rows = np.arange(len(ids))
    ranking = Ranking(rows, np.array(scores), np.array(recency), ids, reason=str)
    names = [ids[i] for i in in_order(scores, recency, ids)]
    assert [item.article for item in ranking] == names
    assert [ranking[i].article for i in range(-1, -len(names) - 1, -1)] == names[::-1]
    assert [item.article for item in ranking[step:9]] == names[step:9]
    keep = rows % 2 == 0
    assert [item.article for item in ranking.where(keep)] == [n for n in names if keep[ids.index(n)]]


@given(st.integers(0, 2**32), st.sampled_from([1, 3, 64, 300, 6000]), st.sampled_from([2, 50, 10**9]))
@settings(max_examples=25, deadline=None)
def test_the_best_of_many_are_those_of_a_full_sort(seed, k, distinct):
    """Among thousands, where only a part is looked at closely, the result is still that of sorting everything."""
    rng = np.random.default_rng(seed)
    scores, recency = rng.integers(0, distinct, 7000) / 7.0, rng.integers(0, 40, 7000)
    ids = [f"a{i:05}" for i in rng.permutation(7000)]
    expected = np.lexsort((ids, -recency, -scores))[:k]
    assert best_first(scores, recency, ids, k).tolist() == expected.tolist()
