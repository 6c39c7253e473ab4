"""Serving: a request is answered with what is live, and what was shown is put in the log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from embellie.app.known_exposures import Exposed
from embellie.app.live_folds import LiveFolds, exposed, minted
from embellie.domain.errors import unknown_name
from embellie.domain.event import Event, fact_id
from embellie.domain.experiment import Evaluation, Exposure
from embellie.domain.release import Release
from embellie.domain.site import Site
from embellie.domain.slate import Recommended, Slate, SlateRequest
from embellie.serve.flags import evaluate
from embellie.serve.handling import Snapshot, handle, placement_of


def permitted(request: SlateRequest, site: Site) -> SlateRequest:
    """Return a request as its site lets it be answered: where no reader is profiled, consent to it is not used."""
    if site.profiling or request.consent != "profiling":
        return request
    return replace(request, consent="measurement")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the slates of a site rest on at one moment, apart from who asks and what is read."""

    snapshot: Snapshot
    changes: int

    def same(self, other: "Standing") -> bool:
        """Tell whether nothing was changed in between."""
        return self.snapshot is other.snapshot and self.changes == other.changes


def _shown(slate: Slate) -> tuple[object, ...]:
    """What a reader sees of a slate, and who chose it; not the numbers that it was chosen by."""
    items = tuple((item.article, item.reason, item.propensity, item.team) for item in slate.items)
    return slate.release, slate.policy, slate.fallback, items


class Slates:
    """Answers requests from what is live.

    Args:
        live: What is live; and the way to the log.
        scenarios: Each scenario's release, for previews.
    """

    def __init__(self, live: LiveFolds, *, scenarios: Mapping[str, Release]) -> None:
        self._live, self._scenarios = live, scenarios

    def answer(self, request: SlateRequest) -> Slate:
        """Assign, rank, apply the editorial rules, and put what was shown in the log.

        Raises:
            UnknownName: The site or the placement does not exist.
        """
        site, live = request.site, self._live
        request = live.erased.nameless(request)
        snapshot = live.snapshot(site)
        request = permitted(request, snapshot.site)
        with live.lock:
            handled = handle(request, snapshot, slate_id=minted(request.now))
            new = self._new(site, handled.exposures)
        self._put(request, new, handled.slate)
        return handled.slate

    def standing(self, site: str) -> Standing:
        """Tell what a site's slates rest on, whoever asks: what is live, and the articles as they are."""
        return Standing(self._live.snapshot(site), self._live.state.site(site).shelf.changes)

    def shared(self, request: SlateRequest, *, before: Slate | None = None) -> Slate:
        """Answer for everybody who asks without saying who they are; what was shown is put in the log, marked as shared.

        Nobody can be assigned, so it is in no experiment, and the release is the one of all who are in none.

        Args:
            request: Names no reader and no visit.
            before: What was shown so far: if the same is to be shown still it is returned, and nothing is put in the log.

        Raises:
            UnknownName: The site or the placement does not exist.
        """
        snapshot = self._live.snapshot(request.site)
        with self._live.lock:
            slate = handle(request, snapshot, slate_id=minted(request.now), shared=True).slate
        if before is not None and _shown(before) == _shown(slate):
            return before
        self._put(request, {}, slate)
        return slate

    def evaluate(self, request: SlateRequest, name: str = "", *, expose: bool = False) -> list[Evaluation]:
        """Tell which variant a reader has of an experiment, or of all of a site's; assigned as slates are.

        Args:
            request: Who asks; its placement is put right for each experiment.
            name: The experiment; all when left out.
            expose: Whether the reader meets the variant now: the exposure is then put in the log, once.

        Raises:
            UnknownName: The site or the experiment does not exist.
        """
        snapshot, known = self._live.snapshot(request.site), self._live.operations(request.site).experiments
        request = self._live.erased.nameless(permitted(request, snapshot.site))
        if name and name not in known:
            raise unknown_name("experiment", name[:80], known)
        asked = [known[name]] if name else list(known.values())
        found = [evaluate(one, snapshot, replace(request, placement=one.placement)) for one in asked]
        if expose:
            with self._live.lock:
                new = self._new(request.site, [due for one in found for due in one.exposures])
            if new:
                self._put(request, new)
        return found

    def _new(self, site: str, exposures: Iterable[Exposure]) -> dict[Exposed, Exposure]:
        """Keep the exposures that the log does not know yet; whoever asks holds the lock."""
        new = {fact: one for one in exposures if (fact := exposed(site, one)) not in self._live.exposed}
        self._live.exposed |= new.keys()
        return new

    def _put(self, request: SlateRequest, new: Mapping[Exposed, Exposure], *slates: Slate) -> None:
        site = request.site
        bodies: list[tuple[str, Exposure | Slate]] = [
            (fact_id(site, "exposure", one.experiment, one.unit, one.variant), one) for one in new.values()
        ]
        bodies += [(slate.slate_id, slate) for slate in slates]
        events = [Event(id=id_, site=site, at=request.now, consent=request.consent, body=body) for id_, body in bodies]
        self._live.handover.put(events, lost=(lambda: self._forget(new)) if new else None)

    def _forget(self, exposures: Iterable[Exposed]) -> None:
        """Exposures that never reached the log are told again with the reader's next slate."""
        with self._live.lock:
            for one in exposures:
                self._live.exposed.discard(one)

    def preview(self, request: SlateRequest, scenario: str) -> Sequence[Recommended]:
        """Rank as a scenario would; nothing is put in the log.

        Raises:
            UnknownName: The site, the placement or the scenario does not exist.
        """
        if scenario not in self._scenarios:
            raise unknown_name("scenario", scenario, self._scenarios)
        snapshot = self._live.snapshot(request.site)
        request = permitted(request, snapshot.site)
        placement = placement_of(snapshot, request.placement)
        with self._live.lock:
            return snapshot.rankers[self._scenarios[scenario].release](request, placement)
