"""Kept signals: what a state has to remember for policies, and for the rules of placements."""

from collections.abc import Iterable

from embellie.domain.site import Placement
from embellie.ports import Policy
from embellie.recommend.signals import WATCHED, Signal, Watcher, signals_of
from embellie.recommend.state import State
from embellie.recommend.stories import rule_signals


def signals_for(policies: Iterable[Policy[State]], placements: Iterable[Placement]) -> tuple[type[Signal], ...]:
    """List the signals that policies, and the rules of placements, look at, each once."""
    return tuple(dict.fromkeys((*signals_of(policies), *rule_signals(placements))))


def watched_kinds(signals: Iterable[type[Signal]]) -> tuple[str, ...]:
    """List the kinds of events that signals follow beside articles and what is opened."""
    return tuple(kind.kind for kind in WATCHED) if any(issubclass(one, Watcher) for one in signals) else ()
