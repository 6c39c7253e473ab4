"""State: the fold over the log that policies look at; the same code live and in replay."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.domain.reading import Click, ConsentChange, Erasure, Read
from embellie.domain.slate import SlateRequest
from embellie.recommend.affinity import Histories
from embellie.recommend.popularity import HALF_LIVES, ReadCounters
from embellie.recommend.shelf import Shelf, primary_language
from embellie.recommend.signals import Opened, Signal

SignalT = TypeVar("SignalT", bound=Signal)

HEARD = (Article, Read, Click, ConsentChange, Erasure)
"""The kinds that `SiteState.heard` counts: all that may change a ranking. An article told again does not count again."""

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


def told_at(event: Event) -> int:
    """Return when an event was (µs): a reader's clock that runs fast must not push the whole site's reads into the past."""
    at = micros(event.at)
    return at if event.received_at is None else min(at, micros(event.received_at))


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
        self._visits: OrderedDict[str, _Visit] = OrderedDict()
        self._visits_of: dict[str, set[str]] = {}
        self._bounds = bounds

    def apply(self, event: Event) -> None:
        """Take in one event; kinds that change no ranking pass by."""
        at = told_at(event)
        if isinstance(event.body, Article) and self.shelf.holds(event.body, at):
            return
        self.heard += isinstance(event.body, HEARD)
        match event.body:
            case Article() as article:
                row = self.shelf.put(article, at)
                self.counters.grow(len(self.shelf))
                for signal in self.signals.values():
                    signal.publish(row, article, at)
            case Read() | Click() as opened:
                self._open(opened, at, profiling=event.consent == "profiling")
            case ConsentChange(reader=reader, state=consent):
                if consent != "profiling":
                    self._forget(reader, at)
            case Erasure(reader=reader):
                self._forget(reader, at)
            case _:
                pass

    def _open(self, opened: Read | Click, at: int, *, profiling: bool) -> None:
        row = self.shelf.meet(opened.article, at)
        if row is None:
            return
        self.counters.grow(len(self.shelf))
        # A click and the read that follows it are one: an article counts once per visit.
        visit = self._visits.get(opened.visit) if self.signals else None
        before = tuple(visit.rows) if visit else ()
        new = self._enter(opened, row) if opened.visit else isinstance(opened, Read)
        if self.signals:
            told = Opened(row, at, opened.reader, opened.visit, before, not new, profiling)
            for signal in self.signals.values():
                signal.open(told)
        if new:
            self.counters.add(row, at)
        if profiling and opened.reader:
            self.histories.add(opened.reader, row, at)

    def _enter(self, opened: Read | Click, row: int) -> bool:
        visit = self._visits.get(opened.visit)
        if visit is None:
            visit = self._visits[opened.visit] = _Visit(opened.reader)
            self._visits_of.setdefault(opened.reader, set()).add(opened.visit)
            if len(self._visits) > self._bounds.visits:
                self._leave(next(iter(self._visits)))
        if row in visit.rows:
            return False
        visit.rows[row] = None
        if len(visit.rows) > self._bounds.visit_articles:
            del visit.rows[next(iter(visit.rows))]
        return True

    def _forget(self, reader: str, at: int) -> None:
        if not reader:
            return
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

    def article(self, article: str) -> Article | None:
        """Return an article as last published."""
        row = self.shelf.row(article)
        return None if row is None else self.shelf.articles[row]

    def visit_rows(self, request: SlateRequest) -> list[int]:
        """Return the rows opened in the request's visit, oldest first: as the log knows it, and as the request does."""
        visit = self._visits.get(request.visit) if request.visit else None
        known = visit.rows if visit else {}
        return list(dict.fromkeys([*known, *self.shelf.rows(request.visit_articles)]))

    def history(self, request: SlateRequest) -> dict[int, int]:
        """Return what the request's reader has read (row → µs); nothing without consent to profiling."""
        if request.consent != "profiling" or not request.reader:
            return {}
        return self.histories.of(request.reader)

    def read_rows(self, request: SlateRequest) -> set[int]:
        """Return the rows this reader has read, in this visit or before."""
        return {*self.history(request), *self.visit_rows(request)}

    def language(self, request: SlateRequest) -> str:
        """Return the language a slate is in: the request's, else the page's own, else `""` (any)."""
        if request.language:
            return "" if request.language == ANY_LANGUAGE else primary_language(request.language)
        row = self.shelf.row(request.article) if request.article else None
        return "" if row is None else self.shelf.language_of(row)

    def suitable(self, request: SlateRequest) -> NDArray[np.bool_]:
        """Tell of every article whether it may be shown on this page now, whoever reads it."""
        mask = self.shelf.showable(micros(request.now))
        language = self.language(request)
        if language:
            mask &= self.shelf.in_language(language)
        mask[self.shelf.rows((request.article,))] = False
        return mask

    def candidates(self, request: SlateRequest) -> NDArray[np.int64]:
        """Return the rows that may be shown to this reader here now: suitable, not read yet, not excluded."""
        mask = self.suitable(request)
        mask[self.shelf.rows(request.exclude)] = False
        read = self.read_rows(request)
        if read:
            mask[np.fromiter(read, np.int64, len(read))] = False
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
        site = self._sites.get(event.site)
        if site is None:
            site = self._sites[event.site] = self._new()
        site.apply(event)

    def fold(self, events: Iterable[Event]) -> "State":
        """Take in events in order; return the state itself."""
        for event in events:
            self.apply(event)
        return self

    def widened(self, signals: Iterable[type[Signal]], events: Iterable[Event]) -> "State":
        """Make a state that remembers more: the same log folded again, as far as this one has heard it.

        Args:
            signals: What to remember beside what is remembered already.
            events: The log from its beginning; of each site, what came later than this state knows is left out.
        """
        wanted = (*self.signals, *signals)
        wider = State(
            half_lives=self._half_lives,
            bounds=self._bounds,
            from_reads=self._from_reads,
            signals=dict.fromkeys(wanted),
        )
        for event in events:
            if not isinstance(event.body, HEARD) or wider.site(event.site).heard < self.site(event.site).heard:
                wider.apply(event)
        return wider

    def site(self, name: str) -> SiteState:
        """Return one site's state; an empty one for a site nothing is known of."""
        return self._sites.get(name) or self._new()

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
