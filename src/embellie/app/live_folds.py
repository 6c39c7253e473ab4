"""Live folds: the log, and what is folded from it in memory, always as far as the log, whoever writes it."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from embellie.app.erased_readers import Erased, MarkOf, nobody
from embellie.app.kept_signals import signals_looked_at, signals_of_log
from embellie.app.known_exposures import Exposed, KnownExposures
from embellie.app.operations import OPERATOR_KINDS, Operations, SiteOperations
from embellie.app.warm_start import ENOUGH, Start, fold_exposure, fold_log, keep
from embellie.domain.errors import EmbellieError, InputError, unknown_name
from embellie.domain.event import Body, Event, new_id
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Erasure, Impression, Read
from embellie.domain.release import Release
from embellie.domain.site import Placement, Site
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import Clock, EventLog, Policy, Receipt, Rejected
from embellie.recommend.built_in import build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.features import with_features
from embellie.recommend.state import State
from embellie.serve.breaking import Breaker
from embellie.serve.handling import Ranker, Snapshot

FOLLOW_SECONDS = 0.2

FOLLOWED_AT_ONCE = 500
"""How many events of others are folded between two slates: so many take a few milliseconds."""

REFOLDED = 20_000
"""The latest events of a log folded again that are remembered: more than are ever written and not yet told."""

OF_READERS = (Read, Impression, Click)
"""Nearly all events: they change what policies see, and nothing else here."""


class LiveFolds:
    """What policies see, what operators did, and what is live on each site; and the one way to write to the log.

    Replay, what is submitted here, and what another process writes go through the same code. Thread-safe.

    The state keeps the signals that the releases' policies look at. A release that needs another one makes the log be folded
    again beside the running state; until that is done its policy cannot answer, and what stands in for it does.

    Args:
        log: The log.
        sites: The sites; what the log holds of others is left alone.
        stable: The release that answers on every placement until a rollout completes.
        clock: Tells the time.
        scenarios: The releases that the configuration is about to declare: the state keeps what they look at from the start.
        mark_of: Tells a reader's mark, by which the log says who was erased.
    """

    def __init__(
        self,
        log: EventLog,
        sites: Mapping[str, Site],
        *,
        stable: str,
        clock: Clock,
        scenarios: Iterable[Release] = (),
        mark_of: MarkOf = nobody,
    ) -> None:
        self.erased = Erased(mark_of)
        """Who was erased: their events are refused, and nothing of them is kept here."""
        self.sites, self.clock, self._scenarios = sites, clock, tuple(scenarios)
        self.lock = threading.RLock()
        """Held by whoever reads the state or the exposed: they stand still meanwhile."""
        self.state = State()
        self.exposed = KnownExposures()
        self._giving, self._settling = threading.Lock(), threading.RLock()
        self._given = self._settled = 0
        self._written: dict[int, tuple[Future[Receipt], Future[Receipt]]] = {}
        self._log = log
        self._operations = Operations(sites, stable=stable)
        self._snapshots: dict[str, Snapshot] = {}
        self._breakers: dict[tuple[str, str, str], Breaker] = {}
        self._followed = 0
        self._refolded: frozenset[str] = frozenset()
        self._refolding: threading.Thread | None = None
        self._closing = threading.Event()

    def replay(self, file: Path | None = None) -> Start:
        """Fold the whole log, from where a state file ends where there is one that serves; tell how it went.

        What operators did is little, and never in the file: it is read from the log, whatever the configuration was then.
        After a long fold from the beginning the file is written at once: nobody waits for a slate yet, and whoever is
        started next need not fold it all again.
        """
        with self.lock:
            signals = signals_of_log(self._log, self.sites, self._scenarios)
            self.state, self.exposed, start = fold_log(
                self._log, sites=self.sites, signals=signals, file=file, erased=self.erased
            )
            if file is not None and not start.taken and start.folded >= ENOUGH:
                with suppress(InputError):  # no room: whoever keeps the file says so
                    keep(
                        file,
                        self._log,
                        state=self.state,
                        exposed=self.exposed,
                        sequence=start.sequence,
                        sites=self.sites,
                    )
            # Operators' events that came in between are met again when following: they count once.
            self._followed = start.sequence
            for _, event in self._log.scan(kinds=OPERATOR_KINDS):
                self._operations.apply(event)
            for site in self.sites:
                self._refresh(site)
        return start

    def follow(self) -> None:
        """Pick up from now on, in a thread, what other processes put in the log: a release, a click on another server."""
        threading.Thread(target=self._follow, name="embellie-follow", daemon=True).start()

    def close(self) -> None:
        """Follow no longer; a fold under way is given up."""
        self._closing.set()
        refolding = self._refolding
        if refolding is not None:
            refolding.join()

    def submit(
        self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, received_at: datetime | None = None
    ) -> "Future[Receipt]":
        """Put events in the log, and what could not be read aside; what is accepted is live when the future resolves.

        They were received now, unless it is told when.

        Raises:
            Busy: The log cannot keep up.
        """
        done: Future[Receipt] = Future()
        with self._giving:  # the log keeps the order in which it is given batches
            written = self._log.submit(events, received_at=received_at or self.clock(), rejected=rejected)
            place, self._given = self._given, self._given + 1
        written.add_done_callback(lambda finished: self._settle(place, finished, done))
        return done

    def _settle(self, place: int, finished: "Future[Receipt]", done: "Future[Receipt]") -> None:
        """Fold what is written in the order of the log, whichever thread is told of it first."""
        with self._settling:
            self._written[place] = (finished, done)
            while self._settled in self._written:
                one, waiting = self._written.pop(self._settled)
                self._settled += 1
                try:
                    receipt = one.result()
                    self._apply(receipt.accepted)
                except Exception as error:  # noqa: BLE001 -- whatever failed belongs to the one who waits
                    waiting.set_exception(error)
                else:
                    waiting.set_result(receipt)

    def file(self, site: str, body: Body, *, id_: str = "") -> Event:
        """Put an operator's record in the log; it is live when this returns."""
        now = self.clock()
        event = Event(id=id_ or minted(now), site=self.site(site).site, at=now, body=body)
        self.submit([event]).result()
        return event

    def site(self, name: str) -> Site:
        """Find a site.

        Raises:
            UnknownName: With the sites that exist.
        """
        try:
            return self.sites[name]
        except KeyError:
            raise unknown_name("site", name, self.sites) from None

    def snapshot(self, site: str) -> Snapshot:
        """Tell what is live on a site."""
        return self._snapshots[self.site(site).site]

    def operations(self, site: str) -> SiteOperations:
        """Tell what operators and editors did on a site, as it stands now: a copy."""
        self.site(site)
        with self.lock:
            return self._operations.of(site).copy()

    def _apply(self, events: Iterable[Event]) -> None:
        with self.lock:
            changed = {event.site for event in events if self._fold(event)}
            for site in changed:
                self._refresh(site)

    def _fold(self, event: Event) -> bool:
        """Take one event into account; tell whether it changed what operators did."""
        if event.site not in self.sites:
            return False
        if isinstance(event.body, OF_READERS):
            if event.id not in self._refolded:
                self.state.apply(event)
            return False
        if isinstance(event.body, Erasure):
            told = self.erased.forget(event, self.state, self.exposed)
            if told is None:
                return False
            event = told
        if event.id not in self._refolded:
            self.state.apply(event)
        fold_exposure(self.exposed, event)
        return self._operations.apply(event)

    def _refresh(self, site: str) -> None:
        own = self._operations.of(site)
        if not set(signals_looked_at(self.sites, own.releases.values())) <= set(self.state.signals):
            self._fold_again()
        policies = {name: self._policy(site, release) for name, release in own.releases.items()}
        # Where one policy learns from slates, those of all others are noted for it too.
        noted = any(getattr(policy, "logs_features", False) for policy in policies.values())
        rankers = {name: self._ranker(site, own, name, policy, noted=noted) for name, policy in policies.items()}
        stand_ins = {
            name: self._ranker(site, own, name, policy, noted=noted) for name, policy in self._stand_ins(site).items()
        }
        self._snapshots[site] = self._operations.snapshot(site, rankers, stand_ins=stand_ins)

    def _stand_ins(self, site: str) -> dict[str, Policy[State]]:
        """List what answers where neither a release nor the stable one can: what every newspaper has."""
        found = {"popular": build_policy("popular"), "latest": build_policy("latest")}
        if listed := self.sites[site].editors_list:
            found["editors"] = build_policy("status_quo", {"list": "editors"}, editors_list=listed)
        return found

    def _policy(self, site: str, release: Release) -> Policy[State] | EmbellieError:
        try:
            return build_policy(release.policy, release.settings, editors_list=self.sites[site].editors_list)
        except EmbellieError as error:
            return error

    def _ranker(
        self, site: str, own: SiteOperations, name: str, policy: Policy[State] | EmbellieError, *, noted: bool
    ) -> Ranker:
        if isinstance(policy, EmbellieError):
            return _failing(policy)
        state, rules = self.state, tuple(own.rules.values())

        def rank(request: SlateRequest, placement: Placement) -> Sequence[Recommended]:
            slate = apply_rules(policy(request, state), request=request, state=state, rules=rules, placement=placement)
            return with_features(slate, request, state.site(request.site)) if noted else slate

        def patiently(request: SlateRequest, placement: Placement) -> Sequence[Recommended]:
            breaker = self._breaker(site, name, placement)
            return breaker.call(lambda: rank(request, placement))

        return patiently

    def _breaker(self, site: str, name: str, placement: Placement) -> Breaker:
        """Return what remembers how a release has done on a placement; it lasts as long as the process."""
        key = (site, placement.placement, name)
        found = self._breakers.get(key)
        if found is None:
            found = self._breakers[key] = Breaker(budget=placement.budget_ms / 1000.0, timer=time.perf_counter)
        return found

    def resting(self, site: str) -> list[tuple[str, str]]:
        """List the releases of a site that rest now, as (placement, release): they failed, or were too slow, time and again."""
        return [
            (placement, name)
            for (where, placement, name), breaker in list(self._breakers.items())
            if where == site and breaker.rests()
        ]

    def _fold_again(self) -> None:
        """Fold the log into a state that keeps what is looked at now, in a thread; one at a time."""
        if self._refolding is None:
            self._refolding = threading.Thread(target=self._refold, name="embellie-refold", daemon=True)
            self._refolding.start()

    def _refold(self) -> None:
        with self.lock:
            releases = [one for site in self.sites for one in self._operations.of(site).releases.values()]
            erased = len(self.erased)
        state, last = State(signals=signals_looked_at(self.sites, releases)), 0
        try:
            recent: deque[str] = deque(maxlen=REFOLDED)

            def fold(after: int) -> int:
                for sequence, event in self._log.scan(after=after):
                    if self._closing.is_set():
                        break
                    if event.site in self.sites:
                        state.apply(event)
                        recent.append(event.id)
                    after = sequence
                return after

            last = fold(0)
            with self.lock:  # no slate is made meanwhile: what came since is little
                fold(last)
                if self._closing.is_set():
                    return
                if len(self.erased) > erased:
                    self.erased.purge(state)  # their events may have been read before they were removed
                # What is written but not yet told to us is in the state already: it is not to be counted twice.
                self.state, self._refolded, self._refolding = state, frozenset(recent), None
                for site in self.sites:
                    self._refresh(site)
        except EmbellieError:  # the log is closing, or busy: the next change tries again
            self._refolding = None

    def _follow(self) -> None:
        while not self._closing.wait(FOLLOW_SECONDS):
            with suppress(EmbellieError):  # the log is closing, or busy: next time
                self._catch_up()

    def _catch_up(self) -> None:
        """Fold what others wrote since; what went through here is folded already."""
        more = True
        while more and not self._closing.is_set():
            # All is read before any is folded: a failure leaves nothing half done, and no slate waits for the disk.
            events, upto = self._log.from_elsewhere(after=self._followed, limit=FOLLOWED_AT_ONCE)
            self._apply(events)
            self._followed = upto
            more = len(events) == FOLLOWED_AT_ONCE


def _failing(error: EmbellieError) -> Ranker:
    """Answer for a release that this version cannot build: the log holds it all the same, and others stand in for it."""

    def rank(*_: object) -> NoReturn:
        raise error.with_traceback(None)  # else each request would add to it

    return rank


def minted(now: datetime) -> str:
    """Mint an id for an event, or for a slate."""
    return new_id(now, os.urandom(10))


def exposed(site: str, exposure: Exposure) -> Exposed:
    """Tell which fact an exposure is."""
    return site, exposure.experiment, exposure.unit, exposure.variant


def after(written: "Future[Receipt]", then: Callable[[Receipt], Receipt]) -> "Future[Receipt]":
    """Do something with a receipt once it is there, before anyone who waits gets it."""
    done: Future[Receipt] = Future()

    def settle(finished: "Future[Receipt]") -> None:
        try:
            done.set_result(then(finished.result()))
        except Exception as error:  # noqa: BLE001 -- whatever failed belongs to the one who waits
            done.set_exception(error)

    written.add_done_callback(settle)
    return done
