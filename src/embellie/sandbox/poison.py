"""Poison for logs: what goes wrong in production, done to a healthy log from a moment on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from embellie.domain.article import Article
from embellie.domain.event import Event, fact_id
from embellie.domain.reading import Click, Impression, Read
from embellie.domain.slate import Slate


def flooded_by_bots(events: Sequence[Event], since: datetime, *, bots: int = 12) -> list[Event]:
    """A dozen crawlers follow every link of the slates shown to others, each under one reader's name, with no second of attention."""
    found = list(events)
    slates = [(one, one.body) for one in events if isinstance(one.body, Slate) and one.at >= since and one.body.items]
    for number, (event, shown) in enumerate(slates):
        bot = f"crawler-{number % bots}"
        visit = f"{bot}-{event.at:%d}"
        for item in shown.items:
            at = event.at + timedelta(seconds=item.position)
            own: dict[str, str] = {"reader": bot, "visit": visit, "article": item.article}
            slate = {"slate_id": shown.slate_id + bot, "position": item.position}
            for body in (Impression(**own, **slate), Click(**own, **slate), Read(**own)):  # type: ignore[arg-type]
                name = fact_id(event.id, bot, body.kind, item.article)
                found.append(replace(event, id=name, at=at, received_at=at, consent="measurement", body=body))
    return sorted(found, key=lambda event: event.at)


def without_feed(events: Sequence[Event], since: datetime) -> list[Event]:
    """The feed is down: no article comes in any more, while pages are read as ever."""
    return [event for event in events if not isinstance(event.body, Article) or event.at < since]


def with_clicks_twice(events: Sequence[Event], since: datetime) -> list[Event]:
    """The widget stands on the page twice: each click is told again under another id."""
    again = [
        replace(event, id=fact_id(event.id, "again"), at=event.at + timedelta(milliseconds=40))
        for event in events
        if isinstance(event.body, Click) and event.at >= since
    ]
    return sorted([*events, *again], key=lambda event: event.at)


def without_section(events: Sequence[Event], since: datetime, *, section: str = "sport") -> list[Event]:
    """A section is gone: none of its articles appears any more, nor is any read."""
    gone = {
        event.body.article
        for event in events
        if isinstance(event.body, Article) and event.body.section == section and event.at >= since
    }
    found = []
    for event in events:
        if isinstance(event.body, Slate):
            items = tuple(item for item in event.body.items if item.article not in gone)
            event = replace(event, body=replace(event.body, items=items))  # noqa: PLW2901
        if getattr(event.body, "article", "") not in gone:
            found.append(event)
    return found


POISONS: Mapping[str, Callable[[Sequence[Event], datetime], list[Event]]] = {
    "bots": flooded_by_bots,
    "feed outage": without_feed,
    "duplicated clicks": with_clicks_twice,
    "vanished section": without_section,
}
"""Each by name: from a healthy log and the moment it goes wrong to the log as it would be."""
