"""The demo: the sandbox's newspaper before a real newsroom, in accelerated time, with an autopilot that acts on the verdict."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from embellie.app.config import FILE
from embellie.app.deciding import verdict_document
from embellie.app.newsroom import Newsroom
from embellie.app.project import template
from embellie.app.releasing import pass_gates
from embellie.app.traffic import TICK, SimulatedClock, Traffic
from embellie.domain.errors import Conflict, EmbellieError
from embellie.domain.rollout import Rollout
from embellie.domain.scorecard import Effect
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Verdict
from embellie.sandbox.newspaper import NAMES, SECTIONS, Calendar, piece_of
from embellie.sandbox.readers import Readership
from embellie.sandbox.truth import TrueEffect

__all__ = ["NAMES", "SECTIONS", "Demo", "DemoReport", "DemoSettings", "article_text", "demo_document", "write_project"]

SITE, PLACEMENT, EXPERIMENT, METRIC = "gazette", "article-bottom", "first-light", "articles_per_visit"
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""A Monday morning; every demo begins there."""

MARGIN = 0.02
"""The largest relative loss of articles per visit at which a rollout goes on."""

AT_LEAST = timedelta(days=2)
"""Whole days before the autopilot acts: readers of the morning and of the evening are not the same."""

BETWEEN_GATES = timedelta(hours=6)
LOOK_SECONDS = 3.0
CALM_AFTER = 250_000
CALM = 0.02
"""After so many pages, time passes at a fiftieth: a demo left open adds about 200 MB an hour to the log."""

Language = Literal["en", "fr"]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What a demo can be asked for.

    `hours_per_second` is simulated hours in one real second, as far as the machine keeps up; `busy` the largest part
    of one core that the readers may take, so that the dashboard stays quick.
    """

    readers: int = 9_000
    seed: int = 1
    hours_per_second: float = 2.0
    busy: float = 0.6
    language: Language = "en"
    autopilot: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the experiment says: the relative effect on articles per visit and its 95 % interval."""

    effect: float
    low: float
    high: float
    readers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """How far a demo has come."""

    simulated: timedelta
    seconds: float
    visits: int
    pages: int
    clicks: int
    quarantined: int
    verdict: Verdict | None
    verdicts: tuple[tuple[float, str], ...]
    found: Found | None
    truth: TrueEffect
    problem: str = ""

    def missing(self) -> list[str]:
        """List what did not turn: readers served, an effect estimated, a verdict given; empty when all did."""
        wanted = {
            "No reader was served.": self.pages > 0,
            "No effect was estimated.": self.found is not None,
            "No verdict was given.": self.verdict is not None,
        }
        return [*([self.problem] if self.problem else []), *(words for words, done in wanted.items() if not done)]


def write_project(folder: Path, *, language: Language, port: int) -> None:
    """Write the Gazette's `embellie.toml` and `question.toml` into a folder; one that has them already goes on as it is.

    Raises:
        Conflict: The folder holds another project.
    """
    file = folder / FILE
    if file.exists():
        if f"[sites.{SITE}]" not in file.read_text(encoding="utf-8"):
            raise Conflict(f"`{folder}` holds another project.", hint="Give an empty or a new folder.", at=str(file))
        raise Conflict(
            f"`{folder}` holds an earlier demo.",
            hint="Give a new folder, or look at the old one with `embellie serve --project`.",
            at=str(file),
        )
    folder.mkdir(parents=True, exist_ok=True)
    config = template("gazette.toml").format(language=language, port=port, name=NAMES[language])
    file.write_text(config, encoding="utf-8")
    (folder / "question.toml").write_text(template(f"gazette.question.{language}.toml"), encoding="utf-8")


def article_text(article: str) -> tuple[str, ...]:
    """Return the paragraphs of one of the Gazette's articles, none for an article of another newspaper."""
    piece = piece_of(article)
    return piece.body if piece else ()


