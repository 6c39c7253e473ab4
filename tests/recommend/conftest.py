"""A small newspaper for the tests of policies."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.reading import Click, Read
from embellie.domain.site import Placement
from embellie.domain.slate import SlateRequest

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Gazette:
    """Writes events of one site, in minutes after noon."""

    site = "gazette"
    noon = NOON
    placement = Placement(placement="bottom")

    def at(self, minute: float) -> datetime:
        return NOON + timedelta(minutes=minute)

    def event(self, minute: float, body: Any, **header: Any) -> Event:
        return Event(
            id=f"{minute}-{body!r}"[:80],
            site=self.site,
            at=self.at(minute),
            body=body,
            **{"consent": "profiling"} | header,
        )

    def publish(self, article: str, minute: float = 0.0, **fields: Any) -> Event:
        return self.event(minute, Article(**{"article": article, "published_at": self.at(minute)} | fields))

    def read(self, article: str, minute: float, reader: str = "ann", visit: str = "", **header: Any) -> Event:
        return self.event(minute, Read(article=article, reader=reader, visit=visit), **header)

    def click(self, article: str, minute: float, reader: str = "ann", visit: str = "", **header: Any) -> Event:
        body = Click(slate_id="s", article=article, position=1, reader=reader, visit=visit)
        return self.event(minute, body, **header)

    def request(self, minute: float, **fields: Any) -> SlateRequest:
        given = {"site": self.site, "placement": "bottom", "n": 4, "now": self.at(minute), "consent": "profiling"}
        return SlateRequest(**given | fields)


@pytest.fixture
def gazette() -> Gazette:
    return Gazette()


@pytest.fixture
def names() -> Callable[[Any], list[str]]:
    """The article ids of a ranking or slate, in order."""
    return lambda ranking: [item.article for item in ranking]
