"""Features on a recorded run: what the newsroom wrote down when serving is what a replay of its log finds, to the last bit."""

import random

import numpy as np
import pytest

from embellie.app.demo import PLACEMENT, SITE, START, write_project
from embellie.app.newsroom import Newsroom
from embellie.app.traffic import SimulatedClock, Traffic
from embellie.recommend.feature_checks import check_features
from embellie.recommend.features import names_of
from embellie.recommend.learning import training_from_log
from embellie.recommend.ranker import load_models_with
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Temperament

SCENARIOS = """
[scenarios.heuristic]
policy = "affinity"

[scenarios.ml]
policy = "ranker"
settings = { model = "by-hand" }

[scenarios.curious]
policy = "exploring"
settings = { epsilon = 0.5 }

[scenarios.both]
policy = "interleaved"
settings = { first = "popular", second = "ranker" }

[scenarios.tried]
policy = "thompson"
settings = { policy = "ranker" }

[scenarios.section]
policy = "same_section"
"""
VARIANTS = "{ status_quo = 1, heuristic = 1, ml = 1, curious = 1, both = 1, section = 1, tried = 1 }"


class ByHand:
    """A model without trees: the reader's sections, and what is fresh."""

    feature_names = ("section_lift", "age_hours")

    def score(self, matrix):
        return matrix[:, 0].astype(np.float64) - 0.1 * matrix[:, 1]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Drive simulated readers for some hours; return the log as it was written."""
    folder = tmp_path_factory.mktemp("recorded") / "gazette"
    write_project(folder, language="en", port=8400)
    file = folder / "embellie.toml"
    text = file.read_text(encoding="utf-8")
    before, _, rest = text.partition("[scenarios.heuristic]")
    text = before + SCENARIOS + rest[rest.index("[experiments") :]
    file.write_text(text.replace("{ status_quo = 1, heuristic = 1 }", VARIANTS), encoding="utf-8")
    clock, rng = SimulatedClock(START), np.random.default_rng(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embellie.app.newsroom.serve_models_from", lambda _: load_models_with(lambda _: ByHand()))
        newsroom = Newsroom.open(folder, clock=clock, simulated=True)
    traffic = Traffic(
        newsroom,
        clock,
        readers=Readership(500, rng, seed=5, temperament=Temperament(curiosity=0.2)),
        calendar=Calendar(START, rng),
        site=SITE,
        placement=PLACEMENT,
        entropy=random.Random(5),
    )
    traffic.open()
    for _ in range(150):
        traffic.tick()
    traffic.finish()
    events = [event for _, event in newsroom.log.scan()]
    newsroom.close()
    load_models_with(None)
    return events


def test_what_was_served_on_is_what_replay_finds(log):
    """For every policy that shows something, every feature of every article shown is the same to the last bit."""
    found = check_features(lambda: log)
    assert found.ok, str(found)
    assert set(found.policies) == {"affinity", "ranker", "exploring", "interleaved", "same_section", "thompson"}
    assert min(found.policies.values()) > 50


def test_the_ranker_used_what_it_wrote_down(log):
    """The logged score of each article the model chose follows from its logged features."""
    columns = [names_of().index(name) for name in ByHand.feature_names]
    chosen = [
        item for event in log if event.kind == "served" and event.body.policy == "ranker" for item in event.body.items
    ]
    table = np.array([item.features for item in chosen], np.float32)[:, columns]
    assert len(chosen) > 50
    assert ByHand().score(table).tolist() == [item.score for item in chosen]


def test_a_running_newsroom_is_learnt_from(log):
    """Lists hold only what came into view, clicked or passed over."""
    training = training_from_log(log, site=SITE, placement=PLACEMENT)
    assert training.feature_names == names_of()
    assert len(training) > 50
    assert 0 < (training.labels > 0).sum() < 0.5 * len(training.labels)
    assert np.isfinite(training.features).all()
