"""A log of the sandbox's newspaper, written at once and without a server: for tests and benchmarks of what learns from logs.

Slates are drawn at random from what is on show, livelier articles more often: so clicks tell what readers like, and not what a
policy put first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from embellie.domain.event import Body, Event, fact_id
from embellie.domain.moment import micros, moment
from embellie.domain.reading import Click, Impression, Read
from embellie.domain.slate import Slate, SlateItem
from embellie.sandbox.newspaper import Calendar, Issue
from embellie.sandbox.readers import Readership, Stand, Temperament, Turn, Visit

_TICK = timedelta(minutes=5)
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogbookSettings:
    """What a log is to hold: so many days of so many readers of a temperament; `slots` articles in a slate."""

    start: datetime
    days: float
    readers: int = 500
    seed: int = 1
    slots: int = 4
    site: str = "gazette"
    placement: str = "article-bottom"
    temperament: Temperament = field(default_factory=Temperament)


def logbook(settings: LogbookSettings) -> list[Event]:
    """Write a log: articles, slates, impressions, clicks and reads, in order of time; the same settings, the same events."""
    return sorted(_Press(settings).print(), key=lambda event: event.at)


class _Press:
    def __init__(self, settings: LogbookSettings) -> None:
        self.settings = settings
        rng = np.random.default_rng(settings.seed)
        self._readers = Readership(settings.readers, rng, seed=settings.seed, temperament=settings.temperament)
        self._calendar = Calendar(settings.start, rng)
        self._draw = np.random.default_rng([settings.seed, 1])
        self._stand = Stand()
        self._served = 0

    def print(self) -> Iterator[Event]:
        settings = self.settings
        backlog = self._calendar.backlog()
        yield from self._publish(backlog, settings.start)
        hours = _TICK / timedelta(hours=1)
        ticks = int(timedelta(days=settings.days) / _TICK)
        coming = self._calendar.between(settings.start, settings.start + ticks * _TICK)
        for tick in range(ticks):
            begins = settings.start + tick * _TICK
            due = [one for one in coming[:50] if one.article.published_at and one.article.published_at <= begins]
            coming = coming[len(due) :]
            yield from self._publish(due, begins)
            for offset, reader, number in self._readers.arrivals(tick, hour=begins.hour, hours=hours):
                yield from self._visit(
                    self._readers.visit(reader, number), micros(begins) + int(offset * 3600 * _SECOND)
                )

    def _publish(self, issues: list[Issue], now: datetime) -> Iterator[Event]:
        self._stand.put(issues, now=micros(now))
        for issue in issues:
            name = fact_id(self.settings.site, "article", issue.article.article)
            yield Event(id=name, site=self.settings.site, at=now, received_at=now, body=issue.article)

    def _visit(self, visit: Visit, at: int) -> Iterator[Event]:
        consent = self._readers.consents[visit.reader]
        reader = "" if consent == "none" else self._readers.names[visit.reader]
        name = visit.name if reader else ""
        visit.land(self._stand)

        def event(body: Body, when: int) -> Event:
            self._served += 1
            told, key = moment(when), fact_id(self.settings.site, "told", str(self.settings.seed), str(self._served))
            return Event(id=key, site=self.settings.site, at=told, received_at=told, consent=consent, body=body)

        while visit.article:
            page, chosen = visit.article, self._choose(visit)
            slate = fact_id(self.settings.site, "slate", str(self.settings.seed), str(self._served))
            items = tuple(
                SlateItem(article=article, position=place, propensity=1.0, reason="drawn")
                for place, article in enumerate(chosen, start=1)
            )
            yield event(
                Slate(
                    slate_id=slate, placement=self.settings.placement, reader=reader, visit=name, article=page,
                    variant="drawn", release="drawn-0", policy="drawn", items=items,
                ),
                at,
            )  # fmt: skip
            turn = visit.turn(self._stand, chosen)
            left = at + int(turn.seconds * _SECOND)
            for body in _told(turn, slate, chosen, reader=reader, visit=name):
                yield event(body, left)
            at = left + 1

    def _choose(self, visit: Visit) -> list[str]:
        """Draw articles without replacement, each with a chance that goes with its draw (exponential races)."""
        draw = self._stand.draw
        order = np.argsort(self._draw.exponential(size=len(draw)) / np.maximum(draw, 1e-9) ** 0.5, kind="stable")
        found: list[str] = []
        for place in order.tolist():
            if self._stand.ids[place] not in visit.opened:
                found.append(self._stand.ids[place])
                if len(found) == self.settings.slots:
                    break
        return found


def _told(turn: Turn, slate: str, chosen: list[str], *, reader: str, visit: str) -> Iterator[Body]:
    for place, article in enumerate(chosen[: turn.seen], start=1):
        yield Impression(
            slate_id=slate, article=article, position=place, reader=reader, visit=visit, share=1.0, seconds=1.5
        )
    yield Read(article=turn.article, reader=reader, visit=visit, engaged_seconds=round(turn.seconds, 1))
    if turn.clicked:
        article = chosen[turn.clicked - 1]
        yield Click(slate_id=slate, article=article, position=turn.clicked, reader=reader, visit=visit)
