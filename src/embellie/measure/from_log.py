"""From the log to aggregates: asks for whole sums, adds them up exactly, and centres them once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.experiment import Experiment
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Aggregates, Covariate, Needs, caps_from, needs_of, quantiles_from
from embellie.measure.columns import metric_before
from embellie.measure.log_query import (
    DIMENSIONS,
    FOREVER,
    LogQuery,
    check_names,
    money_columns,
    scale_of,
)
from embellie.measure.log_sums import (
    bounds_sql,
    cut_sql,
    opening_sql,
    order_sql,
    since_sql,
    sums_sql,
    volume_sql,
)
from embellie.measure.visit_rows import visits_view
from embellie.ports import AggregateReader
from embellie.stats.moments import Moments, QuantileSample

EVERYONE = "everyone"
"""The value of the dimension `bot` that leaves nobody out."""

PART = 20_000_000
"""Events summed up at a time, so that memory does not grow with the log: some 800 MiB in DuckDB."""

PART_OF_VISITS = 5_000_000
"""The same, of visits that lie ready."""


@dataclass(slots=True)
class Sums:
    """Whole sums of a number of units: of each column, and of the products of pairs. They add up without an error."""

    n: int = 0
    columns: list[int] = field(default_factory=list)
    pairs: list[int] = field(default_factory=list)

    def add(self, row: Mapping[str, Any], needs: Needs) -> None:
        """Add a row of `sums_sql` or `since_sql`."""
        if not self.columns:
            self.columns, self.pairs = [0] * len(needs.columns), [0] * len(needs.pairs)
        self.n += int(row["n"])
        for place in range(len(self.columns)):
            self.columns[place] += int(row[f"s{place}"])
        for place in range(len(self.pairs)):
            self.pairs[place] += int(row[f"p{place}"])


def moments_of(sums: Sums, needs: Needs) -> Moments:
    """Centre whole sums: every mean and covariance is the true one, rounded once.

    `cov = (n Σxy − Σx Σy)/(n(n − 1))`, which loses every digit in floating point and none in whole numbers.

    >>> needs = needs_of([Metric(metric="a", numerator="reads")])
    >>> moments_of(Sums(2, [2 * 10**17 + 1], [2 * 10**34 + 2 * 10**17 + 1]), needs).covariance("reads", "reads")
    0.5
    """
    n, scales = sums.n, [scale_of(column) for column in needs.columns]
    place_of = {name: place for place, name in enumerate(needs.names)}
    means = {name: _share(sums.columns[place], n * scales[place]) for name, place in place_of.items()}
    covariances = {}
    for total, (one, other) in zip(sums.pairs, needs.pairs, strict=True):
        left, right = place_of[one], place_of[other]
        excess = n * total - sums.columns[left] * sums.columns[right]
        covariances[one, other] = _share(excess, n * (n - 1) * scales[left] * scales[right])
    return Moments(n, means, covariances)


def _share(one: int, other: int) -> float:
    return float(Fraction(one, other)) if other else 0.0


def prior_covariates(metrics: Iterable[Metric]) -> dict[str, Covariate]:
    """Name each metric's own past as its covariate, for those that have one."""
    return {metric.metric: past for metric in metrics if (past := metric_before(metric)) is not None}


