"""Reading the log in PostgreSQL: what it answers, and asks no turn for."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from operator import itemgetter

from embellie.domain.event import Event
from embellie.domain.moment import moment
from embellie.ports import LedgerRow, Traces
from embellie.store.engine import quoted
from embellie.store.log_erasing import find, look, own_visits, quarantined_numbers
from embellie.store.log_records import Imbalance, PastTime, Quarantined, Tail
from embellie.store.log_retaining import look_past
from embellie.store.log_rows import HOUR, event_of, quarantined_of, tail_of
from embellie.store.postgres_pool import PostgresPool

_PAGE = 4_000
EVENT_COLUMNS = "seq, id, site, kind, at, received_at, consent, schema, body"
"""What `event_of` reads an event from."""

_TAIL_COLUMNS = "seq, id, site, kind, at, received_at, consent, reader, visit, article, body, schema"


class PostgresReading:
    """The half of a `KeptLog` that only reads.

    Args:
        url: The database.
        schema: The schema that holds the log.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._s = quoted(schema)
        self._pool = PostgresPool(url, schema)

    def scan(self, *, after: int = 0, kinds: Iterable[str] = ()) -> Iterator[tuple[int, Event]]:
        """Read (sequence number, event) in order, up to the last one at the time of the call."""
        wanted, upto = sorted(set(kinds)), self.last()
        if not wanted:
            return self._events(after, upto, "")
        streams = [self._events(after, upto, kind) for kind in wanted]
        return streams[0] if len(streams) == 1 else merge(*streams, key=itemgetter(0))

    def following(
        self, *, after: int, upto: int | None = None, limit: int, kinds: Iterable[str] = ()
    ) -> tuple[Sequence[Event], int]:
        """Read on, whoever wrote it: at most `limit` events of these kinds, or of all; and up to which number that is all."""
        upto = self.last() if upto is None else upto
        if upto <= after:
            return [], after
        wanted = list(kinds)
        which = "AND kind = ANY(%s)" if wanted else ""
        rows = self._pool.rows(
            f"SELECT {EVENT_COLUMNS} FROM {self._s}.events WHERE seq > %s AND seq <= %s {which} ORDER BY seq LIMIT %s",
            after,
            upto,
            *([wanted] if wanted else ()),
            limit,
        )
        return [event_of(row) for row in rows], rows[-1][0] if len(rows) == limit else upto

    def tail(self, after: int, limit: int = 50_000) -> Tail:
        """Read at most `limit` events after a sequence number as parallel lists: the fast way in bulk."""
        rows = self._pool.rows(
            f"SELECT {_TAIL_COLUMNS} FROM {self._s}.events WHERE seq > %s ORDER BY seq LIMIT %s", after, limit
        )
        return tail_of(rows)

    def last(self) -> int:
        """Return the sequence number of the last event, 0 when empty."""
        return int(self._pool.rows(f"SELECT last FROM {self._s}.log")[0][0])

    def ledger(self) -> Sequence[LedgerRow]:
        """Return the conservation ledger, by site and hour."""
        return [
            LedgerRow(
                site=site,
                hour=moment(hour * HOUR),
                received=received,
                accepted=accepted,
                duplicates=duplicates,
                quarantined=quarantined,
                erased=erased,
                refused=refused,
            )
            for site, hour, received, accepted, duplicates, quarantined, erased, refused in self._pool.rows(
                "SELECT site, hour, received, l.accepted, duplicates, l.quarantined,"
                " coalesce(e.accepted + e.quarantined, 0), coalesce(refused, 0)"
                f" FROM {self._s}.ledger AS l LEFT JOIN {self._s}.erased AS e USING (site, hour) ORDER BY site, hour"
            )
        ]

    def verify(self) -> Sequence[Imbalance]:
        """Count the log anew, site by site and hour by hour."""
        hour = f"received_at / {HOUR} - (received_at % {HOUR} < 0)::int"
        rows = self._pool.rows(
            f"""
            SELECT site, hour, what, sum(said)::bigint, sum(found)::bigint FROM (
              SELECT site, {hour} AS hour, 'accepted' AS what, 0 AS said, count(*) AS found
              FROM {self._s}.events GROUP BY 1, 2
              UNION ALL SELECT site, {hour}, 'quarantined', 0, count(*) FROM {self._s}.quarantine GROUP BY 1, 2
              UNION ALL SELECT site, hour, 'accepted', accepted, 0 FROM {self._s}.ledger
              UNION ALL SELECT site, hour, 'quarantined', quarantined, 0 FROM {self._s}.ledger
              UNION ALL SELECT site, hour, 'accepted', -accepted, 0 FROM {self._s}.erased
              UNION ALL SELECT site, hour, 'quarantined', -quarantined, 0 FROM {self._s}.erased
            ) AS both_sides GROUP BY 1, 2, 3 HAVING sum(said) <> sum(found) ORDER BY 1, 2, 3
            """
        )
        return [
            Imbalance(site=site, hour=moment(hour * HOUR), what=what, ledger=said, found=found)
            for site, hour, what, said, found in rows
        ]

    def quarantined(
        self, *, site: str | None = None, after: int = 0, limit: int = -1, newest: int = 0
    ) -> Sequence[Quarantined]:
        """Return what was put aside, oldest first."""
        order, most = ("DESC", newest) if newest else ("ASC", limit if limit >= 0 else None)
        rows = self._pool.rows(
            f"SELECT number, site, id, received_at, reason, path, payload FROM {self._s}.quarantine"
            f" WHERE number > %s AND (%s::text IS NULL OR site = %s) ORDER BY number {order} LIMIT %s",
            after,
            site,
            site,
            most,
        )
        return [quarantined_of(row) for row in sorted(rows)]

    def quarantine_size(self, *, site: str | None = None) -> int:
        """Count what was put aside; of one site, or of all."""
        sql = f"SELECT count(*) FROM {self._s}.quarantine WHERE %s::text IS NULL OR site = %s"
        return int(self._pool.rows(sql, site, site)[0][0])

    def sites(self) -> list[str]:
        """Name the sites of which something was received."""
        return [
            row[0] for row in self._pool.rows(f"SELECT DISTINCT site FROM {self._s}.ledger WHERE site <> '' ORDER BY 1")
        ]

    def names_with(self, parts: Sequence[str]) -> set[str]:
        """Find the readers and visits that have one of these texts as a part of their id."""
        sql = (
            f"SELECT DISTINCT name FROM (SELECT reader AS name FROM {self._s}.events"
            f" UNION ALL SELECT visit FROM {self._s}.events) AS names"
            " WHERE EXISTS (SELECT 1 FROM unnest(%s::text[]) AS part WHERE strpos(name, part) > 0)"
        )
        return {str(row[0]) for row in self._pool.rows(sql, list(parts))}

    def quarantined_of(self, site: str, reader: str) -> Sequence[Quarantined]:
        """Return what was put aside that names a reader, or a visit of theirs alone."""
        with self._pool.as_of_now() as log:
            numbers = set(quarantined_numbers(log, site, reader, visits=own_visits(log, site, reader)))
        return [each for each in self.quarantined() if each.number in numbers] if numbers else []

    def readers(self, site: str) -> Iterator[str]:
        """Name the readers a site's events are of, each once."""
        sql = f"SELECT DISTINCT reader FROM {self._s}.events WHERE site = %s AND reader <> ''"
        yield from (row[0] for row in self._pool.rows(sql, site))

    def of_reader(self, site: str, reader: str) -> Iterator[tuple[int, Event]]:
        """Read a reader's (sequence number, event) in order: those that name them, and those without a name of their visits."""
        with self._pool.as_of_now() as log:
            numbers = look(log, site, reader).numbers
        sql = f"SELECT {EVENT_COLUMNS} FROM {self._s}.events WHERE seq = ANY(%s) ORDER BY seq"
        for start in range(0, len(numbers), 500):
            for row in self._pool.rows(sql, list(numbers[start : start + 500])):
                yield row[0], event_of(row)

    def traces(self, site: str, reader: str) -> Traces:
        """Count what is kept of a reader, events and what was put aside."""
        with self._pool.as_of_now() as log:
            return find(log, site, reader)

    def look_past(self, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> PastTime:
        """Count what is past its time, and change nothing."""
        with self._pool.afresh() as log:
            return look_past(log, before, spare=spare)

    def _events(self, after: int, upto: int, kind: str) -> Iterator[tuple[int, Event]]:
        which = "kind = %s AND" if kind else ""
        sql = (
            f"SELECT {EVENT_COLUMNS} FROM {self._s}.events"
            f" WHERE {which} seq > %s AND seq <= %s ORDER BY seq LIMIT {_PAGE}"
        )
        while rows := self._pool.rows(sql, *((kind,) if kind else ()), after, upto):
            for row in rows:
                yield row[0], event_of(row)
            after = rows[-1][0]
