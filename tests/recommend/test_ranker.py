"""The learned ranker as a policy: the model orders a shortlist, the heuristic stands behind and in for it."""

import logging

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.recommend.built_in import build_policy
from embellie.recommend.features import Asked, names_of, signals_of_features
from embellie.recommend.ranker import Ranker, load_models_with
from embellie.recommend.shortlist import shortlist
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.testing.policy_contract import PolicyContract


class Oldest:
    """A model that wants the oldest first."""

    feature_names = ("age_hours",)

    def score(self, matrix):
        return matrix[:, 0].astype(np.float64)


class Foreign(Oldest):
    feature_names = ("phase_of_the_moon",)


MODELS = {"oldest": Oldest(), "foreign": Foreign()}


@pytest.fixture(autouse=True)
def _models():
    def load(model):
        if model not in MODELS:
            raise InputError(f"No model `{model}`.", hint="Train one.")
        return MODELS[model]

    load_models_with(load)
    yield
    load_models_with(None)


class TestWithAModel(PolicyContract):
    def fold(self, events):
        return State(signals=signals_of_features()).fold(events)

    def policy(self):
        return build_policy("ranker", {"model": "oldest"})


class TestWithoutAModel(PolicyContract):
    def fold(self, events):
        return State(signals=signals_of_features()).fold(events)

    def policy(self):
        return build_policy("ranker")


def newspaper(gazette, count=40):
    events = [gazette.publish(f"a{n:02}", n, section=("News", "Sport")[n % 2]) for n in range(count)]
    events += [gazette.read(f"a{n % 7:02}", 50 + n, reader=f"r{n % 5}", visit=f"v{n}") for n in range(30)]
    return State(signals=signals_of_features()).fold(events)


def test_the_model_decides(gazette, names):
    """The order of the shortlist is the model's."""
    ranking = build_policy("ranker", {"model": "oldest"})(gazette.request(100, reader="new"), newspaper(gazette))
    assert names(ranking[:3]) == ["a00", "a01", "a02"]
    assert len(ranking) == 40


def test_beyond_the_shortlist_the_heuristic_goes_on(gazette, names):
    """Nothing is left out: what the model does not look at follows in the order of the default heuristic."""
    state, request = newspaper(gazette), gazette.request(100, reader="r1")
    ranking = names(build_policy("ranker", {"model": "oldest", "candidates": 10})(request, state))
    heuristic = names(build_policy("affinity")(request, state))
    assert sorted(ranking) == sorted(heuristic)
    rest = [name for name in heuristic if name in ranking[10:]]
    assert ranking[10:] == rest


@pytest.mark.parametrize(("model", "why"), [("", "names no model"), ("lost", "No model `lost`"), ("foreign", "moon")])
def test_without_a_model_it_is_the_heuristic_and_says_so(gazette, model, why, caplog):
    """Order, scores and reasons are those of `affinity`; `missing` tells why, and a model that was named is warned of."""
    with caplog.at_level(logging.WARNING):
        policy = Ranker(model=model)
    assert why in policy.missing
    assert bool(caplog.records) == bool(model)
    state, request = newspaper(gazette), gazette.request(100, reader="r1")
    assert list(policy(request, state)) == list(build_policy("affinity")(request, state))


def test_what_the_model_looked_at_travels_with_the_article(gazette):
    """The features noted are those scored; their moment is the state's."""
    state = newspaper(gazette)
    first = build_policy("ranker", {"model": "oldest"})(gazette.request(100, reader="r1"), state)[0]
    assert first.features.names == names_of()
    assert np.float32(first.features.values[names_of().index("age_hours")]) == first.score
    assert first.features.as_of == state.site(gazette.site).heard == 70


def test_reasons_stay_true(gazette):
    """A reason speaks of the article, as `affinity` would."""
    state, request = newspaper(gazette), gazette.request(100, reader="r1")
    ours = {item.article: item.reason for item in build_policy("ranker", {"model": "oldest"})(request, state)}
    theirs = {item.article: item.reason for item in build_policy("affinity")(request, state)}
    assert ours == theirs


def test_each_source_has_its_say_in_the_shortlist(gazette):
    """The newest, unread, is on a list of five; so is the most read; no list is longer than asked."""
    state = newspaper(gazette)
    asked = Asked(gazette.request(100, reader="r1"), state.site(gazette.site))
    for most in (1, 5, 10, 39, 40, 100):
        found = shortlist(asked, np.arange(40), most=most)
        assert len(found) == min(most, 40) or most < 5
        assert len(set(found.tolist())) == len(found)
    five = shortlist(asked, np.arange(40), most=5)
    assert 39 in five
    assert int(np.argmax(asked.popular.values)) in five


def test_a_policy_around_it_keeps_what_it_needs(gazette):
    """Exploring and interleaving with a ranker look at its signals, and note features like it."""
    for name, settings in (("exploring", {"policy": "ranker"}), ("interleaved", {"second": "ranker"})):
        policy = build_policy(name, settings)
        assert set(signals_of([policy])) == set(Ranker.signals)
        assert policy.logs_features
    assert not build_policy("exploring").logs_features


def test_a_shortlist_of_nothing_is_refused():
    """The error says what would do."""
    with pytest.raises(InputError, match="`candidates` is 0"):
        build_policy("ranker", {"candidates": 0})
