"""Declaring: what the configuration says is served and compared, as events of the log, told once."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from embellie.app.config import Config, ExperimentConfig, metrics_of
from embellie.app.operations import SiteOperations
from embellie.domain.event import Event, fact_id
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.release import Release
from embellie.domain.site import Site


def declared(
    config: Config, site: Site, own: SiteOperations, *, scenarios: Mapping[str, Release], now: datetime
) -> list[Event]:
    """List what the configuration declares for a site and is not known of it yet: its scenarios, and its comparisons.

    Args:
        config: The installation's.
        site: The site.
        own: What is known of it; an experiment or a holdout begins once, whatever the file says later.
        scenarios: Each scenario's release.
        now: When what begins now begins.
    """
    releases: dict[str, Release] = {}
    for one in scenarios.values():
        releases.setdefault(one.release, one)  # two may be alike
    bodies: list[Release | Experiment] = [one for name, one in releases.items() if name not in own.releases]
    bodies += [
        _experiment(config, name, test, scenarios=scenarios, now=now)
        for name, test in config.experiments.items()
        if test.placement in site.placements and name not in own.experiments
    ]
    if config.holdout.share and config.holdout.name not in own.experiments:
        bodies.append(_holdout(config, scenarios=scenarios, now=now))
    return list(_told_once(site.site, bodies, now))


def _told_once(site: str, bodies: list[Release | Experiment], now: datetime) -> Iterator[Event]:
    for body in bodies:
        name = body.release if isinstance(body, Release) else body.experiment
        yield Event(id=fact_id(site, "declared", body.kind, name), site=site, at=now, body=body)


def _experiment(
    config: Config, name: str, one: ExperimentConfig, *, scenarios: Mapping[str, Release], now: datetime
) -> Experiment:
    return Experiment(
        experiment=name,
        placement=one.placement,
        control=one.control,
        variants=tuple(
            Variant(name=scenario, weight=weight, scenario=scenario, release=scenarios[scenario].release)
            for scenario, weight in one.variants.items()
        ),
        salt=name,
        layer=one.layer,
        share=one.share,
        planned=one.planned,
        looks=one.looks,
        pre_days=one.pre_days,
        primary=one.primary,
        metrics=tuple(config.metrics),
        started_at=now,
    )


def _holdout(config: Config, *, scenarios: Mapping[str, Release], now: datetime) -> Experiment:
    wanted = config.holdout
    held = Variant(
        name="held_out",
        weight=wanted.share,
        scenario=wanted.scenario,
        release=scenarios[wanted.scenario].release,
    )
    return Experiment(
        experiment=wanted.name,
        placement="",
        control=held.name,
        variants=(held, Variant(name="everyone", weight=1 - wanted.share, scenario="", release="")),
        salt=f"{wanted.name}/holdout",
        primary=metrics_of(config)[0].metric,
        metrics=tuple(config.metrics),
        holdout=True,
        started_at=now,
    )
