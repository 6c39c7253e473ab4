"""Without consent to profiling, no policy's slate depends on what its reader has read: change the history, the slate is the same."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.reading import Read
from embellie.domain.site import Placement
from embellie.domain.slate import SlateRequest
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.features import feature_matrix, signals_of_features
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.testing.policy_contract import NOW, SITE, gazette

SPOT = Placement(placement="bottom", slots=5, section_cap=2)
SETTINGS = {
    "status_quo": [{"list": "editors", "articles": "a1,a2,a3,a4,a5,a6"}],
    "diverse": [{"policy": "affinity"}, {"policy": "affinity", "by": "content"}],
    "exploring": [{"policy": "affinity", "epsilon": 0.5}, {"policy": "sessions", "epsilon": 0.5}],
    "interleaved": [{"first": "affinity", "second": "sessions"}],
}
EVERY = [(name, given) for name in POLICIES for given in SETTINGS.get(name, [{}])]

orders = st.permutations(range(6))


def log_of(order):
    """The same newspaper, the same reads at the same times; but who read what is dealt anew."""
    return [
        replace(one, body=replace(one.body, reader=f"r{order[int(one.body.reader[1:])]}"))
        if isinstance(one.body, Read)
        else one
        for one in gazette()
    ]


FOLDED = {}
"""The same few logs are asked again and again."""


def slate_of(policy, order, request):
    key = (tuple(order), tuple(signals_of([policy])))
    if key not in FOLDED:
        FOLDED[key] = State(signals=key[1]).fold(log_of(order))
    state = FOLDED[key]
    slate = apply_rules(policy(request, state), request=request, state=state, rules=(), placement=SPOT)
    return [(item.article, item.reason, item.propensity) for item in slate]


def request_of(consent):
    return SlateRequest(
        site=SITE, placement="bottom", n=5, now=NOW, article="a9", reader="r1", visit="today", consent=consent,
        visit_articles=("a3",),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "given_"), EVERY, ids=[f"{name}-{number}" for number, (name, _) in enumerate(EVERY)])
@pytest.mark.parametrize("consent", ["measurement", "none"])
@given(order=orders)
@settings(max_examples=6, deadline=None)
def test_the_slate_is_the_same_whatever_its_reader_has_read(name, given_, consent, order):
    """Who read what is dealt anew among the readers: popularity, visits and everything else stay; the slate does too."""
    policy = build_policy(name, given_)
    request = request_of(consent)
    assert slate_of(policy, order, request) == slate_of(policy, range(6), request)


@given(order=orders)
@settings(max_examples=6, deadline=None)
@pytest.mark.parametrize("consent", ["measurement", "none"])
def test_what_a_model_would_see_is_the_same(consent, order):
    """No feature of the learned ranker knows the reader either: its numbers are the same to the last bit."""
    request, seen = request_of(consent), []
    for one in (order, range(6)):
        site = State(signals=signals_of_features()).fold(log_of(one)).site(SITE)
        seen.append(feature_matrix(request, site, np.arange(len(site.shelf)))[0])
    assert np.array_equal(seen[0], seen[1], equal_nan=True)


@pytest.mark.parametrize("name", ["affinity", "covisitation", "content", "ranker"])
def test_with_consent_it_may_differ(name):
    """The test above could fail: a policy that knows readers gives other slates to the same reader with another history."""
    policy, request = build_policy(name), request_of("profiling")
    assert len({str(slate_of(policy, np.roll(range(6), shift).tolist(), request)) for shift in range(6)}) > 1
