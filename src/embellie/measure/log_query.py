"""The SQL that turns the log into aggregates: events → exposed readers → variants, in one query."""

from collections.abc import Mapping, Sequence

from embellie.domain.errors import unknown_name
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Needs, columns_of, moments_sql

_VISITS = """
  SELECT unit, count(DISTINCT visit) AS value FROM acts WHERE kind IN ('served', 'read') GROUP BY unit"""

_READS = """
  SELECT unit, count(*) AS value FROM (
    SELECT DISTINCT unit, visit, article FROM acts
    WHERE kind = 'read' AND CAST(json_extract_string(body, '$.engaged_seconds') AS DOUBLE) >= $read_seconds
  ) GROUP BY unit"""

_ENGAGED = """
  SELECT unit, sum(CAST(json_extract_string(body, '$.engaged_seconds') AS DOUBLE)) AS value
  FROM acts WHERE kind = 'read' GROUP BY unit"""

_CLICKS = "SELECT unit, count(*) AS value FROM acts WHERE kind = 'click' GROUP BY unit"

_IMPRESSIONS = "SELECT unit, count(*) AS value FROM acts WHERE kind = 'impression' GROUP BY unit"

_CONVERSIONS = "SELECT unit, count(*) AS value FROM acts WHERE kind = 'conversion' GROUP BY unit"

_AMOUNT = """
  SELECT unit, sum(CAST(json_extract_string(body, '$.amount.amount') AS DOUBLE)) AS value
  FROM acts WHERE kind = 'conversion' GROUP BY unit"""

COUNTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "reads": (_READS, ("read",)),
    "visits": (_VISITS, ("served", "read")),
    "clicks": (_CLICKS, ("click",)),
    "impressions": (_IMPRESSIONS, ("impression",)),
    "engaged_seconds": (_ENGAGED, ("read",)),
    "conversions": (_CONVERSIONS, ("conversion",)),
    "amount": (_AMOUNT, ("conversion",)),
}
"""Each name a metric may use: its query per unit, and the kinds of event it reads."""


def check_names(metrics: Sequence[Metric]) -> None:
    """Refuse a metric that asks for what the log does not count.

    Raises:
        UnknownName: With the names there are.
    """
    for metric in metrics:
        for column in columns_of(metric):
            if column not in COUNTS:
                raise unknown_name("count of the log", column, COUNTS, at=f"metrics.{metric.metric}")


def scorecard_sql(needs: Needs, *, site: bool = False, until: bool = False) -> str:
    """Write the one query of a scorecard; returns a row per variant, plus one where `variant` is null: the excluded.

    A reader counts from their first exposure on (events at or after it), until the experiment stops. A reader exposed to two variants is left out of
    all and counted. A visit's article is read once, however often it is reported. Parameters: `$experiment`,
    `$read_seconds`, and `$site` or `$until` (a time, inclusive) when asked for.
    """
    alias = {name: f"c{place}" for place, name in enumerate(needs.names)}
    kinds = sorted({kind for column in needs.columns for kind in COUNTS[column.counted][1]})
    only = ("AND site = $site" if site else "") + (' AND "at" <= $until' if until else "")
    counted = ",\n".join(f"{alias[column.name]}_of AS ({COUNTS[column.counted][0]})" for column in needs.columns)
    values = ", ".join(f"coalesce({name}_of.value, 0) AS {name}" for name in alias.values())
    joins = "\n".join(f"  LEFT JOIN {name}_of USING (unit)" for name in alias.values())
    nothing = ", ".join(["NULL"] * (len(needs.columns) + len(needs.pairs)))
    return f"""
WITH ended AS (
  SELECT CASE WHEN arg_max(json_extract_string(body, '$.state'), seq) = 'stopped' THEN arg_max("at", seq) END AS stop
  FROM events WHERE kind = 'experiment' {only} AND json_extract_string(body, '$.experiment') = $experiment
),
exposed AS (
  SELECT reader AS unit, json_extract_string(body, '$.variant') AS variant, min("at") AS since
  FROM events
  WHERE kind = 'exposure' AND reader <> '' {only}
    AND json_extract_string(body, '$.experiment') = $experiment
  GROUP BY ALL
),
units AS (
  SELECT unit, min(variant) AS variant, min(since) AS since, count(*) AS variants FROM exposed GROUP BY unit
),
acts AS (
  SELECT units.unit, kind, visit, article, body
  FROM events JOIN units ON events.reader = units.unit
  WHERE kind IN ({", ".join(f"'{kind}'" for kind in kinds)}) AND variants = 1 AND "at" >= since {only}
    AND "at" <= coalesce((SELECT stop FROM ended), TIMESTAMP 'infinity')
),
{counted},
per_unit AS (
  SELECT variant, {values}
  FROM units
{joins}
  WHERE variants = 1
)
SELECT variant, {moments_sql(needs, alias)} FROM per_unit GROUP BY variant
UNION ALL
SELECT NULL, count(*), {nothing} FROM units WHERE variants > 1
"""
