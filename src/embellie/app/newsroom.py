"""Newsroom: one installation, running. The only object that turns the whole loop."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from embellie.app.activity import counts_by_kind, slates_by_variant, traffic_through_time
from embellie.app.analysing import open_analysis, scorecards_from
from embellie.app.building import scenario_releases, serve_models_from
from embellie.app.catalogue import Catalogue
from embellie.app.config import Config, metrics_of, read_config, salted_sites, sites_of
from embellie.app.declaring import declared
from embellie.app.experimenting import Experiments
from embellie.app.intake import Sender, take_in
from embellie.app.kept_models import models_of
from embellie.app.learning_from_the_past import PastExperiments
from embellie.app.live_folds import LiveFolds
from embellie.app.observing import Basis, Observatory, Placed
from embellie.app.pseudonyms import FILE as SALTS_FILE
from embellie.app.pseudonyms import Pseudonyms
from embellie.app.restating import Restated
from embellie.app.rolling_out import Rollouts
from embellie.app.serving import Slates, Standing
from embellie.app.standing_question import StandingQuestion
from embellie.app.usual_posts import usual_events
from embellie.app.warm_start import FILE as STATE_FILE
from embellie.app.warm_start import Start
from embellie.domain.article import Article
from embellie.domain.event import Body, Event
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Evaluation, Experiment
from embellie.domain.question import Question, QuestionFiled
from embellie.domain.release import Release, Setting
from embellie.domain.rollout import Rollout
from embellie.domain.rule import Rule
from embellie.domain.scorecard import Scorecard
from embellie.domain.site import Site
from embellie.domain.slate import Recommended, Slate, SlateRequest
from embellie.domain.verdict import Verdict
from embellie.ports import AggregateReader, Clock, LedgerRow, Receipt
from embellie.stats.shrinkage import Prior
from embellie.store.log_place import LogPlace, log_place, open_log
from embellie.store.log_records import KeptLog, Quarantined
from embellie.store.models import Current, Run


def utc_now() -> datetime:
    """Tell the time, UTC."""
    return datetime.now(UTC)


class Newsroom:
    """One installation: its log, what is folded from it, and the verbs of the loop, each a word to the part that does it.

    Everything in memory is a fold over the log: opening a folder replays it, from where its state file ends if it has one that
    serves, and what is recorded while running is applied by the same code. Thread-safe.
    """

    def __init__(
        self, folder: Path, config: Config, log: KeptLog, *, clock: Clock, simulated: bool, threads: int = 1
    ) -> None:
        self.folder, self.config, self.log = folder, config, log
        self.clock, self.simulated = clock, simulated
        self.sites: Mapping[str, Site] = sites_of(config)
        self.analysis = open_analysis(config, log, self.data, threads=threads)
        self.scored: AggregateReader = scorecards_from(config, self.data, here=self.analysis)
        """What scorecards are computed from."""
        serve_models_from(self.data)
        self._pseudonyms = Pseudonyms(self.data / SALTS_FILE, salted=salted_sites(config), now=clock())
        self._scenarios = scenario_releases(config)
        stable = next(iter(self._scenarios.values())).release
        self._live = LiveFolds(
            log, self.sites, stable=stable, clock=clock, scenarios=self._scenarios.values(), mark_of=log.marks.known
        )
        self.started = Start(sequence=0, taken=0, folded=0, seconds=0.0)
        """How what is in memory came about."""
        self._slates = Slates(self._live, scenarios=self._scenarios)
        self._catalogue = Catalogue(self._live)
        self._question = StandingQuestion(folder / config.question, self._live, scenarios=self._scenarios)
        metrics = metrics_of(config)
        self._past = PastExperiments(self._live, self.scored, metrics=metrics, read_seconds=config.read_seconds)
        self._observatory = Observatory(
            self.scored, metrics=metrics, read_seconds=config.read_seconds, clock=clock, priors=self._past.priors
        )
        self._experiments = Experiments(self._live, self._observatory, question=self._question.read)
        self._rollouts = Rollouts(self._live, self._experiments, steps=config.rollout.steps, data=self.data)

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
            EngineError: The log is in PostgreSQL, and cannot be reached.
        """
        config = read_config(folder)
        data = folder / config.data
        data.mkdir(parents=True, exist_ok=True)
        with ExitStack() as on_failure:
            log = on_failure.enter_context(open_log(log_place(data, config.storage.log, config.storage.schema)))
            newsroom = cls(folder, config, log, clock=clock, simulated=simulated, threads=threads)
            newsroom.started = newsroom._live.replay(data / STATE_FILE)
            newsroom._question.remember()  # before any experiment begins: what was believed then is a forecast
            newsroom._declare()
            newsroom._live.follow()
            on_failure.pop_all()
        return newsroom

    def _declare(self) -> None:
        """Put what the configuration declares in the log, once."""
        now = self.clock()
        for name, site in self.sites.items():
            own = self._live.operations(name)
            new = declared(self.config, site, own, scenarios=self._scenarios, now=now)
            if new:  # else a log that takes no writes now would keep readers from their slates
                self._live.submit(new).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def data(self) -> Path:
        """The folder of the log, the keys and what the jobs remember."""
        return self.folder / self.config.data

    @property
    def log_place(self) -> LogPlace:
        """Where the log is kept."""
        return log_place(self.data, self.config.storage.log, self.config.storage.schema)

    @property
    def state_file(self) -> Path:
        """The file from which the next start takes up what is folded; it may not be there."""
        return self.data / STATE_FILE

    def dropped(self) -> int:
        """Tell how many events of what was shown never reached the log, since the start."""
        return self._live.handover.dropped

    def catch_up(self) -> None:
        """Take in what other processes have put in the log by now; by itself, that happens within a fraction of a second."""
        self._live.catch_up()

    def close(self) -> None:
        """Finish what is queued and let go of the log."""
        self._live.close()
        self.log.close()
        self.analysis.close()

    # serve

    def slate(self, request: SlateRequest) -> Slate:
        """Answer a request: assign, rank, apply the editorial rules, and put what was shown in the log.

        Raises:
            UnknownName: The site or the placement does not exist.
        """
        return self._slates.answer(self._pseudonyms.request(request))

    def shared_slate(self, request: SlateRequest, *, before: Slate | None = None) -> Slate:
        """Answer for everybody who asks without saying who they are; `before` is what was shown so far.

        Raises:
            UnknownName: The site or the placement does not exist.
        """
        return self._slates.shared(request, before=before)

    def standing(self, site: str) -> Standing:
        """Tell what a site's slates rest on now, apart from who asks and what is read."""
        return self._slates.standing(site)

    def evaluate(self, request: SlateRequest, name: str = "", *, expose: bool = False) -> list[Evaluation]:
        """Tell which variant a reader has of an experiment, or of all; with `expose`, the reader meets it now.

        Raises:
            UnknownName: The site or the experiment does not exist.
        """
        return self._slates.evaluate(self._pseudonyms.request(request), name, expose=expose)

    def preview(self, request: SlateRequest, scenario: str) -> Sequence[Recommended]:
        """Rank as a scenario would for a request; nothing is put in the log.

        Raises:
            UnknownName: The site, the placement or the scenario does not exist.
        """
        return self._slates.preview(request, scenario)

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
        profiling = self.site(site).profiling
        sender = Sender(site=site, public=public, simulated=self.simulated, profiling=profiling)
        events, rejected = take_in(raw, sender=sender, now=self.clock(), sent_at=sent_at)
        return self._live.submit(self._pseudonyms.events(events), self._pseudonyms.rejected(rejected))

    def receive_usual(self, post: Any, *, site: str, public: bool) -> "Future[Receipt] | None":
        """Take in a post that `usual_post` has read; None, and nothing is taken in, when it has to go to `receive`."""
        now = self.clock()
        sender = Sender(site=site, public=public, simulated=self.simulated, profiling=self.site(site).profiling)
        events = usual_events(post, sender=sender, now=now)
        return None if events is None else self._live.submit(self._pseudonyms.events(events), received_at=now)

    def publish(self, site: str, articles: Sequence[Article]) -> "Future[Receipt]":
        """Put articles that are new or changed in the log; those already so are counted as duplicates."""
        return self._catalogue.publish(site, articles)

    def file(self, site: str, body: Body) -> Event:
        """Put an operator's record in the log; it is live when this returns."""
        return self._live.file(site, body)

    def site(self, name: str) -> Site:
        """Find a site.

        Raises:
            UnknownName: With the sites that exist.
        """
        return self._live.site(name)

    def article(self, site: str, article: str) -> Article | None:
        """Find an article as last published."""
        return self._catalogue.article(site, article)

    def named(self, site: str, articles: Sequence[str]) -> list[Article | None]:
        """Find several articles as last published, in their order; `None` stands for one that is not known."""
        return self._catalogue.named(site, articles)

    def articles(self, site: str) -> Sequence[Article]:
        """List what readers may be shown now, newest first."""
        return self._catalogue.showable(site)

    # measure

    def experiments(self, site: str) -> Sequence[Experiment]:
        """List the experiments, running ones first."""
        return self._experiments.of(site)

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
        return self._experiments.placed(name, site=site)

    def scorecard(self, experiment: str, *, site: str = "") -> Scorecard:
        """Score an experiment from the log, as it stands (at most a few seconds old)."""
        return self._experiments.scorecard(experiment, site=site)

    def scorecard_history(self, experiment: str, *, site: str = "") -> Sequence[tuple[datetime, Scorecard]]:
        """Score an experiment at moments since its start, oldest first."""
        return self._experiments.scorecard_history(experiment, site=site)

    def restated(self, experiment: str, *, site: str = "") -> Restated:
        """Tell which days of an experiment events restated that arrived after the day had closed."""
        return self._experiments.restated(experiment, site=site)

    def priors(self) -> Mapping[str, Prior]:
        """What stopped experiments teach of the primary metrics' relative effects; nothing before there are enough of them."""
        return self._past.priors()

    # decide

    def question(self) -> Question:
        """Read the question as it is written now; what is released already need not be built any more.

        A text that the log does not know yet is put in it: who believed what, and when, is to be found there.

        Raises:
            QuestionError: With file, line and what to write.
        """
        return self._question.read()

    def question_history(self) -> list[tuple[datetime, QuestionFiled]]:
        """List the question as it was written over time, oldest first."""
        return self._question.history()

    def evidence(self) -> Sequence[Evidence]:
        """List what studies have found: filed in the log, and from the running experiments."""
        return self._observatory.evidence(self._basis())

    def verdict(self) -> Verdict:
        """Judge the question with all the evidence (at most a few seconds old)."""
        return self._observatory.verdict(self._basis())

    def verdict_history(self) -> Sequence[tuple[datetime, Verdict]]:
        """Judge the question with the evidence as it stood at moments since the start, oldest first."""
        return self._observatory.verdict_history(self._basis())

    def _basis(self) -> Basis:
        filed = [(site, one) for site in self.sites for one in self._live.operations(site).evidence]
        return Basis(
            question=self.question(), experiments=self._experiments.everywhere(), filed=filed, now=self.clock()
        )

    # release

    def releases(self, site: str) -> Sequence[Release]:
        """List what was built."""
        return list(self._live.operations(site).releases.values())

    def rollouts(self, site: str) -> Sequence[Rollout]:
        """List the rollouts as they stand, open ones first."""
        return self._rollouts.of(site)

    def rollout_history(self, site: str) -> Sequence[Event]:
        """List every release, rollout and experiment event, oldest first."""
        return self._live.operations(site).history

    def stable(self, site: str) -> Mapping[str, str]:
        """Tell each placement's stable release."""
        return self._live.operations(site).stable

    def resting(self, site: str) -> Sequence[tuple[str, str]]:
        """List the releases that rest now, as (placement, release): they failed, or were too slow, time and again."""
        return self._live.resting(site)

    def without_model(self, site: str) -> Sequence[str]:
        """List the releases that are served without the model they name; a model whose file is whole again is taken up."""
        return self._live.without_model(site)

    def rules(self, site: str) -> Sequence[Rule]:
        """List the editorial rules that hold now, on any placement."""
        found, now = self._live.operations(site).rules.values(), self.clock()
        return [rule for rule in found if rule.holds(rule.placement, now)]

    def build(self, site: str, policy: str, settings: Mapping[str, Setting], *, note: str = "") -> Release:
        """Build a release: a policy with its settings, named by its content; what is built already stays as it is.

        Raises:
            UnknownName: The policy, or one of the settings, does not exist.
            InputError: A setting's value is wrong.
        """
        return self._rollouts.build(site, policy, settings, note=note)

    def start(self, site: str, placement: str, release: str, *, steps: Sequence[float] = (), by: str = "") -> Rollout:
        """Start rolling a release out on a placement; an experiment running there ends, its evidence is filed.

        Raises:
            UnknownName: The placement or the release does not exist.
            Conflict: A rollout is open on the placement, or the release is live there already.
        """
        return self._rollouts.start(site, placement, release, steps=steps, by=by)

    def stop(self, site: str, experiment: str, *, reason: str) -> Experiment:
        """Stop an experiment; what it found is filed as evidence.

        With a question that cannot be read, or an engine that fails, it stops all the same: its evidence is then computed
        from the log.
        """
        return self._experiments.stop(site, experiment, reason=reason)

    def advance(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Go one step further."""
        return self._rollouts.advance(site, rollout, by=by, reason=reason)

    def hold(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Stay at the present step."""
        return self._rollouts.hold(site, rollout, by=by, reason=reason)

    def complete(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Give the canary to everyone."""
        return self._rollouts.complete(site, rollout, by=by, reason=reason)

    def rollback(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        """Give everyone the stable release again, at once."""
        return self._rollouts.rollback(site, rollout, by=by, reason=reason)

    def settle(self, site: str, seen: Rollout, after: Rollout) -> bool:
        """Take a rollout where its gate says, unless it was changed since the gate looked; tell whether that was done."""
        return self._rollouts.settle(site, seen, after)

    def models(self, site: str) -> tuple[Sequence[Run], Current | None]:
        """List the trainings of a site's model, newest first, and the one that a release would take now."""
        kept = models_of(self.data, self.site(site).site)
        return kept.runs()[::-1], kept.current()

    # operate

    def ledger(self) -> Sequence[LedgerRow]:
        """Read the conservation ledger."""
        return self.log.ledger()

    def counts(self, site: str) -> Mapping[str, int]:
        """Count the site's events by kind."""
        return counts_by_kind(self.analysis, site)

    def traffic(self, site: str, *, buckets: int = 60) -> list[dict[str, Any]]:
        """Count events by kind in equal stretches of time, oldest first: rows of `at`, `kind`, `count`."""
        return traffic_through_time(self.analysis, site, buckets=buckets)

    def served_shares(self, site: str) -> Mapping[str, int]:
        """Count slates served by variant; those outside any comparison under their release."""
        return slates_by_variant(self.analysis, site)

    def popular_now(self, site: str, n: int = 10) -> list[tuple[Article, float]]:
        """Rank what is read most now, with its decayed count of reads."""
        return self._catalogue.popular(site, n=n)

    def quarantined(self, site: str, n: int = 20) -> Sequence[Quarantined]:
        """List a site's last events that were set aside, with their reasons, the newest first."""
        return self.log.quarantined(site=self.site(site).site, newest=n)[::-1]
