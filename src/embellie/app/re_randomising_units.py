"""Whom re-randomising assigns anew: the rows of a table, or those who came, from the log."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from embellie.app.re_randomising import MOST_UNITS, RUNS, Floats, ReRandomised, Units, re_randomise
from embellie.domain.errors import InputError, TableError, unknown_name
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Needs, needs_of
from embellie.measure.from_log import prior_covariates
from embellie.measure.from_table import SourceTable
from embellie.measure.log_query import LogQuery, check_names, scale_of
from embellie.measure.log_sums import bounds_sql, opening_sql, persons_sql
from embellie.measure.re_randomising_query import EVERYBODY, as_exposed, table_units_sql
from embellie.measure.table_query import (
    Columns,
    TableSpec,
    cells_sql,
    columns_sql,
    first_text_sql,
    keys_sql,
    parse_metric,
    refuse_bad_cells,
    refuse_bad_keys,
    text_error,
    where_sql,
)
from embellie.measure.visit_rows import visits_view
from embellie.ports import AggregateReader, DailyView
from embellie.store.tables import open_table


def re_randomise_table(
    source: str,
    *,
    spec: TableSpec,
    metrics: Sequence[str],
    covariates: Mapping[str, str | Sequence[str]] | None = None,
    assigned: str = "",
    runs: int = RUNS,
    seed: int = 0,
    share: float = 0.5,
) -> ReRandomised:
    """Assign the units of a table anew; its variants, if it has any, are left aside.

    Args:
        source: A CSV or Parquet file, or `URL::table` of a database.
        spec: What its columns mean; `unit` is the unit of analysis.
        metrics: As for a scorecard.
        covariates: As for a scorecard.
        assigned: The column of what is assigned at random, where that is not the unit: then all its units go together.
        runs: How often.
        seed: Of the assignments.
        share: The part that is assigned to the treatment.

    Raises:
        TableError: The table cannot be used; says which column, which row, and what to do.
        InputError: The call contradicts itself.
    """
    spec = replace(spec, variant=assigned or spec.unit)
    with closing(open_table(source)) as table:
        for name in (spec.variant, spec.unit, *spec.where):
            table.require(name)
        chosen = [parse_metric(text, tuple(table.columns)) for text in dict.fromkeys(metrics)]
        adjusting = _table_covariates(table, chosen, covariates or {})
        needs = needs_of(chosen, adjusting)
        for column in needs.columns:
            table.require(column.counted)
        columns = columns_sql(
            table.columns, tuple(dict.fromkeys(column.counted for column in needs.columns)), missing=spec.missing
        )
        _refuse(table, spec, columns)
        _, parameters = where_sql(spec, columns)
        rows = table.rows(
            table_units_sql(spec, columns, needs, assigned=assigned), {**parameters, "most": MOST_UNITS + 1}
        )
    if assigned and any(row["several"] for row in rows):
        raise TableError(
            f"A `{spec.unit}` has more than one `{assigned}`.",
            hint=f"Each `{spec.unit}` belongs to one: name the smaller as `--unit`, the larger as `--assigned`.",
            at=table.name,
        )
    more, rows = len(rows) > MOST_UNITS, rows[:MOST_UNITS]
    values = _matrix(rows, needs)
    groups = np.unique([str(row["assigned"]) for row in rows], return_inverse=True)[1] if assigned else None
    return re_randomise(
        Units(needs=needs, values=values, assigned=groups),
        chosen,
        covariates=adjusting,
        runs=runs,
        seed=seed,
        share=share,
        more_units=more,
    )


def _table_covariates(
    table: SourceTable, metrics: Sequence[Metric], texts: Mapping[str, str | Sequence[str]]
) -> dict[str, tuple[Metric, ...]]:
    known = [metric.metric for metric in metrics]
    found = {}
    for name, given in texts.items():
        if name not in known:
            raise unknown_name("metric", name, known, at="--covariate")
        each = (given,) if isinstance(given, str) else given
        found[name] = tuple(parse_metric(text, tuple(table.columns)) for text in dict.fromkeys(each))
    return found


def _refuse(table: SourceTable, spec: TableSpec, columns: Columns) -> None:
    _, parameters = where_sql(spec, columns)
    (keys,) = table.rows(keys_sql(spec, columns), parameters)
    refuse_bad_keys(spec, keys, name=table.name)
    (cells,) = table.rows(cells_sql(spec, columns), parameters)
    text = refuse_bad_cells(spec, columns, cells, name=table.name)
    if text:
        (first,) = table.rows(first_text_sql(spec, columns, text), parameters)
        raise text_error(text, first["row"], first["cell"], name=table.name)


def _matrix(rows: Sequence[Mapping[str, Any]], needs: Needs) -> Floats:
    names = [f"c{place}" for place in range(len(needs.columns))]
    return np.array([[row[name] for name in names] for row in rows], dtype=float).reshape(len(rows), len(names))


@dataclass(frozen=True, slots=True)
class _History:
    """A log in which everybody who came in a period counts as exposed on coming first."""

    reader: AggregateReader
    since: datetime
    site: bool

    @property
    def elsewhere(self) -> bool:
        """Where the log as it is is computed."""
        return self.reader.elsewhere

    @property
    def ready(self) -> Collection[DailyView]:
        """What lies ready of the log as it is."""
        return self.reader.ready

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query."""
        return self.reader.rows(as_exposed(sql, site=self.site), {**(parameters or {}), "since": self.since})


