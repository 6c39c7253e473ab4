"""Kept signals: a newsroom remembers what its scenarios and rules look at, from the start, and no more."""

import pytest

from embellie.app.building import built
from embellie.app.kept_signals import signals_for, watched_kinds
from embellie.app.live_folds import LiveFolds
from embellie.domain.site import Placement, Site
from embellie.recommend.built_in import build_policy
from embellie.recommend.stories import Stories
from embellie.recommend.texts import Texts
from embellie.store.log import SqliteLog

TOLD_ONCE, QUIET = Placement(placement="bottom"), Placement(placement="bottom", one_per_story=False)


def test_stories_are_kept_unless_every_placement_turns_them_off():
    """On by default; a setting of each placement."""
    assert signals_for([], [TOLD_ONCE, QUIET]) == (Stories,)
    assert signals_for([], [QUIET]) == ()


@pytest.mark.parametrize(("policy", "settings"), [("content", {}), ("diverse", {"policy": "content"})])
def test_a_policy_brings_what_it_looks_at(policy, settings):
    """`content` needs texts; so does what is made of it."""
    assert signals_for([build_policy(policy, settings)], [QUIET]) == (Texts,)


def test_a_scenario_not_yet_declared_is_looked_after_from_the_start(tmp_path):
    """A new project does not fold its log twice."""
    sites = {"gazette": Site(site="gazette", name="Gazette", placements={"bottom": QUIET})}
    with SqliteLog(tmp_path / "log.sqlite") as log:
        live = LiveFolds(log, sites, stable="x", clock=lambda: None, scenarios=[built("content", {})])
        live.replay()
        assert live.state.signals == (Texts,)


def test_a_log_is_read_for_slates_only_where_a_signal_follows_them():
    """Slates, impressions and exposures are most of a log: they are read where a policy looks at click rates, else not."""
    assert set(watched_kinds(signals_for([build_policy("thompson")], []))) == {
        "served",
        "impression",
        "click",
        "exposure",
    }
    assert watched_kinds(signals_for([build_policy("content")], [TOLD_ONCE])) == ()
