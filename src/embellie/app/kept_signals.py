"""Kept signals: what a state has to remember for policies, and for the rules of placements."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from embellie.domain.errors import EmbellieError
from embellie.domain.release import Release
from embellie.domain.site import Placement, Site
from embellie.ports import EventLog, Policy
from embellie.recommend.built_in import build_policy
from embellie.recommend.signals import WATCHED, Signal, Watcher, signals_of
from embellie.recommend.state import State
from embellie.recommend.stories import rule_signals


def signals_for(policies: Iterable[Policy[State]], placements: Iterable[Placement]) -> tuple[type[Signal], ...]:
    """List the signals that policies, and the rules of placements, look at, each once."""
    return tuple(dict.fromkeys((*signals_of(policies), *rule_signals(placements))))


def watched_kinds(signals: Iterable[type[Signal]]) -> tuple[str, ...]:
    """List the kinds of events that signals follow beside articles and what is opened."""
    return tuple(kind.kind for kind in WATCHED) if any(issubclass(one, Watcher) for one in signals) else ()


def signals_looked_at(sites: Mapping[str, Site], releases: Iterable[Release]) -> tuple[type[Signal], ...]:
    """List the signals that placements and releases' policies look at; a release that cannot be built looks at none."""
    placements = [placement for site in sites.values() for placement in site.placements.values()]
    policies = []
    for release in releases:
        with suppress(EmbellieError):
            policies.append(build_policy(release.policy, release.settings))
    return signals_for(policies, placements)


def signals_of_log(
    log: EventLog, sites: Mapping[str, Site], scenarios: Iterable[Release] = ()
) -> tuple[type[Signal], ...]:
    """List the signals that are looked at by what was ever released, and by the scenarios about to be declared."""
    released = [event.body for _, event in log.scan(kinds=(Release.kind,))]
    return signals_looked_at(sites, [*scenarios, *(one for one in released if isinstance(one, Release))])
