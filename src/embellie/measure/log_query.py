"""The SQL that turns the log into sums: events → visits, and articles read in them → exposed readers → sums, in one query.

Every number of a reader is a whole one: a count, thousandths of a second, millionths of a currency. Sums of whole numbers are
exact, so neither the order of events, nor the number of threads, nor the engine moves a digit; and sums of parts add up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Needs, caps_sql, quantiles_sql
from embellie.measure.columns import Column, metric_columns

COUNTS: Mapping[str, tuple[str, ...]] = {
    "reads": ("read",),
    "visits": ("served", "read"),
    "clicks": ("click",),
    "impressions": ("impression",),
    "engaged_seconds": ("read",),
    "conversions": ("conversion",),
    "amount": ("conversion",),
}
"""Each name a metric may use, and the kinds of event it counts."""

_KEYS = {"consent": "consent", "day": "day", "returning": "past"}

DIMENSIONS = ("consent", "day", "bot", "returning", "since")
"""What units can be sliced by; `since` is about their days, the others about themselves."""

SCALES: Mapping[str, int] = {"engaged_seconds": 1_000, "amount": 1_000_000}
"""How many whole steps make one; a count is whole already."""

LONGEST_READ = 86_400
"""Engaged seconds that one read counts at most: a page that claims more than a day is broken."""

VISIT_PAGES = 300
"""More pages than this in one visit are no person's: half an hour's pause ends a visit, and each page takes some seconds."""

IDLE_PAGES = 150
"""So many pages without a second of attention to any are no person's."""

SINCE_DAYS = 28
"""Days since exposure that are told apart; what is new to readers is not new to them four weeks later."""

FOREVER = datetime(9999, 12, 31)  # noqa: DTZ001 -- the log's times are UTC and naive


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """What to ask the log.

    Attributes:
        needs: The columns, and what of them.
        pre_days: How long before a reader's first exposure is looked at, where a column or a dimension asks for it.
        dimensions: What to tell units apart by.
        site: Only one site's events.
        part: Only readers from `$part_from`, and only those before `$part_to`: which of the two bounds there are.
        caps: Where capped columns are cut, in their whole steps, by column; not yet known when empty.
    """

    needs: Needs
    pre_days: int = 0
    dimensions: tuple[str, ...] = ()
    site: bool = False
    part: tuple[bool, bool] = (False, False)
    caps: Mapping[str, tuple[int | None, int | None]] | None = None

    @property
    def alias(self) -> dict[str, str]:
        """Each column's name in the query."""
        return {name: f"c{place}" for place, name in enumerate(self.needs.names)}

    @property
    def goals(self) -> tuple[str, ...]:
        """The goals asked for: parameters `$goal0`, `$goal1`, …"""
        return tuple(dict.fromkeys(column.goal for column in self.needs.columns if column.goal))

    @property
    def looks_back(self) -> bool:
        """Whether anything is asked about the time before the exposure."""
        return "returning" in self.dimensions or any(column.window == "before" for column in self.needs.columns)

    @property
    def keys(self) -> tuple[str, ...]:
        """What the sums are told apart by, beside the variant."""
        return ("mixed", "bot", *(_KEYS[dimension] for dimension in self.dimensions if dimension in _KEYS))


def check_names(metrics: Iterable[Metric]) -> None:
    """Refuse a metric that asks for what the log does not count.

    Raises:
        UnknownName: With the names there are.
        InputError: A goal where nothing has one.
    """
    for metric in metrics:
        for column in metric_columns(metric):
            if column.counted not in COUNTS and column.counted != "due":
                raise unknown_name("count of the log", column.counted, COUNTS, at=f"metrics.{metric.metric}")
            if column.goal and COUNTS[column.counted] != ("conversion",):
                raise InputError(
                    f"`{column.counted}` has no goal.",
                    hint="Only `conversions` and `amount` do; leave `goal` out.",
                    at=f"metrics.{metric.metric}",
                )


def scale_of(column: Column) -> int:
    """Return how many whole steps make one of a column.

    >>> scale_of(Column(counted="amount")), scale_of(Column(counted="amount", share=True))
    (1000000, 1)
    """
    return 1 if column.share else SCALES.get(column.counted, 1)


def opening_sql(*, site: bool) -> str:
    """Write the query for how many exposures there are, and from when to when (parameters as for `sums_sql`)."""
    return f"""
SELECT count(*) AS exposures, min("at") AS earliest, max("at") AS latest
FROM events WHERE {_exposures(site=site)} AND "at" <= $until
"""


