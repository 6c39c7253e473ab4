"""Proxy validity: what a proxy has been worth in production so far, from past experiments of the log or of a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from embellie.app.number_columns import read_columns
from embellie.domain.errors import InputError, TableError
from embellie.domain.experiment import Experiment
from embellie.domain.metric import Metric
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates, columns_of
from embellie.measure.from_log import read_aggregates
from embellie.measure.proxies import (
    EffectPair,
    ProxyValidity,
    Ratio,
    SignAgreement,
    effects_picture,
    pair_from_moments,
    proxy_validity,
    validity_sentences,
)
from embellie.ports import AggregateReader
from embellie.stats.covariance_of_effects import Bootstrapped

__all__ = [
    "ProxyValidity",
    "effects_picture",
    "log_aggregates",
    "offline_worth",
    "pairs_from_file",
    "proxies_from_log",
    "proxy_validity",
    "validity_document",
    "validity_from_file",
    "validity_sentences",
    "worth_document",
]

COLUMNS = ("proxy_effect", "proxy_se", "metric_effect", "metric_se")

AggregatesOf = Callable[[Experiment, Sequence[Metric]], Aggregates]
"""Sums an experiment up for some metrics."""


def pairs_from_file(source: str) -> tuple[list[EffectPair], bool]:
    """Read past experiments: a row per comparison; and whether it said how the two errors go together.

    Columns: `experiment, proxy_effect, proxy_se, metric_effect, metric_se` and, optional, `covariance` of the two errors.

    Raises:
        TableError: A column is missing, a cell is no number, or a standard error or covariance is impossible.
    """
    found = read_columns(source, numbers=[*COLUMNS, "covariance"], texts=["experiment"], optional=["covariance"])
    told = "covariance" in found.numbers
    shared = found.numbers["covariance"] if told else [0.0] * len(found)
    pairs = []
    rows = zip(found.texts["experiment"], *(found.numbers[name] for name in COLUMNS), shared, strict=True)
    for number, (experiment, proxy, proxy_se, metric, metric_se, covariance) in enumerate(rows, start=1):
        if proxy_se <= 0 or metric_se <= 0:
            raise TableError(
                f"A standard error of row {number} is not above 0.",
                hint="Give each effect the standard error its experiment reported.",
                at=Path(source).name,
            )
        if abs(covariance) > proxy_se * metric_se * (1 + 1e-9):
            raise TableError(
                f"The covariance `{covariance:g}` of row {number} exceeds the product of its standard errors.",
                hint="Give the covariance of the two estimates, not their correlation.",
                at=Path(source).name,
            )
        pairs.append(
            EffectPair(
                experiment=experiment, proxy_effect=proxy, proxy_se=proxy_se, metric_effect=metric,
                metric_se=metric_se, covariance=covariance,
            )
        )  # fmt: skip
    return pairs, told


def validity_from_file(source: str, *, proxy: str, metric: str, seed: int = 0) -> tuple[ProxyValidity, bool]:
    """Tell a proxy's validity from a file of past experiments; and whether the file said how the errors go together."""
    pairs, told = pairs_from_file(source)
    return proxy_validity(pairs, proxy=proxy, metric=metric, seed=seed), told


def proxies_from_log(
    experiments: Sequence[Experiment],
    metrics: Sequence[Metric],
    aggregates_of: AggregatesOf,
    *,
    seed: int = 0,
) -> list[ProxyValidity]:
    """Tell the validity of each proxy and surrogate for each primary metric, over all stopped experiments.

    Effects are relative, so that placements of different traffic can be compared. Metrics of which a column beside a plain
    count is on both sides (two goals, two caps, retention, quantiles) cannot be paired and are left out.

    Args:
        experiments: All there are; running ones, and those called off before anyone was exposed, are left out.
        metrics: All there are.
        aggregates_of: Sums an experiment up.
        seed: Of the bootstrap.

    Raises:
        InputError: No metric is declared a proxy.
    """
    stand_ins = [one for one in metrics if one.proxy or one.role == "surrogate"]
    if not stand_ins:
        raise InputError(
            "No metric is declared a proxy.",
            hint='Write `proxy = true` or `role = "surrogate"` for one in embellie.toml.',
        )
    known = {one.metric: one for one in metrics}
    stopped = [one for one in experiments if one.state == "stopped" and not one.holdout]
    named = [one.primary for one in stopped if one.primary in known]
    primaries = dict.fromkeys(named or [one.metric for one in metrics if one.role == "primary"])
    found = []
    for primary in primaries:
        for stand_in in stand_ins:
            if stand_in.metric != primary and _pairable(stand_in, known[primary]):
                own = [one for one in stopped if one.primary == primary]
                found.append(_validity(own, stand_in, known[primary], aggregates_of, seed))
    return found


