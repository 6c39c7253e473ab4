"""Evaluation: how often each policy would have put the next click near the top; a proxy, never the verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from embellie.domain.errors import InputError
from embellie.domain.unavailable import Unavailable
from embellie.ports import Policy
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.replaying import ClickLog, Protocol, Replay, Target, choose_targets, rank, serve
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State

REACH95 = 1.959963984540054
"""Standard errors to each side of a 95 % interval."""

TIMED = 400
"""How many requests are timed per policy, spread evenly over the targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over targets with its 95 % interval, readers being the independent units."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class PolicyResult:
    """What one policy did: `ranks` holds the true article's position per target, 0 where it was not ranked."""

    hr: Interval | Unavailable
    ndcg: Interval | Unavailable
    mrr: Interval | Unavailable
    coverage: float
    fit_seconds: float
    p50_ms: float
    p99_ms: float
    ranks: Integers


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A replay's result; `unseen` targets were articles nobody had been able to see before their window: misses."""

    clicks: int
    visits: int
    readers: int
    articles: int
    unseen: int
    protocol: Protocol
    targets: Sequence[Target]
    policies: Mapping[str, PolicyResult]
    notes: Sequence[str] = field(default=())


def gains(ranks: Integers, k: int) -> dict[str, Floats]:
    """Return what each target adds to `hr`, `ndcg` and `mrr` at `k`; nothing beyond position k or when not ranked.

    With one true article: hit = 1, discounted gain = 1 / log2(1 + rank), reciprocal rank = 1 / rank.

    >>> {name: value.round(3).tolist() for name, value in gains(np.array([1, 3, 0, 21]), 20).items()}
    {'hr': [1.0, 1.0, 0.0, 0.0], 'ndcg': [1.0, 0.5, 0.0, 0.0], 'mrr': [1.0, 0.333, 0.0, 0.0]}
    """
    hit = ((ranks > 0) & (ranks <= k)).astype(np.float64)
    position = np.where(hit > 0, ranks, 1).astype(np.float64)
    return {"hr": hit, "ndcg": hit / np.log2(1.0 + position), "mrr": hit / position}


def clustered_mean(values: Floats, clusters: Integers) -> Interval | Unavailable:
    """Return a mean over targets with an interval that takes readers, not targets, as independent.

    With S_r the sum and n_r the number of targets of reader r, R readers and N targets, m = Σ S_r / N and

        var(m) = R / (R - 1) · Σ (S_r - m n_r)² / N²

    (the delta method for a ratio of means; Deng, Knoblich & Lu, KDD 2018), m ± 1.96 √var, within [0, 1]. When all
    readers agree exactly on 0 or on 1 the variance says nothing: then the bound is that of R binomial trials without
    a single exception, 1 - 0.025^(1/R).

    Args:
        values: One per target, from 0 to 1.
        clusters: The reader of each target, numbered from 0.

    >>> found = clustered_mean(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 2]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.5, 0.076, 0.924)
    """
    readers = int(clusters.max(initial=-1)) + 1
    if readers < 2:
        return Unavailable(
            reason=f"{readers} reader has targets: the interval needs at least two.", remedy="Give a longer log."
        )
    sums, sizes = np.bincount(clusters, weights=values), np.bincount(clusters)
    mean = float(sums.sum() / sizes.sum())
    if mean in (0.0, 1.0):
        reach = 1.0 - 0.025 ** (1.0 / readers)
        return Interval(value=mean, low=0.0 if mean == 0.0 else 1.0 - reach, high=reach if mean == 0.0 else 1.0)
    residuals = sums - mean * sizes
    se = float(np.sqrt(readers / (readers - 1) * (residuals @ residuals))) / float(sizes.sum())
    return Interval(value=mean, low=max(0.0, mean - REACH95 * se), high=min(1.0, mean + REACH95 * se))


def evaluate(
    log: ClickLog,
    policies: Mapping[str, Policy[State]],
    *,
    protocol: Protocol,
    timer: Callable[[], float],
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Replay a log in order of time and rank every target by every policy.

    Args:
        log: The clicks.
        policies: By the name they are reported under.
        protocol: Window, targets, k, sample.
        timer: Tells seconds (a clock that only moves forward).
        progress: Told how many targets are done, of how many.

    Raises:
        InputError: There is nothing to predict.
    """
    targets = choose_targets(log, protocol)
    if not targets:
        raise InputError(
            f"No target among {len(log)} clicks: no visit has two different articles.",
            hint="Check the visit and article columns.",
        )
    replay = Replay(log, protocol, timer=timer, signals=signals_of(policies.values()))
    runs = {name: _Run(policy, len(targets), timer) for name, policy in policies.items()}
    unseen = 0
    for number, (target, request) in enumerate(replay.requests(targets)):
        article = log.articles[target.click]
        unseen += replay.state.site(request.site).shelf.row(article) is None
        for run in runs.values():
            run.take(number, rank(run.policy, request, replay.state, article=article, seen=protocol.seen))
            if number % max(1, len(targets) // TIMED) == 0:
                run.time(lambda policy, request=request: serve(policy, request, replay.state))  # type: ignore[misc]
        if progress is not None and (number + 1) % 200 == 0:
            progress(number + 1, len(targets))
    return _result(replay, targets, runs, unseen=unseen)


class _Run:
    """Collects what one policy does during a replay."""

    def __init__(self, policy: Policy[State], targets: int, timer: Callable[[], float]) -> None:
        self.policy = policy
        self.ranks = np.zeros(targets, np.int64)
        self.shown: set[int] = set()
        self.seconds: list[float] = []
        self._timer = timer

    def take(self, number: int, found: tuple[int, Integers]) -> None:
        self.ranks[number] = found[0]
        self.shown.update(found[1].tolist())

    def time(self, answer: Callable[[Policy[State]], None]) -> None:
        began = self._timer()
        answer(self.policy)
        self.seconds.append(self._timer() - began)


def _result(replay: Replay, targets: Sequence[Target], runs: Mapping[str, _Run], *, unseen: int) -> Evaluation:
    log, protocol = replay.log, replay.protocol
    clusters = _clusters(log, targets)
    known = len(replay.state.site("log").shelf)
    results = {}
    for name, run in runs.items():
        found = {metric: clustered_mean(values, clusters) for metric, values in gains(run.ranks, protocol.k).items()}
        p50, p99 = np.percentile(np.array(run.seconds) * 1000.0, [50, 99])
        results[name] = PolicyResult(
            **found,
            coverage=len(run.shown) / known if known else 0.0,
            fit_seconds=replay.fold_seconds,
            p50_ms=float(p50),
            p99_ms=float(p99),
            ranks=run.ranks,
        )
    return Evaluation(
        clicks=len(log),
        visits=len(set(log.visits) - {""}),
        readers=len(set(log.readers) - {""}),
        articles=known,
        unseen=unseen,
        protocol=protocol,
        targets=targets,
        policies=results,
        notes=_notes(replay, runs),
    )


def _clusters(log: ClickLog, targets: Sequence[Target]) -> Integers:
    """Number the readers of the targets; a target without a reader is clustered by its visit."""
    names = [("reader", r) if (r := log.readers[t.click]) else ("visit", log.visits[t.click]) for t in targets]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)


def _notes(replay: Replay, runs: Mapping[str, _Run]) -> list[str]:
    if len(replay.state.site("log").shelf.sections) > 1:
        return []
    blind = [name for name, run in runs.items() if getattr(run.policy, "needs_sections", False)]
    return [f"No section is known, so `{name}` ranks as `popular`. Give `--catalogue` to try it." for name in blind]
