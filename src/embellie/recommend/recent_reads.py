"""Recent reads: who read what lately, frozen every few hours of the log's own time for models that are refitted."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from embellie.recommend.popularity import MICROS_PER_HOUR, Integers
from embellie.recommend.signals import Opened, Silent

EVERY_HOURS = 6
"""Hours of the log's time between two freezes, at whole multiples since 1970 (UTC)."""

_Entry = tuple[str, int, int]


@dataclass(frozen=True, eq=False)
class Taken:
    """Reads as they stood at a freeze: parallel columns, and the freeze's time (µs).

    `who` is a reader, or a visit where the reader is unknown or did not agree to profiling; `row` an article's.
    """

    who: tuple[str, ...]
    row: Integers
    at: Integers
    until: int

    def since(self, days: float) -> tuple[Integers, Integers]:
        """Number those who read in the last `days` before the freeze (in the order they come), and return what they read."""
        recent = np.flatnonzero(self.at >= self.until - days * 24 * MICROS_PER_HOUR)
        numbers: dict[str, int] = {}
        readers = [numbers.setdefault(self.who[place], len(numbers)) for place in recent.tolist()]
        return np.array(readers, np.int64), self.row[recent]


NOTHING = Taken((), np.zeros(0, np.int64), np.zeros(0, np.int64), 0)


class RecentReads(Silent):
    """The latest reads of the site, and what stood at the last freeze: models are fitted on the freeze alone.

    So a fit depends on the log, not on when somebody first asks for it: live and replay agree bit for bit, the
    library and its threads being the same. Whoever withdraws consent or is erased leaves the freeze as well, at once.

    Bounded: the last 200,000 reads, twice (as they come, and frozen), about 60 MB however many articles and readers
    there are; nothing is kept per article or per reader.
    """

    name: ClassVar[str] = "recent_reads"
    most: ClassVar[int] = 200_000

    def __init__(self) -> None:
        self._reads: deque[_Entry] = deque(maxlen=self.most)
        self._next = 0
        self.taken = NOTHING

    def open(self, opened: Opened) -> None:
        """Remember a read, once per visit; freeze first when the time has come."""
        if opened.at >= self._next:
            every = EVERY_HOURS * MICROS_PER_HOUR
            until = opened.at - opened.at % every
            self._next = until + every
            self.taken = _taken(self._reads, until)
        who = f"r {opened.reader}" if opened.profiling and opened.reader else f"v {opened.visit}"
        if not opened.again and who != "v ":
            self._reads.append((who, opened.row, opened.at))

    def forget(self, reader: str, visits: Collection[str]) -> None:
        """Drop a reader's reads and those of their visits, from the freeze too."""
        gone = {f"r {reader}", *(f"v {visit}" for visit in visits)}
        self._reads = deque((one for one in self._reads if one[0] not in gone), maxlen=self.most)
        kept = [place for place, who in enumerate(self.taken.who) if who not in gone]
        if len(kept) < len(self.taken.who):
            taken = self.taken
            self.taken = Taken(tuple(taken.who[i] for i in kept), taken.row[kept], taken.at[kept], taken.until)

    def snapshot(self) -> Mapping[str, Any]:
        """Return the reads, the freeze and when the next is due."""
        return {"reads": _columns(self._reads), "taken": _columns(_entries(self.taken)), "until": self.taken.until,
                "next": self._next}  # fmt: skip

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take them up."""
        self._reads = deque(_rows(snapshot["reads"]), maxlen=self.most)
        self._next = int(snapshot["next"])
        self.taken = _taken(_rows(snapshot["taken"]), int(snapshot["until"]))


def _taken(entries: Iterable[_Entry], until: int) -> Taken:
    who, row, at = zip(*entries, strict=True) if (entries := list(entries)) else ((), (), ())
    return Taken(tuple(who), np.array(row, np.int64), np.array(at, np.int64), until)


def _entries(taken: Taken) -> list[_Entry]:
    return list(zip(taken.who, taken.row.tolist(), taken.at.tolist(), strict=True))


def _columns(entries: Iterable[_Entry]) -> dict[str, Any]:
    kept = list(entries)
    return {
        "who": [one[0] for one in kept],
        "row": np.array([one[1] for one in kept], np.int64),
        "at": np.array([one[2] for one in kept], np.int64),
    }


def _rows(columns: Mapping[str, Any]) -> list[_Entry]:
    return [
        (str(who), int(row), int(at))
        for who, row, at in zip(columns["who"], columns["row"], columns["at"], strict=True)
    ]