def volume_sql(*, site: bool) -> str:
    """Write the query for how many events there are between `$begin` and `$until`."""
    own = " AND site = $site" if site else ""
    return f"""
SELECT count(*) AS events FROM events WHERE "at" >= $begin AND "at" <= $until{own}
"""


def bounds_sql(*, site: bool, parts: int) -> str:
    """Write the query for readers that cut all of them into parts of about one size; any cut gives the same sums."""
    return f"""
SELECT min(reader) AS reader FROM (
  SELECT reader, ntile({parts}) OVER (ORDER BY reader) AS part
  FROM events WHERE {_exposures(site=site)} AND "at" <= $until AND mod(seq, 61) = 0
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
    needs, alias = query.needs, query.alias
    scaled = {column.name: scale_of(column) > 1 for column in needs.columns}
    sums = [f"sum({alias[name]}) AS s{place}" for place, name in enumerate(needs.names)]
    for place, (one, other) in enumerate(needs.pairs):
        wide = scaled[one] or scaled[other]
        left, right = (f"CAST({alias[name]} AS DECIMAL(18, 0))" if wide else alias[name] for name in (one, other))
        sums.append(f"sum({left} * {right}) AS p{place}")
    for place in range(len(_money(query))):
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
    alias = query.alias
    scaled = {column.name: scale_of(column) > 1 for column in query.needs.columns}
    sums = [f"sum({alias[name]}) AS s{place}" for place, name in enumerate(query.needs.names)]
    for place, (one, other) in enumerate(query.needs.pairs):
        wide = scaled[one] or scaled[other]
        left, right = (f"CAST({alias[name]} AS DECIMAL(18, 0))" if wide else alias[name] for name in (one, other))
        sums.append(f"sum({left} * {right}) AS p{place}")
    nothing = ", ".join("NULL" for _ in sums)
    age = _day_of("$until", "since")
    values = ", ".join(_value(column, query) for column in query.needs.columns)
    reads = " LEFT JOIN by_reads ON by_reads.unit = by_unit.unit AND by_reads.day = by_unit.day" if _read(query) else ""
    return f"""{_stages(query, by_day=True)},
habits AS (
  SELECT unit, sum(pages) AS pages, sum(attention) AS attention, max(pages) AS most
  FROM (SELECT unit, visit, sum(pages) AS pages, sum(attention) AS attention FROM by_visit GROUP BY unit, visit) AS whole
  GROUP BY unit
),
persons AS (
  SELECT units.unit, units.variant, {age} AS age
  FROM units LEFT JOIN habits ON habits.unit = units.unit
  WHERE mixed = 0 AND {_BOT} = 'person'
),
done AS (
  SELECT persons.variant, by_unit.day, {values}
  FROM by_unit JOIN persons ON persons.unit = by_unit.unit{reads}
  WHERE by_unit.day < persons.age
)
SELECT variant, day, 0 AS aged, count(*) AS n, {", ".join(sums)} FROM done GROUP BY variant, day
UNION ALL
SELECT variant, age - 1, 1, count(*), {nothing} FROM persons WHERE age > 0 GROUP BY variant, age
"""


_BOT = f"""CASE WHEN tag <> '' OR coalesce(most, 0) > {VISIT_PAGES}
    OR (coalesce(pages, 0) >= {IDLE_PAGES} AND coalesce(attention, 0) = 0) THEN 'bot' ELSE 'person' END"""


@dataclass(frozen=True, slots=True)
class _Base:
    """One count per unit, before it is cut, shared or made due: what it counts, and in which time."""

    counted: str
    goal: str
    window: str
    days: tuple[int, int]


def _bases(query: LogQuery) -> dict[_Base, str]:
    """Name the counts that the columns are made of, each once."""
    found: dict[_Base, str] = {}
    for column in query.needs.columns:
        base = _base(column)
        if column.counted != "due" and base not in found:
            found[base] = f"b{len(found)}"
    return found


def _base(column: Column) -> _Base:
    return _Base(column.counted, column.goal, column.window, column.days)


def _money(query: LogQuery) -> list[_Base]:
    return [base for base in _bases(query) if base.counted == "amount"]


def money_columns(query: LogQuery) -> list[tuple[str, ...]]:
    """List, for each pair of `low`/`high` columns of `sums_sql`, the columns whose money it is."""
    return [
        tuple(column.name for column in query.needs.columns if _base(column) == base and column.counted != "due")
        for base in _money(query)
    ]


def _exposures(*, site: bool) -> str:
    return "kind = 'exposure' AND experiment = $experiment AND reader <> ''" + (" AND site = $site" if site else "")


def _in_part(query: LogQuery, name: str) -> str:
    low, high = query.part
    return (f" AND {name} >= $part_from" if low else "") + (f" AND {name} < $part_to" if high else "")


def _per_unit(query: LogQuery, *, materialized: bool = False) -> str:
    """Write the query's beginning: a relation `per_unit` with a row per unit."""
    values = [_value(column, query) for column in query.needs.columns]
    for place in range(len(_money(query))):
        values += [f"low{place}", f"high{place}"]
    if "day" in query.dimensions:
        values.append("CAST(CAST(since AS DATE) AS VARCHAR) AS day")
    if "consent" in query.dimensions:
        values.append("consent")
    if "returning" in query.dimensions:
        values.append("CASE WHEN coalesce(came, 0) > 0 THEN 'returning' ELSE 'new' END AS past")
    reads = " LEFT JOIN by_reads ON by_reads.unit = units.unit" if _read(query) else ""
    return f"""{_stages(query, by_day=False)},
per_unit AS {"MATERIALIZED " if materialized else ""}(
  SELECT variant, mixed, {_BOT} AS bot{"".join(f", {value}" for value in values)}
  FROM units LEFT JOIN by_unit ON by_unit.unit = units.unit{reads}
)"""


