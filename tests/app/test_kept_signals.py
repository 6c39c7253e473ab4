"""Kept signals: a newsroom remembers what its scenarios and rules look at, and no more."""

from embellie.app.config import parse_config
from embellie.app.kept_signals import kept_signals
from embellie.recommend.stories import Stories
from embellie.recommend.texts import Texts

SITE = {"sites": {"gazette": {"placements": {"bottom": {}}}}}
QUIET = {"sites": {"gazette": {"placements": {"bottom": {"one_per_story": False}}}}}


def test_stories_are_kept_unless_every_placement_turns_them_off():
    """On by default; a setting of each placement."""
    assert kept_signals(parse_config(SITE)) == (Stories,)
    assert kept_signals(parse_config(QUIET)) == ()


def test_a_scenario_brings_its_policys_signals():
    """`content` needs texts; so does what is made of it."""
    for policy, settings in (("content", {}), ("diverse", {"policy": "content"})):
        scenarios = {"status_quo": {"policy": "status_quo"}, "heuristic": {"policy": policy, "settings": settings}}
        config = parse_config(QUIET | {"scenarios": scenarios})
        assert kept_signals(config) == (Texts,)
