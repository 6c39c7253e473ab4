"""State: the fold over the log that policies look at; the same code live and in replay."""

import gc
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.domain.reading import Click, ConsentChange, Erasure, Read
from embellie.domain.slate import SlateRequest
from embellie.recommend.affinity import Histories, section_shares
from embellie.recommend.leading import Leading
from embellie.recommend.packing import pack, unpack
from embellie.recommend.pool import Pools
from embellie.recommend.popularity import EVERY, HALF_LIVES, Floats, ReadCounters, Rows
from embellie.recommend.shelf import Shelf, primary_language
from embellie.recommend.signals import WATCHED, Opened, Signal, Watcher

SignalT = TypeVar("SignalT", bound=Signal)

SNAPSHOT = 1
"""The version of snapshots: raised when what is remembered, or how it is counted, changes."""

HEARD = (Article, Read, Click, ConsentChange, Erasure)
"""The kinds that `SiteState.heard` counts: all that may change a ranking. An article told again does not count again."""

_HEARD_KINDS = frozenset(body.kind for body in HEARD)


def heard_in(removed: Mapping[str, int]) -> int:
    """Count those among removed events, told by kind, that `SiteState.heard` had counted."""
    return sum(count for kind, count in removed.items() if kind in _HEARD_KINDS)


ANY_LANGUAGE = "*"
"""The `language` of a request that wants languages mixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a site's state keeps at most; the oldest goes first.

    `history` articles of one reader, `readers` with a history, `visits` with `visit_articles` each, and
    `unlisted` articles that were read but never published.
    """

    history: int = 300
    readers: int = 500_000
    visits: int = 100_000
    visit_articles: int = 50
    unlisted: int = 10_000


@dataclass(slots=True)
class _Visit:
    reader: str
    rows: dict[int, None] = field(default_factory=dict)


_NOTHING: dict[int, None] = {}


def told_at(event: Event) -> int:
    """Return when an event was (µs): a reader's clock that runs fast must not push the whole site's reads into the past."""
    at, received = event.at, event.received_at
    return micros(at if received is None or at <= received else received)


