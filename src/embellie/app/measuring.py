"""Measuring: from the log, or from any table, to a scorecard; and the scorecard as a document and as sentences."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from embellie.domain.errors import unknown_name
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment
from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect, RelativeEffect, SampleRatio, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates, moments_by_variant, needs_of
from embellie.measure.log_query import check_names, scorecard_sql
from embellie.measure.looking import Looking, parse_looking
from embellie.measure.planning import ExperimentPlan, plan_experiment
from embellie.measure.plotting import interval_plot
from embellie.measure.scoring import Design, sample_ratio, score
from embellie.measure.table_query import TableSpec
from embellie.measure.telling import effect_sentence, metric_name, number_text, sentences, split_sentence
from embellie.ports import AggregateReader

__all__ = [
    "SCHEMA",
    "ExperimentPlan",
    "Looking",
    "TableSpec",
    "check_split",
    "effect_sentence",
    "evidence_from",
    "interval_plot",
    "metric_name",
    "number_text",
    "parse_looking",
    "plan_document",
    "plan_sentences",
    "scorecard",
    "scorecard_document",
    "sentences",
    "split_sentence",
    "srm_document",
]

SCHEMA = "embellie/scorecard/1"


def scorecard(
    reader: AggregateReader,
    experiment: Experiment,
    metrics: Sequence[Metric],
    *,
    read_seconds: float,
    site: str = "",
    looking: Looking | None = None,
    until: datetime | None = None,
) -> Scorecard:
    """Compute an experiment's scorecard from the log.

    The unit is the reader, from their first exposure on; a reader exposed to two variants is left out and counted
    under `excluded`. The split is checked by the e-value, since a running experiment is looked at all the time.

    Args:
        reader: Runs SQL over the log.
        experiment: Its control, variants and weights are the design.
        metrics: What to compare; see `Metric` for the names the log counts.
        read_seconds: Engaged seconds from which an article counts as read.
        site: Only this site's events; all sites when empty.
        looking: How often results are looked at; once when omitted.
        until: Only events up to this time, as if it were then; all when omitted.

    Raises:
        UnknownName: A metric asks for what the log does not count.
    """
    check_names(metrics)
    weights = {variant.name: variant.weight for variant in experiment.variants}
    needs = needs_of(metrics)
    rows = reader.rows(
        scorecard_sql(needs, site=bool(site), until=until is not None),
        {
            "experiment": experiment.experiment,
            "read_seconds": read_seconds,
            "site": site,
            "until": until.astimezone(UTC).replace(tzinfo=None) if until else None,
        },
    )
    excluded = {"two_variants": sum(int(row["n"]) for row in rows if row["variant"] is None)}
    strange = [row for row in rows if row["variant"] is not None and row["variant"] not in weights]
    if strange:
        excluded["unknown_variant"] = sum(int(row["n"]) for row in strange)
    known = [row for row in rows if row["variant"] in weights]
    design = Design(
        control=experiment.control,
        weights=weights,
        metrics=tuple(metrics),
        unit=experiment.unit_kind,
        experiment=experiment.experiment,
        looking=looking or Looking(),
        watched=True,
    )
    return score(design, Aggregates(moments=moments_by_variant(known, needs), excluded=excluded))


def watched(experiment: Experiment) -> Looking:
    """Plan the looks at a running experiment: whenever, tightest at the readers it was planned for."""
    return Looking(kind="always", planned=experiment.planned)


def scorecard_document(card: Scorecard) -> dict[str, Any]:
    """Return the JSON form of a scorecard, `embellie/scorecard/1`."""
    return {
        "schema": SCHEMA,
        "experiment": card.experiment or None,
        "unit": card.unit,
        "control": card.control,
        "variants": {variant: {"units": units} for variant, units in card.units.items()},
        "excluded": dict(card.excluded),
        "srm": srm_document(card.srm),
        "effects": [_effect_document(effect) for effect in card.effects],
    }


def srm_document(srm: SampleRatio | Unavailable) -> dict[str, Any]:
    """Return the JSON form of the check of the split."""
    if isinstance(srm, Unavailable):
        return dict(srm.document())
    return {"p_value": srm.p_value, "log_e": srm.log_e, "alarm": srm.alarm}


def check_split(counts: Sequence[int], weights: Sequence[float]) -> SampleRatio | Unavailable:
    """Check counts against designed weights, looked at once."""
    names = [str(place) for place in range(len(counts))]
    return sample_ratio(dict(zip(names, counts, strict=True)), dict(zip(names, weights, strict=True)), watched=False)


def evidence_from(
    card: Scorecard, *, study: str, measures: str, metric: str, variant: str, at: datetime | None = None
) -> Evidence | Unavailable:
    """Turn one relative effect into evidence about an unknown: its estimate and standard error, as shares.

    The adjusted row is taken where there is one. A broken split is no evidence.

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
    return _evidence(rows[-1], study=study, measures=measures, source=_source(card), at=at)


def plan_document(plan: ExperimentPlan) -> dict[str, Any]:
    """Return the JSON form of a plan, `embellie/plan/1`; what was not asked for is left out."""
    found = plan_experiment(plan)
    document: dict[str, Any] = {
        "schema": "embellie/plan/1",
        "baseline": plan.baseline,
        "sd": plan.sd,
        "effect": plan.effect or None,
        "units_per_variant": found.units_per_variant,
        "rule_of_thumb": found.rule_of_thumb,
        "units": found.units,
        "weeks": found.weeks,
        "smallest_effects": [
            {
                "weeks": each.weeks,
                "units_per_variant": each.units_per_variant,
                "effect": each.effect,
                "relative": each.relative,
            }
            for each in found.detectable
        ],
    }
    return {name: value for name, value in document.items() if value not in (None, [])}


def plan_sentences(plan: ExperimentPlan) -> list[str]:
    """Say a plan in words."""
    found, said = plan_experiment(plan), []
    if found.units_per_variant is not None:
        said.append(
            f"To see an effect of {plan.effect:g} ({plan.power:.0%} power, {1 - plan.alpha:.0%} level): "
            f"{found.units_per_variant:,} units per variant, {found.units:,} in all "
            f"(rule of thumb: {found.rule_of_thumb:,} per variant)."
        )
    if found.weeks is not None:
        said.append(f"At {plan.traffic:,.0f} new units a week that takes {found.weeks:.1f} weeks.")
    for each in found.detectable:
        relative = f" ({each.relative:.2%} of the baseline)" if each.relative is not None else ""
        said.append(f"{each.weeks:>4g} weeks show effects from {each.effect:.4g}{relative} on.")
    return said


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


def _effect_document(row: Effect | UnavailableEffect) -> dict[str, Any]:
    head: dict[str, Any] = {"metric": row.metric, "variant": row.variant}
    if row.proxy:
        head["proxy"] = True
    if isinstance(row, UnavailableEffect):
        return head | row.because.document()
    return head | {
        "control_value": row.control_value,
        "variant_value": row.variant_value,
        "adjusted": row.adjusted,
        "effect": row.effect,
        "se": row.se,
        "p_value": row.p_value,
        "interval": {
            "kind": row.interval.kind,
            "level": row.interval.level,
            "low": row.interval.low,
            "high": row.interval.high,
        },
        "relative": _relative_document(row.relative),
    }


def _relative_document(relative: RelativeEffect | Unavailable) -> dict[str, Any]:
    if isinstance(relative, Unavailable):
        return dict(relative.document())
    return {"effect": relative.effect, "low": relative.low, "high": relative.high, "se": relative.se}
