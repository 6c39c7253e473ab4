"""Measuring: from the log, or from any table, to a scorecard; and the scorecard as a document and as sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from embellie.domain.errors import unknown_name
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment
from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect, SampleRatio, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable
from embellie.measure.checking import Days, check
from embellie.measure.from_log import prior_covariates, read_aggregates
from embellie.measure.log_query import DIMENSIONS
from embellie.measure.looking import Looking, parse_looking
from embellie.measure.plotting import interval_plot
from embellie.measure.scoring import Design, sample_ratio, score
from embellie.measure.table_query import TableSpec
from embellie.measure.telling import effect_sentence, metric_name, number_text, sentences, split_sentence
from embellie.ports import AggregateReader
from embellie.stats.shrinkage import Prior

__all__ = [
    "DIMENSIONS",
    "Looking",
    "TableSpec",
    "check_split",
    "day_ends",
    "effect_sentence",
    "evidence_from",
    "interval_plot",
    "metric_name",
    "number_text",
    "parse_looking",
    "scorecard",
    "sentences",
    "split_sentence",
]


MONTH = timedelta(days=365.25 / 12)


def scorecard(
    reader: AggregateReader,
    experiment: Experiment,
    metrics: Sequence[Metric],
    *,
    read_seconds: float,
    site: str = "",
    looking: Looking | None = None,
    until: datetime | None = None,
    now: datetime | None = None,
    dimensions: Sequence[str] = ("bot",),
    adjusted: bool = True,
    priors: Mapping[str, Prior] | None = None,
) -> Scorecard:
    """Compute an experiment's scorecard from the log.

    The unit is the reader, from their first exposure on, until the experiment stops. Readers exposed to two variants, and bots,
    are left out and counted under `excluded`. The split is checked by the e-value, since a running experiment is looked
    at all the time. A metric's adjusted row, against the reader's own past, follows wherever readers had one.

    Args:
        reader: Runs SQL over the log.
        experiment: Its control, variants and weights are the design.
        metrics: What to compare; see `Metric` for the names the log counts.
        read_seconds: Engaged seconds from which an article counts as read.
        site: Only this site's events: an experiment belongs to one. All sites when empty.
        looking: How often results are looked at; once when omitted.
        until: Only events up to this time, as if it were then; all when omitted.
        now: The time; needed for money per month and for retention while the experiment runs.
        dimensions: What to slice by: `consent`, `day`, `bot`, `returning`, `since`.
        adjusted: Whether to compute adjusted rows too.
        priors: By metric, where relative effects lie, as past experiments teach; each effect is then also told shrunk.

    Raises:
        UnknownName: A metric or a dimension asks for what the log does not have.
        InputError: A metric would add money of two currencies.
    """
    aggregates = read_aggregates(
        reader,
        experiment,
        metrics,
        read_seconds=read_seconds,
        site=site,
        until=until,
        now=now,
        dimensions=dimensions,
        prior=adjusted,
    )
    ends = [one for one in (until, experiment.stopped_at, now) if one is not None]
    design = design_of(experiment, metrics, looking=looking, end=min(ends) if ends else None, adjusted=adjusted)
    design = replace(design, priors=priors or {})
    card = replace(score(design, aggregates), planned=experiment.planned)
    days = _whole_days(experiment, min(ends)) if ends and "day" in dimensions else None
    return replace(card, checks=check(design, aggregates, card, days=days))


def _whole_days(experiment: Experiment, end: datetime) -> Days | None:
    """The days (UTC) that lie wholly between an experiment's start and `end`; None when there is none."""
    if experiment.started_at is None:
        return None
    first = experiment.started_at.astimezone(UTC).date() + timedelta(days=1)
    last = end.astimezone(UTC).date() - timedelta(days=1)
    return Days(first=first, last=last) if first <= last else None