def _value(column: Column, query: LogQuery) -> str:
    """Write a unit's number from its counts."""
    name = query.alias[column.name]
    due = f"since + INTERVAL '{column.days[1]}' DAY <= $until" if column.days[1] else ""
    if column.counted == "due":
        return f"CASE WHEN {due} THEN 1 ELSE 0 END AS {name}"
    value = f"coalesce({_bases(query)[_base(column)]}, 0)"
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


def _stages(query: LogQuery, *, by_day: bool) -> str:
    """Write units and what they did, summed up in steps: visits, then units (and their days); what was read, on its own.

    Each visit, and each article read in one, is a row of its step: no step holds more.
    """
    bases = _bases(query)
    first, second = [], []
    for base, name in bases.items():
        if base.counted != "reads":
            first.append(f"{_counted(base, query)} AS {name}")
            second.append(f"sum({name}) AS {name}")
    for place, base in enumerate(_money(query)):
        currency = f"CASE WHEN {_when(base, query)} AND amount IS NOT NULL THEN currency END"
        first += [f"min({currency}) AS low{place}", f"max({currency}) AS high{place}"]
        second += [f"min(low{place}) AS low{place}", f"max(high{place}) AS high{place}"]
    since = 'AND "at" >= since ' if query.looks_back else ""
    first.append(f"count(CASE WHEN kind = 'served' {since}THEN 1 END) AS pages")
    first.append(f"sum(CASE WHEN kind = 'read' {since}THEN {_THOUSANDTHS} ELSE 0 END) AS attention")
    second += ["sum(pages) AS pages", "sum(attention) AS attention", "max(pages) AS most"]
    if "returning" in query.dimensions and not by_day:
        first.append("""max(CASE WHEN kind IN ('served', 'read') AND "at" < since THEN 1 ELSE 0 END) AS came""")
        second.append("max(came) AS came")
    day, days = (", day", f", {_day_of(_AT, 'units.since')} AS day") if by_day else ("", "")
    opens = f"min(\"at\") - INTERVAL '{query.pre_days}' DAY" if query.looks_back and not by_day else 'min("at")'
    read = [f"max(CASE WHEN {_when(base, query)} THEN 1 ELSE 0 END) AS {name}" for base, name in _read(query).items()]
    reads = f""",
by_article AS (
  SELECT unit, visit, article{day}, {", ".join(read)}
  FROM ({_acts(query, ("kind", "visit", "article"), days)}
    AND events.kind = 'read' AND events.engaged_seconds >= $read_seconds) AS acts
  GROUP BY unit, visit, article{day}
),
by_reads AS (
  SELECT unit{day}, {", ".join(f"sum({name}) AS {name}" for name in _read(query).values())}
  FROM by_article GROUP BY unit{day}
)"""
    return f"""WITH units AS MATERIALIZED (
  SELECT reader, min(seq) AS unit, min(variant) AS variant, min("at") AS since, {opens} AS opens,
         CASE WHEN min(variant) <> max(variant) THEN 1 ELSE 0 END AS mixed, min(consent) AS consent, max(bot) AS tag
  FROM events WHERE {_exposures(site=query.site)} AND "at" <= $until{_in_part(query, "reader")} GROUP BY reader
),
by_visit AS (
  SELECT unit, visit{day}, {", ".join(first)}
  FROM ({_acts(query, _columns(query), days)}
    AND {" AND ".join(f"events.kind <> '{kind}'" for kind in _unread(query))}) AS acts
  GROUP BY unit, visit{day}
),
by_unit AS (
  SELECT unit{day}, {", ".join(second)} FROM by_visit GROUP BY unit{day}
){reads if read else ""}"""


