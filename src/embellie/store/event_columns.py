"""The columns of `events`, the one relation that SQL over the log sees: the same in memory and in the lake."""

EVENT_COLUMNS = {
    "seq": "BIGINT",
    "id": "VARCHAR",
    "site": "VARCHAR",
    "kind": "VARCHAR",
    "at": "TIMESTAMP",
    "received_at": "TIMESTAMP",
    "consent": "VARCHAR",
    "reader": "VARCHAR",
    "visit": "VARCHAR",
    "article": "VARCHAR",
    "experiment": "VARCHAR",
    "variant": "VARCHAR",
    "release": "VARCHAR",
    "placement": "VARCHAR",
    "slate_id": "VARCHAR",
    "position": "INTEGER",
    "engaged_seconds": "DOUBLE",
    "goal": "VARCHAR",
    "amount": "DOUBLE",
    "currency": "VARCHAR",
    "bot": "VARCHAR",
    "body": "VARCHAR",
}
"""Name and DuckDB type. Times are UTC; a text is `''` and a number null where a kind has none; for `exposure`, `reader` is the unit."""

DEFINED = ", ".join(f'"{name}" {type_}' for name, type_ in EVENT_COLUMNS.items())
"""The columns as `CREATE TABLE` wants them."""

NAMED = ", ".join(f'"{name}"' for name in EVENT_COLUMNS)
"""The columns as `SELECT` wants them."""

# One pass over each body, whatever its kind: a field of another type than this one is as if it were not there.
_SHAPE = (
    '{"experiment":"VARCHAR","variant":"VARCHAR","release":"VARCHAR","placement":"VARCHAR","slate_id":"VARCHAR",'
    '"position":"INTEGER","engaged_seconds":"DOUBLE","goal":"VARCHAR",'
    '"amount":{"amount":"DOUBLE","currency":"VARCHAR"},"bot":"VARCHAR"}'
)


def typed_sql(rows: str) -> str:
    """Write the query that gives rows of the log the columns of `events`, in no order.

    Args:
        rows: A relation with the log's columns: `seq, id, site, kind, at, received_at, consent, reader, visit, article,
            body`, times in microseconds since 1970 UTC.
    """
    return f"""
SELECT seq, id, site, kind, make_timestamp("at") AS "at", make_timestamp(received_at) AS received_at, consent,
       reader, visit, article,
       {_text("experiment")}, {_text("variant")}, {_text("release")}, {_text("placement")}, {_text("slate_id")},
       own.position AS position, own.engaged_seconds AS engaged_seconds, {_text("goal")},
       own.amount.amount AS amount, coalesce(own.amount.currency, '') AS currency, {_text("bot")}, body
FROM (SELECT *, from_json(body, '{_SHAPE}') AS own FROM {rows})
"""


def _text(name: str) -> str:
    return f'coalesce(own."{name}", \'\') AS "{name}"'
