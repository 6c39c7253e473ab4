"""What to ask the log for a scorecard: which counts of which readers, over which time; the words of the query, and no query yet.

Every number of a reader is a whole one: a count, thousandths of a second, millionths of a currency. Sums of whole numbers are
exact, so neither the order of events, nor the number of threads, nor the engine moves a digit; and sums of parts add up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Needs
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
        rolled: Ask the relation `visits` (see `visits_view`) for what it can say, and the events for the rest.
        caps: Where capped columns are cut, in their whole steps, by column; not yet known when empty.
    """

    needs: Needs
    pre_days: int = 0
    dimensions: tuple[str, ...] = ()
    site: bool = False
    part: tuple[bool, bool] = (False, False)
    rolled: bool = False
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
    def bases(self) -> "dict[Base, str]":
        """The counts that the columns are made of, each once, and its name in the query."""
        found: dict[Base, str] = {}
        for column in self.needs.columns:
            if column.counted != "due":
                found.setdefault(base_of(column), f"b{len(found)}")
        return found

    @property
    def money(self) -> "list[Base]":
        """Those counts that are money."""
        return [base for base in self.bases if base.counted == "amount"]

    def begin(self, earliest: datetime) -> datetime:
        """Return from when on events matter, given the first exposure: with a past, from a whole day's beginning (UTC) on."""
        if not self.looks_back:
            return earliest
        return earliest.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=self.pre_days)

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


@dataclass(frozen=True, slots=True)
class Base:
    """One count per unit, before it is cut, shared or made due: what it counts, and in which time."""

    counted: str
    goal: str
    window: str
    days: tuple[int, int]


def base_of(column: Column) -> Base:
    """Return the count that a column is made of."""
    return Base(column.counted, column.goal, column.window, column.days)


def money_columns(query: LogQuery) -> list[tuple[str, ...]]:
    """List, for each pair of `low`/`high` columns of `sums_sql`, the columns whose money it is."""
    return [
        tuple(column.name for column in query.needs.columns if base_of(column) == base and column.counted != "due")
        for base in query.money
    ]


def exposures_sql(*, site: bool) -> str:
    """Write which events are exposures of the experiment."""
    return "kind = 'exposure' AND experiment = $experiment AND reader <> ''" + (" AND site = $site" if site else "")


def part_sql(query: LogQuery, name: str) -> str:
    """Write that a reader is of the part that is asked for, as further conditions."""
    low, high = query.part
    return (f" AND {name} >= $part_from" if low else "") + (f" AND {name} < $part_to" if high else "")


def day_sql(moment: str, since: str) -> str:
    """Write how many times 24 hours have passed, up to SINCE_DAYS."""
    cases = " ".join(f"WHEN {moment} < {since} + INTERVAL '{day + 1}' DAY THEN {day}" for day in range(SINCE_DAYS))
    return f"CASE {cases} ELSE {SINCE_DAYS} END"
