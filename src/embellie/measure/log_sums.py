"""The SQL that turns the log into sums: one query from events to units, in steps, and from units to sums per variant."""

from collections.abc import Mapping

from embellie.measure.aggregates import caps_sql, quantiles_sql
from embellie.measure.columns import Column
from embellie.measure.log_query import IDLE_PAGES, VISIT_PAGES, LogQuery, base_of, day_sql, exposures_sql, scale_of
from embellie.measure.log_steps import steps_sql


def opening_sql(*, site: bool) -> str:
    """Write the query for how many exposures there are, and from when to when (parameters as for `sums_sql`)."""
    return f"""
SELECT count(*) AS exposures, min("at") AS earliest, max("at") AS latest
FROM events WHERE {exposures_sql(site=site)} AND "at" <= $until
"""


def volume_sql(*, site: bool, rolled: bool) -> str:
    """Write the query for how many rows there are to sum up between `$begin` and `$until`: events, or visits that lie ready."""
    own = " AND site = $site" if site else ""
    if rolled:
        return f"SELECT count(*) AS n FROM visits WHERE ended >= $begin AND began <= $until{own}"
    return f'SELECT count(*) AS n FROM events WHERE "at" >= $begin AND "at" <= $until{own}'


def bounds_sql(*, site: bool, parts: int) -> str:
    """Write the query for readers that cut all of them into parts of about one size; any cut gives the same sums."""
    return f"""
SELECT min(reader) AS reader FROM (
  SELECT reader, ntile({parts}) OVER (ORDER BY reader) AS part
  FROM events WHERE {exposures_sql(site=site)} AND "at" <= $until AND mod(seq, 61) = 0
) AS sample GROUP BY part ORDER BY reader
"""


def sums_sql(query: LogQuery) -> str:
    """Write the query of a scorecard: sums per variant and per value of the dimensions.

    A reader counts from their first exposure on (events at or after it), up to `$until`. A visit's article is read once,
    however often it is reported; a visit over midnight is one. Columns `n`, `s0`, … (sums), `p0`, … (sums of products), in
    whole steps; `low0`, `high0`, … the first and last currency of money column 0, …

    Parameters: `$experiment`, `$read_seconds`, `$begin` and `$until` (times, UTC, inclusive), `$site`, `$goal0`, …,
    `$part_from`, `$part_to`.
    """
    sums = _sums(query)
    for place in range(len(query.money)):
        sums += [f"min(low{place}) AS low{place}", f"max(high{place}) AS high{place}"]
    keys = ", ".join(("variant", *query.keys))
    return f"""{_per_unit(query)}
SELECT {keys}, {", ".join(["count(*) AS n", *sums])} FROM per_unit GROUP BY {keys}
"""


def cut_sql(query: LogQuery) -> str:
    """Write the query for where capped columns are cut, in whole steps: over the persons of all variants together."""
    return f"""{_per_unit(query)}
SELECT {caps_sql(query.needs, query.alias)} FROM per_unit WHERE mixed = 0 AND bot = 'person'
"""


def persons_sql(query: LogQuery) -> str:
    """Write the query for the persons themselves: a row each, in whole steps, nothing yet cut (parameters as for `sums_sql`)."""
    return f"""{_per_unit(query)}
SELECT {", ".join(query.alias[name] for name in query.needs.names)} FROM per_unit WHERE mixed = 0 AND bot = 'person'
"""


def order_sql(query: LogQuery, units: Mapping[str, int]) -> str:
    """Write the query for quantiles: a row per variant (parameters `$variant0`, …), of so many persons each."""
    rows = [
        f"SELECT {place} AS place, {quantiles_sql(query.needs, query.alias, count)} FROM per_unit "
        f"WHERE mixed = 0 AND bot = 'person' AND variant = $variant{place}"
        for place, count in enumerate(units.values())
    ]
    return f"""{_per_unit(query, materialized=True)}
{" UNION ALL ".join(rows)}
"""


