"""The steps from events to units, in SQL: visits, articles read in them, and goals reached; then what each unit did in all.

Each visit, each article read in one, and each goal of a unit is a row of its step: no step holds more. Where visit rows lie
ready, a visit is one of them, unless a moment that matters falls into it: such visits are counted event by event, as all are elsewhere.
"""

from collections.abc import Sequence

from embellie.measure.log_query import COUNTS, Base, LogQuery, day_sql, exposures_sql, part_sql
from embellie.measure.visit_rows import THOUSANDTHS, VISIT_KINDS

_MILLIONTHS = "CAST(floor(coalesce(amount, 0) * 1000000 + 0.5) AS BIGINT)"

_READY = {"reads": "reads", "clicks": "clicks", "impressions": "impressions", "engaged_seconds": "attention"}
"""The columns of visit rows that say what a count wants to know."""

_CAME = "pages + reports > 0"


def steps_sql(query: LogQuery, *, by_day: bool) -> str:
    """Write `units` (a row per exposed reader) and `by_unit` (what each did; with `by_day`, on each day since their exposure).

    `by_visit`, too, stands for itself: pages and attention of each visit tell bots. A visit that has one row and no name in it
    is whole in that row.
    """
    day = ", day" if by_day else ""
    steps = [_units(query, by_day=by_day)]
    if query.rolled:
        steps += [*_rows(query, by_day=by_day), _torn_acts(query, by_day=by_day)]
    steps.append(f"by_visit AS (\n{_by_visit(query, by_day=by_day)}\n)")
    parts = [f"SELECT unit{day}, {', '.join(_names(query))} FROM by_visit"]
    if any(base.counted == "reads" for base in query.bases):
        steps.append(f"by_article AS (\n{_by_article(query, by_day=by_day)}\n)")
        parts.append(f"SELECT unit{day}, {', '.join(_names(query))} FROM by_article")
    if any(_is_goal(base) for base in query.bases):
        steps.append(f"by_goal AS (\n{_by_goal(query, by_day=by_day)}\n)")
        parts.append(f"SELECT unit{day}, {', '.join(_names(query))} FROM by_goal")
    steps.append(f"""by_unit AS (
  SELECT unit{day}, {", ".join(_totals(query))}
  FROM ({" UNION ALL ".join(parts)}) AS steps GROUP BY unit{day}
)""")
    return "WITH " + ",\n".join(steps)


def _units(query: LogQuery, *, by_day: bool) -> str:
    opens = 'min("at")'
    if query.looks_back and not by_day:
        # A whole day's beginning, as the days of the lake: no visit's row lies across it.
        opens = f"CAST(CAST(min(\"at\") AS DATE) AS TIMESTAMP) - INTERVAL '{query.pre_days}' DAY"
    return f"""units AS MATERIALIZED (
  SELECT reader, min(seq) AS unit, min(variant) AS variant, min("at") AS since, {opens} AS opens,
         CASE WHEN min(variant) <> max(variant) THEN 1 ELSE 0 END AS mixed, min(consent) AS consent, max(bot) AS tag
  FROM events WHERE {exposures_sql(site=query.site)} AND "at" <= $until{part_sql(query, "reader")} GROUP BY reader
)"""