def re_randomise_log(
    reader: AggregateReader,
    metrics: Sequence[Metric],
    *,
    read_seconds: float,
    until: datetime,
    experiment: Experiment | None = None,
    since: datetime | None = None,
    site: str = "",
    pre_days: int = 14,
    runs: int = RUNS,
    seed: int = 0,
) -> ReRandomised:
    """Assign an experiment's readers anew, or all readers of a period, from their first exposure (or coming) on.

    The readers are persons: bots are left out, as on the scorecard. Adjusted rows use each metric's own past.

    Args:
        reader: Runs SQL over the log.
        metrics: What to compare; see `Metric` for the names the log counts.
        read_seconds: Engaged seconds from which an article counts as read.
        until: The end of the time looked at.
        experiment: Whose readers; everybody who came between `since` and `until` when left out.
        since: The beginning of the period; needed without an experiment.
        site: Only this site's events.
        pre_days: How far back the past goes, without an experiment.
        runs: How often.
        seed: Of the assignments.

    Raises:
        UnknownName: A metric asks for what the log does not count.
        InputError: Nobody was there, or too few.
    """
    check_names(metrics)
    if experiment is None:
        if since is None:
            raise InputError("From when on?", hint="Name an experiment, or the first day of a period.")
        experiment = _everybody(pre_days)
        reader = _History(reader, _naive(since), bool(site))
    covariates = prior_covariates(metrics)
    needs = needs_of(metrics, covariates)
    rolled = visits_view(read_seconds) in reader.ready
    query = LogQuery(needs=needs, pre_days=experiment.pre_days, site=bool(site), rolled=rolled)
    ends = [_naive(one) for one in (until, experiment.stopped_at) if one is not None]
    parameters: dict[str, Any] = {
        "experiment": experiment.experiment,
        "read_seconds": float(read_seconds),
        "site": site,
        "until": min(ends),
        **{f"goal{place}": goal for place, goal in enumerate(query.goals)},
    }
    (opening,) = reader.rows(opening_sql(site=query.site), parameters)
    if not opening["exposures"]:
        raise InputError("Nobody was there to be assigned.", hint="Choose a longer period, or wait for readers.")
    parameters["begin"] = query.begin(opening["earliest"])
    parts = -(-int(opening["exposures"]) // MOST_UNITS)
    if parts > 1:
        cuts = reader.rows(bounds_sql(site=query.site, parts=parts), parameters)
        query = replace(query, part=(False, True))
        parameters["part_to"] = cuts[1]["reader"]
    values = _matrix(_in_names_of(reader.rows(persons_sql(query), parameters), query), needs)
    values /= np.array([scale_of(column) for column in needs.columns], dtype=float)
    # Engines answer in any order; the same readers in the same order give the same assignments.
    values = values[np.lexsort(values.T[::-1])]
    return re_randomise(
        Units(needs=needs, values=values), metrics, covariates=covariates, runs=runs, seed=seed, more_units=parts > 1
    )


def _in_names_of(rows: Sequence[Mapping[str, Any]], query: LogQuery) -> list[dict[str, Any]]:
    alias = query.alias
    return [{f"c{place}": row[alias[name]] for place, name in enumerate(query.needs.names)} for row in rows]


def _everybody(pre_days: int) -> Experiment:
    variants = tuple(Variant(name=name, weight=1, scenario="", release="") for name in (EVERYBODY, "nobody"))
    return Experiment(
        experiment=EVERYBODY, placement="", control=EVERYBODY, variants=variants, salt="", pre_days=pre_days
    )


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
