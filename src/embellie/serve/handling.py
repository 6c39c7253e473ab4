"""Handling: from a request and what is live now to a slate and what to remember of it."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from embellie.domain.errors import unknown_name
from embellie.domain.experiment import Experiment, Exposure
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.domain.site import Placement, Site
from embellie.domain.slate import Recommended, Slate, SlateItem, SlateRequest
from embellie.serve.assignment import assign, on_canary
from embellie.serve.breaking import Resting

_LOG = logging.getLogger("embellie.serve")

Ranker = Callable[[SlateRequest, Placement], Sequence[Recommended]]
"""A release's policy with its settings, editorial rules applied last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is live for one site at one moment; replaced whole when anything changes.

    `stable` names each placement's stable release; `releases` and `rankers` are keyed by release. `stand_ins` answer when a
    release and the stable one cannot, in their order. `holdout` keeps some readers out of everything, on every placement.
    """

    site: Site
    releases: Mapping[str, Release]
    rankers: Mapping[str, Ranker]
    stable: Mapping[str, str]
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    holdout: Experiment | None = None
    stand_ins: Mapping[str, Ranker] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """Which release answers a request, and the exposure to log, if the reader takes part in a comparison."""

    release: str
    variant: str = ""
    experiment: str = ""
    exposed: bool = False


@dataclass(frozen=True, slots=True)
class Handled:
    """A slate, and the exposures that go with it."""

    slate: Slate
    exposures: tuple[Exposure, ...] = ()


def placement_of(snapshot: Snapshot, name: str) -> Placement:
    """Find a placement of the site.

    Raises:
        UnknownName: With the placements that exist.
    """
    try:
        return snapshot.site.placements[name]
    except KeyError:
        raise unknown_name("placement", name, snapshot.site.placements) from None


def route(snapshot: Snapshot, request: SlateRequest) -> Route:
    """Decide which release answers: the holdout first, then the experiment, then the rollout, then the stable release.

    A reader without an id cannot be followed: they get the stable release, in no experiment.
    """
    unit = request.reader if request.consent != "none" else ""
    lasting = snapshot.holdout
    if lasting is not None and (kept := assign(lasting, unit)) is not None and kept.name == lasting.control:
        return Route(kept.release, kept.name, lasting.experiment, exposed=True)
    experiment = snapshot.experiments.get(request.placement)
    if experiment is not None and (variant := assign(experiment, unit)) is not None:
        return Route(variant.release, variant.name, experiment.experiment, exposed=True)
    rollout = snapshot.rollouts.get(request.placement)
    if rollout is not None and rollout.state in ("running", "held"):
        canary = on_canary(rollout, unit)
        release = rollout.canary if canary else rollout.stable
        compared = bool(unit) and rollout.weight < 1
        return Route(
            release, "canary" if canary else "stable", step_name(rollout) if compared else "", exposed=compared
        )
    return Route(snapshot.stable[request.placement])


def step_name(rollout: Rollout) -> str:
    """Name the comparison of canary and stable at a rollout's present step; each step is measured afresh.

    >>> step_name(Rollout(rollout="r1", placement="p", stable="a", canary="b", steps=(0.1, 1.0)))
    'r1/step-1'
    """
    return f"{rollout.rollout}/step-{rollout.step + 1}"


@dataclass(frozen=True, slots=True)
class _Answered:
    """What answered: a route and its ranking; `fallback` and `policy` where something stood in."""

    route: Route
    ranking: Sequence[Recommended]
    policy: str
    fallback: str = ""


def _rank(snapshot: Snapshot, request: SlateRequest, placement: Placement) -> _Answered:
    """Ask the release of the route, then the stable one, then each stand-in; the first that can answers, else nothing does."""
    chosen, stable = route(snapshot, request), Route(snapshot.stable[request.placement])
    tried: list[tuple[Route, Ranker, str, str]] = [
        (chosen, snapshot.rankers[chosen.release], snapshot.releases[chosen.release].policy, "")
    ]
    if chosen.release != stable.release:
        tried.append((stable, snapshot.rankers[stable.release], snapshot.releases[stable.release].policy, "stable"))
    tried += [(stable, ranker, name, name) for name, ranker in snapshot.stand_ins.items()]
    for who, ranker, policy, fallback in tried:
        try:
            return _Answered(who, ranker(request, placement), policy, fallback)
        except Resting:
            continue  # it was told of when it failed
        except Exception:  # noqa: BLE001 -- a policy may be anyone's code: its failure must not reach the reader
            _LOG.exception("%s failed on %s; falling back.", fallback or f"Release {who.release}", request.placement)
    return _Answered(stable, (), snapshot.releases[stable.release].policy, "nothing")


def handle(request: SlateRequest, snapshot: Snapshot, *, slate_id: str, shared: bool = False) -> Handled:
    """Answer a request: route it, rank, and write down exactly what is shown.

    When a policy fails, the stable release answers, then the stand-ins, then nothing at all; the slate says which
    (`fallback`). Such a slate is in no experiment, so that nobody is counted as having been shown what they were not: readers
    whom a policy often fails are then fewer in its variant than were assigned to it, and the sample-ratio check tells.

    Raises:
        UnknownName: The placement does not exist.
    """
    placement = placement_of(snapshot, request.placement)
    answered = _rank(snapshot, request, placement)
    chosen, ranking = answered.route, answered.ranking
    seen = next((one.features for one in ranking if one.features), None)
    items = tuple(
        SlateItem(
            article=one.article,
            position=position,
            propensity=one.propensity,
            reason=one.reason,
            score=one.score,
            team=one.team,
            features=one.features.values if seen and one.features and one.features.names == seen.names else (),
        )
        for position, one in enumerate(ranking, start=1)
    )
    identified = request.consent != "none"
    slate = Slate(
        slate_id=slate_id,
        placement=request.placement,
        reader=request.reader if identified else "",
        visit=request.visit if identified else "",
        article=request.article,
        experiment=chosen.experiment,
        variant=chosen.variant,
        release=chosen.release,
        policy=answered.policy,
        items=items,
        feature_names=seen.names if seen else (),
        as_of=seen.as_of if seen else 0,
        visit_articles=request.visit_articles if seen and identified else (),
        fallback=answered.fallback,
        shared=shared,
    )
    return Handled(slate, tuple(exposures_of(snapshot, request, chosen)) if identified else ())


def exposures_of(snapshot: Snapshot, request: SlateRequest, chosen: Route) -> Iterator[Exposure]:
    """List what a reader is exposed to: the comparison that chose, and the holdout, whose other side is whoever is not held out."""
    if chosen.exposed:
        yield Exposure(experiment=chosen.experiment, unit=request.reader, variant=chosen.variant, bot=request.bot)
    lasting = snapshot.holdout
    if lasting is not None and chosen.experiment != lasting.experiment:
        kept = assign(lasting, request.reader)
        if kept is not None and kept.name != lasting.control:
            yield Exposure(experiment=lasting.experiment, unit=request.reader, variant=kept.name, bot=request.bot)
