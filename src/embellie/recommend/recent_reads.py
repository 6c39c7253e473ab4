"""Recent reads: who read what lately, frozen every few hours of the log's own time for models that are refitted."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from embellie.recommend.popularity import MICROS_PER_HOUR, Integers
from embellie.recommend.signals import Opened, Silent

EVERY_HOURS = 6
"""Hours of the log's time between two freezes, at whole multiples since 1970 (UTC)."""

KEPT_DAYS = 90
"""Days of reads that are kept at most."""

_MICROS_PER_DAY = 24 * MICROS_PER_HOUR


@dataclass(frozen=True, eq=False)
class Reads:
    """The reads between two freezes, oldest first: parallel columns.

    `who` is a reader (`r NAME`), or a visit (`v NAME`) where the reader is unknown or did not agree to profiling; `row` an
    article's; `at` µs.
    """

    who: tuple[str, ...]
    row: Integers
    at: Integers

    def without(self, gone: Collection[str]) -> "Reads":
        """Return those of others; itself when there are no more."""
        kept = [place for place, who in enumerate(self.who) if who not in gone]
        if len(kept) == len(self.who):
            return self
        return Reads(tuple(self.who[place] for place in kept), self.row[kept], self.at[kept])


@dataclass(frozen=True, eq=False)
class Taken:
    """All reads as they stood at a freeze, `until` its time (µs)."""

    parts: tuple[Reads, ...]
    until: int

    def since(self, days: float) -> tuple[Integers, Integers]:
        """Number those who read in the last `days` before the freeze (in the order they come), and return what they read."""
        numbers: dict[str, int] = {}
        readers: list[int] = []
        rows = [np.zeros(0, np.int64)]
        for part in self.parts:
            recent = np.flatnonzero(part.at >= self.until - days * _MICROS_PER_DAY)
            readers += [numbers.setdefault(part.who[place], len(numbers)) for place in recent.tolist()]
            rows.append(part.row[recent])
        return np.array(readers, np.int64), np.concatenate(rows)


class RecentReads(Silent):
    """The latest reads of the site, and what stood at the last freeze: models are fitted on the freeze alone.

    So a fit depends on the log, not on when somebody first asks for it: live and replay agree bit for bit, the
    library and its threads being the same. Whoever withdraws consent or is erased leaves the freeze as well, at once.

    Bounded: the last 200,000 reads before the freeze and as many since, of 90 days at most, about 60 MB however many
    articles and readers there are; nothing is kept per article or per reader.
    """

    name: ClassVar[str] = "recent_reads"
    most: ClassVar[int] = 200_000

    def __init__(self) -> None:
        self._coming: deque[tuple[str, int, int]] = deque(maxlen=self.most)
        self._next = 0
        self.taken = Taken((), 0)

    def open(self, opened: Opened) -> None:
        """Remember a read, once per visit; freeze first when the time has come."""
        if opened.at >= self._next:
            every = EVERY_HOURS * MICROS_PER_HOUR
            until = opened.at - opened.at % every
            self._next = until + every
            self.taken = Taken(self._kept(until), until)
            self._coming.clear()
        who = f"r {opened.reader}" if opened.profiling and opened.reader else f"v {opened.visit}"
        if not opened.again and who != "v ":
            self._coming.append((who, opened.row, opened.at))

    def _kept(self, until: int) -> tuple[Reads, ...]:
        """Return the parts to keep, the newest complete, older ones as far as they fit."""
        parts = [*self.taken.parts, _reads(self._coming)] if self._coming else list(self.taken.parts)
        first, total = len(parts), 0
        while first > 0 and parts[first - 1].at[-1:].max(initial=0) >= until - KEPT_DAYS * _MICROS_PER_DAY:
            total += len(parts[first - 1].who)
            if total > self.most:
                break
            first -= 1
        return tuple(parts[first:])

    def forget(self, reader: str, visits: Collection[str]) -> None:
        """Drop a reader's reads and those of their visits, from the freeze too."""
        gone = {f"r {reader}", *(f"v {visit}" for visit in visits)}
        self._coming = deque((one for one in self._coming if one[0] not in gone), maxlen=self.most)
        parts = tuple(part.without(gone) for part in self.taken.parts)
        if any(one is not other for one, other in zip(parts, self.taken.parts, strict=True)):
            self.taken = Taken(tuple(part for part in parts if part.who), self.taken.until)

    def snapshot(self) -> Mapping[str, Any]:
        """Return the reads since the freeze, the freeze, and when the next is due."""
        parts = [{"who": list(part.who), "row": part.row, "at": part.at} for part in self.taken.parts]
        coming = _reads(self._coming)
        return {
            "coming": {"who": list(coming.who), "row": coming.row, "at": coming.at},
            "taken": parts,
            "until": self.taken.until,
            "next": self._next,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take them up."""
        self._coming = deque(_entries(snapshot["coming"]), maxlen=self.most)
        self._next = int(snapshot["next"])
        self.taken = Taken(tuple(_reads(_entries(part)) for part in snapshot["taken"]), int(snapshot["until"]))


def _reads(entries: Collection[tuple[str, int, int]]) -> Reads:
    return Reads(
        tuple(one[0] for one in entries),
        np.array([one[1] for one in entries], np.int64),
        np.array([one[2] for one in entries], np.int64),
    )


def _entries(columns: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    rows = zip(columns["who"], columns["row"], columns["at"], strict=True)
    return [(str(who), int(row), int(at)) for who, row, at in rows]
