"""Newsroom: one installation, running. The only object that turns the whole loop."""

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from embellie import __version__
from embellie.app.config import Config, metrics_of, read_config, sites_of
from embellie.app.intake import on_server_clock
from embellie.app.observing import Filed, Observatory, Placed
from embellie.app.operations import OPERATOR_KINDS, Operations, comparisons, put_before_readers
from embellie.app.programme import programme_from_log
from embellie.domain.article import Article
from embellie.domain.errors import Conflict, EmbellieError, EventError, QuestionError, unknown_name
from embellie.domain.event import PUBLIC_KINDS, Body, Event, fact_id, new_id
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.question import Question, QuestionFiled
from embellie.domain.release import Release, Setting, release_id
from embellie.domain.rollout import Rollout
from embellie.domain.rule import Rule
from embellie.domain.scorecard import Scorecard
from embellie.domain.site import Placement, Site
from embellie.domain.slate import Consent, Recommended, Slate, SlateRequest
from embellie.domain.verdict import Verdict
from embellie.frame.question_file import parse_question, read_question
from embellie.measure.visit_rows import visits_view
from embellie.ports import AggregateReader, Clock, LedgerRow, Policy, Receipt, Rejected
from embellie.recommend.editorial import apply_rules
from embellie.recommend.features import with_features
from embellie.recommend.policies import build_policy
from embellie.recommend.signals import signals_of
from embellie.recommend.state import ANY_LANGUAGE, State
from embellie.release import changing
from embellie.serve.handling import Ranker, Snapshot, handle, placement_of
from embellie.stats.shrinkage import FEWEST, Prior
from embellie.store.analysis import Analysis
from embellie.store.engine_choice import EngineOnUse
from embellie.store.lake import FOLDER as LAKE_FOLDER
from embellie.store.log import FILE as LOG_FILE
from embellie.store.log import Quarantined, SqliteLog
from embellie.store.wire import event_from_wire

FOLLOWED = (*OPERATOR_KINDS, "article")
"""The kinds another process may write, which the running server picks up."""

FOLLOW_SECONDS = 0.2

ANALYSIS_MEMORY = "1536MiB"
"""What scorecards may hold in memory; the rest waits on disk, in the data folder."""


def utc_now() -> datetime:
    """Tell the time, UTC."""
    return datetime.now(UTC)


