"""Serving: a request is answered with what is live, and what was shown is put in the log."""

from collections.abc import Iterable, Mapping, Sequence

from embellie.app.live_folds import Exposed, LiveFolds, exposed, minted
from embellie.domain.errors import EmbellieError, unknown_name
from embellie.domain.event import Event, fact_id
from embellie.domain.experiment import Exposure
from embellie.domain.release import Release
from embellie.domain.slate import Recommended, Slate, SlateRequest
from embellie.serve.handling import handle, placement_of


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
            Busy: The log cannot keep up.
        """
        site, live = request.site, self._live
        request = live.erased.nameless(request)
        snapshot = live.snapshot(site)
        with live.lock:
            handled = handle(request, snapshot, slate_id=minted(request.now))
            new = {fact: one for one in handled.exposures if (fact := exposed(site, one)) not in live.exposed}
            live.exposed.update(new)
        bodies: list[tuple[str, Exposure | Slate]] = [
            (fact_id(site, "exposure", one.experiment, one.unit, one.variant), one) for one in new.values()
        ]
        bodies.append((handled.slate.slate_id, handled.slate))
        try:
            written = live.submit(
                [Event(id=id_, site=site, at=request.now, consent=request.consent, body=body) for id_, body in bodies]
            )
        except EmbellieError:
            self._forget(new)
            raise
        if new:
            written.add_done_callback(lambda done: self._forget(new) if done.exception() else None)
        return handled.slate

    def _forget(self, exposures: Iterable[Exposed]) -> None:
        """Exposures that never reached the log are told again with the reader's next slate."""
        with self._live.lock:
            self._live.exposed.difference_update(exposures)

    def preview(self, request: SlateRequest, scenario: str) -> Sequence[Recommended]:
        """Rank as a scenario would; nothing is put in the log.

        Raises:
            UnknownName: The site, the placement or the scenario does not exist.
        """
        if scenario not in self._scenarios:
            raise unknown_name("scenario", scenario, self._scenarios)
        snapshot = self._live.snapshot(request.site)
        placement = placement_of(snapshot, request.placement)
        with self._live.lock:
            return snapshot.rankers[self._scenarios[scenario].release](request, placement)
