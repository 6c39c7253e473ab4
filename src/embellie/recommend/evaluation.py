"""Evaluation: how often each policy would have put the next click near the top; a proxy, never the verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from embellie.domain.errors import InputError
from embellie.domain.unavailable import Unavailable
from embellie.ports import Policy
from embellie.recommend.list_sample import Lists, Sample
from embellie.recommend.normative import Normative, normative
from embellie.recommend.paired import REACH95, Difference, Interval, clustered_moments, paired_differences
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.replaying import ClickLog, Protocol, Replay, Target, choose_targets, rank, serve
from embellie.recommend.signals import signals_of
from embellie.recommend.slate_figures import Beholder, behold, within
from embellie.recommend.state import State

TIMED = 400
"""How many requests are timed per policy, spread evenly over the targets."""

SPANS = 12
"""Into how many equal spans of time a series is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A policy's figures over the targets of one span of time (µs, `start` within, `end` not)."""

    start: int
    end: int
    targets: int
    figures: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class PolicyResult:
    """What one policy did: `ranks` holds the true article's position per target, 0 where it was not ranked.

    `at` holds the metrics at each further k, `novelty` the mean self-information (bits) of the first k, and
    `calibration` the divergence between the sections of a reader's history and theirs (0 to 1, less is closer).
    `normative` are the figures for editors, of a sample of lists.
    """

    hr: Interval | Unavailable
    ndcg: Interval | Unavailable
    mrr: Interval | Unavailable
    coverage: float
    fit_seconds: float
    p50_ms: float
    p99_ms: float
    ranks: Integers
    at: Mapping[int, Mapping[str, Interval | Unavailable]]
    novelty: Interval | Unavailable
    calibration: Interval | Unavailable
    series: Sequence[Span]
    normative: Normative


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A replay's result; `unseen` targets were articles nobody had been able to see before their window: misses.

    `differences` holds each policy against each other at `k`, corrected for all of them together.
    """

    clicks: int
    visits: int
    readers: int
    articles: int
    unseen: int
    protocol: Protocol
    targets: Sequence[Target]
    policies: Mapping[str, PolicyResult]
    differences: Sequence[Difference]
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

    m ± 1.96 se within [0, 1] (`clustered_moments`). When all readers agree exactly on 0 or on 1 the variance says
    nothing: then the bound is that of R binomial trials without a single exception, 1 - 0.025^(1/R).

    Args:
        values: One per target, from 0 to 1.
        clusters: The reader of each target, numbered from 0.

    >>> found = clustered_mean(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 2]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.5, 0.076, 0.924)
    """
    readers, mean, se = clustered_moments(values, clusters)
    if readers < 2:
        return _too_few(readers)
    if mean in (0.0, 1.0):
        reach = 1.0 - 0.025 ** (1.0 / readers)
        return Interval(value=mean, low=0.0 if mean == 0.0 else 1.0 - reach, high=reach if mean == 0.0 else 1.0)
    return Interval(value=mean, low=max(0.0, mean - REACH95 * se), high=min(1.0, mean + REACH95 * se))


