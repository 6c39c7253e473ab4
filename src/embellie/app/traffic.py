"""Traffic: simulated readers before a real newsroom, in simulated time.

Each page a reader opens asks the newsroom for a slate; what they see, read and click is sent to it as events, as a page
would. Nothing else passes between the two: the newsroom knows of its readers what it would know of real ones.
"""

import heapq
import random
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from embellie.app.newsroom import Newsroom
from embellie.domain.errors import Busy
from embellie.domain.event import new_id
from embellie.domain.moment import iso, micros, moment
from embellie.domain.slate import Consent, Slate, SlateRequest
from embellie.ports import Receipt
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Stand, Turn, Visit
from embellie.sandbox.truth import Twins, articles_without

TICK = timedelta(minutes=5)
BATCH = 400
_PENDING = 32
_SECOND = 1_000_000


class SimulatedClock:
    """A clock that is set, not running: the simulation moves it from one fact to the next."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """Tell the simulated time (UTC)."""
        return self._now

    now = __call__

    def set(self, now: datetime) -> None:
        """Move to a moment; never back."""
        self._now = max(self._now, now)


@dataclass(slots=True)
class _Outing:
    """One visit in progress, and what an observer of the truth remembers of it."""

    visit: Visit
    consent: Consent
    reader: str
    name: str
    compared: bool = True
    read: set[str] = field(default_factory=set)


class Traffic:
    """Drives simulated readers through a newsroom, one stretch of five simulated minutes per `tick`.

    Args:
        newsroom: Opened with `clock`, and `simulated`.
        clock: Set by this object alone.
        readers: Who comes.
        calendar: What appears, and when.
        site: The newspaper's name in the newsroom.
        placement: Where the slates are.
        entropy: Mints the ids of events, as pages do.
    """

    def __init__(
        self,
        newsroom: Newsroom,
        clock: SimulatedClock,
        *,
        readers: Readership,
        calendar: Calendar,
        site: str,
        placement: str,
        entropy: random.Random,
    ) -> None:
        self.newsroom, self.clock, self.readers, self.calendar = newsroom, clock, readers, calendar
        self.site, self.placement = site, placement
        self.visits = self.pages = self.clicks = self.quarantined = 0
        self.twins = Twins()
        self._slots = newsroom.sites[site].placements[placement].slots
        self._entropy = entropy
        self._stand = Stand()
        self._ticks = 0
        self._order = 0
        self._due: list[tuple[int, int, _Outing, list[dict[str, Any]]]] = []
        self._outbox: list[dict[str, Any]] = []
        self._sent: deque[Future[Receipt]] = deque()

    def open(self) -> None:
        """Publish what is there when the simulation begins."""
        backlog = self.calendar.backlog()
        self.newsroom.publish(self.site, [issue.article for issue in backlog]).result()
        self._stand.put(backlog, now=micros(self.calendar.start))

    def tick(self) -> None:
        """Let five minutes pass: articles appear, readers come, read, click and leave."""
        begins = self.calendar.start + self._ticks * TICK
        ends = begins + TICK
        self._publish(begins)
        hours = TICK / timedelta(hours=1)
        hour = begins.hour + begins.minute / 60
        for offset, reader, number in self.readers.arrivals(self._ticks, hour=hour, hours=hours):
            self._push(micros(begins) + int(offset * 3600 * _SECOND), self._outing(reader, number), [])
        until = micros(ends)
        while self._due and self._due[0][0] < until:
            at, _, outing, events = heapq.heappop(self._due)
            self._page(at, outing, events)
        self.clock.set(ends)
        self._send()
        self._ticks += 1

    def finish(self) -> None:
        """Wait until everything sent is in the log."""
        self._send()
        while self._sent:
            self._settle(self._sent.popleft())

    def _publish(self, now: datetime) -> None:
        due = self.calendar.between(now - TICK, now) if self._ticks else []
        if due:
            self.newsroom.publish(self.site, [issue.article for issue in due])
        self._stand.put(due, now=micros(now))

    def _outing(self, reader: int, number: int) -> _Outing:
        self.visits += 1
        visit = self.readers.visit(reader, number)
        consent = self.readers.consents[reader]
        known = consent != "none"
        return _Outing(visit, consent, self.readers.names[reader] if known else "", visit.name if known else "")

    def _push(self, at: int, outing: _Outing, events: list[dict[str, Any]]) -> None:
        self._order += 1
        heapq.heappush(self._due, (at, self._order, outing, events))

    def _page(self, at: int, outing: _Outing, events: list[dict[str, Any]]) -> None:
        """Leave the page before, if any, with what happened on it; then open the next one, or go."""
        self._outbox += events
        if len(self._outbox) >= BATCH:
            self._send()
        visit = outing.visit
        if not visit.opened:
            visit.land(self._stand)
        if not visit.article:
            self._leave(outing)
            return
        self.pages += 1
        now = moment(at)
        self.clock.set(now)
        slate = self._slate(outing, now)
        outing.compared = outing.compared and slate.variant == "heuristic"
        turn = visit.turn(self._stand, [item.article for item in slate.items])
        if turn.read:
            outing.read.add(turn.article)
        self.clicks += turn.clicked > 0
        self._push(at + int(turn.seconds * _SECOND) + 1, outing, self._told(outing, slate, turn, at=at))

    def _leave(self, outing: _Outing) -> None:
        """Play the same visit without slates, if it had some in the experiment: the truth, which only the sandbox knows."""
        if outing.compared:
            visit = outing.visit
            without = articles_without(self.readers, self._stand, reader=visit.reader, number=visit.number)
            self.twins.add(len(outing.read), without)

    def _slate(self, outing: _Outing, now: datetime) -> Slate:
        request = SlateRequest(
            site=self.site,
            placement=self.placement,
            n=self._slots,
            now=now,
            article=outing.visit.article,
            reader=outing.reader,
            visit=outing.name,
            consent=outing.consent,
            visit_articles=tuple(outing.visit.opened) if outing.name else (),
        )
        while True:
            try:
                return self.newsroom.slate(request)
            except Busy:
                time.sleep(0.05)

    def _told(self, outing: _Outing, slate: Slate, turn: Turn, *, at: int) -> list[dict[str, Any]]:
        """Write down what a page tells of itself when it is left."""
        told = [
            self._event(outing, "impression", at + int(min(turn.seconds, 5.0) * _SECOND))
            | {
                "slate_id": slate.slate_id,
                "article": item.article,
                "position": item.position,
                "share": 1.0,
                "seconds": 1.5,
            }
            for item in slate.items[: turn.seen]
        ]
        left = at + int(turn.seconds * _SECOND)
        seconds, depth = round(turn.seconds, 1), round(turn.depth, 2)
        read = {"article": turn.article, "engaged_seconds": seconds, "scroll_depth": depth, "referrer": turn.referrer}
        told.append(self._event(outing, "read", left) | read)
        if turn.clicked:
            chosen = slate.items[turn.clicked - 1]
            click = {"slate_id": slate.slate_id, "article": chosen.article, "position": chosen.position}
            told.append(self._event(outing, "click", left) | click)
        return told

    def _event(self, outing: _Outing, kind: str, at: int) -> dict[str, Any]:
        when = moment(at)
        return {
            "id": new_id(when, self._entropy.randbytes(10)),
            "site": self.site,
            "kind": kind,
            "at": iso(when),
            "consent": outing.consent,
            "reader": outing.reader,
            "visit": outing.name,
        }

    def _send(self) -> None:
        """Send what pages told; wait for the log when it lags behind."""
        batch, self._outbox = self._outbox, []
        while batch:
            try:
                self._sent.append(self.newsroom.receive(batch, site=self.site, public=True))
                batch = []
            except Busy:
                time.sleep(0.05)
        while len(self._sent) > _PENDING:
            self._settle(self._sent.popleft())

    def _settle(self, sent: "Future[Receipt]") -> None:
        self.quarantined += len(sent.result(timeout=60).quarantined)
