"""Replaying: a click log told again in order, asking policies before each click which article it would be."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.moment import micros, moment
from embellie.domain.reading import Read
from embellie.domain.site import Placement
from embellie.domain.slate import SlateRequest
from embellie.ports import Policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.policies import RankedPolicy
from embellie.recommend.popularity import MICROS_PER_HOUR, Integers
from embellie.recommend.ranking import best_first, rank_of
from embellie.recommend.signals import Signal
from embellie.recommend.state import State

SITE = "log"
_NEVER_OPENED = ("", "")
_SPOT = Placement(placement="replay", one_per_story=False)


@dataclass(frozen=True, kw_only=True)
class ClickLog:
    """Clicks in order of time: parallel columns, `at` in µs since 1970 (UTC); a reader or visit may be `""`.

    `catalogue` tells what is known of articles besides their clicks: section, time of publication, language.
    """

    readers: Sequence[str]
    visits: Sequence[str]
    articles: Sequence[str]
    at: Integers
    catalogue: Mapping[str, Article] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class Target:
    """A click to predict: its place in the log, and the places of the visit's earlier clicks, oldest first."""

    click: int
    before: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How the log is replayed.

    `window` in µs: policies know what came before the window's start. `target`: every click of a visit after its
    first (`next`), or its last one only. `seen` `keep` ranks every article seen so far but the page's own, `drop`
    leaves out what the reader has read, as slates do, and with it such targets. `sample` 0 takes every target.
    `more_k` are further positions to report at, below `k`. Targets before `since` or from `until` on (µs; 0 for no
    limit) are told to policies, not scored.
    """

    window: int = MICROS_PER_HOUR
    target: Literal["next", "last"] = "next"
    seen: Literal["keep", "drop"] = "keep"
    k: int = 20
    more_k: tuple[int, ...] = ()
    sample: int = 0
    seed: int = 0
    since: int = 0
    until: int = 0


def targets_of(
    log: ClickLog, target: Literal["next", "last"] = "next", *, seen: Literal["keep", "drop"] = "keep"
) -> list[Target]:
    """Return the clicks to predict, in order of time.

    A visit's first click has no page before it, and a click on the page one is already on is no choice: neither is
    a target. With `seen="drop"`, nor is an article the reader has opened before.
    """
    visits: dict[str, list[int]] = {}
    opened: set[tuple[str, str]] = set()
    found: list[Target] = []
    articles, drop = log.articles, seen == "drop"
    for click, visit in enumerate(log.visits):
        before = visits.get(visit) if visit else None
        if before and articles[before[-1]] == articles[click]:
            continue
        once = (log.readers[click] or f"visit {visit}", articles[click]) if drop else _NEVER_OPENED
        if before and once not in opened:
            found.append(Target(click, tuple(before)))
        if drop:
            opened.add(once)
        if before is not None:
            before.append(click)
        elif visit:
            visits[visit] = [click]
    if target == "last":
        last = {log.visits[one.click]: one for one in found}
        found = sorted(last.values(), key=lambda one: one.click)
    return found


def choose_targets(log: ClickLog, protocol: Protocol) -> list[Target]:
    """Return the targets of a protocol: all of them, or a sample drawn with its seed, in order of time."""
    found = targets_of(log, protocol.target, seen=protocol.seen)
    if protocol.since or protocol.until:
        ends = protocol.until or np.iinfo(np.int64).max
        found = [one for one in found if protocol.since <= log.at[one.click] < ends]
    if not 0 < protocol.sample < len(found):
        return found
    drawn = np.random.default_rng(protocol.seed).choice(len(found), protocol.sample, replace=False)
    return [found[i] for i in np.sort(drawn).tolist()]


def steps_of(log: ClickLog) -> Iterator[tuple[int, Article | None, int]]:
    """Tell the log in order: an article when it is published, at the latest just before its first click; then its click.

    A catalogue's article without a time of publication is told with its first click, so it cannot be known earlier.

    Returns:
        The time (µs), the article if it is one, and else the click's place in the log.
    """
    coming = sorted(
        ((micros(one.published_at), one) for one in log.catalogue.values() if one.published_at is not None),
        key=lambda one: (one[0], one[1].article),
    )
    told: set[str] = set()
    following = 0
    for click, (at, name) in enumerate(zip(log.at.tolist(), log.articles, strict=True)):
        while following < len(coming) and coming[following][0] <= at:
            published, article = coming[following]
            following += 1
            if article.article not in told:
                told.add(article.article)
                yield published, article, -1
        if name not in told:
            told.add(name)
            known = log.catalogue.get(name)
            if known is not None:
                # Read before its stated publication: the log is right, the catalogue's clock is not.
                yield at, replace(known, published_at=moment(at)), -1
        yield at, None, click
    for published, article in coming[following:]:
        if article.article not in told:
            yield published, article, -1


def events_of(log: ClickLog) -> Iterator[Event]:
    """Tell the log as the events that a site would have sent (`steps_of`)."""
    for at, article, click in steps_of(log):
        if article is not None:
            yield _event(f"article {article.article}", at, article)
        else:
            read = Read(article=log.articles[click], reader=log.readers[click], visit=log.visits[click])
            yield _event(f"click {click}", at, read)


def _event(name: str, at: int, body: Article | Read) -> Event:
    return Event(id=name, site=SITE, at=moment(at), body=body, consent="profiling")


class Replay:
    """Folds the log window by window, and shows each target's request to whoever asks.

    By construction a policy sees the state as of the start of the target's window, and the visit's earlier clicks.
    It is never handed the log.

    Args:
        log: The clicks.
        protocol: How to replay them.
        timer: Tells seconds; the time spent folding is kept in `fold_seconds`.
        signals: What the state is to remember beside popularity and histories.
    """

    def __init__(
        self,
        log: ClickLog,
        protocol: Protocol,
        *,
        timer: Callable[[], float],
        signals: Iterable[type[Signal]] = (),
    ) -> None:
        self.log = log
        self.protocol = protocol
        self.state = State(from_reads=True, signals=signals)
        self.fold_seconds = 0.0
        self._timer = timer
        self._steps = steps_of(log)
        self._following = next(self._steps, None)

    def requests(self, targets: Iterable[Target]) -> Iterator[tuple[Target, SlateRequest]]:
        """Walk through targets in order of time, the state standing at the start of each one's window."""
        for target in targets:
            at = int(self.log.at[target.click])
            self._fold_until(at - at % self.protocol.window)
            yield target, self.request(target)

    def fold_all(self) -> None:
        """Fold the whole log."""
        self._fold_until(np.iinfo(np.int64).max)

    def _fold_until(self, start: int) -> None:
        """Fold every event before `start`; those at `start` belong to the window."""
        following = self._following
        if following is None or following[0] >= start:
            return
        began = self._timer()
        site = self.state.kept(SITE)
        readers, visits, articles = self.log.readers, self.log.visits, self.log.articles
        while following is not None and following[0] < start:
            at, article, click = following
            if article is not None:
                site.publish(article, at)
            else:
                site.open(articles[click], at, reader=readers[click], visit=visits[click], read=True, profiling=True)
            following = next(self._steps, None)
        self._following = following
        self.fold_seconds += self._timer() - began

    def request(self, target: Target) -> SlateRequest:
        """Return what a target's reader asks at its time: its page, visit and reader, never its article."""
        log = self.log
        return SlateRequest(
            site=SITE,
            placement=_SPOT.placement,
            n=self.protocol.k,
            now=moment(int(log.at[target.click])),
            article=log.articles[target.before[-1]],
            reader=log.readers[target.click],
            visit=log.visits[target.click],
            consent="profiling",
            visit_articles=tuple(dict.fromkeys(log.articles[click] for click in target.before)),
        )


