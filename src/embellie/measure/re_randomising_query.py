"""The SQL that reads units one by one, so that they can be assigned anew."""

import re
from collections.abc import Sequence

from embellie.measure.aggregates import Needs
from embellie.measure.table_query import Columns, TableSpec, units_sql, where_sql

EVENT_COLUMNS = (
    "seq", "id", "site", "kind", '"at"', "received_at", "consent", "reader", "visit", "article", "experiment", "variant",
    '"release"', "placement", "slate_id", "position", "engaged_seconds", "goal", "amount", "currency", "bot", "body",
)  # fmt: skip
"""The columns of the relation `events`."""

EVERYBODY = "everybody"
"""The one variant of a history that is no experiment."""


def table_units_sql(spec: TableSpec, columns: Columns, needs: Needs, *, assigned: str = "") -> str:
    """Write the query for the units of a table, at most `$most` of them, in order of their names.

    Columns `c0`, … as `needs` has them, nothing yet cut. With `assigned`, also what is assigned at random where that is not
    the unit: `assigned`, and `several`, 1 where a unit has two of them.
    """
    where, _ = where_sql(spec, columns)
    units = units_sql(spec, columns, needs, once=False)
    selected = [f"{units.alias[name]} AS c{place}" for place, name in enumerate(needs.names)]
    sums = [f"sum({columns.numbers[name]}) AS {short}" for name, short in units.numbers.items()]
    if assigned:
        key = f"CAST({columns.quoted[assigned]} AS VARCHAR)"
        sums += [f"min({key}) AS assigned", f"CASE WHEN min({key}) <> max({key}) THEN 1 ELSE 0 END AS several"]
        selected += ["assigned", "several"]
    return f"""
SELECT {", ".join(selected)} FROM (
  SELECT {columns.quoted[spec.unit]} AS unit, {", ".join(sums)} FROM source {where} GROUP BY {columns.quoted[spec.unit]}
) AS units ORDER BY unit LIMIT $most
"""


def as_exposed(sql: str, *, site: bool) -> str:
    """Make a query over the log see every reader who came in a period as exposed, on coming first.

    Where the query asks for exposures of `$experiment`, it finds those: of readers with a page served or read from `$since`
    to `$until`, all in one variant.
    """
    plain: Sequence[str] = EVENT_COLUMNS
    first = {
        "seq": "min(seq)",
        "id": "''",
        "site": "site",
        "kind": "'exposure'",
        '"at"': 'min("at")',
        "received_at": "min(received_at)",
        "consent": "min(consent)",
        "reader": "reader",
        "experiment": "$experiment",
        "variant": f"'{EVERYBODY}'",
        "position": "CAST(NULL AS BIGINT)",
        "engaged_seconds": "CAST(NULL AS DOUBLE)",
        "amount": "CAST(NULL AS DOUBLE)",
        "bot": "max(bot)",
    }
    made = ", ".join(f"{first.get(name, chr(39) * 2)} AS {name}" for name in plain)
    only = " AND site = $site" if site else ""
    history = f"""history AS (
  SELECT {", ".join(plain)} FROM events WHERE kind <> 'exposure'
  UNION ALL
  SELECT {made} FROM events
  WHERE kind IN ('served', 'read') AND reader <> '' AND "at" >= $since AND "at" <= $until{only} GROUP BY site, reader
)"""
    # No engine agrees with another on a name that shadows a relation, so the query's own relation is renamed.
    asked = re.sub(r"\bFROM events\b", "FROM history AS events", sql.strip())
    return f"WITH {history}, {asked.removeprefix('WITH ')}" if asked.startswith("WITH ") else f"WITH {history}\n{asked}"
