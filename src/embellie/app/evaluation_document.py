"""The JSON form of an evaluation (`embellie/evaluation/1`), and what stands in it beside the figures."""

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from embellie.domain.moment import iso, moment
from embellie.domain.unavailable import Unavailable
from embellie.recommend.evaluation import PolicyResult
from embellie.recommend.leaks import LeakCheck
from embellie.recommend.normative import Desk, Normative
from embellie.recommend.paired import Difference, Interval


def result_document(result: PolicyResult) -> dict[str, Any]:
    """Return one policy's part."""
    return {
        "hr": interval_document(result.hr),
        "ndcg": interval_document(result.ndcg),
        "mrr": interval_document(result.mrr),
        "at": {
            str(k): {metric: interval_document(one) for metric, one in metrics.items()}
            for k, metrics in result.at.items()
        },
        "coverage": result.coverage,
        "novelty_bits": interval_document(result.novelty),
        "section_divergence": interval_document(result.calibration),
        "fit_seconds": result.fit_seconds,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "normative": normative_document(result.normative),
        "series": [
            {"from": iso(moment(one.start)), "to": iso(moment(one.end)), "targets": one.targets, **one.figures}
            for one in result.series
        ],
    }


def normative_document(found: Normative) -> dict[str, Any]:
    """Return the figures for editors; the desk that gets least for what it publishes comes first."""
    desks = found.desks
    return {
        "lists": found.lists,
        "pairs": found.pairs,
        "calibration": interval_document(found.calibration),
        "fragmentation": interval_document(found.fragmentation),
        "desks": dict(desks.document()) if isinstance(desks, Unavailable) else [_desk_document(desk) for desk in desks],
    }


def _desk_document(desk: Desk) -> dict[str, Any]:
    return {
        "section": desk.section,
        "shown": desk.shown,
        "published": desk.published,
        "read": desk.read,
        "against_published": _gap_document(desk.against_published),
        "against_read": _gap_document(desk.against_read),
        "short": desk.short,
    }


def _gap_document(found: Difference | Unavailable) -> dict[str, Any]:
    if isinstance(found, Unavailable):
        return dict(found.document())
    return {name: getattr(found, name) for name in ("value", "low", "high", "p", "p_holm", "real")}


def interval_document(found: Interval | Unavailable) -> dict[str, Any]:
    """Return a figure's part, or why there is none."""
    if isinstance(found, Unavailable):
        return dict(found.document())
    return {field.name: getattr(found, field.name) for field in fields(found)}


def difference_document(found: Difference | Unavailable) -> dict[str, Any]:
    """Return one difference's part, or why there is none."""
    return dict(found.document()) if isinstance(found, Unavailable) else asdict(found) | {"real": found.real}


def leaks_document(found: LeakCheck | None) -> dict[str, Any]:
    """Return what the leak check asked; that it did not run when it did not."""
    if found is None:
        return {"checked": False}
    return {"checked": True, **asdict(found), "names_matter": list(found.names_matter)}


def settings_of(policy: object) -> dict[str, Any]:
    """Return a policy's settings, as its fields hold them.

    >>> from embellie.recommend.policies import Latest, Popular
    >>> settings_of(Popular(half_life=6.0))["half_life"], settings_of(Latest()), settings_of(len)
    (6.0, {}, {})
    """
    if not is_dataclass(policy):
        return {}
    return {one.name: getattr(policy, one.name) for one in fields(policy) if one.init and one.repr}


def configurations_differ(one: object, other: object) -> dict[str, Mapping[str, Any]]:
    """Return what differs between two policies' configurations: `name`, and each setting; what one lacks is absent there.

    >>> from embellie.recommend.policies import Popular
    >>> configurations_differ(Popular(), Popular(half_life=6.0))
    {'half_life': {'a': 0.0, 'b': 6.0}}
    """
    sides = {"a": _configuration(one), "b": _configuration(other)}
    found: dict[str, Mapping[str, Any]] = {}
    for key in dict.fromkeys([*sides["a"], *sides["b"]]):
        values = {side: known[key] for side, known in sides.items() if key in known}
        if len(values) < 2 or values["a"] != values["b"]:
            found[key] = values
    return found


def _configuration(policy: object) -> dict[str, Any]:
    return {"policy": getattr(policy, "name", type(policy).__name__)} | settings_of(policy)
