"""Tuning: settings chosen on the first part of a log, and told for what they are worth on the part after it."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embellie.app.evaluation_document import difference_document, interval_document
from embellie.app.recommending import Source, policy_of, read_source
from embellie.domain.errors import InputError
from embellie.domain.moment import iso, moment
from embellie.domain.unavailable import Unavailable
from embellie.recommend.evaluation import Evaluation, evaluate
from embellie.recommend.paired import Difference, Interval
from embellie.recommend.replaying import Protocol, choose_targets

_POPULAR = {"half_life": ("0", "1", "6", "24"), "optimism": ("0", "0.5", "1")}

GRIDS: dict[str, Mapping[str, Sequence[str]]] = {
    "popular": {**_POPULAR, "freshness": ("3", "6", "12")},
    "same_section": _POPULAR,
    "affinity": {**_POPULAR, "pseudo_reads": ("3", "10", "30")},
    "ease": {"ridge": ("5", "20", "100"), "beneath": ("0.5", "0.8", "0.9")},
    "factors": {"confidence": ("5", "20"), "beneath": ("0.5", "0.8", "0.9")},
}
"""What is tried when nobody says what: a few values of each setting that matters most."""

MOST = 100
"""How many combinations are tried at most: of more, the best is chance."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The settings that did best on the first part, beside the defaults on the part after it.

    `chosen` is `{}` when the defaults did best themselves. `gain` is the chosen settings' gain over the defaults on the
    later part, `None` when they are the same.
    """

    policy: str
    metric: str
    split: int
    tried: Mapping[str, float]
    chosen: Mapping[str, str]
    settings: str
    first_targets: int
    later_targets: int
    defaults_later: Interval | Unavailable
    chosen_later: Interval | Unavailable
    gain: Difference | None
    seconds: float

    @property
    def better(self) -> bool:
        """Whether the chosen settings are surely better than the defaults on clicks they were not chosen on."""
        return self.gain is not None and self.gain.real and self.gain.value > 0.0


def tune(
    source: Source,
    policy: str,
    *,
    values: Mapping[str, Sequence[str]],
    protocol: Protocol,
    share: float = 0.6,
    metric: str = "ndcg",
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Sweep a policy's settings: choose on the first `share` of the targets, report on those after them.

    Args:
        source: The log.
        policy: As `policy_of` reads it; settings given there are kept, and are part of the defaults.
        values: The values to try by setting; empty for the policy's own (`GRIDS`).
        protocol: How to replay; a `sample` is drawn from each part.
        share: Of the targets that choose, above 0 and below 1.
        metric: `ndcg`, `hr` or `mrr`, at the protocol's k.
        progress: Told targets done and targets in all, first part and later part apart.

    Raises:
        InputError: There is nothing to try, or too much, or too few targets.
    """
    name, _, given = policy.partition("?")
    grid = values or GRIDS.get(name, {})
    candidates = _candidates(policy, given, grid)
    began = time.perf_counter()
    log, _, _ = read_source(source)
    targets = choose_targets(log, replace(protocol, sample=0))
    place = round(share * len(targets))
    if not 0 < place < len(targets):
        raise InputError(
            f"{len(targets)} targets cannot be split at {share:g}.", hint="Give a longer log, or another `--split`."
        )
    split = int(log.at[targets[place].click])
    split -= split % protocol.window  # what is known at the start of the later part is the whole first part
    first = _evaluate(log, candidates, replace(protocol, until=split), progress)
    scores = {text: _value(getattr(result, metric)) for text, result in first.policies.items()}
    best = max(scores, key=lambda text: (scores[text], text == policy))
    later = _evaluate(
        log, {one: candidates[one] for one in dict.fromkeys([policy, best])}, replace(protocol, since=split), progress
    )
    gain = next((one for one in later.differences if one.metric == metric), None)
    if gain is not None:
        # One comparison was asked for, so none is corrected for; and it tells the chosen settings above the defaults.
        gain = replace(
            gain, policy=best, against=policy, value=-gain.value, low=-gain.high, high=-gain.low, p_holm=gain.p
        )
    return Tuned(
        policy=policy,
        metric=metric,
        split=split,
        tried=scores,
        chosen=candidates[best] if best != policy else {},
        settings=best,
        first_targets=len(first.targets),
        later_targets=len(later.targets),
        defaults_later=getattr(later.policies[policy], metric),
        chosen_later=getattr(later.policies[best], metric),
        gain=gain,
        seconds=time.perf_counter() - began,
    )


def _candidates(policy: str, given: str, grid: Mapping[str, Sequence[str]]) -> dict[str, Mapping[str, str]]:
    """Return every combination by the name it is asked for with; the policy as given comes first."""
    if not grid:
        raise InputError(
            f"Which settings of `{policy}` are to be tried?",
            hint="Write for example `--set half_life=1,6,24`.",
            at="--set",
        )
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    if len(combinations) > MOST:
        raise InputError(
            f"{len(combinations)} combinations are more than {MOST}: the best of so many would be so by chance.",
            hint="Try fewer values.",
            at="--set",
        )
    found: dict[str, Mapping[str, str]] = {policy: {}}
    for one in combinations:
        text = "&".join([given, *(f"{key}={value}" for key, value in one.items())]).strip("&")
        found[f"{policy.partition('?')[0]}?{text}"] = one
    return found


def _evaluate(
    log: Any, candidates: Mapping[str, Any], protocol: Protocol, progress: Callable[[int, int], None] | None
) -> Evaluation:
    built = {text: policy_of(text) for text in candidates}
    return evaluate(log, built, protocol=protocol, timer=time.perf_counter, progress=progress)


def _value(found: Interval | Unavailable) -> float:
    return found.value if isinstance(found, Interval) else float(np.nan_to_num(-np.inf))


def tuned_document(tuned: Tuned) -> dict[str, Any]:
    """Return the JSON form (`embellie/tuning/1`)."""
    return {
        "schema": "embellie/tuning/1",
        "policy": tuned.policy,
        "metric": tuned.metric,
        "split": iso(moment(tuned.split)),
        "first_targets": tuned.first_targets,
        "later_targets": tuned.later_targets,
        "tried": [{"policy": text, "value": value} for text, value in tuned.tried.items()],
        "chosen": dict(tuned.chosen),
        "chosen_policy": tuned.settings,
        "later": {
            "defaults": interval_document(tuned.defaults_later),
            "chosen": interval_document(tuned.chosen_later),
            "gain": None if tuned.gain is None else difference_document(tuned.gain),
        },
        "better": tuned.better,
        "seconds": tuned.seconds,
    }


def tuned_sentences(tuned: Tuned) -> list[str]:
    """Say what was chosen, what it is worth on clicks it was not chosen on, and what to do."""
    if tuned.gain is None:
        return [f"Of {len(tuned.tried)} combinations the defaults did best on the first part: keep them."]
    gain = tuned.gain
    worth = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] in {tuned.metric}"
    found = [
        f"On the first part `{tuned.settings}` did best of {len(tuned.tried)}; on the part after it, it gains {worth}."
    ]
    if tuned.better:
        found.append("That is more than chance: use these settings, and let an experiment say what they are worth.")
    elif gain.real:
        found.append("There it does worse than the defaults: keep the defaults.")
    else:
        found.append("That may be chance: the defaults are as good as far as this log can tell. Keep them.")
    return found