def _rows(query: LogQuery, *, by_day: bool) -> list[str]:
    """Write the visit rows of the units, in three kinds: of visits that have one row; of several; and what no row can stand for.

    `odd` holds the rows of the last two, which are few; `torn` the visits of which a row is not all on one side of what matters.
    """
    own = _own(query, {base: _said(base, query) for base in query.bases if not _is_goal(base)})
    since = "CASE WHEN began >= since THEN {} ELSE 0 END" if query.looks_back else "{}"
    own |= {"pages": since.format("pages"), "attention": since.format("attention")}
    if "came" in own:
        own["came"] = f"CASE WHEN {_CAME} AND ended < since THEN 1 ELSE 0 END"
    windows = {
        f"in_{name}": " AND ".join(_in_window(base, query, ("began", "ended"))) or "1 = 1"
        for base, name in query.bases.items()
        if base.counted == "reads"
    }
    read = "".join(f", CASE WHEN {window} THEN 1 ELSE 0 END AS {name}" for name, window in windows.items())
    day = f", {day_sql('began', 'since')} AS day" if by_day else ""
    site = " AND visits.site = $site" if query.site else ""
    site_column = "$site" if query.site else "''"
    when = f"ended >= $begin AND began <= $until{site}{part_sql(query, 'visits.reader')}"
    return [
        f"""repeated AS MATERIALIZED (
  SELECT key FROM visits WHERE {when} GROUP BY key HAVING count(*) > 1
)""",
        f"""visit_rows AS (
  SELECT unit{day}, {_listed(own)}{read}, again, whole,
         CASE WHEN again = 1 OR whole = 0 THEN visit END AS visit, CASE WHEN again = 1 OR whole = 0 THEN articles END AS articles
  FROM (
    SELECT visits.*, units.unit, units.since, units.opens, CASE WHEN repeated.key IS NULL THEN 0 ELSE 1 END AS again,
           CASE WHEN {" AND ".join(_whole(query, by_day=by_day))} THEN 1 ELSE 0 END AS whole
    FROM visits JOIN units ON visits.reader = units.reader LEFT JOIN repeated ON repeated.key = visits.key
    WHERE {when} AND ended >= opens
  ) AS found
)""",
        "odd AS MATERIALIZED (SELECT * FROM visit_rows WHERE again = 1 OR whole = 0)",
        f"""torn AS MATERIALIZED (
  SELECT units.reader, units.unit, units.since, units.opens, $until AS closes, {site_column} AS site, odd.visit
  FROM (SELECT DISTINCT unit, visit FROM odd WHERE whole = 0) AS odd JOIN units ON units.unit = odd.unit
)""",
        """several AS MATERIALIZED (
  SELECT odd.* FROM odd LEFT JOIN torn ON torn.unit = odd.unit AND torn.visit = odd.visit WHERE torn.unit IS NULL
)""",
    ]


def _whole(query: LogQuery, *, by_day: bool) -> list[str]:
    """Write when a visit's row can be taken as it is: it lies in the time looked at, and across no moment that matters."""
    found = ["began >= opens", "ended <= $until"]
    if query.looks_back:
        found.append("(began >= since OR ended < since)")
    for days in sorted({day for base in query.bases for day in base.days if day}):
        moment = f"since + INTERVAL '{days}' DAY"
        found.append(f"(began >= {moment} OR ended < {moment})")
    if by_day:
        found.append(f"{day_sql('began', 'since')} = {day_sql('ended', 'since')}")
    return found


def _torn_acts(query: LogQuery, *, by_day: bool) -> str:
    """Write the events of the visits that no row can stand for; without such visits, no event is looked at.

    What bounds them stands in `torn`, not in constants: engines take a relation cut by constants for a small one, and would
    put all events into memory instead of these few visits.
    """
    day = f", {day_sql(_AT, 'torn.since')} AS day" if by_day else ""
    return f"""torn_acts AS MATERIALIZED (
  SELECT torn.unit, torn.since, events."at", events.kind, events.visit, events.article, events.engaged_seconds{day}
  FROM events JOIN torn ON events.reader = torn.reader AND events.visit = torn.visit
    AND events."at" >= torn.opens AND events."at" <= torn.closes{" AND events.site = torn.site" if query.site else ""}
)"""


