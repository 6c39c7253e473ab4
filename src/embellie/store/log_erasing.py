"""What erasing a reader does to the log's file: find, remove in one transaction, refuse what comes later, leave no bytes."""

import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from embellie.domain.errors import Busy
from embellie.domain.event import Event, fact_id
from embellie.domain.reading import Erasure
from embellie.ports import Traces
from embellie.store.log_records import Marks
from embellie.store.log_rows import HOUR, Batch, Ledger, prepare
from embellie.store.log_writing import write_ledger, write_one

_ADD = (
    "INSERT INTO erased AS kept (site, hour, accepted, quarantined, refused) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (site, hour) DO UPDATE SET accepted = kept.accepted + excluded.accepted,"
    " quarantined = kept.quarantined + excluded.quarantined, refused = kept.refused + excluded.refused"
)
_IN_THE_LEDGER = "INSERT INTO ledger (site, hour, received, accepted, duplicates, quarantined) VALUES (?, ?, 0, 0, 0, 0) ON CONFLICT DO NOTHING"
_PAGE = 500
# `site || ''` below keeps SQLite from the index by (site, id), whose order is not that of the file: reading all in order is faster.
_UNHURRIED_SECONDS = 10.0


class Connection(Protocol):
    """Runs SQL that SQLite and PostgreSQL both understand, over the log's tables; `?` stands for a parameter."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement; what it returns gives rows by `fetchone` and `fetchall`."""
        ...


