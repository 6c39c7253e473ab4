"""The ranker as a network: learns what takes two features, the same bytes each time, and is served by NumPy alone."""

import json
import subprocess
import sys

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.recommend.learning import Lists
from embellie.recommend.ranker_model import list_auc, load_ranker
from embellie.recommend.ranker_network import RankerNetwork, fit_network

NAMES = ("taste", "kind", "noise")


def lists(count=600, *, seed=1, by_place=0.0, size=5):
    """Lists in which more `taste` is liked of one kind and less of the other, and the first place as `by_place` says."""
    rng = np.random.default_rng(seed)
    made = Lists()
    for at in range(count):
        table = rng.normal(size=(size, 3)).astype(np.float32)
        pull = 2.0 * table[:, 0] * np.sign(table[:, 1]) - by_place * np.arange(size)
        clicked = int(np.argmax(pull + rng.gumbel(size=size)))
        made.add(NAMES, table, [int(place == clicked) for place in range(size)], list(range(1, size + 1)), at=at)
    return made.training_set()


def made_up(seed=1):
    """A model nobody fitted, of the same form."""
    rng = np.random.default_rng(seed)
    shapes = {"w1": (2, 3, 8), "b1": (2, 8), "w2": (2, 8, 4), "b2": (2, 4), "w3": (2, 4), "skip": (2, 3), "place": (5,)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    weights |= {
        "knots": np.sort(rng.normal(size=(3, 33)).astype(np.float32), axis=1),
        "levels": np.tile(np.linspace(0, 1, 33, dtype=np.float32), (3, 1)),
    }
    return RankerNetwork(NAMES, {"seed": seed}, weights)


@pytest.fixture
def _autograd():
    pytest.importorskip("autograd", reason="the extra `neural` is not installed")


@pytest.mark.usefixtures("_autograd")
def test_it_learns_what_takes_two_features():
    """Neither feature alone tells what is clicked; on later lists the network does, nearly as often as the truth."""
    model, later = fit_network(lists(1500), seed=1), lists(seed=2)
    truth = list_auc(later.features[:, 0] * np.sign(later.features[:, 1]), later)
    assert list_auc(later.features[:, 0], later) < 0.55
    assert list_auc(model.score(later.features), later) > truth - 0.05 > 0.8


@pytest.mark.usefixtures("_autograd")
def test_the_same_lists_and_seed_give_the_same_bytes():
    """A model is named by its content, so a fit can be repeated."""
    few = {"nets": 2, "epochs": 2}
    first = fit_network(lists(200), seed=1, **few).dump()
    assert fit_network(lists(200), seed=1, **few).dump() == first
    assert fit_network(lists(200), seed=2, **few).dump() != first
    assert fit_network(lists(200, seed=3), seed=1, **few).dump() != first


@pytest.mark.usefixtures("_autograd")
def test_what_only_the_place_did_is_put_down_to_the_place():
    """Clicks that follow the place make the effect of places fall, and leave the articles nearly alike."""
    made = lists(1500, by_place=1.0)
    made.features[:] = np.random.default_rng(4).normal(size=made.features.shape)
    model = fit_network(made, seed=1)
    places = list(model.places().values())
    assert places[0] == 0.0 > -0.3 > places[1] > places[2] > places[3]
    assert np.std(model.score(made.features)) < 0.4


@pytest.mark.usefixtures("_autograd")
def test_too_few_lists_are_refused():
    """Nineteen lists teach nothing."""
    with pytest.raises(InputError, match="19 lists"):
        fit_network(lists(19), seed=1)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    """A missing library is no traceback."""
    monkeypatch.setitem(sys.modules, "autograd", None)
    with pytest.raises(InputError, match="autograd") as error:
        fit_network(lists(30), seed=1)
    assert "embellie[neural]" in error.value.hint


def test_what_was_written_scores_the_same():
    """A model read back gives the same bits, and the same bytes again."""
    model, matrix = made_up(), lists(seed=2).features
    again = load_ranker(model.dump())
    assert np.array_equal(model.score(matrix), again.score(matrix))
    assert again.dump() == model.dump()
    assert (again.feature_names, again.about) == (NAMES, {"seed": 1})


def test_an_article_is_scored_by_itself():
    """Its score does not depend on which others are scored with it, to the last bit."""
    model, matrix = made_up(), lists(seed=2).features[:150]
    alone = np.concatenate([model.score(row[None]) for row in matrix])
    assert np.array_equal(model.score(matrix), alone)
    assert model.score(matrix[:0]).shape == (0,)


def test_a_value_beyond_all_seen_counts_as_the_most_extreme():
    """A range that training never saw gives the scores of its edge, not others."""
    model, matrix = made_up(), lists(seed=2).features[:20]
    far = matrix.copy()
    matrix[:, 0], far[:, 0] = 4.0, 1e30
    assert np.array_equal(model.score(matrix), model.score(far))


def test_serving_loads_no_library_that_learns(tmp_path):
    """A server reads and scores a network with neither autograd nor LightGBM."""
    (tmp_path / "model").write_bytes(made_up().dump())
    program = (
        "import sys, pathlib, numpy\n"
        "from embellie.recommend.ranker_model import load_ranker\n"
        f"model = load_ranker(pathlib.Path({str(tmp_path / 'model')!r}).read_bytes())\n"
        "assert model.score(numpy.zeros((3, 3), numpy.float32)).shape == (3,)\n"
        "print(sorted({'autograd', 'lightgbm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("damage", ["cut", "longer", "changed", "features", "shapes", "no shapes"])
def test_damaged_bytes_are_refused(damage):
    """A model that lost, gained or changed a byte, or whose first line does not fit, is refused, and says what to do."""
    data = made_up().dump()
    first, _, body = data.partition(b"\n")
    head = json.loads(first)
    if damage == "features":
        head["feature_names"].append("another")
    elif damage == "shapes":
        head["shapes"]["w1"] = [2, 8, 3]
    elif damage == "no shapes":
        del head["shapes"]
    body = {"cut": body[:-4], "longer": body + b"\0\0\0\0", "changed": body[:50] + b"x" + body[51:]}.get(damage, body)
    with pytest.raises(InputError, match="network is damaged") as error:
        load_ranker(json.dumps(head).encode() + b"\n" + body)
    assert "Train it again" in error.value.hint


def test_a_matrix_of_other_columns_is_refused():
    """The error names what is expected."""
    with pytest.raises(InputError, match="takes 3 features, not 2"):
        made_up().score(np.zeros((1, 2), np.float32))