def since_sql(query: LogQuery) -> str:
    """Write the query for what persons did on each day since their exposure.

    Rows per variant and `day`: on it, over the persons exposed at least so long ago that the day is over. `n` counts
    them in rows of their own, where `aged` is 1: exposed so that `day` is the last full one.
    """
    sums = _sums(query)
    nothing = ", ".join("NULL" for _ in sums)
    age = day_sql("$until", "since")
    values = ", ".join(_value(column, query) for column in query.needs.columns)
    return f"""{steps_sql(query, by_day=True)},
habits AS (
  SELECT unit, sum(pages) AS pages, sum(attention) AS attention, max(pages) AS most
  FROM (
    SELECT unit, sum(pages) AS pages, sum(attention) AS attention FROM by_visit WHERE visit IS NOT NULL GROUP BY unit, visit
    UNION ALL
    SELECT unit, pages, attention FROM by_visit WHERE visit IS NULL
  ) AS visits
  GROUP BY unit
),
persons AS (
  SELECT units.unit, units.variant, {age} AS age
  FROM units LEFT JOIN habits ON habits.unit = units.unit
  WHERE mixed = 0 AND {_BOT} = 'person'
),
done AS (
  SELECT persons.variant, by_unit.day, {values}
  FROM by_unit JOIN persons ON persons.unit = by_unit.unit
  WHERE by_unit.day < persons.age
)
SELECT variant, day, 0 AS aged, count(*) AS n, {", ".join(sums)} FROM done GROUP BY variant, day
UNION ALL
SELECT variant, age - 1, 1, count(*), {nothing} FROM persons WHERE age > 0 GROUP BY variant, age
"""


_BOT = f"""CASE WHEN tag <> '' OR coalesce(most, 0) > {VISIT_PAGES}
    OR (coalesce(pages, 0) >= {IDLE_PAGES} AND coalesce(attention, 0) = 0) THEN 'bot' ELSE 'person' END"""


def _sums(query: LogQuery) -> list[str]:
    """Write the sums of the columns and of the products of pairs; those of whole steps pass 64 bits."""
    needs, alias = query.needs, query.alias
    scaled = {column.name: scale_of(column) > 1 for column in needs.columns}
    found = [f"sum({alias[name]}) AS s{place}" for place, name in enumerate(needs.names)]
    for place, (one, other) in enumerate(needs.pairs):
        wide = scaled[one] or scaled[other]
        left, right = (f"CAST({alias[name]} AS DECIMAL(18, 0))" if wide else alias[name] for name in (one, other))
        found.append(f"sum({left} * {right}) AS p{place}")
    return found


def _per_unit(query: LogQuery, *, materialized: bool = False) -> str:
    """Write the query's beginning: a relation `per_unit` with a row per unit."""
    values = [_value(column, query) for column in query.needs.columns]
    for place in range(len(query.money)):
        values += [f"low{place}", f"high{place}"]
    if "day" in query.dimensions:
        values.append("CAST(CAST(since AS DATE) AS VARCHAR) AS day")
    if "consent" in query.dimensions:
        values.append("consent")
    if "returning" in query.dimensions:
        values.append("CASE WHEN coalesce(came, 0) > 0 THEN 'returning' ELSE 'new' END AS past")
    return f"""{steps_sql(query, by_day=False)},
per_unit AS {"MATERIALIZED " if materialized else ""}(
  SELECT variant, mixed, {_BOT} AS bot{"".join(f", {value}" for value in values)}
  FROM units LEFT JOIN by_unit ON by_unit.unit = units.unit
)"""


def _value(column: Column, query: LogQuery) -> str:
    """Write a unit's number from its counts."""
    name = query.alias[column.name]
    due = f"since + INTERVAL '{column.days[1]}' DAY <= $until" if column.days[1] else ""
    if column.counted == "due":
        return f"CASE WHEN {due} THEN 1 ELSE 0 END AS {name}"
    value = f"coalesce({query.bases[base_of(column)]}, 0)"
    if column.cap and query.caps:
        low, high = query.caps[column.name]
        cases = f" WHEN {value} > {high} THEN {high}" if high is not None else ""
        cases += f" WHEN {value} < {low} THEN {low}" if low is not None else ""
        value = f"CASE{cases} ELSE {value} END" if cases else value
    if column.share:
        value = f"CASE WHEN {value} > 0 {f'AND {due} ' if due else ''}THEN 1 ELSE 0 END"
    elif due:
        value = f"CASE WHEN {due} THEN {value} ELSE 0 END"
    return f"CAST({value} AS BIGINT) AS {name}"
