"""Live folds: the log, and what is folded from it in memory, always as far as the log, whoever writes it."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from embellie.app.erased_readers import Erased, MarkOf, nobody
from embellie.app.handing_over import Handover
from embellie.app.kept_signals import signals_looked_at, signals_of_log, watched_kinds
from embellie.app.known_exposures import Exposed, KnownExposures
from embellie.app.operations import OPERATOR_KINDS, Operations, SiteOperations
from embellie.app.warm_start import ENOUGH, FOLDED, Start, fold_exposure, fold_log, keep
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

CLOSING_SECONDS = 10.0
"""How long to wait, when closing, for what was shown to be written down."""

FOLLOWED_AT_ONCE = 500
"""How many events of others are folded between two slates: so many take a few milliseconds."""

WAIT_SECONDS = 0.05
FAR_BEHIND = 10 * FOLLOWED_AT_ONCE
"""How long, and for how many events of others, what is written here waits to be folded after them before it is answered."""

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
        self.handover = Handover(self.submit)
        """Takes what nobody waits for: what readers were shown."""
        self._giving, self._settling = threading.Lock(), threading.RLock()
        self._given = self._settled = 0
        self._written: dict[int, tuple[Future[Receipt], Future[Receipt]]] = {}
        self._log = log
        self._operations = Operations(sites, stable=stable)
        self._snapshots: dict[str, Snapshot] = {}
        self._breakers: dict[tuple[str, str, str], Breaker] = {}
        self._following = threading.Lock()
        """Held by whoever folds: events are folded in the log's order, each once."""
        self._lacking: dict[str, list[str]] = {}
        self._followed = 0
        """The number of the last event folded."""
        self._follower: threading.Thread | None = None
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
            # Operators' events that come in between are met again when following: they count once.
            self._followed = start.sequence
            for _, event in self._log.scan(kinds=OPERATOR_KINDS):
                self._operations.apply(event)
            for site in self.sites:
                self._refresh(site)
        return start

    def follow(self) -> None:
        """Pick up from now on, in a thread, what other processes put in the log: a release, a click on another server."""
        self._follower = threading.Thread(target=self._follow, name="embellie-follow", daemon=True)
        self._follower.start()

    def close(self) -> None:
        """Follow no longer; a fold under way is given up, what was handed over is written."""
        self.handover.close(CLOSING_SECONDS)
        self._closing.set()
        refolding = self._refolding
        if refolding is not None:
            refolding.join()

    def submit(
        self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, received_at: datetime | None = None
    ) -> "Future[Receipt]":
        """Put events in the log, and what could not be read aside; what is accepted is live when the future resolves.

        Only where much that others wrote lies before it, as while a log is imported, it is live a moment later. It was
        received now, unless it is told when.

        Raises:
            Busy: The log cannot keep up.
        """
        self.handover.flush()  # what a reader was shown stands in the log before what they do then
        done: Future[Receipt] = Future()
        with self._giving:  # the log keeps the order in which it is given batches
            written = self._log.submit(events, received_at=received_at or self.clock(), rejected=rejected)
            place, self._given = self._given, self._given + 1
        written.add_done_callback(lambda finished: self._settle(place, finished, done))
        return done

    def _settle(self, place: int, finished: "Future[Receipt]", done: "Future[Receipt]") -> None:
        """Fold what is written in the order in which it was given, whichever thread is told of it first."""
        with self._settling:
            self._written[place] = (finished, done)
            while self._settled in self._written:
                one, waiting = self._written.pop(self._settled)
                self._settled += 1
                try:
                    receipt = one.result()
                    self._take_in(receipt)
                except Exception as error:  # noqa: BLE001 -- whatever failed belongs to the one who waits
                    waiting.set_exception(error)
                else:
                    waiting.set_result(receipt)

    def file(self, site: str, body: Body, *, id_: str = "") -> Event:
        """Put an operator's record in the log; it is live when this returns."""
        now = self.clock()
        event = Event(id=id_ or minted(now), site=self.site(site).site, at=now, body=body)
        self.submit([event]).result()
        self.catch_up()
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

    def catch_up(self) -> None:
        """Fold what the log holds by now, whoever wrote it; nothing where it cannot be read."""
        with suppress(EmbellieError), self._following:
            self._catch_up()

    def _take_in(self, receipt: Receipt) -> None:
        """Fold what was written here, after whatever others wrote before it.

        What cannot be folded now is left to whoever follows the log: it is there.
        """
        if not receipt.accepted:
            return
        followed = self._follower is not None
        if followed and receipt.after - self._followed > FAR_BEHIND:
            return
        if not self._following.acquire(timeout=WAIT_SECONDS if followed else -1):
            return
        try:
            self._catch_up(receipt.after)
            if self._followed == receipt.after:
                self._followed = receipt.upto
                self._apply(receipt.accepted)
            else:  # some of it was read from the log already
                self._catch_up(receipt.upto)
        except EmbellieError:  # the log is closing, or busy
            pass
        finally:
            self._following.release()

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
            self.state.apply(event)
            return False
        if isinstance(event.body, Erasure):
            told = self.erased.forget(event, self.state, self.exposed)
            if told is None:
                return False
            event = told
        self.state.apply(event)
        fold_exposure(self.exposed, event)
        return self._operations.apply(event)

    def _refresh(self, site: str) -> None:
        own = self._operations.of(site)
        if not set(signals_looked_at(self.sites, own.releases.values())) <= set(self.state.signals):
            self._fold_again()
        policies = {name: self._policy(site, release) for name, release in own.releases.items()}
        self._lacking[site] = [
            name for name, one in own.releases.items() if one.model and getattr(policies[name], "missing", "")
        ]
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

    def without_model(self, site: str) -> list[str]:
        """List the releases of a site that are served without the model they name; one that can be loaded by now is taken up."""
        lacking = self._lacking.get(site, [])
        releases = self.operations(site).releases if lacking else {}
        # Loaded before readers are kept waiting: the model is then at hand.
        if any(not getattr(self._policy(site, releases[name]), "missing", "") for name in lacking):
            with self.lock:
                self._refresh(site)
        return self._lacking.get(site, [])

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
        state = State(signals=signals_looked_at(self.sites, releases))
        try:

            def fold(after: int, upto: int | None = None) -> int:
                for sequence, event in self._log.scan(after=after):
                    if self._closing.is_set() or (upto is not None and sequence > upto):
                        break
                    if event.site in self.sites:
                        state.apply(event)
                    after = sequence
                return after

            last = fold(0)
            with self._following:  # what came since is little: the running state and the new one end on the same event
                self._catch_up()
                fold(last, self._followed)
                if self._closing.is_set():
                    return
                with self.lock:
                    if len(self.erased) > erased:
                        self.erased.purge(state)  # their events may have been read before they were removed
                    self.state, self._refolding = state, None
                    for site in self.sites:
                        self._refresh(site)
        except EmbellieError:  # the log is closing, or busy: the next change tries again
            self._refolding = None

    def _follow(self) -> None:
        while not self._closing.wait(FOLLOW_SECONDS):
            more = True
            with suppress(EmbellieError):  # the log is closing, or busy: next time
                while more and not self._closing.is_set():
                    with self._following:  # let go of between pages: what is written here is not to wait for long
                        more = self._read_on(None)

    def _catch_up(self, upto: int | None = None) -> None:
        """Fold what is after the last event folded, up to a number or to the end; with `_following` held."""
        while not self._closing.is_set() and self._read_on(upto):
            pass

    def _read_on(self, upto: int | None) -> bool:
        """Fold the next page; tell whether there is more."""
        kinds = (*FOLDED, *OPERATOR_KINDS, *watched_kinds(self.state.signals))
        # All is read before any is folded: a failure leaves nothing half done, and no slate waits for the disk.
        events, reached = self._log.following(after=self._followed, upto=upto, limit=FOLLOWED_AT_ONCE, kinds=kinds)
        self._followed = max(self._followed, reached)
        self._apply(events)
        return len(events) == FOLLOWED_AT_ONCE


def _failing(error: EmbellieError) -> Ranker:
    """Answer for a release that this version cannot build: the log holds it all the same, and others stand in for it."""

    def rank(*_: object) -> NoReturn:
        raise error.with_traceback(None)  # else each request would add to it

    return rank


def minted(now: datetime) -> str:
    """Mint an id for an event, or for a slate."""
    try:
        return new_id(now, _ENTROPY.pop())
    except IndexError:
        drawn = os.urandom(10 * 256)  # many at once: the system call is what takes time
        _ENTROPY.extend(drawn[at : at + 10] for at in range(0, len(drawn), 10))
        return new_id(now, _ENTROPY.pop())


_ENTROPY: list[bytes] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ENTROPY.clear)


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
