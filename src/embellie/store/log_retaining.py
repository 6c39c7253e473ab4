"""What time does to the log: events past their time lose reader and visit, or go where nothing else is in them."""

import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from embellie.domain.moment import micros
from embellie.store.log_erasing import Connection, note
from embellie.store.log_records import PastTime
from embellie.store.log_rows import HOUR

PAGE = 2_000
"""So many events at most are changed in one transaction: writers wait no longer than for that."""

NAMELESS_KINDS = ("read", "click", "impression", "served", "conversion", "consent")
"""The kinds that still tell something without a name: they stay, under another id."""

# Stretch by stretch, whatever an engine may think of its indexes: reading all in order is the fast way.
_STRETCH = 10_000
_PAST = """
SELECT seq, kind, site, received_at, body FROM events
WHERE seq > ? AND seq <= ? AND ({{times}}) AND (reader <> '' OR visit <> '') AND kind || '' IN ('exposure', {kinds})
ORDER BY seq
""".format(kinds=", ".join(f"'{kind}'" for kind in NAMELESS_KINDS))
_TAKEN = "SELECT 1 FROM events WHERE site = ? AND id = ?"
_NAMELESS = "UPDATE events SET id = ?, reader = '', visit = '', body = ? WHERE seq = ?"


class Past(NamedTuple):
    """An event past its time, as it stands in the log; `received_at` in microseconds."""

    seq: int
    kind: str
    site: str
    received_at: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameless:
    """An event as it stays: under which id, with which body."""

    seq: int
    id: str
    body: str


def look_past(connection: Connection, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> PastTime:
    """Count what is past its time, and change nothing.

    Args:
        connection: The log.
        before: By consent, the moment of arrival from which events keep their names.
        spare: The numbers of events that are left as they are: those on which lakes end.
    """
    nameless = exposures = 0
    units: Counter[tuple[str, str]] = Counter()
    for page in pages_past(connection, before, spare=spare):
        shown = [each for each in page if each.kind == "exposure"]
        units.update((each.site, str(json.loads(each.body).get("experiment", ""))) for each in shown)
        exposures += len(shown)
        nameless += len(page) - len(shown)
    aside = past_aside(connection, before)
    return PastTime(nameless=nameless, exposures=exposures, quarantined=len(aside), units=dict(units))


def pages_past(
    connection: Connection, before: Mapping[str, datetime], *, spare: Collection[int], size: int = PAGE
) -> Iterator[list[Past]]:
    """Find what is past its time, in the order of the log, so many at a time; what was found may be changed meanwhile."""
    spared = frozenset(spare)
    if not before:
        return
    asked = _PAST.format(times=" OR ".join(["consent = ? AND received_at < ?"] * len(before)))
    times = [each for consent, moment in before.items() for each in (consent, micros(moment))]
    first, last = connection.execute("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM events").fetchone()
    for start in range(first - 1, last, _STRETCH):
        rows = connection.execute(asked, (start, start + _STRETCH, *times)).fetchall()
        found = [Past(*row) for row in rows if row[0] not in spared]
        for place in range(0, len(found), size):
            yield found[place : place + size]


def past_aside(connection: Connection, before: Mapping[str, datetime]) -> list[tuple[int, str, int]]:
    """Find what was put aside longer ago than the shortest time for which names are kept: its consent cannot be told.

    Returns:
        Number, site and arrival (µs) of each.
    """
    if not before:
        return []
    moment = micros(max(before.values()))
    found: list[tuple[int, str, int]] = connection.execute(
        "SELECT number, site, received_at FROM quarantine WHERE received_at < ?", (moment,)
    ).fetchall()
    return found


def nameless_ids(page: Sequence[Past]) -> dict[tuple[str, str], Past]:
    """Tell under which (site, id) each event is to stay; exposures do not."""
    return {(each.site, f"kept-{each.seq}"): each for each in page if each.kind != "exposure"}


def without_names(page: Sequence[Past], taken: Collection[tuple[str, str]]) -> list[Nameless]:
    """Tell how events stay: no reader, no visit, another id, and yet another where a sender has taken that one."""
    return [
        Nameless(
            seq=each.seq,
            id=f"{key[1]}-{secrets.token_hex(8)}" if key in taken else key[1],
            body=_without_names(each.body),
        )
        for key, each in nameless_ids(page).items()
    ]


def _without_names(body: str) -> str:
    said = json.loads(body)
    said |= {name: "" for name in ("reader", "visit") if name in said}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def forget(connection: sqlite3.Connection, page: Sequence[Past]) -> int:
    """Take the names out of events, and remove exposures; returns how many those were that were still there.

    What was changed is overwritten in the file.
    """
    with _overwriting(connection):
        done = 0
        taken = {key for key in nameless_ids(page) if connection.execute(_TAKEN, key).fetchone()}
        for one in without_names(page, taken):
            done += connection.execute(_NAMELESS, (one.id, one.body, one.seq)).rowcount
        for each in page:
            if each.kind == "exposure":
                gone = connection.execute("DELETE FROM events WHERE seq = ?", (each.seq,)).rowcount
                note(connection, each.site, each.received_at // HOUR, accepted=gone)
                done += gone
    return done


def forget_aside(connection: sqlite3.Connection, before: Mapping[str, datetime]) -> int:
    """Remove what was put aside too long ago; returns how many those were."""
    with _overwriting(connection):
        rows = past_aside(connection, before)
        for number, site, arrived in rows:
            connection.execute("DELETE FROM quarantine WHERE number = ?", (number,))
            note(connection, site, arrived // HOUR, quarantined=1)
    return len(rows)


@contextmanager
def _overwriting(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("PRAGMA secure_delete = ON")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    finally:
        connection.execute("PRAGMA secure_delete = OFF")
