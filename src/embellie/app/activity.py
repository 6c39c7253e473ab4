"""Activity: what the log counts of a site: its events by kind and through time, its slates by who was answered with what."""

from collections.abc import Mapping
from typing import Any

from embellie.ports import AggregateReader

_KINDS = "SELECT kind, count(*) AS events FROM events WHERE site = $site GROUP BY kind ORDER BY kind"

_TRAFFIC = """
WITH own AS (SELECT "at", kind FROM events WHERE site = $site AND kind IN
             ('served', 'impression', 'click', 'read', 'conversion')),
     span AS (SELECT min("at") AS first, greatest(epoch(max("at")) - epoch(min("at")), 1) AS seconds FROM own),
     placed AS (SELECT kind, least(floor((epoch("at") - epoch(first)) / seconds * $buckets), $buckets - 1)
                             AS bucket, first, seconds FROM own, span)
SELECT strftime(first + to_seconds(bucket * seconds / $buckets), '%Y-%m-%dT%H:%M:%SZ') AS "at",
       kind, count(*) AS count
FROM placed GROUP BY bucket, first, seconds, kind ORDER BY bucket, kind
"""

_SHARES = """
SELECT coalesce(nullif(body ->> '$.variant', ''), body ->> '$.release') AS variant, count(*) AS slates
FROM events WHERE site = $site AND kind = 'served' GROUP BY 1 ORDER BY 2 DESC
"""


def counts_by_kind(reader: AggregateReader, site: str) -> Mapping[str, int]:
    """Count a site's events by kind."""
    return {row["kind"]: row["events"] for row in reader.rows(_KINDS, {"site": site})}


def traffic_through_time(reader: AggregateReader, site: str, *, buckets: int) -> list[dict[str, Any]]:
    """Count a site's events by kind in equal stretches of time, oldest first: rows of `at`, `kind`, `count`."""
    return reader.rows(_TRAFFIC, {"site": site, "buckets": buckets})


def slates_by_variant(reader: AggregateReader, site: str) -> Mapping[str, int]:
    """Count slates served by variant; those outside any comparison under their release."""
    return {row["variant"]: row["slates"] for row in reader.rows(_SHARES, {"site": site})}
