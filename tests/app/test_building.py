"""A release is named by its content, and its policy can be built."""

from datetime import UTC, datetime

import numpy as np
import pytest

from embellie.app.building import built, scenario_releases, serve_models_from, with_model
from embellie.app.config import read_config
from embellie.app.kept_models import models_of
from embellie.domain.errors import EmbellieError
from embellie.recommend.built_in import build_policy
from embellie.recommend.features import names_of
from embellie.recommend.learning import Lists
from embellie.recommend.ranker import load_models_with
from embellie.recommend.ranker_trees import fit_trees

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_same_content_is_the_same_release():
    """A note changes nothing; a setting does."""
    first = built("popular", {"half_life": 6.0})
    assert built("popular", {"half_life": 6.0}, note="Again.").release == first.release
    assert built("popular", {"half_life": 12.0}).release != first.release


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [("popularr", {}, "Did you mean `popular`"), ("popular", {"halflife": 6}, "Did you mean `half_life`")],
)
def test_what_no_policy_knows_is_answered_with_what_exists(policy, settings, message):
    """A release that could not answer is never made."""
    with pytest.raises(EmbellieError, match=message):
        built(policy, settings)


def test_each_scenario_has_its_release(folder):
    """The first one answers until something else is rolled out."""
    found = scenario_releases(read_config(folder))
    assert {name: one.policy for name, one in found.items()} == {"status_quo": "status_quo", "heuristic": "affinity"}
    assert found["heuristic"].note == "Scenario heuristic."


@pytest.fixture
def trained(tmp_path):
    """A data folder with one accepted model, and its address."""
    pytest.importorskip("lightgbm", reason="the extra `ml` is not installed")
    rng, made = np.random.default_rng(1), Lists()
    for at in range(300):
        table = rng.normal(size=(4, len(names_of()))).astype(np.float32)
        made.add(names_of(), table, [int(place == np.argmax(table[:, 0])) for place in range(4)], [1, 2, 3, 4], at=at)
    store = models_of(tmp_path, "gazette")
    run = store.keep(fit_trees(made.training_set(), seed=1).dump(), {}, state="accepted", now=NOON)
    store.make_current(run.run)
    serve_models_from(tmp_path)
    yield tmp_path, run.model
    load_models_with(None)


def test_a_release_of_the_ranker_names_the_model_it_is_made_with(trained):
    """Built without one it takes the site's current model, so that a later training does not change what is live."""
    data, model = trained
    release = built("ranker", with_model("ranker", {}, data=data, site="gazette"))
    assert (release.model, release.settings["model"]) == (model, model)
    assert build_policy("ranker", release.settings).missing == ""
    assert with_model("ranker", {}, data=data, site="courier") == {}
    assert with_model("popular", {}, data=data, site="gazette") == {}


def test_a_model_that_cannot_be_served_is_not_released(trained):
    """One that does not exist, or whose file was cut short."""
    data, model = trained
    with pytest.raises(EmbellieError, match="cannot be served"):
        with_model("ranker", {"model": "0" * 64}, data=data, site="gazette")
    (file,) = data.rglob(f"{model}.model")
    file.write_bytes(file.read_bytes()[:100])
    serve_models_from(data)
    with pytest.raises(EmbellieError, match="cannot be served"):
        with_model("ranker", {"model": model}, data=data, site="gazette")
