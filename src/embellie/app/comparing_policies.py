"""Comparing two policies: what differs between their configurations, and between what they score on a log."""

from collections.abc import Callable
from typing import Any

from embellie.app.evaluation_document import configurations_differ, difference_document, result_document, settings_of
from embellie.app.recommending import Evaluated, Source, evaluate_source, policy_of
from embellie.domain.errors import InputError
from embellie.recommend.replaying import Protocol


def compared(
    one: str,
    other: str,
    source: Source,
    *,
    protocol: Protocol,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluated:
    """Evaluate two policies on the same targets.

    Raises:
        InputError: They are the same.
    """
    if one == other or not configurations_differ(policy_of(one), policy_of(other)):
        raise InputError(f"`{one}` and `{other}` are the same.", hint="Compare two that differ in a setting at least.")
    return evaluate_source(source, [one, other], protocol=protocol, progress=progress)


def comparison_document(one: str, other: str, evaluated: Evaluated | None = None) -> dict[str, Any]:
    """Return the JSON form (`embellie/comparison/1`): configurations, and scores where a log was given.

    `differences` tells what `a` has above `b`.
    """
    built = {"a": policy_of(one), "b": policy_of(other)}
    document: dict[str, Any] = {
        "schema": "embellie/comparison/1",
        "a": {"policy": one, "settings": settings_of(built["a"])},
        "b": {"policy": other, "settings": settings_of(built["b"])},
        "differ": configurations_differ(built["a"], built["b"]),
    }
    if evaluated is None:
        return document
    found = evaluated.evaluation
    return document | {
        "targets": len(found.targets),
        "readers": found.readers,
        "k": found.protocol.k,
        "scores": {"a": result_document(found.policies[one]), "b": result_document(found.policies[other])},
        "differences": [difference_document(each) for each in found.differences],
        "interval": {"level": 0.95, "unit": "reader"},
    }
