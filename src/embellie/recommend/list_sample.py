"""List sample: which lists of a replay are looked at for the editors' figures, and what they are held against."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embellie.recommend.divergence import rank_weights
from embellie.recommend.popularity import MICROS_PER_HOUR, Floats, Integers
from embellie.recommend.shelf import Shelf

LISTS = 1_000
"""How many lists are looked at, at most: every n-th target's, spread evenly over time."""

PUBLISHED_DAYS = 7
"""What was published counts from this many days before the first list."""


class Sample:
    """Which targets' lists are looked at, and which two are compared.

    A list is compared with the latest one before it that another reader was to get in the same window: both were made of
    the same news, so what differs is made by who reads, and where.

    Args:
        clusters: The reader of each target, numbered from 0, in order of time.
        windows: The window of each.
        most: How many lists are looked at.
    """

    def __init__(self, clusters: Integers, windows: Integers, *, most: int = LISTS) -> None:
        self.clusters = clusters
        step = max(1, -(-len(clusters) // most))
        self.looked = range(0, len(clusters), step)
        others = _others(clusters.tolist(), windows.tolist())
        self.partners = {number: others[number] for number in self.looked if others[number] >= 0}
        self._places = {number: place for place, number in enumerate(sorted({*self.looked, *self.partners.values()}))}
        self._read: dict[int, Floats] = {}

    def __len__(self) -> int:
        return len(self._places)

    def place(self, number: int) -> int | None:
        """Return where a target's list is kept, `None` when it is not looked at."""
        return self._places.get(number)

    def note(self, place: int, read: Floats | None) -> None:
        """Note what the reader of a list has read, by section; `None` when nothing is or may be known of it."""
        if read is not None:
            self._read[place] = read

    def background(self, articles: Sequence[str], times: Integers, shelf: Shelf) -> "Background":
        """Return what lists are held against, once the log is told.

        Args:
            articles: What was opened next, per target.
            times: When (µs).
            shelf: The articles.
        """
        count = len(shelf.sections)
        read = np.zeros((len(self), count))
        for place, reads in self._read.items():
            read[place, : len(reads)] = reads
        rows = [shelf.row(articles[number]) for number in self._places]
        first, last = (int(times[number]) for number in (self.looked[0], self.looked[-1]))
        return Background(
            sections=shelf.sections.words,
            clusters=self.clusters[list(self._places)],
            read=shares(read),
            next_=np.array([0 if row is None else shelf.section[row] for row in rows], np.int64),
            published=published_shares(shelf, first=first, last=last),
        )

    def places(self) -> Integers:
        """Return where the lists looked at are kept."""
        return np.array([self._places[number] for number in self.looked], np.int64)

    def pairs(self) -> list[tuple[int, int]]:
        """Return the targets of each pair."""
        return list(self.partners.items())


def _others(clusters: Sequence[int], windows: Sequence[int]) -> list[int]:
    """Return for each target the latest before it of another reader in its window, -1 for none.

    >>> _others([0, 0, 1, 1, 0], [5, 5, 5, 5, 6])
    [-1, -1, 1, 1, -1]
    """
    found, last, other = [], -1, -1
    for number, cluster in enumerate(clusters):
        if last >= 0 and windows[last] != windows[number]:
            last = other = -1
        differs = last >= 0 and clusters[last] != cluster
        found.append(last if differs else other)
        other = found[-1]
        last = number
    return found


class Lists:
    """The first places of one policy's lists, kept while a log is replayed."""

    def __init__(self, sample: Sample, k: int) -> None:
        self.rows = np.full((len(sample), k), -1, np.int64)
        self.sections = np.zeros((len(sample), k), np.int64)

    def keep(self, place: int, rows: Integers, sections: Integers) -> None:
        """Keep a list: its rows, best first, and each one's section as it was then."""
        self.rows[place, : len(rows)] = rows
        self.sections[place, : len(rows)] = sections[rows]


@dataclass(frozen=True, kw_only=True)
class Background:
    """What lists are held against, place by place of the sample.

    `read` is what part of a reader's own reads each section is (all 0 without any, or without consent to profiling),
    `next_` the section that was opened next (0: unknown), `clusters` the readers, `published` each section's share.
    """

    sections: Sequence[str]
    clusters: Integers
    read: Floats
    next_: Integers
    published: Floats


def published_shares(shelf: Shelf, *, first: int, last: int) -> Floats:
    """Return each section's share of the articles published from some days before `first` to `last` (µs); all 0 for none."""
    since = first - PUBLISHED_DAYS * 24 * MICROS_PER_HOUR
    inside = (shelf.published >= since) & (shelf.published <= last) & (shelf.section > 0)
    counts = np.bincount(shelf.section[inside], minlength=len(shelf.sections)).astype(np.float64)
    found: Floats = shares(counts[None, :])[0]
    return found


def section_shares(sections: Integers, *, count: int) -> Floats:
    """Return the share of each section in ranked lists, a place counting 1 / rank; places of no known section do not count.

    Args:
        sections: One row per list, best first; 0 where the section is unknown, or the list over.
        count: How many sections there are, the unknown one included.

    >>> section_shares(np.array([[1, 2, 1], [0, 2, 0]]), count=3).round(3).tolist()
    [[0.0, 0.727, 0.273], [0.0, 0.0, 1.0]]
    """
    lists, k = sections.shape
    found = np.zeros((lists, count))
    weights = np.array(rank_weights(k))
    for place in range(k):
        found[np.arange(lists), sections[:, place]] += weights[place]
    found[:, 0] = 0.0
    return shares(found)


def shares(amounts: Floats) -> Floats:
    """Divide each row by its sum; rows of nothing stay so."""
    total = amounts.sum(axis=1, keepdims=True)
    found: Floats = np.divide(amounts, total, out=np.zeros_like(amounts), where=total > 0.0)
    return found