class Newsroom:
    """One installation: its log, what is folded from it, and the verbs of the loop.

    Everything in memory is a fold over the log: opening a folder replays it, and what is recorded while running is
    applied by the same code. Thread-safe.
    """

    def __init__(
        self, folder: Path, config: Config, log: SqliteLog, *, clock: Clock, simulated: bool, threads: int = 1
    ) -> None:
        self.folder, self.config, self.log = folder, config, log
        self.clock, self.simulated = clock, simulated
        self.sites: Mapping[str, Site] = sites_of(config)
        lake = log.path.parent / LAKE_FOLDER
        views = (visits_view(config.read_seconds),)
        self._spill = log.path.parent / f".spill-{os.getpid()}"
        self.analysis = Analysis(
            log, lake=lake, views=views, threads=threads, memory=ANALYSIS_MEMORY, spill=self._spill
        )
        self.scored: AggregateReader = self.analysis
        """What scorecards are computed from: the engine that the configuration names, or the log here."""
        if config.analysis.engine:
            spark = config.analysis.engine.startswith("sc://")
            self.scored = EngineOnUse(
                config.analysis.engine,
                lake=config.analysis.lake or (str(lake.resolve()) if spark else ""),
                views=views,
            )
        self._lock = threading.RLock()
        self._state = State(signals=signals_of(build_policy(s.policy, s.settings) for s in config.scenarios.values()))
        self._operations = Operations(self.sites, stable=self._scenario_release(next(iter(config.scenarios))).release)
        self._snapshots: dict[str, Snapshot] = {}
        self._exposed: set[tuple[str, str, str, str]] = set()
        self._followed = 0
        self._closing = threading.Event()
        self._observatory = Observatory(
            self.scored,
            metrics=metrics_of(config),
            read_seconds=config.read_seconds,
            clock=self.clock,
            priors=self.priors,
        )
        self._priors: tuple[int, dict[str, Prior]] = (0, {})

    @classmethod
    def open(cls, folder: Path, *, clock: Clock = utc_now, simulated: bool = False, threads: int = 1) -> "Newsroom":
        """Open a project's folder and replay its log.

        Args:
            folder: Holds `embellie.toml`.
            clock: Tells the time.
            simulated: Whether its readers are invented.
            threads: How many may compute scorecards: one where readers wait for slates meanwhile; 0 for all there are.

        Raises:
            ConfigError: `embellie.toml` is absent or wrong.
        """
        config = read_config(folder)
        data = folder / config.data
        data.mkdir(parents=True, exist_ok=True)
        newsroom = cls(folder, config, SqliteLog(data / LOG_FILE), clock=clock, simulated=simulated, threads=threads)
        newsroom._replay()
        newsroom._file_question()  # before any experiment begins: what was believed then is a forecast
        newsroom._declare()
        threading.Thread(target=newsroom._follow, name="embellie-follow", daemon=True).start()
        return newsroom

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def data(self) -> Path:
        """The folder of the log, the keys and what the jobs remember."""
        return self.folder / self.config.data

    def close(self) -> None:
        """Finish what is queued and let go of the log."""
        self._closing.set()
        self.log.close()
        self.analysis.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    # serve

    def slate(self, request: SlateRequest) -> Slate:
        """Answer a request: assign, rank, apply the editorial rules, and put what was shown in the log.

        Raises:
            UnknownName: The site or the placement does not exist.
            Busy: The log cannot keep up.
        """
        snapshot = self._snapshot(request.site)
        with self._lock:
            handled = handle(request, snapshot, slate_id=new_id(request.now, os.urandom(10)))
        slate = handled.slate
        events = [self._event(request.site, slate, now=request.now, consent=request.consent, id_=slate.slate_id)]
        for exposure in handled.exposures:
            fact = (request.site, exposure.experiment, exposure.unit, exposure.variant)
            if fact not in self._exposed:
                id_ = fact_id(request.site, "exposure", *fact[1:])
                events.insert(0, self._event(request.site, exposure, now=request.now, consent=request.consent, id_=id_))
                self._exposed.add(fact)
        self._submit(events)
        return slate

    def preview(self, request: SlateRequest, scenario: str) -> Sequence[Recommended]:
        """Rank as a scenario would for a request; nothing is put in the log.

        Raises:
            UnknownName: The site, the placement or the scenario does not exist.
        """
        if scenario not in self.config.scenarios:
            raise unknown_name("scenario", scenario, self.config.scenarios)
        snapshot = self._snapshot(request.site)
        with self._lock:
            return snapshot.rankers[self._scenario_release(scenario).release](
                request, placement_of(snapshot, request.placement)
            )

    def receive(
        self, raw: Sequence[object], *, site: str, public: bool, sent_at: datetime | None = None
    ) -> "Future[Receipt]":
        """Take in a batch of raw events of one site; a bad one is quarantined alone, the others are kept.

        Args:
            raw: Decoded JSON values, one per event.
            site: The site the caller's key belongs to.
            public: Whether the caller holds only the public key.
            sent_at: When the batch left, by the sender's clock; each `at` is then put on the server's.
        """
        self.site(site)
        now = self.clock()
        events: list[Event] = []
        rejected: list[Rejected] = []
        for index, one in enumerate(raw):
            try:
                event = _admit(event_from_wire(one, at=f"$.events[{index}]"), site, index, public=public)
                if sent_at is not None:
                    event = on_server_clock(event, sent_at=sent_at, received_at=now)
                events.append(_in_simulated_time(event, now) if self.simulated else event)
            except EventError as error:
                payload = json.dumps(one, ensure_ascii=False, default=str)
                reason = f"{error.message} {error.hint}".strip()
                rejected.append(Rejected(index=index, payload=payload, reason=reason, at=error.at, site=site))
        return self._submit(events, rejected)

    def publish(self, site: str, articles: Sequence[Article]) -> "Future[Receipt]":
        """Put articles that are new or changed in the log; those already so are counted as duplicates."""
        self.site(site)
        now = self.clock()
        changed = [one for one in articles if self.article(site, one.article) != one]
        unchanged = len(articles) - len(changed)
        events = [self._event(site, one, now=now, consent="none") for one in changed]
        return _after(self._submit(events), lambda receipt: replace(receipt, duplicates=receipt.duplicates + unchanged))

    def file(self, site: str, body: Body, *, by: str = "") -> Event:
        """Put an operator's record in the log; it is live when this returns."""
        self.site(site)
        if isinstance(body, Rule) and by:
            body = replace(body, by=by)
        event = self._event(site, body, now=self.clock(), consent="none")
        self._submit([event]).result()
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

    def article(self, site: str, article: str) -> Article | None:
        """Find an article as last published."""
        self.site(site)
        with self._lock:
            return self._state.article(site, article)

    def articles(self, site: str) -> Sequence[Article]:
        """List what readers may be shown now, newest first."""
        self.site(site)
        with self._lock:
            return self._state.articles(site, self.clock())

    # measure

    def experiments(self, site: str) -> Sequence[Experiment]:
        """List the experiments, running ones first."""
        self.site(site)
        with self._lock:
            found = list(self._operations.of(site).experiments.values())
        return sorted(found, key=lambda one: (one.state != "running", one.holdout))

    def experiment(self, name: str, *, site: str = "") -> Experiment:
        """Find an experiment, or the comparison a step of a rollout is, as an experiment.

        Raises:
            UnknownName: With the experiments that exist.
        """
        return self.placed(name, site=site)[1]

    def placed(self, name: str, *, site: str = "") -> Placed:
        """Find an experiment with the site it runs on; the first site that has one of that name, when none is given.

        Raises:
            UnknownName: With the sites or the experiments that exist.
        """
        sites = [self.site(site).site] if site else list(self.sites)
        known: dict[str, Placed] = {}
        with self._lock:
            for one in sites:
                own = {**self._operations.of(one).experiments, **comparisons(self._operations.of(one).history)}
                known = {label: (one, test) for label, test in own.items()} | known
        try:
            return known[name]
        except KeyError:
            raise unknown_name("experiment", name, known) from None

    def scorecard(self, experiment: str, *, site: str = "") -> Scorecard:
        """Score an experiment from the log, as it stands (at most a few seconds old)."""
        where, test = self.placed(experiment, site=site)
        return self._observatory.scorecard(test, site=where)

    def scorecard_history(self, experiment: str, *, site: str = "") -> Sequence[tuple[datetime, Scorecard]]:
        """Score an experiment at moments since its start, oldest first."""
        where, test = self.placed(experiment, site=site)
        return self._observatory.scorecard_history(test, now=self.clock(), site=where)

    def priors(self) -> Mapping[str, Prior]:
        """What stopped experiments teach of the primary metrics' relative effects; nothing before there are enough of them."""
        stopped = {
            site: [one for one in self.experiments(site) if one.state == "stopped" and not one.holdout]
            for site in self.sites
        }
        count = sum(map(len, stopped.values()))
        if count >= FEWEST and count != self._priors[0]:
            learnt: dict[str, Prior] = {}
            for metric in metrics_of(self.config):
                if metric.role == "primary":
                    found = programme_from_log(
                        self.scored, stopped, metric, read_seconds=self.config.read_seconds
                    ).prior
                    if isinstance(found, Prior):
                        learnt[metric.metric] = found
            self._priors = (count, learnt)
        return self._priors[1]

    # decide

    def question(self) -> Question:
        """Read the question as it is written now; what is released already need not be built any more.

        A text that the log does not know yet is put in it: who believed what, and when, is to be found there.

        Raises:
            QuestionError: With file, line and what to write.
        """
        question = read_question(self.folder / self.config.question)
        self._file_question()
        return self._as_built(question)

    def question_history(self) -> list[tuple[datetime, QuestionFiled]]:
        """List the question as it was written over time, oldest first."""
        with self._lock:
            found = [one for site in self.sites for one in self._operations.of(site).questions]
        return sorted(found, key=lambda one: one[0])

    def evidence(self) -> Sequence[Evidence]:
        """List what studies have found: filed in the log, and from the running experiments."""
        return self._observatory.evidence(
            self.question(), self._all_experiments(), filed=self._filed(), now=self.clock()
        )

    def verdict(self) -> Verdict:
        """Judge the question with all the evidence (at most a few seconds old)."""
        return self._observatory.verdict(
            self.question(), self._all_experiments(), filed=self._filed(), now=self.clock()
        )

    def verdict_history(self) -> Sequence[tuple[datetime, Verdict]]:
        """Judge the question with the evidence as it stood at moments since the start, oldest first."""
        return self._observatory.verdict_history(
            self.question(), self._all_experiments(), filed=self._filed(), now=self.clock()
        )

    def _as_built(self, question: Question) -> Question:
        """Mark the scenarios whose policy a rollout has put before readers: what building them cost is spent."""
        with self._lock:
            live = [one for site in self.sites for one in put_before_readers(self._operations.of(site))]
        policies = [(one.policy, dict(one.settings)) for one in live]
        built = {
            name
            for name in question.scenarios
            if (own := self.config.scenarios.get(name)) and (own.policy, dict(own.settings)) in policies
        }
        for name in tuple(built):
            while name := question.scenarios[name].needs:
                built.add(name)
        scenarios = {
            name: replace(scenario, built=True) if name in built else scenario
            for name, scenario in question.scenarios.items()
        }
        return replace(question, scenarios=scenarios) if built else question

    def _file_question(self) -> None:
        """Put the question in the log when its text is new; one that cannot be read is no belief of anybody's."""
        file = self.folder / self.config.question
        with contextlib.suppress(OSError, UnicodeDecodeError, EmbellieError):
            text, known = file.read_text(encoding="utf-8"), self.question_history()
            if (known and known[-1][1].text == text) or not self.sites:
                return
            filed = QuestionFiled(question=parse_question(text, file=file.name).question, text=text)
            site = next(iter(self.sites))
            id_ = fact_id(site, "question", str(len(known)), text)
            self._submit([self._event(site, filed, now=self.clock(), consent="none", id_=id_)]).result()

    def _all_experiments(self) -> list[Placed]:
        return [(site, one) for site in self.sites for one in self.experiments(site)]

    def _filed(self) -> list[Filed]:
        with self._lock:
            return [(site, one) for site in self.sites for one in self._operations.of(site).evidence]

    # release

    def releases(self, site: str) -> Sequence[Release]:
        """List what was built."""
        self.site(site)
        with self._lock:
            return list(self._operations.of(site).releases.values())

    def rollouts(self, site: str) -> Sequence[Rollout]:
        """List the rollouts as they stand, open ones first."""
        self.site(site)
        with self._lock:
            found = list(self._operations.of(site).rollouts.values())
        return sorted(found, key=lambda one: one.state not in ("running", "held"))

    def rollout_history(self, site: str) -> Sequence[Event]:
        """List every release, rollout and experiment event, oldest first."""
        self.site(site)
        with self._lock:
            return list(self._operations.of(site).history)

    def stable(self, site: str) -> Mapping[str, str]:
        """Tell each placement's stable release."""
        return self._snapshot(site).stable

    def rules(self, site: str) -> Sequence[Rule]:
        """List the editorial rules that hold now, on any placement."""
        self.site(site)
        now = self.clock()
        with self._lock:
            found = list(self._operations.of(site).rules.values())
        return [rule for rule in found if rule.holds(rule.placement, now)]

    def build(
        self, site: str, policy: str, settings: Mapping[str, Setting], *, by: str = "", note: str = ""
    ) -> Release:
        """Build a release: a policy with its settings, named by its content; what is built already stays as it is.

        Raises:
            UnknownName: The policy, or one of the settings, does not exist.
            InputError: A setting's value is wrong.
        """
        release = self._release(policy, settings, note=note)
        self.site(site)
        built = self._operations.of(site).releases.get(release.release)
        if built is not None:
            return built
        self.file(site, release, by=by)
        return release

    def start(self, site: str, placement: str, release: str, *, steps: Sequence[float] = (), by: str = "") -> Rollout:
        """Start rolling a release out on a placement; an experiment running there ends, its evidence is filed.

        Raises:
            UnknownName: The placement or the release does not exist.
            Conflict: A rollout is open on the placement, or the release is live there already.
        """
        own, snapshot = self._operations.of(site), self._snapshot(site)
        if placement not in snapshot.stable:
            raise unknown_name("placement", placement, snapshot.stable)
        if release not in own.releases:
            raise unknown_name("release", release, own.releases)
        if placement in snapshot.rollouts:
            open_one = snapshot.rollouts[placement].rollout
            raise Conflict(f"Rollout `{open_one}` is open on `{placement}`.", hint="Complete it or roll it back first.")
        name = f"{placement}-{sum(one.placement == placement for one in own.rollouts.values()) + 1}"
        rollout = changing.start(
            name,
            placement=placement,
            stable=snapshot.stable[placement],
            canary=release,
            steps=steps or self.config.rollout.steps,
            by=by,
            now=self.clock(),
        )
        running = snapshot.experiments.get(placement)
        if running is not None:
            self.stop(site, running.experiment, reason=f"Rollout {name} started.")
        self.file(site, rollout, by=by)
        return rollout

    def stop(self, site: str, experiment: str, *, reason: str) -> Experiment:
        """Stop an experiment; what it found is filed as evidence.

        With a question that cannot be read it stops all the same: its evidence is then computed from the log.
        """
        running = self.experiment(experiment, site=site)
        with contextlib.suppress(QuestionError):
            for found in self._observatory.found(self.question(), running, now=self.clock(), site=site):
                self.file(site, found)
        stopped = replace(running, state="stopped", reason=reason, stopped_at=self.clock())
        self.file(site, stopped)
        return stopped

    def advance(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Go one step further."""
        return self._change(site, rollout, lambda one: changing.advance(one, by=by, now=self.clock(), reason=reason))

    def hold(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Stay at the present step."""
        return self._change(site, rollout, lambda one: changing.hold(one, by=by, now=self.clock(), reason=reason))

    def complete(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Give the canary to everyone."""
        return self._change(site, rollout, lambda one: changing.complete(one, by=by, now=self.clock(), reason=reason))

    def rollback(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Give everyone the stable release again, at once."""
        return self._change(site, rollout, lambda one: changing.rollback(one, by=by, now=self.clock(), reason=reason))

    def _change(self, site: str, name: str, verb: Callable[[Rollout], Rollout]) -> Rollout:
        self.site(site)
        rollouts = self._operations.of(site).rollouts
        if name not in rollouts:
            raise unknown_name("rollout", name, rollouts)
        changed = verb(rollouts[name])
        if changed != rollouts[name]:
            self.file(site, changed, by=changed.by)
        return changed

    # operate

    def ledger(self) -> Sequence[LedgerRow]:
        """Read the conservation ledger."""
        return self.log.ledger()

    def counts(self, site: str) -> Mapping[str, int]:
        """Count the site's events by kind."""
        rows = self.analysis.rows(
            "SELECT kind, count(*) AS events FROM events WHERE site = $site GROUP BY kind ORDER BY kind", {"site": site}
        )
        return {row["kind"]: row["events"] for row in rows}

    def traffic(self, site: str, *, buckets: int = 60) -> list[dict[str, Any]]:
        """Count events by kind in equal stretches of time, oldest first: rows of `at`, `kind`, `count`."""
        return self.analysis.rows(
            """
            WITH own AS (SELECT "at", kind FROM events WHERE site = $site AND kind IN
                         ('served', 'impression', 'click', 'read', 'conversion')),
                 span AS (SELECT min("at") AS first, greatest(epoch(max("at")) - epoch(min("at")), 1) AS seconds FROM own),
                 placed AS (SELECT kind, least(floor((epoch("at") - epoch(first)) / seconds * $buckets), $buckets - 1)
                                         AS bucket, first, seconds FROM own, span)
            SELECT strftime(first + to_seconds(bucket * seconds / $buckets), '%Y-%m-%dT%H:%M:%SZ') AS "at",
                   kind, count(*) AS count
            FROM placed GROUP BY bucket, first, seconds, kind ORDER BY bucket, kind
            """,
            {"site": site, "buckets": buckets},
        )

    def served_shares(self, site: str) -> Mapping[str, int]:
        """Count slates served by variant; those outside any comparison under their release."""
        rows = self.analysis.rows(
            """
            SELECT coalesce(nullif(body ->> '$.variant', ''), body ->> '$.release') AS variant, count(*) AS slates
            FROM events WHERE site = $site AND kind = 'served' GROUP BY 1 ORDER BY 2 DESC
            """,
            {"site": site},
        )
        return {row["variant"]: row["slates"] for row in rows}

    def popular_now(self, site: str, n: int = 10) -> list[tuple[Article, float]]:
        """Rank what is read most now, with its decayed count of reads."""
        self.site(site)
        request = SlateRequest(site=site, placement="", n=n, now=self.clock(), language=ANY_LANGUAGE)
        with self._lock:
            top = build_policy("popular")(request, self._state)[:n]
            return [(found, one.score) for one in top if (found := self._state.article(site, one.article))]

    def quarantined(self, n: int = 20) -> Sequence[Quarantined]:
        """List the last events that were set aside, with their reasons, the newest first."""
        return self.log.quarantined(newest=n)

    # inside

    def _scenario_release(self, name: str) -> Release:
        scenario = self.config.scenarios[name]
        return self._release(scenario.policy, scenario.settings, note=f"Scenario {name}.")

    def _release(self, policy: str, settings: Mapping[str, Setting], *, note: str) -> Release:
        build_policy(policy, settings)
        return Release(
            release=release_id(policy, settings, code=__version__),
            policy=policy,
            settings=dict(settings),
            code=__version__,
            note=note,
        )

    def _declare(self) -> None:
        """Put what the configuration declares in the log, once."""
        now = self.clock()
        for name, site in self.sites.items():
            events = [self._declared(name, self._scenario_release(scenario)) for scenario in self.config.scenarios]
            for label, one in self.config.experiments.items():
                if one.placement in site.placements and label not in self._operations.of(name).experiments:
                    variants = tuple(
                        Variant(
                            name=variant,
                            weight=weight,
                            scenario=variant,
                            release=self._scenario_release(variant).release,
                        )
                        for variant, weight in one.variants.items()
                    )
                    experiment = Experiment(
                        experiment=label,
                        placement=one.placement,
                        control=one.control,
                        variants=variants,
                        salt=label,
                        layer=one.layer,
                        share=one.share,
                        planned=one.planned,
                        looks=one.looks,
                        pre_days=one.pre_days,
                        primary=one.primary,
                        metrics=tuple(self.config.metrics),
                        started_at=now,
                    )
                    events.append(self._declared(name, experiment))
            events += self._declared_holdout(name, now)
            self._submit(events).result()

    def _declared_holdout(self, site: str, now: datetime) -> list[Event]:
        wanted = self.config.holdout
        if not wanted.share or wanted.name in self._operations.of(site).experiments:
            return []
        held = Variant(
            name="held_out",
            weight=wanted.share,
            scenario=wanted.scenario,
            release=self._scenario_release(wanted.scenario).release,
        )
        holdout = Experiment(
            experiment=wanted.name,
            placement="",
            control=held.name,
            variants=(held, Variant(name="everyone", weight=1 - wanted.share, scenario="", release="")),
            salt=f"{wanted.name}/holdout",
            primary=metrics_of(self.config)[0].metric,
            metrics=tuple(self.config.metrics),
            holdout=True,
            started_at=now,
        )
        return [self._declared(site, holdout)]

    def _declared(self, site: str, body: Release | Experiment) -> Event:
        name = body.release if isinstance(body, Release) else body.experiment
        return self._event(site, body, now=self.clock(), consent="none", id_=fact_id(site, "declared", body.kind, name))

    def _event(self, site: str, body: Body, *, now: datetime, consent: Consent, id_: str = "") -> Event:
        return Event(id=id_ or new_id(now, os.urandom(10)), site=site, at=now, consent=consent, body=body)

    def _submit(self, events: Sequence[Event], rejected: Sequence[Rejected] = ()) -> "Future[Receipt]":
        def applied(receipt: Receipt) -> Receipt:
            self._apply(receipt.accepted)
            return receipt

        return _after(self.log.submit(events, received_at=self.clock(), rejected=rejected), applied)

    def _apply(self, events: Iterable[Event]) -> None:
        changed: set[str] = set()
        with self._lock:
            for event in events:
                if event.site not in self.sites:
                    continue
                self._state.apply(event)
                if self._operations.apply(event):
                    changed.add(event.site)
            for site in changed:
                self._refresh(site)

    def _replay(self) -> None:
        with self._lock:
            for sequence, event in self.log.scan():
                self._followed = sequence
                if event.site not in self.sites:
                    continue
                self._state.apply(event)
                self._operations.apply(event)
                if event.kind == "exposure":
                    self._exposed.add((event.site, event.body.experiment, event.body.unit, event.body.variant))  # type: ignore[union-attr]
            for site in self.sites:
                self._refresh(site)

    def _follow(self) -> None:
        """Pick up what other processes put in the log: a release from the command line, an imported catalogue."""
        while not self._closing.wait(FOLLOW_SECONDS):
            try:
                last = self.log.last()
                if last > self._followed:
                    self._apply(event for _, event in self.log.scan(after=self._followed, kinds=FOLLOWED))
                    self._followed = last
            except EmbellieError:
                continue  # the log is closing, or busy: next time

    def _snapshot(self, site: str) -> Snapshot:
        self.site(site)
        return self._snapshots[site]

    def _refresh(self, site: str) -> None:
        policies = {
            name: build_policy(release.policy, release.settings, editors_list=self.sites[site].editors_list)
            for name, release in self._operations.of(site).releases.items()
        }
        more = [signal for signal in signals_of(policies.values()) if signal not in self._state.signals]
        if more:
            self._state = self._state.widened(more, (event for _, event in self.log.scan() if event.site in self.sites))
            for other in self._snapshots.keys() - {site}:
                self._refresh(other)
        noted = any(getattr(policy, "logs_features", False) for policy in policies.values())
        rankers = {name: self._ranker(site, policy, noted=noted) for name, policy in policies.items()}
        self._snapshots[site] = self._operations.snapshot(site, rankers)

    def _ranker(self, site: str, policy: Policy[State], *, noted: bool) -> Ranker:
        state = self._state
        rules = tuple(self._operations.of(site).rules.values())

        def rank(request: SlateRequest, placement: Placement) -> Sequence[Recommended]:
            slate = apply_rules(policy(request, state), request=request, state=state, rules=rules, placement=placement)
            return with_features(slate, request, state.site(request.site)) if noted else slate

        return rank


def _after(written: "Future[Receipt]", then: Callable[[Receipt], Receipt]) -> "Future[Receipt]":
    done: Future[Receipt] = Future()

    def settle(finished: "Future[Receipt]") -> None:
        try:
            done.set_result(then(finished.result()))
        except Exception as error:  # noqa: BLE001 -- whatever failed belongs to the one who waits
            done.set_exception(error)

    written.add_done_callback(settle)
    return done


def _in_simulated_time(event: Event, now: datetime) -> Event:
    """A person's browser among simulated readers tells another time than theirs: take the simulated one."""
    return replace(event, at=now) if abs(event.at - now) > timedelta(days=1) else event


def _admit(event: Event, site: str, index: int, *, public: bool) -> Event:
    at = f"$.events[{index}]"
    if event.site != site:
        raise EventError(
            f"Site `{event.site}` is not the key's site.",
            hint=f"Send it with the key of `{event.site}`, or write `{site}`.",
            at=f"{at}.site",
        )
    if public and event.kind not in PUBLIC_KINDS:
        raise EventError(
            f"A public key may not send `{event.kind}`.",
            hint=f"Use an API token, or send one of: {', '.join(sorted(PUBLIC_KINDS))}.",
            at=f"{at}.kind",
        )
    return event
