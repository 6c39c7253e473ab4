"""What time does to the log in PostgreSQL: a page of events past their time changed in one transaction."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from embellie.store.log_erasing import note
from embellie.store.log_retaining import Past, nameless_ids, without_names
from embellie.store.log_rows import HOUR
from embellie.store.postgres_log_erasing import Portable

PAGE = 250
"""So many events at most are changed at a time: writers on all servers wait no longer than for that."""

_TURN = "SELECT 1 FROM log FOR UPDATE"
# `OFFSET 0`: one look at the index for each, whatever is believed of the table.
_TAKEN = """
SELECT asked.site, asked.id FROM unnest(%s::text[], %s::text[]) AS asked (site, id)
CROSS JOIN LATERAL (SELECT 1 FROM events AS e WHERE e.site = asked.site AND e.id = asked.id OFFSET 0) AS there
"""
_NAMELESS = """
UPDATE events AS e SET id = kept.id, reader = '', visit = '', body = kept.body
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS kept (seq, id, body) WHERE e.seq = kept.seq
"""
_EXPOSURES = "DELETE FROM events WHERE seq = ANY(%s) RETURNING site, received_at"
_ASIDE = "DELETE FROM quarantine WHERE number = ANY(%s) RETURNING site, received_at"


def forget(connection: Any, schema: str, page: Sequence[Past]) -> int:
    """Take the names out of events, and remove exposures; returns how many those were that were still there.

    Args:
        connection: In no transaction.
        schema: The schema, quoted.
        page: What was found to be past its time.
    """
    with connection.transaction():
        connection.execute(f"SET LOCAL search_path = {schema}")
        connection.execute(_TURN)
        log = Portable(connection)
        asked = list(nameless_ids(page))
        taken = connection.execute(_TAKEN, [[site for site, _ in asked], [name for _, name in asked]]).fetchall()
        kept = without_names(page, set(taken))
        columns = [[one.seq for one in kept], [one.id for one in kept], [one.body for one in kept]]
        changed = int(connection.execute(_NAMELESS, columns).rowcount) if kept else 0
        gone = connection.execute(_EXPOSURES, [[each.seq for each in page if each.kind == "exposure"]]).fetchall()
        for (site, hour), count in _by_hour(gone).items():
            note(log, site, hour, accepted=count)
    return changed + len(gone)


def forget_aside(connection: Any, schema: str, numbers: Sequence[int]) -> int:
    """Remove what was put aside; returns how many those were that were still there."""
    with connection.transaction():
        connection.execute(f"SET LOCAL search_path = {schema}")
        connection.execute(_TURN)
        gone = connection.execute(_ASIDE, [list(numbers)]).fetchall()
        for (site, hour), count in _by_hour(gone).items():
            note(Portable(connection), site, hour, quarantined=count)
    return len(gone)


def _by_hour(rows: Sequence[tuple[str, int]]) -> Counter[tuple[str, int]]:
    """Count by site and hour, in one order for all servers."""
    return Counter(sorted((site, arrived // HOUR) for site, arrived in rows))
