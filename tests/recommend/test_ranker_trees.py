"""The ranker as trees: learns what is there, the same bytes each time, and leaves the place out when serving."""

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.recommend.learning import Lists
from embellie.recommend.ranker_file import POSITION
from embellie.recommend.ranker_model import list_auc
from embellie.recommend.ranker_trees import RankerTrees, fit_trees

pytest.importorskip("lightgbm", reason="the extra `ml` is not installed")

NAMES = ("good", "noise")


def lists(count=600, *, seed=1, by_place=0.0, size=5):
    """Lists in which a good article is clicked, and the first place too, as strongly as `by_place` says."""
    rng = np.random.default_rng(seed)
    made = Lists()
    for at in range(count):
        table = rng.normal(size=(size, 2)).astype(np.float32)
        pull = table[:, 0] - by_place * np.arange(size)
        clicked = int(np.argmax(pull + rng.gumbel(size=size)))
        made.add(NAMES, table, [int(place == clicked) for place in range(size)], list(range(1, size + 1)), at=at)
    return made.training_set()


def test_it_learns_what_is_clicked():
    """On lists it has not seen, clicked articles come first as often as the truth allows; noise is hardly used."""
    model, later = fit_trees(lists(), seed=1), lists(seed=2)
    truth = list_auc(later.features[:, 0], later)
    assert list_auc(model.score(later.features), later) > truth - 0.02 > 0.7
    assert model.importances()["good"] > 3 * model.importances()["noise"]


def test_the_same_lists_and_seed_give_the_same_bytes():
    """A model is named by its content, so a fit can be repeated."""
    assert fit_trees(lists(), seed=1).dump() == fit_trees(lists(), seed=1).dump()
    assert fit_trees(lists(), seed=1).dump() != fit_trees(lists(seed=3), seed=1).dump()


def test_what_was_written_scores_the_same():
    """A model read back gives the same bits, and the same bytes again."""
    model = fit_trees(lists(), seed=1)
    again = RankerTrees.load(model.dump())
    matrix = lists(seed=2).features
    assert np.array_equal(model.score(matrix), again.score(matrix))
    assert again.dump() == model.dump()
    assert again.feature_names == NAMES


def test_an_article_is_scored_by_itself():
    """Its score does not depend on which others are scored with it."""
    model, matrix = fit_trees(lists(), seed=1), lists(seed=2).features[:50]
    alone = np.concatenate([model.score(row[None]) for row in matrix])
    assert np.array_equal(model.score(matrix), alone)
    assert model.score(matrix[:0]).shape == (0,)


def test_what_only_the_place_did_is_put_down_to_the_place():
    """Clicks that follow the place alone make `position` the feature that counts, and the articles nearly alike."""
    made = lists(2000, by_place=1.0)
    blind = np.zeros_like(made.features)
    blind[:, 1] = made.features[:, 1]
    made.features[:] = blind
    model = fit_trees(made, seed=1)
    assert model.importances()[POSITION] > 0.5


def test_too_few_lists_are_refused():
    """Nineteen lists teach nothing; lists without a click do not count."""
    few = lists(40)
    few.labels[: 21 * 5] = 0
    with pytest.raises(InputError, match="19 lists"):
        fit_trees(few, seed=1)


@pytest.mark.parametrize(
    "data",
    [b"", b"not a model", b"{}\n", b'{"schema": "embellie/ranker/1", "feature_names": ["a"], "about": {}}\ntree'],
)
def test_what_is_no_model_is_refused(data, capfd):
    """Damaged or foreign bytes give an error that says what to do."""
    with pytest.raises(InputError, match="rain"):
        RankerTrees.load(data)


def test_a_matrix_of_other_columns_is_refused():
    """The error names what is expected."""
    with pytest.raises(InputError, match="takes 2 features, not 3"):
        fit_trees(lists(), seed=1).score(np.zeros((1, 3), np.float32))