def rank(
    policy: Policy[State], request: SlateRequest, state: State, *, article: str, seen: Literal["keep", "drop"]
) -> tuple[int, Integers]:
    """Return the position from 1 a policy gives an article (0: not ranked), and the rows of its first `request.n`.

    A policy that scores is ranked by counting the articles scored better, in the very order its slates have;
    any other is called and its ranking read through.
    """
    site = state.site(request.site)
    row = site.shelf.row(article)
    if not isinstance(policy, RankedPolicy):
        names = _names(policy, request, state, seen)
        position = names.index(article) + 1 if article in names else 0
        return position, np.array(site.shelf.rows(names[: request.n]), np.int64)
    rows = site.candidates(request) if seen == "drop" else np.flatnonzero(site.suitable(request))
    scores, recency = policy.score(request, site).values[rows], site.shelf.published[rows]
    ids = site.shelf.names(rows)
    first = rows[best_first(scores, recency, ids, request.n)]
    place = 0 if row is None else int(np.searchsorted(rows, row))
    if row is None or place >= len(rows) or rows[place] != row:
        return 0, first
    return rank_of(place, scores, recency, ids), first


def _names(policy: Policy[State], request: SlateRequest, state: State, seen: str) -> list[str]:
    ranking = policy(request, state)
    if seen == "keep":
        suitable = state.site(request.site).suitable(request)
        shelf = state.site(request.site).shelf
        known = dict.fromkeys(item.article for item in ranking)
        return [name for name in known if (row := shelf.row(name)) is not None and suitable[row]]
    everything = replace(request, n=len(state.site(request.site).shelf))
    return [item.article for item in apply_rules(ranking, request=everything, state=state, rules=(), placement=_SPOT)]


def serve(policy: Policy[State], request: SlateRequest, state: State) -> None:
    """Answer a request as the server does, for timing."""
    apply_rules(policy(request, state), request=request, state=state, rules=(), placement=_SPOT)
