"""Operations: the fold over what operators and editors did. What is built, live, compared and ruled, now."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from embellie.domain.event import Event
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.question import QuestionFiled
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.domain.rule import Rule
from embellie.domain.site import Site
from embellie.serve.handling import Ranker, Snapshot, step_name

OPERATOR_KINDS = ("release", "rollout", "experiment", "rule", "question", "study")
STEP_READERS = 2_000
"""The readers a step of a rollout is planned for: harm, or its absence, should show by then."""

HISTORY_KINDS = frozenset({"release", "rollout", "experiment"})


@dataclass(slots=True)
class SiteOperations:
    """One site's releases, rollouts, experiments and rules, by name; the last event of a name holds."""

    stable: dict[str, str]
    releases: dict[str, Release] = field(default_factory=dict)
    rollouts: dict[str, Rollout] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    questions: list[tuple[datetime, QuestionFiled]] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)

    def copy(self) -> "SiteOperations":
        """Copy them as they stand: what happens later does not change the copy."""
        return SiteOperations(**{each.name: copy(getattr(self, each.name)) for each in fields(self)})


class Operations:
    """Fold operator events, in any order of arrival: of one name, the latest `at` holds.

    Args:
        sites: The sites, with their placements.
        stable: The release that answers on every placement until a rollout completes.
    """

    def __init__(self, sites: Mapping[str, Site], *, stable: str) -> None:
        self._sites = sites
        self._by_site = {
            name: SiteOperations(stable=dict.fromkeys(site.placements, stable)) for name, site in sites.items()
        }
        self._applied: set[str] = set()
        self._latest: dict[tuple[str, str, str], datetime] = {}
        self._began: dict[tuple[str, str], tuple[datetime, str]] = {}

    def of(self, site: str) -> SiteOperations:
        """One site's operations."""
        return self._by_site[site]

    def apply(self, event: Event) -> bool:
        """Take one event into account; tell whether it changed anything."""
        if event.kind not in OPERATOR_KINDS or event.id in self._applied or event.site not in self._by_site:
            return False
        self._applied.add(event.id)
        own = self._by_site[event.site]
        if event.kind in HISTORY_KINDS:
            own.history.append(event)
            own.history.sort(key=lambda one: one.at)
        return self._replace(own, event)

    def _replace(self, own: SiteOperations, event: Event) -> bool:
        match event.body:
            case Evidence() as evidence:
                own.evidence.append(evidence)
            case QuestionFiled() as filed:
                own.questions.append((event.at, filed))
                own.questions.sort(key=lambda one: one[0])
            case Release() as release if self._is_latest(event, release.release):
                own.releases[release.release] = release
            case Experiment() as experiment if self._is_latest(event, experiment.experiment):
                own.experiments[experiment.experiment] = experiment
            case Rule() as rule if self._is_latest(event, rule.rule):
                own.rules[rule.rule] = rule
            case Rollout() as rollout if self._began_first(event, rollout) and self._is_latest(event, rollout.rollout):
                own.rollouts[rollout.rollout] = rollout
                _settle(own, rollout)
            case _:
                return False
        return True

    def _is_latest(self, event: Event, name: str) -> bool:
        key = (event.site, event.kind, name)
        if key in self._latest and self._latest[key] > event.at:
            return False
        self._latest[key] = event.at
        return True

    def _began_first(self, event: Event, rollout: Rollout) -> bool:
        """Tell whether a rollout is the one of its name: of two that servers started at the same moment, the first is, on each server."""
        key, own = (event.site, rollout.rollout), (event.at, rollout.canary)
        began = self._began.get(key, own)
        if began[1] != rollout.canary and began < own:
            return False
        if began[1] != rollout.canary:  # the other came first to this server, but began later
            self._latest.pop((event.site, event.kind, rollout.rollout), None)
        self._began[key] = min(began, own)
        return True

    def snapshot(
        self, site: str, rankers: Mapping[str, Ranker], *, stand_ins: Mapping[str, Ranker] | None = None
    ) -> Snapshot:
        """Freeze what is live for a site."""
        own = self._by_site[site]
        running = [one for one in own.experiments.values() if one.state == "running"]
        return Snapshot(
            site=self._sites[site],
            releases=dict(own.releases),
            rankers=rankers,
            stable=dict(own.stable),
            experiments={one.placement: one for one in running if not one.holdout},
            rollouts={one.placement: one for one in own.rollouts.values() if one.state in ("running", "held")},
            holdout=next((one for one in running if one.holdout), None),
            stand_ins=stand_ins or {},
        )


def put_before_readers(own: SiteOperations) -> list[Release]:
    """List the releases that a rollout has put before readers, at any step, whatever became of it since."""
    names = dict.fromkeys(rollout.canary for rollout in own.rollouts.values())
    return [own.releases[name] for name in names if name in own.releases]


def comparisons(history: Sequence[Event]) -> dict[str, Experiment]:
    """Read each step of each rollout as an experiment between stable and canary, from its first event to its last.

    Args:
        history: Events in the order of their times.
    """
    found: dict[str, Experiment] = {}
    for event in history:
        if not isinstance(event.body, Rollout):
            continue
        rollout = event.body
        under_way = step_name(rollout) if rollout.state in ("running", "held") else ""
        for name, one in found.items():
            if name.startswith(f"{rollout.rollout}/") and name != under_way and one.state == "running":
                found[name] = replace(one, state="stopped", stopped_at=event.at, reason=rollout.reason)
        if under_way and under_way not in found and rollout.weight < 1:
            found[under_way] = _comparison(rollout, event.at)
    return found


def _comparison(rollout: Rollout, since: datetime) -> Experiment:
    return Experiment(
        experiment=step_name(rollout),
        placement=rollout.placement,
        control="stable",
        variants=(
            Variant(name="stable", weight=1 - rollout.weight, scenario="stable", release=rollout.stable),
            Variant(name="canary", weight=rollout.weight, scenario="canary", release=rollout.canary),
        ),
        salt=rollout.salt,
        planned=STEP_READERS,
        started_at=since,
    )


def _settle(own: SiteOperations, rollout: Rollout) -> None:
    if rollout.state == "completed":
        own.stable[rollout.placement] = rollout.canary
    elif rollout.state == "rolled_back" and own.stable.get(rollout.placement) == rollout.canary:
        own.stable[rollout.placement] = rollout.stable
