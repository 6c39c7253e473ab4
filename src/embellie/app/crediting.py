"""Crediting: which items of which slates were clicked, and led to a read that lasts."""

from dataclasses import dataclass, field
from typing import Literal

from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Read
from embellie.domain.slate import Slate

Reward = Literal["read", "click"]

KINDS = ("served", "click", "read", "exposure")
"""The kinds of event that are taken in."""


@dataclass(slots=True)
class CreditBook:
    """Take in events in the order of the log; look up afterwards what each item earned.

    A read counts for the item whose click led to it: same visit (or reader, without a visit), same article, at or after
    the click. Each item earns 0 or 1.

    Attributes:
        reward: `read`, a read of at least `read_seconds` after a click; or `click`.
        read_seconds: Attention that makes a read.
        bots: Readers who are no persons.
    """

    reward: Reward
    read_seconds: float
    bots: set[str] = field(default_factory=set)
    _items: set[tuple[str, str]] = field(default_factory=set)
    _earned: set[tuple[str, str]] = field(default_factory=set)
    _clicked: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take in one event; kinds that earn nothing pass by."""
        match event.body:
            case Slate(slate_id=slate, items=items):
                self._items.update((slate, item.article) for item in items)
            case Click(slate_id=slate, article=article) as click if (slate, article) in self._items:
                if self.reward == "click":
                    self._earned.add((slate, article))
                self._clicked[click.visit or click.reader, article] = (slate, article)
            case Read(article=article) as read if self.reward == "read" and read.engaged_seconds >= self.read_seconds:
                item = self._clicked.get((read.visit or read.reader, article))
                if item is not None:
                    self._earned.add(item)
            case Exposure(unit=reader, bot=bot) if bot:
                self.bots.add(reader)
            case _:
                pass

    def earned(self, slate: str, article: str) -> float:
        """What an item earned: 0 or 1."""
        return float((slate, article) in self._earned)
