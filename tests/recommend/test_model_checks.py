"""The checks of a model: what is worse than a heuristic, or a fluke, is not served."""

from dataclasses import replace

import numpy as np
import pytest
from tests.recommend.test_judging_models import SIZE, ordered

from embellie.recommend.judging_models import Judged, attention, list_ndcg, mean_by_reader
from embellie.recommend.model_checks import check_model, paired
from embellie.recommend.score_calibration import calibrate

LISTS, READERS = 1200, 200


def judged(model=1.0, heuristic=0.5, seed=5, **changes):
    """Lists of four with one choice each, made by a taste that `model` and `heuristic` see with some noise."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(LISTS, SIZE))
    chosen = (taste + rng.gumbel(size=taste.shape)).argmax(axis=1)
    labels = np.zeros((LISTS, SIZE))
    labels[np.arange(LISTS), chosen] = 1
    lists = np.repeat(np.arange(LISTS), SIZE)

    def rank(skill):
        return (skill * taste + rng.normal(size=taste.shape) * 0.7).ravel()

    scores = rank(model)
    given = {
        "ndcg": list_ndcg(scores, labels.ravel(), lists),
        "by_chance": list_ndcg(np.zeros(len(lists)), labels.ravel(), lists),
        "heuristics": {"affinity": list_ndcg(rank(heuristic), labels.ravel(), lists)},
        "readers": rng.integers(READERS, size=LISTS),
        "slices": {"section": [("news", "sport")[one % 2] for one in range(LISTS)]},
        "scores": scores,
        "labels": labels.ravel(),
        "lists": lists,
        "importance": {"a": 0.1, "b": 0.05, "c": 0.02},
        "bytes": 1000,
        "milliseconds": 1.0,
    }
    return Judged(**given | changes)


def states(one, **options):
    return {check.check: check.state for check in check_model(one, **options) if check.state != "ok"}


def test_a_good_model_passes():
    """Better than the heuristic, even, calibrated, quick: nothing to say."""
    assert states(judged()) == {}


def test_a_model_worse_than_the_heuristic_is_refused():
    """On the same lists, in pairs, by reader."""
    assert states(judged(model=0.3, heuristic=1.5))["heuristics"] == "alarm"


def test_where_the_heuristic_is_enough_it_is_said():
    """A model that is no better may be served, with the remark that it need not be."""
    found = states(judged(model=0.8, heuristic=0.8))
    assert found == {"heuristics": "watch"}


def test_two_that_are_alike_are_rarely_called_worse():
    """With no difference in truth, the alarm comes about once in forty times."""
    wrong = sum(states(judged(0.8, 0.8, seed=seed)).get("heuristics") == "alarm" for seed in range(80))
    assert wrong <= 6


def test_a_model_that_knows_nothing_is_refused():
    """Any order does as well: nothing was learned."""
    assert states(judged(model=0.0, heuristic=0.0))["floor"] == "alarm"


def test_the_floor_is_kept():
    """A metric below what was asked refuses."""
    assert states(judged(), floor=0.99)["floor"] == "alarm"


def test_too_few_lists_cannot_judge():
    """Nothing passes for want of evidence."""
    one = judged(readers=np.zeros(LISTS, np.int64))
    assert states(one)["floor"] == "alarm"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"scores": np.full(LISTS * SIZE, np.nan)}, "alarm"),
        ({"scores": np.ones(LISTS * SIZE)}, "alarm"),
        ({"ndcg": np.ones(LISTS)}, "alarm"),
        ({"importance": {"age": 0.3, "b": 0.0, "c": 0.0}}, "watch"),
    ],
)
def test_insane_models_are_caught(changes, state):
    """No number, one score for all, the future itself, or a single feature: told by name."""
    assert states(judged(**changes))["sanity"] == state


def test_a_feature_from_the_future_is_caught():
    """One feature alone that gains several times what the heuristic does knows more than it may."""
    one = judged(model=6.0, heuristic=0.2, importance={"leak": 0.3, "b": 0.0, "c": 0.0})
    assert states(one)["sanity"] == "alarm"
    assert states(replace(one, importance={"age": 0.2, "b": 0.1, "c": 0.0})) == {}


def test_a_slice_far_below_is_found():
    """What helps most readers must not be paid for by one section's."""
    one = judged()
    behind = np.arange(LISTS) % 2 == 1
    ndcg = np.where(behind, one.ndcg - 0.3, one.ndcg)
    found = {check.check: check for check in check_model(replace(one, ndcg=ndcg))}["slices"]
    assert found.state == "alarm"
    assert found.figures["value"] == "sport"


def test_falling_behind_the_served_model_is_an_alarm():
    """Yesterday's model, on lists neither learned from, is the one to match."""
    one = judged()
    assert states(replace(one, before=one.ndcg + 0.1))["yesterday"] == "alarm"
    assert "yesterday" not in states(replace(one, before=one.ndcg))


def test_upside_down_scores_are_caught():
    """Scores that rise where choices fall rank backwards."""
    one = judged()
    assert states(replace(one, scores=-one.scores))["calibration"] == "alarm"


def test_a_heavy_model_is_refused():
    """What cannot answer in time is not served."""
    assert states(judged(milliseconds=80.0))["cost"] == "alarm"
    assert states(judged(bytes=10**9))["cost"] == "alarm"


def test_scaled_scores_are_chances():
    """In each tenth of scores, as many are chosen as foretold, within chance."""
    one = judged()
    found = calibrate(one.scores, one.labels, one.lists)
    assert found.slope > 0
    assert found.error < 0.03
    assert found.found[-1] > found.found[0]


def test_who_made_the_order_gets_no_credit_for_it():
    """On lists a heuristic ordered, weights take most of its advantage away: the better ranking comes out better."""
    taste, heuristic, positions, labels = ordered()
    lists = np.repeat(np.arange(len(taste)), SIZE)
    rank = {name: list_ndcg(one.ravel(), labels.ravel(), lists) for name, one in (("t", taste), ("h", heuristic))}
    looked_at = attention(positions.ravel(), heuristic.reshape(-1, 1), labels.ravel())
    chosen = labels.sum(axis=1)
    weights = np.where(chosen > 0, (labels / looked_at[positions - 1]).sum(axis=1) / np.maximum(chosen, 1), 1.0)
    one = replace(judged(), ndcg=rank["t"], readers=np.arange(len(taste)))
    plain, weighed = (
        mean_by_reader((one.ndcg - rank["h"])[chosen > 0], one.readers[chosen > 0], by[chosen > 0])
        for by in (np.ones(len(taste)), weights)
    )
    assert weighed.value > plain.value + 0.03
    assert weighed.reach()[0] > 0
    low, high, _ = paired(replace(one, weights=weights), rank["h"])
    assert low == pytest.approx(plain.reach()[0])  # neither way of counting alone decides
    assert high == pytest.approx(weighed.reach()[1])