def _acts(query: LogQuery, columns: Sequence[str], days: str) -> str:
    """Write what units did from the opening of their time on; to be narrowed down by `AND …`."""
    site = " AND events.site = $site" if query.site else ""
    return f"""
  SELECT units.unit, units.since, events."at", {", ".join(f"events.{column}" for column in columns)}{days}
  FROM events JOIN units ON events.reader = units.reader
  WHERE events."at" >= $begin AND events."at" <= $until AND events."at" >= units.opens{site}{_in_part(query, "events.reader")}"""


def _read(query: LogQuery) -> dict[_Base, str]:
    return {base: name for base, name in _bases(query).items() if base.counted == "reads"}


def _columns(query: LogQuery) -> list[str]:
    """List the columns of events that are counted visit by visit."""
    own = ["kind", "visit", "engaged_seconds"]
    counted = {base.counted for base in _bases(query)}
    return own + (["goal"] if query.goals else []) + (["amount", "currency"] if "amount" in counted else [])


def _unread(query: LogQuery) -> list[str]:
    """List the kinds of event with a reader that need not be read; pages and attention always are, for they tell bots.

    To name what is not wanted is the cheaper question: a constant that a file's statistics can answer.
    """
    wanted = {"served", "read"}.union(*(COUNTS[base.counted] for base in _bases(query)))
    known = ("exposure", "consent", "erasure", "click", "conversion", "impression", "read", "served")
    return [kind for kind in known if kind not in wanted]


_THOUSANDTHS = (
    f"CAST(floor(CASE WHEN engaged_seconds > {LONGEST_READ} THEN {LONGEST_READ} WHEN engaged_seconds > 0 "
    "THEN engaged_seconds ELSE 0 END * 1000 + 0.5) AS BIGINT)"
)
_MILLIONTHS = "CAST(floor(coalesce(amount, 0) * 1000000 + 0.5) AS BIGINT)"


def _counted(base: _Base, query: LogQuery) -> str:
    """Write the sum that counts a base among the events of a visit."""
    when = _when(base, query)
    if base.counted == "visits":
        return f"max(CASE WHEN {when} THEN 1 ELSE 0 END)"
    step = {"engaged_seconds": _THOUSANDTHS, "amount": _MILLIONTHS}.get(base.counted)
    return f"sum(CASE WHEN {when} THEN {step} ELSE 0 END)" if step else f"count(CASE WHEN {when} THEN 1 END)"


def _when(base: _Base, query: LogQuery) -> str:
    """Write which events a base is about: their kind, goal and time."""
    kinds = ", ".join(f"'{kind}'" for kind in COUNTS[base.counted])
    parts = [f"kind IN ({kinds})"]
    if base.goal:
        parts.append(f"goal = $goal{query.goals.index(base.goal)}")
    if base.window == "before":
        parts.append('"at" < since')
    elif base.days[1]:
        low, high = base.days
        parts.append(f"\"at\" >= since + INTERVAL '{low}' DAY AND \"at\" < since + INTERVAL '{high}' DAY")
    elif query.looks_back:
        parts.append('"at" >= since')
    return " AND ".join(parts)


_AT = 'events."at"'


def _day_of(moment: str, since: str) -> str:
    """Write how many times 24 hours have passed, up to SINCE_DAYS."""
    cases = " ".join(f"WHEN {moment} < {since} + INTERVAL '{day + 1}' DAY THEN {day}" for day in range(SINCE_DAYS))
    return f"CASE {cases} ELSE {SINCE_DAYS} END"
