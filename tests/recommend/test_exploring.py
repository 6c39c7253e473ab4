"""Exploring: its propensities are the chances with which it shows what it shows, and its log values other policies."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from embellie.domain.errors import EmbellieError
from embellie.domain.slate import SlateRequest
from embellie.recommend.built_in import build_policy
from embellie.recommend.exploring import Exploring
from embellie.recommend.state import State
from embellie.stats.off_policy import off_policy_value
from embellie.testing.policy_contract import NOW, SITE, PolicyContract, gazette

REQUEST = SlateRequest(site=SITE, placement="bottom", n=4, now=NOW, reader="r1", visit="v1", consent="measurement")


class TestExploring(PolicyContract):
    """It keeps what every policy keeps."""

    def policy(self):
        return Exploring(policy="latest", epsilon=0.5, pool=6)

    def fold(self, events):
        return State().fold(events)


def slates(policy, count):
    view = State().fold(gazette())
    for milliseconds in range(count):
        request = replace(REQUEST, now=NOW + timedelta(milliseconds=milliseconds))
        yield policy(request, view), build_policy("latest")(request, view)


def test_propensities_are_the_frequencies():
    """Over 6,000 requests, each article stands at each position as often as its propensity says."""
    seen, told = Counter(), {}
    for ranking, _ in slates(Exploring(policy="latest", epsilon=0.4, pool=5), 6000):
        for position, item in enumerate(ranking[:5]):
            seen[item.article, position] += 1
            told[item.article, position] = item.propensity
    assert len(told) == 25
    for key, propensity in told.items():
        assert seen[key] / 6000 == pytest.approx(propensity, abs=4 * (propensity * (1 - propensity) / 6000) ** 0.5)


def test_beyond_the_pool_the_policy_is_followed():
    """What lies beyond the pool stands where the policy has it, with certainty; nothing is lost."""
    for ranking, latest in slates(Exploring(policy="latest", epsilon=1.0, pool=3), 50):
        names = [item.article for item in ranking]
        assert sorted(names[:3]) == sorted(item.article for item in latest[:3])
        assert names[3:] == [item.article for item in latest[3:]]
        assert {item.propensity for item in ranking[3:]} == {1.0}


def test_its_log_values_another_policy():
    """From what it showed, a policy that would show the third newest first is worth what that article earns."""
    rng = np.random.default_rng(3)
    earns = [0.1, 0.2, 0.5, 0.1, 0.1]
    rows = []
    for ranking, latest in slates(Exploring(policy="latest", epsilon=0.3, pool=5), 6000):
        shown = ranking[0]
        place = [item.article for item in latest[:5]].index(shown.article)
        rows.append((rng.random() < earns[place], shown.propensity, place == 2))
    reward, propensity, target = np.array(rows, float).T
    found = off_policy_value(reward, propensity=propensity, target=target, cluster=np.arange(len(rows)) % 900)
    assert found.weight.value == pytest.approx(1, abs=4 * found.weight.se)
    assert found.snips.low < 0.5 < found.snips.high


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epsilon": 0.0}, "above 0"),
        ({"epsilon": 1.5}, "above 0"),
        ({"pool": 1}, "two articles"),
        ({"policy": "interleaved"}, "drawn already"),
        ({"policy": "populer"}, "Did you mean `popular`"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, message):
    """A share of slates, a pool of at least two, and a policy that is certain."""
    with pytest.raises(EmbellieError, match=message):
        build_policy("exploring", settings)