def _validity(
    experiments: Sequence[Experiment], proxy: Metric, metric: Metric, aggregates_of: AggregatesOf, seed: int
) -> ProxyValidity:
    pairs, skipped = [], 0
    for experiment in experiments:
        moments = aggregates_of(experiment, crossed(proxy, metric)).moments
        for variant in experiment.variants:
            if variant.name == experiment.control:
                continue
            pair = None
            if experiment.control in moments and variant.name in moments:
                pair = pair_from_moments(
                    moments[experiment.control],
                    moments[variant.name],
                    proxy=_ratio(proxy),
                    metric=_ratio(metric),
                    experiment=experiment.experiment,
                )
            if pair is None:
                skipped += 1
            else:
                pairs.append(pair)
    return proxy_validity(pairs, proxy=proxy.metric, metric=metric.metric, seed=seed, skipped=skipped)


def log_aggregates(reader: AggregateReader, *, read_seconds: float, sites: Mapping[str, str]) -> AggregatesOf:
    """Return what sums an experiment up from the log, until it stopped; `sites` says where each ran."""

    def aggregates_of(experiment: Experiment, metrics: Sequence[Metric]) -> Aggregates:
        return read_aggregates(
            reader,
            experiment,
            metrics,
            read_seconds=read_seconds,
            site=sites.get(experiment.experiment, ""),
            prior=False,
        )

    return aggregates_of


def offline_worth(history: str, *, seed: int = 0) -> ProxyValidity | Unavailable:
    """Tell what offline scores have been worth in production so far: for beside them.

    Args:
        history: A file of past experiments, offline effects as `proxy_effect`; empty when there is none.
        seed: Of the bootstrap over experiments.
    """
    if not history:
        return Unavailable(
            "These scores have not been shown to predict anything.",
            "Keep, for each experiment, the offline difference beside the measured one, and give them as `--history FILE`.",
            code="no_history",
        )
    return validity_from_file(history, proxy="offline_score", metric="metric", seed=seed)[0]


def worth_document(worth: ProxyValidity | Unavailable) -> dict[str, Any]:
    """Return the JSON form of what offline scores have been worth, without the single experiments."""
    if isinstance(worth, Unavailable):
        return dict(worth.document())
    return {name: value for name, value in proxy_document(worth).items() if name not in ("pairs", "proxy", "metric")}


def _pairable(one: Metric, other: Metric) -> bool:
    return one.form == other.form == "mean" and (_is_plain(one) or _is_plain(other))


def _is_plain(metric: Metric) -> bool:
    return not (metric.goal or metric.cap)


def _ratio(metric: Metric) -> Ratio:
    return Ratio(*columns_of(metric))


def crossed(proxy: Metric, metric: Metric) -> list[Metric]:
    """Return metrics that, summed up together, give every covariance between the columns of two.

    >>> proxy = Metric(metric="ctr", numerator="clicks", denominator="impressions")
    >>> [(one.numerator, one.denominator) for one in crossed(proxy, Metric(metric="n", numerator="reads"))]
    [('clicks', 'impressions'), ('reads', ''), ('reads', 'clicks'), ('reads', 'impressions')]
    """
    plain, other = (proxy, metric) if _is_plain(proxy) else (metric, proxy)
    whole = replace(other, metric=f"{other.metric}, above", denominator="")
    below = [replace(whole, numerator=other.denominator, goal="", cap=0.0)] if other.denominator else []
    names = [name for name in (plain.numerator, plain.denominator) if name]
    beside = [replace(one, denominator=name) for one in (whole, *below) for name in names]
    return [
        proxy,
        metric,
        *(replace(one, metric=f"{one.numerator} with {one.denominator}", proxy=False) for one in beside),
    ]


def validity_document(found: Sequence[ProxyValidity]) -> dict[str, Any]:
    """Return the JSON form (`embellie/proxies/1`)."""
    return {"schema": "embellie/proxies/1", "proxies": [proxy_document(one) for one in found]}


def proxy_document(found: ProxyValidity) -> dict[str, Any]:
    """Return one proxy's part of the JSON form."""
    return {
        "proxy": found.proxy,
        "metric": found.metric,
        "verdict": found.verdict,
        "experiments": found.experiments,
        "comparisons": len(found.pairs),
        "skipped": found.skipped,
        "slope": _figure(found.slope),
        "correlation": _figure(found.correlation),
        "sign_agreement": _figure(found.agreement),
        "naive_slope": found.naive_slope,
        "reliability": found.reliability,
        "support": found.support,
        "eigenvalues": found.eigenvalues,
        "interval": {"level": 0.95, "unit": "experiment"},
        "pairs": [asdict(pair) for pair in found.pairs],
    }


def _figure(found: Bootstrapped | SignAgreement | Unavailable) -> dict[str, Any]:
    return dict(found.document()) if isinstance(found, Unavailable) else asdict(found)
