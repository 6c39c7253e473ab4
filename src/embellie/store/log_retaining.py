"""What time does to the log's file: events past their time lose reader and visit, or go where nothing else is in them."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from embellie.domain.moment import micros
from embellie.store.log_erasing import note
from embellie.store.log_rows import HOUR

PAGE = 2_000
"""So many events at most are changed in one transaction: writers wait no longer than for that."""

NAMELESS_KINDS = ("read", "click", "impression", "served", "conversion", "consent")
"""The kinds that still tell something without a name: they stay, under another id."""

_PAST = """
SELECT seq, kind, site, received_at, body FROM events
WHERE seq > ? AND seq <> ? AND consent = ? AND received_at < ? AND (reader <> '' OR visit <> '')
AND kind IN ('exposure', {kinds}) ORDER BY seq LIMIT ?
""".format(kinds=", ".join(f"'{kind}'" for kind in NAMELESS_KINDS))
_NAMELESS = """
UPDATE events SET id = 'kept-' || seq, reader = '', visit = '', body = json_replace(body, '$.reader', '', '$.visit', '')
WHERE seq = ?
"""
_EXPERIMENTS = """
SELECT site, json_extract(body, '$.experiment'), count(*) FROM events
WHERE kind = 'exposure' AND seq <> ? AND consent = ? AND received_at < ? AND reader <> '' GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTime:
    """What was past its time: events that lost their names, exposures that went, payloads put aside that went.

    `units` counts by (site, experiment) the readers whose exposure went.
    """

    nameless: int
    exposures: int
    quarantined: int
    units: Mapping[tuple[str, str], int]


def look_past(connection: sqlite3.Connection, before: Mapping[str, datetime], *, spare: int) -> PastTime:
    """Count what is past its time, and change nothing.

    Args:
        connection: The log.
        before: By consent, the moment of arrival from which events keep their names.
        spare: The number of an event that is left as it is: the one on which the lake ends.
    """
    kinds: Counter[str] = Counter()
    units: Counter[tuple[str, str]] = Counter()
    for consent, moment in before.items():
        for page in _pages(connection, consent, moment, spare):
            kinds.update(row[1] for row in page)
        for site, experiment, count in connection.execute(_EXPERIMENTS, (spare, consent, micros(moment))).fetchall():
            units[site, experiment] += count
    aside = _past_aside(connection, before)
    exposures = kinds.pop("exposure", 0)
    return PastTime(nameless=kinds.total(), exposures=exposures, quarantined=len(aside), units=dict(units))


def forget_past(connection: sqlite3.Connection, before: Mapping[str, datetime], *, spare: int) -> Iterator[int]:
    """Take the names out of what is past its time, page by page, each in a transaction of its own; yields how many each time.

    What was changed is overwritten in the file.
    """
    connection.execute("PRAGMA secure_delete = ON")
    try:
        for consent, moment in before.items():
            for page in _pages(connection, consent, moment, spare):
                connection.execute("BEGIN IMMEDIATE")
                try:
                    for seq, kind, site, arrived, _ in page:
                        if kind == "exposure":
                            connection.execute("DELETE FROM events WHERE seq = ?", (seq,))
                            note(connection, site, arrived // HOUR, accepted=1)
                        else:
                            connection.execute(_NAMELESS, (seq,))
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                yield len(page)
        yield _forget_aside(connection, before)
    finally:
        connection.execute("PRAGMA secure_delete = OFF")


def _pages(
    connection: sqlite3.Connection, consent: str, moment: datetime, spare: int
) -> Iterator[list[tuple[int, str, str, int, str]]]:
    after = 0
    while page := connection.execute(_PAST, (after, spare, consent, micros(moment), PAGE)).fetchall():
        yield page
        after = page[-1][0]


def _past_aside(connection: sqlite3.Connection, before: Mapping[str, datetime]) -> list[tuple[int, str, int]]:
    """Find what was put aside longer ago than the shortest time for which names are kept: its consent cannot be told."""
    if not before:
        return []
    moment = micros(max(before.values()))
    return connection.execute(
        "SELECT number, site, received_at FROM quarantine WHERE received_at < ?", (moment,)
    ).fetchall()


def _forget_aside(connection: sqlite3.Connection, before: Mapping[str, datetime]) -> int:
    connection.execute("BEGIN IMMEDIATE")
    try:
        rows = _past_aside(connection, before)
        for number, site, arrived in rows:
            connection.execute("DELETE FROM quarantine WHERE number = ?", (number,))
            note(connection, site, arrived // HOUR, quarantined=1)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return len(rows)