def design_of(
    experiment: Experiment,
    metrics: Sequence[Metric],
    *,
    looking: Looking | None = None,
    end: datetime | None = None,
    adjusted: bool = True,
) -> Design:
    """Return what was planned, and for how long it has run by `end`; with `adjusted`, each metric's own past is its covariate."""
    start = experiment.started_at
    return Design(
        control=experiment.control,
        weights={variant.name: variant.weight for variant in experiment.variants},
        metrics=tuple(metrics),
        unit=experiment.unit_kind,
        experiment=experiment.experiment,
        looking=looking or Looking(),
        watched=True,
        covariates=prior_covariates(metrics) if adjusted else {},
        months=(end - start) / MONTH if start is not None and end is not None and end > start else None,
        share=experiment.share,
    )


def watched(experiment: Experiment) -> Looking:
    """Plan the looks at a running experiment: at its planned ones, or whenever; tightest at the readers it was planned for."""
    if experiment.looks:
        return Looking(kind="group_sequential", looks=experiment.looks, planned=experiment.planned)
    return Looking(kind="always", planned=experiment.planned)


def day_ends(experiment: Experiment, now: datetime) -> list[datetime]:
    """List the ends (UTC) of an experiment's days, its own end or now last; none before it starts."""
    if experiment.started_at is None:
        return []
    start, end = experiment.started_at.astimezone(UTC), (experiment.stopped_at or now).astimezone(UTC)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    whole = max(0, (end - midnight) // timedelta(days=1) + 1)
    found = [midnight + timedelta(days=day) for day in range(whole)]
    return [*(at for at in found if at < end), end]


def check_split(counts: Sequence[int], weights: Sequence[float]) -> SampleRatio | Unavailable:
    """Check counts against designed weights, looked at once."""
    names = [str(place) for place in range(len(counts))]
    return sample_ratio(dict(zip(names, counts, strict=True)), dict(zip(names, weights, strict=True)), watched=False)


def evidence_from(
    card: Scorecard, *, study: str, measures: str, metric: str, variant: str, at: datetime | None = None
) -> Evidence | Unavailable:
    """Turn one relative effect into evidence about an unknown: its estimate and standard error, as shares.

    The adjusted row is taken where it has an effect. A broken split is no evidence.

    Args:
        card: The experiment's scorecard.
        study: The name of the study in the question.
        measures: The unknown it is about.
        metric: The metric whose relative effect is that unknown.
        variant: The variant that carries the scenario.
        at: When it was measured.

    Raises:
        UnknownName: The scorecard has no such metric or variant.
    """
    rows = [row for row in card.effects if row.metric == metric]
    if not rows:
        raise unknown_name("metric", metric, {row.metric for row in card.effects})
    rows = [row for row in rows if row.variant == variant]
    if not rows:
        raise unknown_name("variant", variant, [name for name in card.units if name != card.control])
    if isinstance(card.srm, SampleRatio) and card.srm.alarm:
        return Unavailable("The split is not the designed one.", "Find out why before using any of its figures.")
    if any(one.state == "alarm" for one in card.checks):
        return Unavailable("A check of the scorecard failed.", "Find out why before using any of its figures.")
    found = [row for row in rows if isinstance(row, Effect)]
    return _evidence((found or rows)[-1], study=study, measures=measures, source=_source(card), at=at)


def _evidence(
    row: Effect | UnavailableEffect, *, study: str, measures: str, source: str, at: datetime | None
) -> Evidence | Unavailable:
    if isinstance(row, UnavailableEffect):
        return row.because
    if isinstance(row.relative, Unavailable):
        return row.relative
    if not row.relative.se > 0:
        return Unavailable("The effect has no standard error yet.", "Wait for traffic.")
    return Evidence(
        measures=measures, estimate=row.relative.effect, se=row.relative.se, study=study, source=source, at=at
    )


def _source(card: Scorecard) -> str:
    units = sum(card.units.values())
    return f"experiment {card.experiment}, {units} {card.unit}s" if card.experiment else f"table, {units} {card.unit}s"
