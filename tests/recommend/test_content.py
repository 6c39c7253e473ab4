"""Content neighbours: what is alike and fresh, at once, without reads; popularity where nothing is alike."""

import pytest

from embellie.domain.errors import InputError
from embellie.recommend.built_in import build_policy
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.testing.policy_contract import PolicyContract

TITLES = {
    "storm": "Storm hits the northern coast",
    "flood": "Coast flooded after the northern storm",
    "vote": "Council votes on the school budget",
    "school": "School budget divides the council",
    "match": "United wins the derby",
}


class TestContent(PolicyContract):
    def policy(self):
        return build_policy("content")

    def fold(self, events):
        return State(signals=signals_of([self.policy()])).fold(events)


def site(gazette, **minutes):
    state = State(signals=signals_of([build_policy("content")]))
    return state.fold(
        gazette.publish(name, minutes.get(name, i), title=title, language="en")
        for i, (name, title) in enumerate(TITLES.items())
    )


def test_a_page_is_followed_by_what_is_about_the_same(gazette, names):
    """On the storm, the flood; on the vote, the school: and the reason says so."""
    state = site(gazette)
    for page, expected in (("storm", "flood"), ("vote", "school")):
        ranking = build_policy("content")(gazette.request(60, article=page), state)
        assert names(ranking)[0] == expected
        assert ranking[0].reason == "similar"
        assert ranking[1].reason != "similar"


def test_a_new_article_is_a_neighbour_at_once(gazette, names):
    """Published this second, never read: it is the first neighbour of its subject."""
    state = site(gazette)
    state.apply(gazette.publish("breaking", 60, title="New storm hits northern coast", language="en"))
    assert names(build_policy("content")(gazette.request(60, article="storm"), state))[0] == "breaking"


def test_the_fresher_of_two_alike_comes_first(gazette, names):
    """Equally alike, the one of today stands before that of last month."""
    state = site(gazette)
    for name, minute in (("old", -40_000), ("today", 30)):
        state.apply(gazette.publish(name, minute, title=TITLES["flood"], language="en"))
    ranking = names(build_policy("content")(gazette.request(60, article="storm"), state))
    assert ranking.index("today") < ranking.index("old")


def test_a_profile_is_used_with_consent_only(gazette, names):
    """On a page of its own, who has read of the vote is offered the school; without consent, or unknown, what all are."""
    state = site(gazette).fold([gazette.read("vote", 50, reader="ann"), gazette.read("match", 51, reader="bob")])
    request = gazette.request(60, reader="ann")
    assert names(build_policy("content")(request, state))[0] == "school"
    assert build_policy("content")(request, state)[0].reason == "similar_to_read"
    stranger = build_policy("content")(gazette.request(60, consent="measurement", reader="ann"), state)
    assert names(stranger) == names(
        build_policy("popular")(gazette.request(60, consent="measurement", reader="ann"), state)
    )


def test_without_a_page_or_a_profile_it_is_popular(gazette, names):
    """Nothing to be like: the order of `popular`, with its reasons."""
    state = site(gazette).fold([gazette.read("match", 50)])
    one, other = (build_policy(name)(gazette.request(60, consent="none"), state) for name in ("content", "popular"))
    assert [(item.article, item.reason) for item in one] == [(item.article, item.reason) for item in other]


@pytest.mark.parametrize("wrong", [{"profile": 1.5}, {"fresh_days": 0.0}, {"profile_days": -1.0}])
def test_a_setting_out_of_range_is_refused(wrong):
    """With the setting's name, and what to write."""
    with pytest.raises(InputError) as caught:
        build_policy("content", wrong)
    assert caught.value.at == f"settings.{next(iter(wrong))}"
    assert caught.value.hint