class Demo:
    """A newsroom with simulated readers: `start` it, look at its `newsroom`, `stop` it.

    Args:
        folder: An empty or new folder for the project.
        settings: How large, how fast, in which language.
        port: Where the dashboard will be, for the configuration.
        say: Told each thing that happens, one sentence at a time.
    """

    def __init__(self, folder: Path, *, settings: DemoSettings, port: int, say: Say) -> None:
        self.settings, self.say = settings, say
        write_project(folder, language=settings.language, port=port)
        self.clock = SimulatedClock(START)
        self.newsroom = Newsroom.open(folder, clock=self.clock, simulated=True)
        rng = np.random.default_rng(settings.seed)
        self.traffic = Traffic(
            self.newsroom,
            self.clock,
            readers=Readership(settings.readers, rng, seed=settings.seed),
            calendar=Calendar(START, rng),
            site=SITE,
            placement=PLACEMENT,
            entropy=random.Random(settings.seed),
        )
        self._words = _WORDS[settings.language]
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._began = 0.0
        self._ended = 0.0
        self._verdict: Verdict | None = None
        self._verdicts: list[tuple[float, str]] = []
        self._found: Found | None = None
        self._gate = START
        self._rollouts: dict[str, tuple[str, int]] = {}
        self._problem = ""

    def start(self) -> None:
        """Publish the first articles, give the first verdict, then let readers in."""
        self._began = time.monotonic()
        self.traffic.open()
        self._look()
        for work in (self._run_readers, self._run_desk):
            thread = threading.Thread(target=self._guard, args=(work,), name=f"demo{work.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> DemoReport:
        """Stop the readers, look a last time, and say what was found and what was true. The newsroom stays open."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=60)
        self._ended = time.monotonic()
        if not self._problem:
            self._guard(self.traffic.finish)
        self._guard(self._last_look)
        return self.report()

    def until_over(self, seconds: float | None) -> bool:
        """Wait until the time is up (never, for `None`) or the demo has failed; false when it was stopped meanwhile."""
        self._stopping.wait(seconds)
        return not self._stopping.is_set() or bool(self._problem)

    def sentence(self) -> str:
        """Say the verdict with its reason."""
        if self._verdict is None:
            return ""
        reason = self._verdict.next.because.get(self.settings.language, "")
        return self._words["verdict"].format(verdict=self._verdict.verdict, reason=reason)

    def report(self) -> DemoReport:
        """Tell how far the demo has come."""
        return DemoReport(
            simulated=self.clock() - START,
            seconds=(self._ended or time.monotonic()) - self._began,
            visits=self.traffic.visits,
            pages=self.traffic.pages,
            clicks=self.traffic.clicks,
            quarantined=self.traffic.quarantined,
            verdict=self._verdict,
            verdicts=tuple(self._verdicts),
            found=self._found,
            truth=self.traffic.twins.effect(),
            problem=self._problem,
        )

    def conclusion(self) -> str:
        """Hold what the experiment says against what is true."""
        report = self.report()
        truth, found = self._share(report.truth.relative), report.found
        if found is None:
            return self._words["no_effect"].format(truth=truth)
        inside = found.low <= report.truth.relative <= found.high
        effect, low, high = (self._share(value) for value in (found.effect, found.low, found.high))
        return self._words["inside" if inside else "outside"].format(truth=truth, effect=effect, low=low, high=high)

    def _share(self, value: float) -> str:
        text = f"{100 * value:+.1f}"
        return f"{text.replace('.', ',')} %" if self.settings.language == "fr" else f"{text}%"

    # the readers

    def _run_readers(self) -> None:
        """Tick at the pace asked for, and never take more of a core than allowed."""
        lead = 0.0
        while not self._stopping.is_set():
            calm = CALM if self.traffic.pages > CALM_AFTER else 1.0
            began = time.perf_counter()
            self.traffic.tick()
            busy = time.perf_counter() - began
            asked = TICK / timedelta(hours=1) / (self.settings.hours_per_second * calm)
            # A machine too slow for the pace runs late; what is lost is never made up in a burst.
            lead = max(lead + asked - busy, -0.5)
            rest = max(lead, busy * (1.0 / self.settings.busy - 1.0))
            self._stopping.wait(rest)
            lead -= rest

    # the desk

    def _run_desk(self) -> None:
        complaint = ""
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self._look()
                if self.settings.autopilot:
                    self._act()
                # What is past is remembered once computed: a page opened later need not wait for all of it.
                self.newsroom.verdict_history()
            except EmbellieError as error:
                # Someone may be editing question.toml or pressing buttons meanwhile: say it once, go on.
                if str(error) != complaint:
                    complaint = str(error)
                    self.say(complaint)

    def _look(self) -> None:
        """Read the scorecard and the verdict; say when the verdict changed."""
        self._find()
        verdict = self.newsroom.verdict()
        before, self._verdict = self._verdict, verdict
        if before is None or _said(before) != _said(verdict):
            self._verdicts.append((time.monotonic() - self._began, verdict.verdict))
            self._tell(self.sentence())

    def _find(self) -> None:
        if not any(one.state == "running" for one in self.newsroom.experiments(SITE)):
            return  # what it found when it stopped is what it says
        card = self.newsroom.scorecard(EXPERIMENT)
        for effect in card.effects:
            if isinstance(effect, Effect) and effect.metric == METRIC and not isinstance(effect.relative, Unavailable):
                relative = effect.relative
                self._found = Found(
                    effect=relative.effect, low=relative.low, high=relative.high, readers=sum(card.units.values())
                )

    def _act(self) -> None:
        """Do what the verdict says, as an operator would: release what it says to ship, and mind the gates."""
        now = self.clock()
        rollouts = self.newsroom.rollouts(SITE)
        verdict = self._verdict
        ship = verdict is not None and verdict.verdict == "ship" and verdict.next.scenario == "heuristic"
        if not rollouts and ship and now - START >= AT_LEAST:
            release = self.newsroom.build(SITE, "affinity", {}, note="Scenario heuristic.")
            self.newsroom.start(SITE, PLACEMENT, release.release, by="autopilot")
            self._gate = now + BETWEEN_GATES
        elif rollouts and now >= self._gate:
            pass_gates(self.newsroom, SITE, metric=METRIC, margin=MARGIN)
            self._gate = now + BETWEEN_GATES
        for rollout in self.newsroom.rollouts(SITE):
            self._follow(rollout)

    def _follow(self, rollout: Rollout) -> None:
        """Say when a rollout moved."""
        place = (rollout.state, rollout.step)
        if self._rollouts.get(rollout.rollout) != place:
            self._rollouts[rollout.rollout] = place
            state, share = self._words[rollout.state], f"{rollout.weight:.0%}"
            self._tell(self._words["rollout"].format(state=state, share=share, reason=rollout.reason))

    def _last_look(self) -> None:
        time.sleep(0.0 if self._verdict is None else LOOK_SECONDS + 0.1)  # past what is remembered of the last look
        self._look()

    def _tell(self, words: str) -> None:
        now = self.clock()
        day = (now.date() - START.date()).days + 1
        self.say(f"{self._words['day'].format(day=day, hour=now.strftime('%H:%M'))} {words}")

    def _guard(self, work: Callable[[], None]) -> None:
        """Run some work; what fails ends the demo and is said, never swallowed."""
        try:
            work()
        except EmbellieError as error:
            self._problem = str(error)
        except Exception as error:  # noqa: BLE001 - a thread's error must reach the person
            self._problem = f"{type(error).__name__}: {error}"
        if self._problem:
            self._stopping.set()


def _said(verdict: Verdict) -> tuple[str, str]:
    """What a change of verdict is: another word, or another scenario to ship."""
    return verdict.verdict, verdict.next.scenario if verdict.verdict == "ship" else ""


def demo_document(report: DemoReport) -> dict[str, Any]:
    """Return a report as JSON values; its `verdict` is that of `embellie decide --json`."""
    found, truth = report.found, report.truth
    return {
        "schema": "embellie/demo/1",
        "simulated": True,
        "simulated_hours": round(report.simulated / timedelta(hours=1), 2),
        "seconds": round(report.seconds, 1),
        "visits": report.visits,
        "pages": report.pages,
        "clicks": report.clicks,
        "quarantined": report.quarantined,
        "pages_per_second": round(report.pages / max(report.seconds, 0.001)),
        "effect": {"effect": found.effect, "low": found.low, "high": found.high, "readers": found.readers}
        if found
        else Unavailable("No effect was estimated.", "Let the demo run longer.").document(),
        "truth": {"effect": truth.relative, "se": truth.se, "visits": truth.visits}
        if truth.visits > 1
        else Unavailable("No visit with a slate has ended.", "Let the demo run longer.").document(),
        "verdicts": [{"seconds": round(at, 1), "verdict": word} for at, word in report.verdicts],
        "verdict": verdict_document(report.verdict)
        if report.verdict
        else Unavailable("No verdict was given.", "Let the demo run longer.").document(),
    }


_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "day": "[day {day}, {hour}]",
        "verdict": "Verdict ({verdict}): {reason}",
        "rollout": "Rollout {state}, heuristic on {share} of readers. {reason}",
        "running": "under way",
        "held": "held",
        "completed": "complete",
        "rolled_back": "rolled back",
        "inside": "The sandbox's true effect was {truth} articles per visit; "
        "the experiment says {effect}, with the interval [{low}, {high}]: it covers the truth.",
        "outside": "The sandbox's true effect was {truth} articles per visit; "
        "the experiment says {effect}, with the interval [{low}, {high}]: it misses the truth, "
        "as one interval in twenty does.",
        "no_effect": "The sandbox's true effect was {truth} articles per visit; the experiment has no estimate yet.",
    },
    "fr": {
        "day": "[jour {day}, {hour}]",
        "verdict": "Verdict ({verdict}) : {reason}",
        "rollout": "Mise en ligne {state}, heuristique pour {share} des lecteurs. {reason}",
        "running": "en cours",
        "held": "en attente",
        "completed": "terminée",
        "rolled_back": "annulée",
        "inside": "L'effet vrai du bac à sable était de {truth} articles par visite ; "
        "l'expérience dit {effect}, intervalle [{low} ; {high}] : il contient la vérité.",
        "outside": "L'effet vrai du bac à sable était de {truth} articles par visite ; "
        "l'expérience dit {effect}, intervalle [{low} ; {high}] : il manque la vérité, comme un intervalle sur vingt.",
        "no_effect": "L'effet vrai du bac à sable était de {truth} articles par visite ; "
        "l'expérience n'a pas encore d'estimation.",
    },
}
