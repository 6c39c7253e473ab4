"""Signals: folds over the log that some policies need and others do not; a state keeps those it is asked for."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from embellie.domain.article import Article
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Impression
from embellie.domain.slate import Slate

WATCHED = (Slate, Impression, Click, Exposure)
"""The kinds that a `Watcher` is told besides."""

Watched = Slate | Impression | Click | Exposure


@dataclass(frozen=True, slots=True)
class Opened:
    """An article opened in a visit: its row, when (µs), whose, and the rows opened before it in this visit, oldest first.

    `again` when the visit had opened it before; `profiling` when its reader agreed to profiling.
    """

    row: int
    at: int
    reader: str
    visit: str
    before: Sequence[int]
    again: bool
    profiling: bool


class Signal(Protocol):
    """What a fold remembers of one site. It depends on what it was told and in which order, on nothing else.

    It is bounded in memory, and says by how much in its docstring. Asking it anything changes nothing.
    """

    name: ClassVar[str]

    def publish(self, row: int, article: Article, at: int) -> None:
        """Take in an article, new or changed, told at a time (µs)."""
        ...

    def open(self, opened: Opened) -> None:
        """Take in that someone opened an article."""
        ...

    def forget(self, reader: str, visits: Collection[str]) -> None:
        """Drop what is known of a reader, and of these visits of theirs."""
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """Return all it remembers, as arrays, numbers, texts, and lists and mappings of them."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Become what gave a snapshot: from then on the two cannot be told apart."""
        ...


class Silent:
    """A signal's base: hears everything and remembers nothing; a signal overrides what it cares about."""

    name: ClassVar[str] = ""

    def publish(self, row: int, article: Article, at: int) -> None:
        """Take in an article."""

    def open(self, opened: Opened) -> None:
        """Take in that someone opened an article."""

    def forget(self, reader: str, visits: Collection[str]) -> None:
        """Drop what is known of a reader."""

    def snapshot(self) -> Mapping[str, Any]:
        """Return nothing."""
        return {}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up nothing."""


class Watcher(Silent):
    """A signal that also follows slates: what was served, seen and clicked, and which readers are no persons."""

    def watch(self, body: Watched, at: int, row: Callable[[str], int | None]) -> None:
        """Take in one such event, told at a time (µs); `row` finds an article's row."""
        raise NotImplementedError


def signals_of(policies: Iterable[object]) -> tuple[type[Signal], ...]:
    """List the signals that policies look at (their `signals`, and those of the policies they are made of), each once.

    >>> class Loud(Silent):
    ...     name = "loud"
    >>> class Policy:
    ...     signals = (Loud,)
    >>> [signal.name for signal in signals_of([Policy(), object(), Policy()])]
    ['loud']
    """
    found: dict[type[Signal], None] = {}
    for policy in policies:
        found |= dict.fromkeys(getattr(policy, "signals", ()))
    return tuple(found)
