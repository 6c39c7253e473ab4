"""Affinity: what each reader has read, and how much more they like a section than others do."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from embellie.recommend.packing import Packed, joined, pack
from embellie.recommend.popularity import MICROS_PER_HOUR, Floats, Integers

PSEUDO_READS = 10.0

_FEW = 32
"""Up to so many reads are summed one by one."""


class Histories:
    """The articles each reader has read, by row, with the time; bounded per reader and in readers.

    Args:
        articles: The most articles kept of one reader; the one read longest ago goes first.
        readers: The most readers kept; the one heard of longest ago goes first.
    """

    def __init__(self, *, articles: int, readers: int) -> None:
        self._most_articles = articles
        self._most_readers = readers
        # A history taken up from a snapshot lies packed, told by its place there, until its reader reads again. Who does
        # goes to the end: so those that lie come before all others.
        self._read: OrderedDict[str, dict[int, int] | int] = OrderedDict()
        self._lying = Packed(pack([]))
        self._withdrawn: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._read)

    def add(self, reader: str, row: int, at: int) -> None:
        """Remember that a reader read an article at a time (µs), unless they withdrew after that time."""
        if at <= self._withdrawn.get(reader, -1):
            return
        history = self._read.get(reader)
        if history is None:
            history = self._read[reader] = {}
            if len(self._read) > self._most_readers:
                self._read.popitem(last=False)
        else:
            if isinstance(history, int):
                history = self._read[reader] = self._lying.of(history)
            self._read.move_to_end(reader)
        history.pop(row, None)
        history[row] = at
        if len(history) > self._most_articles:
            del history[next(iter(history))]

    def forget(self, reader: str, at: int) -> None:
        """Drop a reader's history; what they read until `at` stays out, even if it arrives late."""
        self._read.pop(reader, None)
        self._withdrawn[reader] = max(at, self._withdrawn.get(reader, at))
        if len(self._withdrawn) > self._most_readers:
            self._withdrawn.popitem(last=False)

    def erase(self, reader: str) -> None:
        """Drop a reader's history, and that they withdrew."""
        self._read.pop(reader, None)
        self._withdrawn.pop(reader, None)

    def readers(self) -> set[str]:
        """Name all of whom something is kept."""
        return self._read.keys() | self._withdrawn.keys()

    def of(self, reader: str) -> dict[int, int]:
        """Return a reader's articles (row → time in µs), the latest read last; empty when unknown."""
        history = self._read.get(reader, _NOTHING)
        return self._lying.of(history) if isinstance(history, int) else history

    def snapshot(self) -> Mapping[str, Any]:
        """Return every history, and who withdrew when."""
        lying = [place for place in self._read.values() if isinstance(place, int)]
        awake = [history for history in self._read.values() if not isinstance(history, int)]
        return {
            "readers": list(self._read),
            "read": joined(self._lying.some(lying), pack(awake)),
            "withdrawn": list(self._withdrawn),
            "until": np.fromiter(self._withdrawn.values(), np.int64, len(self._withdrawn)),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up histories."""
        self._lying = Packed(snapshot["read"])
        self._read = OrderedDict(zip(snapshot["readers"], range(len(snapshot["readers"])), strict=True))
        self._withdrawn = OrderedDict(zip(snapshot["withdrawn"], snapshot["until"].tolist(), strict=True))


_NOTHING: dict[int, int] = {}


def section_weights(
    history: dict[int, int], more: Iterable[int], sections: Integers, *, count: int, now: int, half_life: float
) -> Floats:
    """Sum a reader's reads by section, each halved every `half_life` hours; the unknown section (0) weighs nothing.

    Args:
        history: Row → time of the read (µs).
        more: Rows read just now, not yet in the history (this visit's).
        sections: The section's code of every row.
        count: How many sections there are.
        now: µs since 1970, UTC.
        half_life: In hours.
    """
    fresh = [row for row in more if row not in history]
    if len(history) + len(fresh) <= _FEW:  # arrays cost more than they save
        found = [0.0] * count
        for row, at in (*history.items(), *((row, now) for row in fresh)):
            found[sections[row]] += math.exp2(-max(now - at, 0) / MICROS_PER_HOUR / half_life)
        found[0] = 0.0
        return np.array(found)
    rows = np.fromiter((*history, *fresh), np.int64, len(history) + len(fresh))
    times = np.fromiter((*history.values(), *(now for _ in fresh)), np.int64, len(rows))
    ages = np.maximum(now - times, 0) / MICROS_PER_HOUR
    weights = np.bincount(sections[rows], weights=np.exp2(-ages / half_life), minlength=count).astype(np.float64)
    weights[0] = 0.0
    return weights


def section_lift(weights: Floats, shares: Floats, *, pseudo_reads: float = PSEUDO_READS) -> Floats:
    """Tell how many times likelier a reader's next read is in each section than anyone's.

    With w a reader's decayed reads by section, W their sum and p the site's shares of reads,

        lift = ((w + k p) / (W + k)) / p

    so lift · popularity = P(section | reader) · P(article | section), up to a constant. The k pseudo-reads pull a
    reader one knows little of to everyone's taste: with none, every lift is 1 and the ranking is by popularity.
    (Liu, Dolan & Pedersen, Personalized news recommendation based on click behavior, IUI 2010, with their k = 10.)

    >>> section_lift(np.array([0.0, 30.0, 0.0]), np.array([0.2, 0.4, 0.4])).round(3).tolist()
    [0.25, 2.125, 0.25]
    >>> section_lift(np.zeros(2), np.array([0.9, 0.1])).tolist()
    [1.0, 1.0]
    """
    lift: Floats = (weights + pseudo_reads * shares) / (weights.sum() + pseudo_reads) / shares
    return lift


def section_shares(reads: Floats) -> Floats:
    """Return each section's share of the site's reads, smoothed by one read each so that none is zero.

    Args:
        reads: Decayed reads by section.
    """
    totals = reads + 1.0
    shares: Floats = totals / totals.sum()
    return shares