class Dead:
    """The readers of a log who were erased: their events are refused in the same transaction that would have written them.

    Args:
        marks: Makes their marks.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks, self._last, self._known = marks, -1, frozenset[tuple[str, str]]()

    def without(self, connection: Connection, batches: Sequence[Batch]) -> list[tuple[Batch, int]]:
        """Take out of batches what is of erased readers, count it in `erased`; returns the rest, and how many those were."""
        last = connection.execute("SELECT coalesce(max(seq), 0) FROM events WHERE kind = 'erasure'").fetchone()[0]
        return [self.as_of(last, connection, batch) for batch in batches]

    def as_of(self, last: int, connection: Connection, batch: Batch) -> tuple[Batch, int]:
        """Do so where the log's last erasure is known."""
        if last != self._last:
            self._known, self._last = frozenset(marked(connection)), last
        if not self._known:
            return batch, 0
        names = [(row[0], row[7]) for row in batch.rows]
        bad_names = [(each.site, name_in(each.payload)) for each in batch.rejected]
        dead = {who for who in {*names, *bad_names} if who[1] and self._is_dead(*who)}
        if not dead:
            return batch, 0
        for site, count in Counter(who[0] for who in [*names, *bad_names] if who in dead).items():
            note(connection, site, batch.received_at // HOUR, refused=count)
        left = [place for place, who in enumerate(names) if who not in dead]
        kept = replace(
            batch,
            events=[batch.events[place] for place in left],
            rows=[batch.rows[place] for place in left],
            places=[batch.places[place] for place in left],
            rejected=[each for each, who in zip(batch.rejected, bad_names, strict=True) if who not in dead],
        )
        return kept, len(batch) - len(kept)

    def _is_dead(self, site: str, reader: str) -> bool:
        return (site, self._marks.known(site, reader)) in self._known


def name_in(payload: str) -> str:
    """Read which reader an event that could not be read names; `""` when that cannot be told."""
    try:
        raw = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    found = (raw.get("reader") or raw.get("unit") or "") if isinstance(raw, dict) else ""
    return found if isinstance(found, str) else ""


def marked(connection: Connection) -> Iterator[tuple[str, str]]:
    """Name those erased, as (site, mark)."""
    rows = connection.execute("SELECT site, body FROM events WHERE kind = 'erasure' AND reader = ''").fetchall()
    for site, body in rows:
        mark = json.loads(body).get("mark", "")
        if mark:
            yield site, mark


def own_visits(connection: Connection, site: str, reader: str) -> tuple[str, ...]:
    """Name the visits that are a reader's alone: no other reader's event is of them."""
    rows = connection.execute(
        "SELECT DISTINCT visit FROM events WHERE site || '' = ? AND reader = ? AND visit <> ''", (site, reader)
    ).fetchall()
    visits = [str(row[0]) for row in rows]
    shared: set[str] = set()
    for page in _pages(visits):
        found = connection.execute(
            f"SELECT DISTINCT visit FROM events WHERE site || '' = ? AND visit IN ({_marks(page)})"
            " AND reader <> '' AND reader <> ?",
            (site, *page, reader),
        ).fetchall()
        shared |= {str(row[0]) for row in found}
    return tuple(visit for visit in visits if visit not in shared)


def numbers_of(connection: Connection, site: str, reader: str, *, visits: Sequence[str], after: int = 0) -> list[int]:
    """Find the numbers of a reader's events, in order: those that name them, and those without a name of their visits."""
    found = connection.execute(
        "SELECT seq FROM events WHERE site || '' = ? AND reader = ? AND seq > ?", (site, reader, after)
    ).fetchall()
    for page in _pages(visits):
        found += connection.execute(
            f"SELECT seq FROM events WHERE site || '' = ? AND reader = '' AND seq > ? AND visit IN ({_marks(page)})",
            (site, after, *page),
        ).fetchall()
    return sorted(row[0] for row in found)


def quarantined_numbers(connection: Connection, site: str, reader: str, *, visits: Sequence[str]) -> list[int]:
    """Find what was put aside that names a reader, or a visit of theirs alone, as a whole word."""
    rows = connection.execute(
        "SELECT number, id, reason, payload FROM quarantine WHERE site = ? OR site = ''", (site,)
    ).fetchall()
    if not rows:
        return []
    names = re.compile("|".join(map(re.escape, _written([reader, *visits]))))
    return [row[0] for row in rows if any(_stands_in(names, text) for text in row[1:])]


def _written(names: Sequence[str]) -> list[str]:
    """Write names in the ways they may stand in a text; the longest first, so that one is not found in another."""
    ways = set(names) | {json.dumps(name)[1:-1] for name in names}
    return sorted(ways, key=lambda way: (-len(way), way))


def _stands_in(names: re.Pattern[str], text: str) -> bool:
    return any(
        not _goes_on(text[found.start() - 1 : found.start()]) and not _goes_on(text[found.end() : found.end() + 1])
        for found in names.finditer(text)
    )


def _goes_on(letter: str) -> bool:
    return letter.isalnum() or letter in ("_", "-")


def find(connection: Connection, site: str, reader: str) -> Traces:
    """Count what a log holds of a reader."""
    visits = own_visits(connection, site, reader)
    kinds: Counter[str] = Counter()
    ids: list[str] = []
    for page in _pages(numbers_of(connection, site, reader, visits=visits)):
        for kind, identity in connection.execute(
            f"SELECT kind, id FROM events WHERE seq IN ({_marks(page)})", page
        ).fetchall():
            kinds[kind] += 1
            ids.append(identity)
    aside = quarantined_numbers(connection, site, reader, visits=visits)
    return Traces(kinds=dict(sorted(kinds.items())), quarantined=len(aside), visits=visits, ids=tuple(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found of a reader before the log is locked: their visits and events, up to the log's last."""

    visits: tuple[str, ...]
    numbers: tuple[int, ...]
    upto: int


def look(connection: Connection, site: str, reader: str) -> Look:
    """Find what is to be removed, while others go on writing."""
    upto = int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])
    visits = own_visits(connection, site, reader)
    return Look(visits=visits, numbers=tuple(numbers_of(connection, site, reader, visits=visits)), upto=upto)


def erase(
    connection: sqlite3.Connection, site: str, reader: str, *, marks: Marks, now: datetime, looked: Look
) -> Traces:
    """Remove all of a reader in one transaction, and leave their mark.

    Args:
        connection: The log's writer.
        site: The site.
        reader: The reader's id.
        marks: Makes their mark.
        now: When.
        looked: What was found before, without the lock; only what came since is looked for here.
    """
    mark = marks.mark(site, reader)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        gone = remove(connection, site, reader, looked)
        left = mark_left(connection, site, mark, gone, now)
        if left:
            ledger = Ledger()
            write_one(connection, prepare([left], received_at=now, rejected=()).rows[0], ledger)
            write_ledger(connection, ledger)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA secure_delete = OFF")
    return gone


def remove(connection: Connection, site: str, reader: str, looked: Look) -> Traces:
    """Remove what is of a reader, within a transaction in which nobody else writes."""
    visits = looked.visits
    since = numbers_of(connection, site, reader, visits=visits, after=looked.upto)
    kinds, ids = _remove(connection, site, sorted({*looked.numbers, *since}))
    aside = _remove_quarantined(connection, quarantined_numbers(connection, site, reader, visits=visits))
    return Traces(kinds=dict(sorted(kinds.items())), quarantined=aside, visits=visits, ids=tuple(ids))


def mark_left(connection: Connection, site: str, mark: str, gone: Traces, now: datetime) -> Event | None:
    """Give the event to leave in place of what is gone; None when nothing is, and the mark is there already.

    Another erasure of the same reader has an id of its own, so that all folds hear of it.
    """
    again = sum(1 for known in marked(connection) if known == (site, mark))
    if again and not gone.events and not gone.quarantined:
        return None
    body = Erasure(mark=mark, removed=gone.kinds)
    return Event(id=fact_id(site, "erasure", mark, str(again)), site=site, at=now, body=body)


def _remove(connection: Connection, site: str, numbers: Sequence[int]) -> tuple[Counter[str], list[str]]:
    kinds: Counter[str] = Counter()
    hours: Counter[int] = Counter()
    ids: list[str] = []
    for page in _pages(numbers):
        for kind, identity, arrived in connection.execute(
            f"SELECT kind, id, received_at FROM events WHERE seq IN ({_marks(page)})", page
        ).fetchall():
            kinds[kind] += 1
            hours[arrived // HOUR] += 1
            ids.append(identity)
        connection.execute(f"DELETE FROM events WHERE seq IN ({_marks(page)})", page)
    for hour, count in hours.items():
        note(connection, site, hour, accepted=count)
    return kinds, ids


def _remove_quarantined(connection: Connection, numbers: Sequence[int]) -> int:
    for page in _pages(numbers):
        for site, arrived in connection.execute(
            f"SELECT site, received_at FROM quarantine WHERE number IN ({_marks(page)})", page
        ).fetchall():
            note(connection, site, arrived // HOUR, quarantined=1)
        connection.execute(f"DELETE FROM quarantine WHERE number IN ({_marks(page)})", page)
    return len(numbers)


def note(
    connection: Connection, site: str, hour: int, *, accepted: int = 0, quarantined: int = 0, refused: int = 0
) -> None:
    """Count what is no longer kept, or was refused, in the hour it arrived; within a transaction."""
    connection.execute(_IN_THE_LEDGER, (site, hour))
    connection.execute(_ADD, (site, hour, accepted, quarantined, refused))


def truncate_wal(connection: sqlite3.Connection, *, seconds: float = _UNHURRIED_SECONDS) -> None:
    """Bring all that was written into the file itself, and empty the file beside it.

    Raises:
        Busy: Someone has been reading an older state all the time.
    """
    until = time.monotonic() + seconds
    while True:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            return
        if time.monotonic() > until:
            raise Busy(
                "The file beside the log cannot be emptied: a process is reading what was there before.",
                hint="Wait for it to finish, or stop it; then erase again.",
                code="log_locked",
            )
        time.sleep(0.05)


def _pages(items: Sequence[object]) -> Iterable[Sequence[object]]:
    return (items[start : start + _PAGE] for start in range(0, len(items), _PAGE))


def _marks(page: Sequence[object]) -> str:
    return ", ".join("?" * len(page))
