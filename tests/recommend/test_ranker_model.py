"""The ranker's model is read whatever its kind, and a kind nobody knows here is refused."""

import json

import numpy as np
import pytest
from tests.recommend.test_ranker_network import made_up

from embellie.domain.errors import InputError
from embellie.recommend.learning import Lists
from embellie.recommend.ranker_file import with_head
from embellie.recommend.ranker_model import list_auc, load_ranker
from embellie.recommend.ranker_network import RankerNetwork


def of(features, labels):
    made = Lists()
    made.add(("x",), np.array(features)[:, None], labels, list(range(1, len(labels) + 1)), at=0)
    return made.training_set()


def test_a_network_says_so():
    """Its first line says the kind; nobody has to."""
    assert isinstance(load_ranker(made_up().dump()), RankerNetwork)


def test_trees_written_before_there_were_kinds_are_read():
    """A model without a word on its kind is of trees."""
    pytest.importorskip("lightgbm", reason="the extra `ml` is not installed")
    from tests.recommend.test_ranker_trees import lists

    from embellie.recommend.ranker_trees import fit_trees

    model = fit_trees(lists(100), seed=1)
    first, _, text = model.dump().partition(b"\n")
    head = json.loads(first)
    assert head.pop("kind") == "trees"
    old = load_ranker(json.dumps(head).encode() + b"\n" + text)
    matrix = lists(10).features
    assert np.array_equal(old.score(matrix), model.score(matrix))


def test_an_unknown_kind_is_refused_with_what_to_do():
    """A model of a newer version names its kind, and what this one can do instead."""
    data = with_head(b"", kind="forest", feature_names=("a",), about={})
    with pytest.raises(InputError, match="kind `forest`, which this version does not know") as error:
        load_ranker(data)
    assert "Upgrade embellie" in error.value.hint


@pytest.mark.parametrize("data", [b"", b"not a model", b"{}\n", b"[]\n", b'{"schema": "embellie/ranker/9"}\n'])
def test_what_is_no_model_is_refused(data):
    """Foreign bytes are no ranker."""
    with pytest.raises(InputError, match="no ranker"):
        load_ranker(data)


def test_order_is_told_by_pairs():
    """Of pairs of a clicked article and one passed over: the share in which the clicked one is above, ties half."""
    lists = of([3.0, 2.0, 2.0, 1.0], [0, 1, 0, 0])
    assert list_auc(lists.features[:, 0], lists) == pytest.approx((0.0 + 0.5 + 1.0) / 3)
    assert np.isnan(list_auc(np.zeros(1), of([1.0], [1])))