def read_aggregates(
    reader: AggregateReader,
    experiment: Experiment,
    metrics: Sequence[Metric],
    *,
    read_seconds: float,
    site: str = "",
    until: datetime | None = None,
    now: datetime | None = None,
    dimensions: Sequence[str] = (),
    prior: bool = True,
    part: int = 0,
) -> Aggregates:
    """Sum up an experiment from the log.

    Where the reader has visits ready, those are summed up, and the events only of visits that no row can stand for: the
    same sums, to the last digit.

    The unit is the reader, from their first exposure on, up to the earliest of `until`, the experiment's stop and `now`.
    The moments are those of persons; bots are counted under `excluded`, and beside persons in the slice
    `("bot", "everyone")`. Readers exposed to two variants, or to one that the design does not know, are left out and counted.

    Args:
        reader: Runs SQL over the log.
        experiment: Its variants are the design; its `stopped_at` and `pre_days` bound the time.
        metrics: What to sum up.
        read_seconds: Engaged seconds from which an article counts as read.
        site: Only this site's events: an experiment of the same name on another site is another experiment.
        until: Only events up to this time.
        now: What is not over by then is not due; the last exposure's time when left out.
        dimensions: Slices wanted: `consent`, `day`, `bot`, `returning`, `since`.
        prior: Also sum up what each metric was in the `pre_days` before the exposure.
        part: About so many events, or visits, at a time; by default what fits into the memory of this process.

    Raises:
        UnknownName: A metric or a dimension asks for what the log does not have.
        InputError: A metric would add money of two currencies.
    """
    check_names(metrics)
    for dimension in dimensions:
        if dimension not in DIMENSIONS:
            raise unknown_name("dimension", dimension, DIMENSIONS)
    needs = needs_of(metrics, prior_covariates(metrics) if prior else None)
    query = LogQuery(
        needs=needs,
        pre_days=experiment.pre_days,
        dimensions=tuple(dict.fromkeys(dimensions)),
        site=bool(site),
        rolled=visits_view(read_seconds) in reader.ready,
    )
    ends = [_naive(one) for one in (until, experiment.stopped_at, now) if one is not None]
    parameters: dict[str, Any] = {
        "experiment": experiment.experiment,
        "read_seconds": float(read_seconds),
        "site": site,
        "until": min([*ends, FOREVER]),
        **{f"goal{place}": goal for place, goal in enumerate(query.goals)},
    }
    (opening,) = reader.rows(opening_sql(site=query.site), parameters)
    if not opening["exposures"]:
        return Aggregates(moments={}, excluded={"two_variants": 0, "bots": 0})
    if not ends:
        parameters["until"] = opening["latest"] if _asks_for_time(query) else FOREVER
    parameters["begin"] = query.begin(opening["earliest"])
    source = _Source(reader, query, parameters, tuple(variant.name for variant in experiment.variants))
    if needs.capped:
        source = _with_caps(source)
    cube = source.cube(parts=_parts(source, part))
    _refuse_mixed_money(metrics, cube)
    found = cube.aggregates(source)
    slices = dict(found.slices)
    if "since" in query.dimensions:
        slices |= _since(source)
    persons = {variant: one.n for variant, one in found.moments.items()}
    quantiles = _quantiles(source, persons) if needs.quantiles and persons else {}
    return replace(found, slices=slices, quantiles=quantiles, caps=source.caps)


@dataclass(slots=True)
class _Cube:
    """Sums by variant and key, and the currencies seen, by column."""

    needs: Needs
    keys: tuple[str, ...]
    sums: dict[tuple[str, ...], Sums] = field(default_factory=dict)
    currencies: dict[str, set[str]] = field(default_factory=dict)

    def add(self, rows: Sequence[Mapping[str, Any]], money: Sequence[tuple[str, ...]]) -> None:
        for row in rows:
            key = (str(row["variant"]), *(str(row[name]) for name in self.keys))
            self.sums.setdefault(key, Sums()).add(row, self.needs)
            for place, columns in enumerate(money):
                for name in columns:
                    seen = {row[f"low{place}"], row[f"high{place}"]} - {None, ""}
                    self.currencies.setdefault(name, set()).update(seen)

    def aggregates(self, source: "_Source") -> Aggregates:
        known = set(source.variants)
        excluded = Counter({"two_variants": 0, "bots": 0})
        total: dict[tuple[str, str], dict[str, Sums]] = {}
        for (variant, mixed, bot, *others), sums in self.sums.items():
            if mixed != "0":
                excluded["two_variants"] += sums.n
                continue
            if variant not in known:
                excluded["unknown_variant"] += sums.n
                continue
            where = [("bot", EVERYONE), ("bot", bot)]
            if bot == "bot":
                excluded["bots"] += sums.n
            else:
                where += [("", ""), *zip(source.own_dimensions, others, strict=True)]
            for place in where:
                _merge(total.setdefault(place, {}).setdefault(variant, Sums()), sums)
        found = {
            place: {
                variant: moments_of(by_variant[variant], self.needs)
                for variant in source.variants
                if variant in by_variant
            }
            for place, by_variant in sorted(total.items())
        }
        main = found.pop(("", ""), {})
        if "bot" not in source.query.dimensions:
            found = {place: value for place, value in found.items() if place[0] != "bot"}
        return Aggregates(moments=main, excluded=dict(excluded), slices=found)


@dataclass(frozen=True, slots=True)
class _Source:
    """A log to ask, and what about."""

    reader: AggregateReader
    query: LogQuery
    parameters: Mapping[str, Any]
    variants: tuple[str, ...]
    caps: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def own_dimensions(self) -> list[str]:
        return [dimension for dimension in self.query.dimensions if dimension in ("consent", "day", "returning")]

    def rows(self, sql: str, **more: Any) -> list[dict[str, Any]]:
        return self.reader.rows(sql, {**self.parameters, **more})

    def cube(self, *, parts: int) -> _Cube:
        """Sum up, some readers at a time."""
        cube = _Cube(self.query.needs, self.query.keys)
        cuts: list[Any] = [None, None]
        if parts > 1:
            found = self.rows(bounds_sql(site=self.query.site, parts=parts))
            cuts = [None, *(row["reader"] for row in found[1:]), None]
        for low, high in pairwise(cuts):
            query = replace(self.query, part=(low is not None, high is not None))
            cube.add(self.rows(sums_sql(query), part_from=low, part_to=high), money_columns(query))
        return cube