class SiteState:
    """One site: its articles, how much each is read, what each reader has read, and the signals asked for (by type)."""

    def __init__(
        self, *, half_lives: Sequence[float], bounds: Bounds, from_reads: bool, signals: Iterable[type[Signal]] = ()
    ) -> None:
        self.shelf = Shelf(from_reads=from_reads, unlisted=bounds.unlisted)
        self.counters = ReadCounters(half_lives)
        self.histories = Histories(articles=bounds.history, readers=bounds.readers)
        self.signals: dict[type[Signal], Signal] = {signal: signal() for signal in signals}
        self.heard = 0
        """How many articles, reads, clicks, consents and erasures it has taken in: the moment of the log it stands at."""
        self.leading = Leading()
        """Where to look first for what is popular; what is found does not depend on it."""
        self.pools = Pools()
        """Where a shortlist is found; it does not depend on it either."""
        self._told = tuple(self.signals.values())
        self._watching = tuple(signal for signal in self._told if isinstance(signal, Watcher))
        self._section_reads: dict[int, tuple[tuple[int, int], Floats]] = {}
        self._visits: OrderedDict[str, _Visit] = OrderedDict()
        self._visits_of: dict[str, set[str]] = {}
        self._bounds = bounds
        self._met: tuple[SlateRequest, dict[int, int], list[int], frozenset[int]] | None = None

    def apply(self, event: Event) -> None:
        """Take in one event; kinds that change no ranking pass by."""
        heard = isinstance(event.body, HEARD)
        if not heard and not self._watching:
            return
        at = told_at(event)
        if isinstance(event.body, Article) and self.shelf.holds(event.body, at):
            return
        self.heard += heard
        if self._watching and isinstance(event.body, WATCHED):
            for watcher in self._watching:
                watcher.watch(event.body, at, self.shelf.row)
        match event.body:
            case Article() as article:
                self.publish(article, at)
            case Read() | Click() as body:
                self.open(
                    body.article,
                    at,
                    reader=body.reader,
                    visit=body.visit,
                    read=isinstance(body, Read),
                    profiling=event.consent == "profiling",
                )
            case ConsentChange(reader=reader, state=consent):
                if consent != "profiling":
                    self._forget(reader, at)
            case Erasure(reader=reader, removed=removed):
                # What was taken out of the log had been heard before: `heard` goes on from where it was.
                self.heard += heard_in(removed)
                self._forget(reader, at)
            case _:
                pass

    def publish(self, article: Article, at: int) -> None:
        """Take in an article, told at a time (µs)."""
        self._met = None
        row = self.shelf.put(article, at)
        self._touch(row)
        self.counters.grow(len(self.shelf))
        for signal in self.signals.values():
            signal.publish(row, article, at)

    def open(self, article: str, at: int, *, reader: str, visit: str, read: bool, profiling: bool) -> None:
        """Take in that an article was opened at a time (µs): by a read, or by a click that a read will follow."""
        self._met = None
        row = self.shelf.meet(article, at)
        if row is None:
            return
        if row >= self.counters.size:
            self.counters.grow(row + 1)
        # A click and the read that follows it are one: an article counts once per visit.
        rows = self._enter(visit, reader) if visit else _NOTHING
        new = row not in rows if visit else read
        if self._told:
            opened = Opened(row, at, reader, visit, tuple(rows), not new, profiling)
            for signal in self._told:
                signal.open(opened)
        if new:
            self.counters.add(row, at)
            self._touch(row)
            if visit:
                rows[row] = None
                if len(rows) > self._bounds.visit_articles:
                    del rows[next(iter(rows))]
        if profiling and reader:
            self.histories.add(reader, row, at)

    def _touch(self, row: int) -> None:
        self.leading.touch(row)
        self.pools.touch(row)

    def _enter(self, name: str, reader: str) -> dict[int, None]:
        """Return the rows of a visit, which begins if it is new."""
        visit = self._visits.get(name)
        if visit is None:
            visit = self._visits[name] = _Visit(reader)
            others = self._visits_of.get(reader)
            if others is None:
                self._visits_of[reader] = {name}
            else:
                others.add(name)
            if len(self._visits) > self._bounds.visits:
                self._leave(next(iter(self._visits)))
        return visit.rows

    def readers(self) -> set[str]:
        """Name the readers of whom a history, a visit or a withdrawal is kept."""
        return self.histories.readers() | self._visits_of.keys()

    def erase(self, reader: str) -> None:
        """Forget a reader wholly, that they ever withdrew too: nothing of theirs can come any more."""
        self._forget(reader, 0)
        self.histories.erase(reader)

    def _forget(self, reader: str, at: int) -> None:
        if not reader:
            return
        self._met = None
        self.histories.forget(reader, at)
        visits = list(self._visits_of.get(reader, ()))
        for signal in self.signals.values():
            signal.forget(reader, visits)
        for name in visits:
            self._leave(name)

    def _leave(self, name: str) -> None:
        reader = self._visits.pop(name).reader
        others = self._visits_of[reader]
        others.discard(name)
        if not others:
            del self._visits_of[reader]

    def snapshot(self) -> Mapping[str, Any]:
        """Return all that is known of the site."""
        visits = self._visits.values()
        return {
            "heard": self.heard,
            "shelf": self.shelf.snapshot(),
            "counters": self.counters.snapshot(),
            "histories": self.histories.snapshot(),
            "visits": {
                "names": list(self._visits),
                "readers": [visit.reader for visit in visits],
                "rows": pack((visit.rows for visit in visits), values=None),
            },
            "signals": {kind.name: signal.snapshot() for kind, signal in self.signals.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Become what gave a snapshot."""
        self.heard = int(snapshot["heard"])
        self.leading, self.pools = Leading(), Pools()
        self._met = None
        self.shelf.restore(snapshot["shelf"])
        self.counters.restore(snapshot["counters"])
        self.histories.restore(snapshot["histories"])
        visits = snapshot["visits"]
        known = zip(visits["names"], visits["readers"], unpack(visits["rows"]), strict=True)
        self._visits = OrderedDict((name, _Visit(reader, rows)) for name, reader, rows in known)
        self._visits_of = {}
        for name, visit in self._visits.items():
            self._visits_of.setdefault(visit.reader, set()).add(name)
        for kind, signal in self.signals.items():
            signal.restore(snapshot["signals"][kind.name])

    def signal(self, kind: type[SignalT]) -> SignalT:
        """Return what a signal remembers.

        Raises:
            InputError: The state was not asked to keep it.
        """
        found = self.signals.get(kind)
        if not isinstance(found, kind):
            raise InputError(
                f"This state does not keep `{kind.name}`.", hint="Fold with `State(signals=signals_of([policy]))`."
            )
        return found

    def section_shares(self, now: int, step: int) -> Floats:
        """Return each section's share of the decayed reads at `now`, for one half-life of the ladder (`section_shares`)."""
        changes = (self.counters.changes, self.shelf.changes)
        kept = self._section_reads.get(step)
        if kept is None or kept[0] != changes:
            sections, weights = self.shelf.section, self.counters.weights(step)
            known: Floats = np.bincount(
                sections[: len(weights)], weights=weights, minlength=len(self.shelf.sections)
            ).astype(np.float64)
            kept = self._section_reads[step] = (changes, known)
        return section_shares(kept[1] * self.counters.worth(now, step))

    def article(self, article: str) -> Article | None:
        """Return an article as last published."""
        row = self.shelf.row(article)
        return None if row is None else self.shelf.articles[row]

    def visit_rows(self, request: SlateRequest) -> list[int]:
        """Return the rows opened in the request's visit, oldest first: as the log knows it, and as the request does."""
        return self._meet(request)[1]

    def _meet(self, request: SlateRequest) -> tuple[dict[int, int], list[int], frozenset[int]]:
        """Look up the reader's history, what this visit opened, and both; once, though a policy and the rules all ask."""
        if self._met is None or self._met[0] is not request:
            visit = self._visits.get(request.visit) if request.visit else None
            known = visit.rows if visit else _NOTHING
            told = self.shelf.rows(request.visit_articles)
            opened = list(dict.fromkeys([*known, *told])) if told else list(known)
            history: dict[int, int] = {}
            if request.consent == "profiling" and request.reader:
                history = self.histories.of(request.reader)
            self._met = request, history, opened, frozenset((*history, *opened))
        return self._met[1:]

    def history(self, request: SlateRequest) -> dict[int, int]:
        """Return what the request's reader has read (row → µs); nothing without consent to profiling."""
        return self._meet(request)[0]

    def read_rows(self, request: SlateRequest) -> frozenset[int]:
        """Return the rows this reader has read, in this visit or before."""
        return self._meet(request)[2]

    def language(self, request: SlateRequest) -> str:
        """Return the language a slate is in: the request's, else the page's own, else `""` (any)."""
        if request.language:
            return "" if request.language == ANY_LANGUAGE else primary_language(request.language)
        row = self.shelf.row(request.article) if request.article else None
        return "" if row is None else self.shelf.language_of(row)

    def suitable(self, request: SlateRequest) -> NDArray[np.bool_]:
        """Tell of every article whether it may be shown on this page now, whoever reads it."""
        mask = self.fits(request)
        mask[self.shelf.rows((request.article,))] = False
        return mask

    def fits(self, request: SlateRequest, rows: Rows = EVERY) -> NDArray[np.bool_]:
        """Tell of articles (of every one, unless rows are given) whether they may be shown now, in the slate's language."""
        mask = self.shelf.showable(micros(request.now), rows)
        language = self.language(request)
        if language:
            mask &= self.shelf.in_language(language, rows)
        return mask

    def left_out(self, request: SlateRequest) -> frozenset[int]:
        """Return the rows not to be shown to this reader here: the page's own, those read already, those excluded."""
        return self.read_rows(request).union(self.shelf.rows((request.article, *request.exclude)))

    def candidates(self, request: SlateRequest) -> NDArray[np.int64]:
        """Return the rows that may be shown to this reader here now: suitable, not read yet, not excluded."""
        mask, gone = self.fits(request), self.left_out(request)
        mask[np.fromiter(gone, np.int64, len(gone))] = False
        return np.flatnonzero(mask)


class State:
    """What policies see: for every site, its articles, their popularity, its readers' histories.

    A deterministic fold: it depends on the events and their order alone, never on a clock, and asking it
    anything changes nothing. So a replayed log gives the live state, bit for bit. One thread at a time.

    A read (or a click) with consent `profiling` enters its reader's history; any other counts for popularity
    only. Withdrawing consent, or an erasure, drops the reader's history and visits at once.

    Args:
        half_lives: The ladder of half-lives of popularity, in hours.
        bounds: What is kept at most, per site.
        from_reads: Whether articles known from reads alone may be shown (replay of a click log without catalogue).
        signals: What else to remember, as the policies that will look at it need (`signals_of`).
    """

    def __init__(
        self,
        *,
        half_lives: Sequence[float] = HALF_LIVES,
        bounds: Bounds | None = None,
        from_reads: bool = False,
        signals: Iterable[type[Signal]] = (),
    ) -> None:
        self._half_lives = tuple(half_lives)
        self.signals = tuple(signals)
        self._bounds = bounds or Bounds()
        self._from_reads = from_reads
        self._sites: dict[str, SiteState] = {}

    def apply(self, event: Event) -> None:
        """Take in one event."""
        self.kept(event.site).apply(event)

    def fold(self, events: Iterable[Event]) -> "State":
        """Take in events in order; return the state itself."""
        for event in events:
            self.apply(event)
        return self

    def kept(self, name: str) -> SiteState:
        """Return one site's state to fold into; it begins if nothing is known of the site."""
        site = self._sites.get(name)
        if site is None:
            site = self._sites[name] = self._new()
        return site

    def site(self, name: str) -> SiteState:
        """Return one site's state; an empty one for a site nothing is known of."""
        return self._sites.get(name) or self._new()

    def snapshot(self) -> Mapping[str, Any]:
        """Return all it remembers, as arrays, numbers, texts, and lists and mappings of them; a copy of its own."""
        return {
            "version": SNAPSHOT,
            "half_lives": list(self._half_lives),
            "signals": [signal.name for signal in self.signals],
            "sites": {name: site.snapshot() for name, site in self._sites.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> "State":
        """Become what gave a snapshot; return the state itself.

        Folding on from there gives the same bits as folding the whole log, if the bounds are the same. Signals that the
        snapshot has and this state was not asked for are left out.

        Raises:
            InputError: The snapshot is of another version, has other half-lives, or lacks a signal: fold the log.
        """
        lacking = {signal.name for signal in self.signals} - set(snapshot.get("signals", ()))
        for what, wrong in (
            (f"is of version {snapshot.get('version')}, not {SNAPSHOT}", snapshot.get("version") != SNAPSHOT),
            ("has other half-lives", tuple(snapshot.get("half_lives", ())) != self._half_lives),
            (f"lacks `{'`, `'.join(sorted(lacking))}`", bool(lacking)),
        ):
            if wrong:
                raise InputError(f"The snapshot {what}.", hint="Fold the log from its beginning, and take a new one.")
        collecting = gc.isenabled()
        # A million small dictionaries at once: looking for cycles among them would double the time.
        gc.disable()
        try:
            self._sites = {}
            for name, given in snapshot["sites"].items():
                site = self._sites[name] = self._new()
                site.restore(given)
        finally:
            if collecting:
                gc.enable()
        return self

    def article(self, site: str, article: str) -> Article | None:
        """Return an article as last published."""
        return self.site(site).article(article)

    def articles(self, site: str, now: datetime) -> list[Article]:
        """Return the articles readers may be shown at `now`, newest first."""
        shelf = self.site(site).shelf
        rows = np.flatnonzero(shelf.showable(micros(now)))
        newest = rows[np.argsort(-shelf.published[rows], kind="stable")]
        return [article for row in newest.tolist() if (article := shelf.articles[row]) is not None]

    def _new(self) -> SiteState:
        return SiteState(
            half_lives=self._half_lives, bounds=self._bounds, from_reads=self._from_reads, signals=self.signals
        )