def _too_few(readers: int) -> Unavailable:
    return Unavailable(
        reason=f"{readers} reader has targets: the interval needs at least two.", remedy="Give a longer log."
    )


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
    times = log.at[[target.click for target in targets]]
    sample = Sample(_clusters(log, targets), times // protocol.window)
    runs = {name: _Run(policy, len(targets), timer, Lists(sample, protocol.k)) for name, policy in policies.items()}
    unseen = 0
    for number, (target, request) in enumerate(replay.requests(targets)):
        article = log.articles[target.click]
        unseen += replay.state.site(request.site).shelf.row(article) is None
        beholder = behold(request, replay.state.site(request.site))
        place = sample.place(number)
        if place is not None:
            sample.note(place, beholder.read)
        for run in runs.values():
            found = rank(run.policy, request, replay.state, article=article, seen=protocol.seen)
            run.take(number, found, beholder, place=place)
            if number % max(1, len(targets) // TIMED) == 0:
                run.time(lambda policy, request=request: serve(policy, request, replay.state))  # type: ignore[misc]
        if progress is not None and (number + 1) % 200 == 0:
            progress(number + 1, len(targets))
    return _result(replay, targets, runs, sample, unseen=unseen)


class _Run:
    """Collects what one policy does during a replay."""

    def __init__(self, policy: Policy[State], targets: int, timer: Callable[[], float], lists: Lists) -> None:
        self.policy = policy
        self.lists = lists
        self.ranks = np.zeros(targets, np.int64)
        self.looks = np.zeros((2, targets))
        self.shown: set[int] = set()
        self.seconds: list[float] = []
        self._timer = timer

    def take(self, number: int, found: tuple[int, Integers], beholder: Beholder, *, place: int | None) -> None:
        self.ranks[number] = within(found[0], 0, len(beholder.reads), name="rank")
        self.shown.update(found[1].tolist())
        self.looks[:, number] = beholder.look(found[1])
        if place is not None:
            self.lists.keep(place, found[1], beholder.sections)

    def time(self, answer: Callable[[Policy[State]], None]) -> None:
        began = self._timer()
        answer(self.policy)
        self.seconds.append(self._timer() - began)


def _result(
    replay: Replay, targets: Sequence[Target], runs: Mapping[str, _Run], sample: Sample, *, unseen: int
) -> Evaluation:
    log, protocol, clusters = replay.log, replay.protocol, sample.clusters
    shelf = replay.state.site("log").shelf
    known = len(shelf)
    gained = {name: gains(run.ranks, protocol.k) for name, run in runs.items()}
    times = log.at[[target.click for target in targets]]
    background = sample.background([log.articles[target.click] for target in targets], times, shelf)
    results = {}
    for name, run in runs.items():
        p50, p99 = np.percentile(np.array(run.seconds) * 1000.0, [50, 99])
        at = {k: _means(gains(run.ranks, k), clusters) for k in sorted({*protocol.more_k, protocol.k})}
        results[name] = PolicyResult(
            **at[protocol.k],
            at=at,
            coverage=within(len(run.shown) / known if known else 0.0, 0.0, 1.0, name="coverage"),
            fit_seconds=replay.fold_seconds,
            p50_ms=float(p50),
            p99_ms=float(p99),
            ranks=run.ranks,
            novelty=_mean_where(run.looks[0], clusters, "It showed nothing.", high=np.inf),
            calibration=_mean_where(
                run.looks[1], clusters, "No reader has a history in known sections, or nothing was shown.", high=1.0
            ),
            series=_series(gained[name], times, protocol.window),
            normative=normative(run.lists, sample, background),
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
        differences=paired_differences(gained, clusters),
        notes=_notes(replay, runs),
    )


def _means(gained: Mapping[str, Floats], clusters: Integers) -> dict[str, Interval | Unavailable]:
    """Return the metrics; that a discounted gain is no more than a hit, and its discount no less than 1 / rank."""
    totals = {metric: float(values.mean()) for metric, values in gained.items()}
    within(totals["hr"], 0.0, 1.0, name="hr")
    within(totals["ndcg"], 0.0, totals["hr"], name="ndcg")
    within(totals["mrr"], 0.0, totals["ndcg"], name="mrr")
    return {metric: clustered_mean(values, clusters) for metric, values in gained.items()}


def _mean_where(values: Floats, clusters: Integers, nothing: str, *, high: float) -> Interval | Unavailable:
    """Return the mean over the targets that have a value, by reader."""
    there = np.isfinite(values)
    if not there.any():
        return Unavailable(reason=nothing, remedy="Give a catalogue with sections, and policies that show something.")
    _, among = np.unique(clusters[there], return_inverse=True)
    readers, mean, se = clustered_moments(values[there], among)
    if readers < 2:
        return _too_few(readers)
    within(mean, 0.0, high, name="mean")
    return Interval(value=mean, low=max(0.0, mean - REACH95 * se), high=min(high, mean + REACH95 * se))


def _series(gained: Mapping[str, Floats], times: Integers, window: int) -> list[Span]:
    """Cut the targets into equal spans of whole windows, oldest first; spans without a target are left out."""
    first, last = int(times.min() // window), int(times.max() // window)
    length = -(-(last - first + 1) // SPANS)
    spans = (times // window - first) // length
    found = []
    for span in np.unique(spans).tolist():
        inside = spans == span
        start = (first + span * length) * window
        figures = {metric: float(values[inside].mean()) for metric, values in gained.items()}
        found.append(Span(start=start, end=start + length * window, targets=int(inside.sum()), figures=figures))
    return found


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