def _parts(source: _Source, part: int) -> int:
    """Count the parts in which to sum up: what is computed in this process must fit into its memory."""
    if source.reader.elsewhere and not part:
        return 1
    (volume,) = source.rows(volume_sql(site=source.query.site, rolled=source.query.rolled))
    return -(-int(volume["n"]) // (part or (PART_OF_VISITS if source.query.rolled else PART)))


def _asks_for_time(query: LogQuery) -> bool:
    return "since" in query.dimensions or any(column.days[1] for column in query.needs.columns)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _merge(total: Sums, more: Sums) -> None:
    total.n += more.n
    total.columns = [a + b for a, b in zip(total.columns or [0] * len(more.columns), more.columns, strict=True)]
    total.pairs = [a + b for a, b in zip(total.pairs or [0] * len(more.pairs), more.pairs, strict=True)]


def _with_caps(source: _Source) -> _Source:
    """Find where capped columns are cut: at a whole step, so that what is cut stays a whole number."""
    (row,) = source.rows(cut_sql(source.query))
    steps: dict[str, tuple[int | None, int | None]] = {}
    shown: dict[str, tuple[float, float]] = {}
    scale = {column.name: scale_of(column) for column in source.query.needs.columns}
    for name, (low, high) in caps_from(row, source.query.needs).items():
        below = None if low == float("-inf") else -int(-low // 1)
        above = None if high == float("inf") else int(high // 1)
        steps[name] = (below, above)
        shown[name] = (
            low if below is None else below / scale[name],
            high if above is None else above / scale[name],
        )
    return replace(source, query=replace(source.query, caps=steps), caps=shown)


def _quantiles(source: _Source, units: Mapping[str, int]) -> dict[tuple[str, str, float], QuantileSample]:
    names = {f"variant{place}": variant for place, variant in enumerate(units)}
    found: dict[tuple[str, str, float], QuantileSample] = {}
    scale = {column.name: scale_of(column) for column in source.query.needs.columns}
    for row in source.rows(order_sql(source.query, units), **names):
        variant = names[f"variant{row['place']}"]
        for key, sample in quantiles_from(row, source.query.needs, variant=variant, units=units[variant]).items():
            step = scale[key[1]]
            found[key] = replace(sample, value=sample.value / step, low=sample.low / step, high=sample.high / step)
    return found


def _since(source: _Source) -> dict[tuple[str, str], dict[str, Moments]]:
    """Slice by days since exposure: the sums of those who did something, over all who could have."""
    query = source.query
    names = {column.name for column in query.needs.columns if column.window == "during" and not column.days[1]}
    needs = Needs(
        tuple(column for column in query.needs.columns if column.name in names),
        tuple(pair for pair in query.needs.pairs if set(pair) <= names),
    )
    if not needs.columns:
        return {}
    done: dict[tuple[int, str], Sums] = {}
    aged: Counter[tuple[int, str]] = Counter()
    for row in source.rows(since_sql(replace(query, needs=needs))):
        key = (int(row["day"]), str(row["variant"]))
        if int(row["aged"]):
            aged[key] += int(row["n"])
        else:
            done.setdefault(key, Sums()).add(row, needs)
    last = max((day for day, _ in aged), default=-1)
    found: dict[tuple[str, str], dict[str, Moments]] = {}
    for day in range(last + 1):
        for variant in source.variants:
            units = sum(count for (until, name), count in aged.items() if name == variant and until >= day)
            if not units:
                continue
            sums = done.get((day, variant)) or Sums(0, [0] * len(needs.columns), [0] * len(needs.pairs))
            found.setdefault(("since", str(day)), {})[variant] = moments_of(replace(sums, n=units), needs)
    return found


def _refuse_mixed_money(metrics: Sequence[Metric], cube: _Cube) -> None:
    """Refuse to add money of two currencies, or to call it another than the metric's worth is in."""
    for metric in metrics:
        columns = _amounts(metric)
        seen = sorted(set().union(*(cube.currencies.get(name, set()) for name in columns)))
        if len(seen) > 1:
            raise InputError(
                f"`{metric.metric}` would add {' and '.join(f'`{one}`' for one in seen[:3])}.",
                hint="Convert amounts to one currency before they are sent, or give the metric a `goal` whose amounts share one.",
                at=f"metrics.{metric.metric}",
            )
        if seen and metric.worth is not None and metric.worth.currency != seen[0]:
            raise InputError(
                f"`{metric.metric}` is in `{seen[0]}`, its worth in `{metric.worth.currency}`.",
                hint=f"Write `worth` in {seen[0]}.",
                at=f"metrics.{metric.metric}.worth",
            )


def _amounts(metric: Metric) -> list[str]:
    """Name the metric's columns that add money; a share of units does not."""
    past = metric_before(metric)
    own = needs_of([metric], {metric.metric: past} if past is not None else None).columns
    return [column.name for column in own if column.counted == "amount" and not column.share]
