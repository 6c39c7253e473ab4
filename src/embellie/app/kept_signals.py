"""Kept signals: what a running newsroom's state has to remember for its scenarios and its placements' rules."""

from collections.abc import Iterable

from embellie.app.config import Config, sites_of
from embellie.domain.errors import EmbellieError
from embellie.domain.site import Placement
from embellie.ports import Policy
from embellie.recommend.built_in import build_policy
from embellie.recommend.signals import Signal, signals_of
from embellie.recommend.state import State
from embellie.recommend.stories import rule_signals


def kept_signals(config: Config) -> tuple[type[Signal], ...]:
    """List the signals that an installation's scenarios and placements look at, each once.

    A scenario that cannot be built asks for none: whoever releases it is told why.
    """
    policies = []
    for scenario in config.scenarios.values():
        try:
            policies.append(build_policy(scenario.policy, scenario.settings))
        except EmbellieError:
            continue
    placements = [placement for site in sites_of(config).values() for placement in site.placements.values()]
    return signals_for(policies, placements)


def signals_for(policies: Iterable[Policy[State]], placements: Iterable[Placement]) -> tuple[type[Signal], ...]:
    """List the signals that policies, and the rules of placements, look at, each once."""
    return tuple(dict.fromkeys((*signals_of(policies), *rule_signals(placements))))