def _by_visit(query: LogQuery, *, by_day: bool) -> str:
    counted = {base: _counted(base, query) for base in query.bases if not (base.counted == "reads" or _is_goal(base))}
    since = 'AND "at" >= since ' if query.looks_back else ""
    own = _own(query, counted)
    own["pages"] = f"count(CASE WHEN kind = 'served' {since}THEN 1 END)"
    own["attention"] = f"sum(CASE WHEN kind = 'read' {since}THEN {THOUSANDTHS} ELSE 0 END)"
    if "came" in own:
        own["came"] = """max(CASE WHEN kind IN ('served', 'read') AND "at" < since THEN 1 ELSE 0 END)"""
    day = ", day" if by_day else ""
    unread = " AND ".join(f"kind <> '{kind}'" for kind in _unread(query))
    raw = f"""  SELECT unit, visit{day}, {_listed(own)}
  FROM ({_visit_acts(query, ("kind", "visit", "engaged_seconds"), by_day=by_day)}
    AND {unread}) AS acts
  GROUP BY unit, visit{day}"""
    if not query.rolled:
        return raw
    how = _how(query) | {name: "max" for base, name in query.bases.items() if base.counted == "visits"}
    merged = [f"{how.get(name, 'sum')}({'0' if _is_read(query, name) else name}) AS {name}" for name in own]
    return f"""  SELECT unit, visit{day}, {", ".join(own)} FROM visit_rows WHERE again = 0 AND whole = 1
  UNION ALL
  SELECT unit, visit{day}, {", ".join(merged)} FROM several GROUP BY unit, visit{day}
  UNION ALL
{raw}"""


def _by_article(query: LogQuery, *, by_day: bool) -> str:
    """Write the articles read in visits: one is read once, however often it is reported."""
    counted = {
        base: f"max(CASE WHEN {_when(base, query)} THEN 1 ELSE 0 END)"
        for base in query.bases
        if base.counted == "reads"
    }
    day = ", day" if by_day else ""
    raw = f"""  SELECT unit, visit, article{day}, {_listed(_own(query, counted))}
  FROM ({_visit_acts(query, ("kind", "visit", "article"), by_day=by_day)}
    AND kind = 'read' AND engaged_seconds >= $read_seconds) AS acts
  GROUP BY unit, visit, article{day}"""
    if not query.rolled:
        return raw
    windows = {base: f"in_{name}" for base, name in query.bases.items() if base in counted}
    merged = _own(query, {base: f"max({window})" for base, window in windows.items()})
    return f"""  SELECT unit, visit, article{day}, {_listed(merged)}
  FROM (SELECT unit, visit{day}, {", ".join(windows.values())}, unnest(articles) AS article FROM several) AS opened
  GROUP BY unit, visit, article{day}
  UNION ALL
{raw}"""


def _by_goal(query: LogQuery, *, by_day: bool) -> str:
    """Write the goals that units reached, in a visit or not, and the first and last currency of each sum of money."""
    own = _own(query, {base: _counted(base, query) for base in query.bases if _is_goal(base)})
    for place, base in enumerate(query.money):
        currency = f"CASE WHEN {_when(base, query)} AND amount IS NOT NULL THEN currency END"
        own |= {f"low{place}": f"min({currency})", f"high{place}": f"max({currency})"}
    day = ", day" if by_day else ""
    money = ("amount", "currency") if query.money else ()
    goal = ("goal",) if query.goals else ()
    return f"""  SELECT unit{day}, {_listed(own)}
  FROM ({_acts(query, ("kind", *goal, *money), by_day=by_day)}
    AND kind = 'conversion') AS acts
  GROUP BY unit{day}"""


def _own(query: LogQuery, counted: dict[Base, str]) -> dict[str, str]:
    """Name all that a step says of a unit: what it counts itself, and nothing of the rest."""
    own = {name: counted.get(base, "0") for base, name in query.bases.items()}
    for place in range(len(query.money)):
        own |= {f"low{place}": "CAST(NULL AS VARCHAR)", f"high{place}": "CAST(NULL AS VARCHAR)"}
    own |= {"pages": "0", "attention": "0"}
    return own | ({"came": "0"} if "returning" in query.dimensions else {})


def _names(query: LogQuery) -> list[str]:
    return list(_own(query, {}))


def _listed(own: dict[str, str]) -> str:
    return ", ".join(f"{said} AS {name}" for name, said in own.items())


def _totals(query: LogQuery) -> list[str]:
    """Write how the steps' rows of a unit become one."""
    how = _how(query)
    return [f"{how.get(name, 'sum')}({name}) AS {name}" for name in _names(query)] + ["max(pages) AS most"]


