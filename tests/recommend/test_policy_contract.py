"""Every built-in policy, and the example of one's own, keeps the contract; a bad one is caught."""

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from embellie.domain.slate import Recommended
from embellie.recommend.built_in import build_policy
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.testing.policy_contract import NOW, SITE, PolicyContract, SlateRequest, gazette

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_policy.py"


class Folded(PolicyContract):
    def fold(self, events):
        return State(signals=signals_of([self.policy()])).fold(events)


class TestStatusQuo(Folded):
    shows_something = False

    def policy(self):
        return build_policy("status_quo")


class TestEditorsList(Folded):
    def policy(self):
        return build_policy("status_quo", {"list": "editors", "articles": "a1,a2,a3,a4"})

    def test_it_names_known_articles(self):
        """An editors' list for one site says nothing to another: unknown articles are left out."""
        super().test_it_names_known_articles()


class TestLatest(Folded):
    def policy(self):
        return build_policy("latest")


class TestPopular(Folded):
    def policy(self):
        return build_policy("popular")


class TestSameSection(Folded):
    def policy(self):
        return build_policy("same_section")


class TestAffinity(Folded):
    def policy(self):
        return build_policy("affinity")


class TestCovisitation(Folded):
    def policy(self):
        return build_policy("covisitation")


class TestSessions(Folded):
    def policy(self):
        return build_policy("sessions")


class TestTrending(Folded):
    def policy(self):
        return build_policy("trending")


class TestEvergreen(Folded):
    def policy(self):
        return build_policy("evergreen")


class TestExploringSessions(Folded):
    def policy(self):
        return build_policy("exploring", {"policy": "sessions"})


class TestInterleavedVisits(Folded):
    def policy(self):
        return build_policy("interleaved", {"first": "covisitation", "second": "sessions"})


class TestExample(Folded):
    def policy(self):
        return runpy.run_path(str(EXAMPLE))["Evening"]()

    def test_it_lifts_long_reads_in_the_evening(self):
        """The example does what it says: at noon it is `popular`, at night long reads are lifted."""
        state = State().fold(gazette())
        long_read = replace(state.article(SITE, "a5"), summary="word " * 60)
        state.apply(replace(gazette()[5], body=long_read, at=NOW))
        noon = SlateRequest(site=SITE, placement="bottom", n=4, now=NOW)
        night = replace(noon, now=NOW.replace(hour=20))
        assert [item.article for item in self.policy()(noon, state)] == [
            item.article for item in build_policy("popular")(noon, state)
        ]
        assert [item.article for item in self.policy()(night, state) if item.reason == "long_read"] == ["a5"]


class Careless:
    """Ranks the same article twice, one that does not exist, without a reason, at no chance."""

    name = ""

    def __call__(self, request, view):
        return [Recommended("a1", "", float("nan"), 0.0), Recommended("a1", "x"), Recommended("nowhere", "x")]


class _OfCareless(Folded):
    def policy(self):
        return Careless()


@pytest.mark.parametrize(
    "promise",
    [
        "test_it_has_a_name",
        "test_it_fills_a_slate",
        "test_it_names_known_articles",
        "test_it_says_why",
        "test_its_propensities_are_chances",
        "test_its_scores_are_numbers",
    ],
)
def test_the_contract_catches_a_careless_policy(promise):
    """Each promise, broken, fails its test."""
    with pytest.raises(AssertionError):
        getattr(_OfCareless(), promise)()