def _how(query: LogQuery) -> dict[str, str]:
    """Name what becomes of those numbers of a unit that are not added."""
    found = {"came": "max"}
    for place in range(len(query.money)):
        found |= {f"low{place}": "min", f"high{place}": "max"}
    return found


def _visit_acts(query: LogQuery, columns: Sequence[str], *, by_day: bool) -> str:
    """Write what is to be counted event by event: all that units did, or what no visit's row can stand for."""
    if not query.rolled:
        return _acts(query, columns, by_day=by_day)
    return f"""
  SELECT unit, since, "at", {", ".join(columns)}{", day" if by_day else ""}
  FROM torn_acts WHERE unit IS NOT NULL"""


def _acts(query: LogQuery, columns: Sequence[str], *, by_day: bool) -> str:
    """Write what units did from the opening of their time on; to be narrowed down by `AND …`."""
    day = f", {day_sql(_AT, 'units.since')} AS day" if by_day else ""
    site = " AND events.site = $site" if query.site else ""
    return f"""
  SELECT units.unit, units.since, events."at", {", ".join(f"events.{column}" for column in columns)}{day}
  FROM events JOIN units ON events.reader = units.reader
  WHERE events."at" >= $begin AND events."at" <= $until AND events."at" >= units.opens{site}{part_sql(query, "events.reader")}"""


_AT = 'events."at"'


def _is_read(query: LogQuery, name: str) -> bool:
    return any(name == other and base.counted == "reads" for base, other in query.bases.items())


def _is_goal(base: Base) -> bool:
    return COUNTS[base.counted] == ("conversion",)


def _unread(query: LogQuery) -> list[str]:
    """List the kinds of event with a reader that visits need not read; pages and attention always are, for they tell bots.

    To name what is not wanted is the cheaper question: a constant that a file's statistics can answer.
    """
    wanted = {"served", "read"}.union(*(COUNTS[base.counted] for base in query.bases if not _is_goal(base)))
    return [kind for kind in ("exposure", "consent", "erasure", "conversion", *VISIT_KINDS) if kind not in wanted]


def _counted(base: Base, query: LogQuery) -> str:
    """Write the sum that counts a base among the events of a row."""
    when = _when(base, query)
    if base.counted == "visits":
        return f"max(CASE WHEN {when} THEN 1 ELSE 0 END)"
    step = {"engaged_seconds": THOUSANDTHS, "amount": _MILLIONTHS}.get(base.counted)
    return f"sum(CASE WHEN {when} THEN {step} ELSE 0 END)" if step else f"count(CASE WHEN {when} THEN 1 END)"


def _when(base: Base, query: LogQuery) -> str:
    """Write which events a base is about: their kind, goal and time."""
    kinds = ", ".join(f"'{kind}'" for kind in COUNTS[base.counted])
    parts = [f"kind IN ({kinds})"]
    if base.goal:
        parts.append(f"goal = $goal{query.goals.index(base.goal)}")
    return " AND ".join([*parts, *_in_window(base, query, ('"at"', '"at"'))])


def _said(base: Base, query: LogQuery) -> str:
    """Write what a visit's row, whole in its time, says of a base."""
    said = f"CASE WHEN {_CAME} THEN 1 ELSE 0 END" if base.counted == "visits" else _READY[base.counted]
    window = " AND ".join(_in_window(base, query, ("began", "ended")))
    return f"CASE WHEN {window} THEN {said} ELSE 0 END" if window else said


def _in_window(base: Base, query: LogQuery, span: tuple[str, str]) -> list[str]:
    """Write that what lasted from one moment to another lies in a base's window."""
    began, ended = span
    if base.window == "before":
        return [f"{ended} < since"]
    if base.days[1]:
        low, high = base.days
        return [f"{began} >= since + INTERVAL '{low}' DAY", f"{ended} < since + INTERVAL '{high}' DAY"]
    return [f"{began} >= since"] if query.looks_back else []
