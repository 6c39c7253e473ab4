"""A newsroom that answers from plausible records, for the dashboard's tests."""

import importlib.util
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from embellie.app.config import Config, ScenarioConfig, SiteConfig
from embellie.app.restating import LateDay, Restated
from embellie.domain.article import Article
from embellie.domain.errors import Conflict, unknown_name
from embellie.domain.event import Event
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.question import Distribution, Question, QuestionFiled, Scenario, Study, Unknown
from embellie.domain.release import Release, release_id
from embellie.domain.rollout import Rollout
from embellie.domain.rule import Rule
from embellie.domain.scorecard import (
    Check,
    Effect,
    Guardrail,
    Interval,
    MoneyEffect,
    RelativeEffect,
    SampleRatio,
    Scorecard,
    Shrunk,
    Slice,
    UnavailableEffect,
)
from embellie.domain.site import Placement, Site
from embellie.domain.slate import Recommended, SlateRequest
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import (
    Figure,
    NextAction,
    Prospect,
    ScenarioValue,
    Spread,
    StudyValue,
    Swing,
    TippingPoint,
    UnknownValue,
    Verdict,
)
from embellie.store.models import Current, Run

_spec = importlib.util.spec_from_file_location("whole_answer", Path(__file__).parents[1] / "whole_answer.py")
whole_answer = importlib.util.module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(whole_answer)  # type: ignore[union-attr]

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
START = NOW - timedelta(days=12)
LOOKS = 24
SECTIONS = ("Politics", "World", "Culture", "Science", "Sport", "Economy")
TITLES = (
    "The harbour town that voted to move its own church",
    "What the orchard keepers know about frost",
    "A quiet vote, and the end of a forty-year coalition",
    "The last ferry leaves at six, with nobody to steer it",
    "Why the rivers ran early this year, and what the mill towns downstream are doing about it",
    "Two chess clubs, one table",
    "The price of bread, explained in four receipts",
    "An orchestra tunes to the railway",
    "Night buses return to the valley",
    "The mathematician who counts swifts",
    "After the flood, the library opens first",
    "Cycling the old customs road",
    "A festival without a programme",
    "How a village school teaches weather",
)
TEXT = """question = "Should we recommend articles below each article?"
currency = "EUR"
horizon  = "24 months"

[unknowns]
interest = { range = "-0.5 % to 3 %", ask = "Do readers want recommendations at all?" }
revenue  = { range = "0.006 to 0.011 EUR/article", ask = "What is one more article read worth?" }
"""


def _spread(mean: float, sd: float, *, error: float = 0.0) -> Spread:
    return Spread(mean=mean, p05=mean - 1.645 * sd, p50=mean, p95=mean + 1.645 * sd, error=error)


def question() -> Question:
    """Three scenarios, five unknowns, two studies."""

    def unknown(name: str, written: str, ask: str, kind: Any, unit: Mapping[str, int] | None = None) -> Unknown:
        return Unknown(
            name=name,
            prior=Distribution("normal", (0.0, 1.0)),
            written=written,
            unit=unit or {},
            label=written.rsplit(maxsplit=1)[-1] if unit else "",
            kind=kind,
            ask=ask,
        )

    return Question(
        question="Should we recommend articles below each article?",
        currency="EUR",
        scenarios={
            "status_quo": Scenario(name="status_quo", benefit="0 EUR/month"),
            "heuristic": Scenario(
                name="heuristic",
                benefit="base * interest",
                build="8k to 20k EUR",
                run="300 to 900 EUR/month",
                ready="2 to 5 weeks",
            ),
            "ml": Scenario(
                name="ml",
                benefit="base * (interest + ml_gain)",
                build="60k / 110k / 220k EUR",
                run="3k to 7k EUR/month",
                ready="3 to 8 months",
                needs="heuristic",
            ),
        },
        unknowns={
            one.name: one
            for one in (
                unknown("interest", "-0.5 % to 3 %", "Do readers want recommendations at all?", "reader"),
                unknown("ml_gain", "-1 % to 4 %", "How much better than the rule is a model?", "ml"),
                unknown(
                    "revenue",
                    "0.006 to 0.011 EUR/article",
                    "What is one more article read worth?",
                    "business",
                    {"EUR": 1, "article": -1},
                ),
                unknown("crisis", "-15 % to 5 %", "What will the news cycle do to traffic?", "world"),
                unknown("articles_per_visit", "1.6 to 1.9 article/visit", "", "reader", {"article": 1, "visit": -1}),
            )
        },
        studies={
            "ab_heuristic": Study(name="ab_heuristic", kind="experiment", measures="interest"),
            "survey": Study(name="survey", kind="survey", measures="revenue"),
        },
        discount=0.08,
        file="question.toml",
    )


def verdict_at(look: int) -> Verdict:
    """The verdict after `look` looks of 24: doubt shrinks, and it changes once."""
    known = look / (LOOKS - 1)
    sd = 70_000 * (1 - 0.62 * known)
    evpi = 24_000 * math.exp(-2.6 * known) + 900
    ships = known > 0.7
    because = (
        {
            "en": "It is worth about €96,000 over 24 months, and nothing left to learn would pay for itself. Put it live "
            "in steps.",
            "fr": "Elle vaut environ 96 000 € sur 24 mois, et plus rien à apprendre ne se paierait. Mettez-la en ligne "
            "par étapes.",
        }
        if ships
        else {
            "en": "Today's best choice is the heuristic, but whether readers want recommendations is not settled: "
            "four more weeks of the experiment cost €3,000 and should bring €8,400.",
            "fr": "Le meilleur choix est la règle simple, mais l’envie des lecteurs n’est pas tranchée : quatre semaines "
            "d’expérience de plus coûtent 3 000 € et devraient en rapporter 8 400.",
        }
    )

    def unknown(
        name: str, kind: str, prior: tuple[float, float], now: tuple[float, float], worth: float
    ) -> UnknownValue:
        return UnknownValue(
            name=name,
            kind=kind,
            ask=question().unknowns[name].ask,
            open=worth > 300,
            prior=_spread(*prior),
            posterior=_spread(*now),
            evppi=Figure(value=worth, error=60),
        )

    def study(name: str, weeks: float, share: float, enbs: float, cost: float) -> StudyValue:
        return StudyValue(
            name=name,
            weeks=weeks,
            share=share,
            n=round(40_000 * weeks * share),
            evsi=Figure(value=enbs + cost, error=90),
            cost=cost,
            enbs=Figure(value=enbs, error=90),
        )

    def scenario(name: str, mean: float, sd: float, cost: float, p_best: float, loss: float) -> ScenarioValue:
        return ScenarioValue(
            scenario=name,
            net_benefit=_spread(mean, sd, error=180),
            cost=cost,
            roi=_spread(mean / cost, sd / cost) if cost else Unavailable("It costs nothing.", "Compare net benefits."),
            p_best=p_best,
            p_loss=0.11 * (1 - known) if sd else 0.0,
            expected_loss=loss,
            open_questions=3,
            quantiles=tuple(mean + sd * statistics.NormalDist().inv_cdf((k + 0.5) / 101) for k in range(101)),
        )

    studies = [
        study(
            "ab_heuristic",
            weeks,
            share,
            9_200 * math.exp(-abs(math.log(weeks / 4.2))) * share**0.3 * (1.15 - known) - 900,
            1000 + 500 * weeks,
        )
        for share in (0.1, 0.5)
        for weeks in (1, 2, 4, 8)
    ]
    unknowns = (
        unknown(
            "interest", "reader", (0.0125, 0.0106), (0.0171, 0.0106 - 0.0075 * known), 0.72 * evpi * (1.05 - known)
        ),
        unknown("ml_gain", "ml", (0.015, 0.015), (0.015, 0.015), 0.31 * evpi),
        unknown("revenue", "business", (0.0085, 0.0015), (0.0085, 0.0015), 0.12 * evpi),
        unknown("crisis", "world", (-0.05, 0.06), (-0.05, 0.06), 40),
        unknown("articles_per_visit", "reader", (1.75, 0.09), (1.71, 0.03), 0),
    )
    studies.append(study("survey", 2, 0.0, 1_100 - 1_500 * known, 4_000))
    return Verdict(
        question=question().question,
        currency="EUR",
        draws=16_384,
        seed=7,
        scenarios=(
            scenario("heuristic", 82_000 + 14_000 * known, sd, 26_000, 0.71 + 0.24 * known, evpi),
            scenario("ml", 41_000 + 9_000 * known, 2.1 * sd, 212_000, 0.22 - 0.18 * known, evpi + 38_000),
            scenario("status_quo", 0.0, 0.0, 0.0, 0.07 - 0.06 * known, evpi + 82_000),
        ),
        best="heuristic",
        evpi=Figure(value=evpi, error=110),
        unknowns=tuple(sorted(unknowns, key=lambda each: -each.evppi.value)),
        studies=tuple(sorted(studies, key=lambda each: -each.enbs.value)),
        groups=(),
        next=NextAction(
            action="ship" if ships else "learn_more",
            because=because,
            scenario="heuristic",
            study="" if ships else "ab_heuristic",
            weeks=0.0 if ships else 4.0,
            share=0.0 if ships else 0.5,
        ),
        curves=whole_answer.curves(),
        tipping=(
            TippingPoint(unknown="interest", value=0.0087, below="status_quo", above="heuristic", chance_above=0.65),
        ),
        tornado=(
            Swing(unknown="interest", best="heuristic", rival="status_quo", at_p05=-18_000, at_p95=170_000),
            Swing(unknown="revenue", best="heuristic", rival="status_quo", at_p05=40_000, at_p95=120_000),
        ),
        tops=whole_answer.tops(),
        stopping=whole_answer.stopping(),
        plan=whole_answer.plan(),
        stress=whole_answer.stress(),
        cases=whole_answer.cases(),
        prospect=Prospect(
            study="ab_heuristic",
            weeks=4,
            share=0.5,
            now=evpi,
            after=Spread(mean=0.4 * evpi, p05=0, p50=0.2 * evpi, p95=evpi),
        ),
    )


def experiment() -> Experiment:
    """The status quo against the heuristic, half and half."""
    return Experiment(
        experiment="first-light",
        placement="article-bottom",
        control="status_quo",
        variants=(
            Variant(name="status_quo", weight=1, scenario="status_quo", release=RELEASES[0].release),
            Variant(name="heuristic", weight=1, scenario="heuristic", release=RELEASES[1].release),
        ),
        salt="first-light",
        share=0.8,
        started_at=START,
    )


def scorecard_at(look: int) -> Scorecard:
    """The scorecard at a look: the effect settles, its interval narrows."""
    chance = random.Random(look // 3)
    readers = 900 * (look + 1)

    def effect(metric: str, at: float, control: float, wide: float, *, kind: Any = "always", **more: Any) -> Effect:
        se = wide / math.sqrt(look + 1)
        here = at + chance.gauss(0, 0.6) * se
        half = 2.6 * se
        return Effect(
            metric=metric,
            variant="heuristic",
            control_value=control,
            variant_value=control * (1 + here),
            effect=control * here,
            se=control * se,
            p_value=0.01,
            interval=Interval(kind=kind, level=0.95, low=control * (here - half), high=control * (here + half)),
            relative=RelativeEffect(effect=here, low=here - half, high=here + half, se=se),
            **more,
        )

    def adjusted(raw: Effect, worth: float) -> Effect:
        """The adjusted row beside an unadjusted one, in money too: a third of the variance is gone."""
        assert isinstance(raw.relative, RelativeEffect)
        here, half = raw.relative.effect + 0.002, 0.82 * (raw.relative.high - raw.relative.effect)
        control = raw.control_value
        return replace(
            raw,
            effect=control * here,
            variant_value=control * (1 + here),
            interval=replace(raw.interval, low=control * (here - half), high=control * (here + half)),
            relative=RelativeEffect(effect=here, low=here - half, high=here + half, se=half / 2.6),
            adjusted=True,
            saved=0.33,
            money=MoneyEffect(
                effect=worth * here, low=worth * (here - half), high=worth * (here + half), currency="EUR"
            ),
        )

    def part(dimension: str, value: str, share: float, at: float, wide: float) -> Slice:
        raw = effect("articles_per_visit", at, 1.71, wide)
        kept = 0.028 + 0.3 * (at - 0.028)
        shrunk = None if dimension == "since" else Shrunk(effect=kept, low=kept - 0.4 * wide, high=kept + 0.4 * wide)
        return Slice(
            dimension=dimension,
            value=value,
            units={"status_quo": round(share * readers), "heuristic": round(share * (readers + 31))},
            effects=(replace(raw, shrunk=shrunk),),
        )

    visit = effect("articles_per_visit", 0.028, 1.71, 0.024, role="primary")
    return Scorecard(
        unit="reader",
        control="status_quo",
        units={"status_quo": readers, "heuristic": readers + 31},
        srm=SampleRatio(p_value=0.62, log_e=-2.1, alarm=False),
        effects=(
            visit,
            adjusted(visit, 80_000),
            effect(
                "visits_per_reader",
                0.001,
                2.2,
                0.011,
                role="guardrail",
                guardrail=Guardrail(state="holds" if look > 8 else "open", margin=0.022),
            ),
            effect("reads_per_reader", 0.019, 4.3, 0.05),
            effect("click_through", 0.11, 0.031, 0.12, proxy=True),
            UnavailableEffect(
                metric="subscriptions",
                variant="heuristic",
                because=Unavailable("No conversion was received.", "Send `conversion` events from the back end."),
            ),
        ),
        excluded={"two_variants": 12},
        experiment="first-light",
        planned=56_000,
        checks=(
            Check(check="split", state="fine", code="split_fine", figures={"p_value": 0.62}),
            Check(check="split_by", state="fine", code="split_by_fine", figures={"parts": 4.0}),
            Check(check="two_variants", state="watch", code="two_variants", figures={"n": 12.0, "share": 0.0003}),
            Check(check="completeness", state="unknown", code="too_early_for_days"),
        ),
        slices=(
            part("returning", "new", 0.6, 0.05, 0.04),
            part("returning", "returning", 0.4, 0.01, 0.05),
            part("consent", "profiling", 0.7, 0.03, 0.035),
            part("consent", "measurement", 0.3, -0.01, 0.06),
            *(part("since", str(day), 1 / (day + 1), 0.03 - 0.001 * day, 0.05 + 0.01 * day) for day in range(8)),
        ),
    )


RELEASES = tuple(
    Release(
        release=release_id(policy, settings),
        policy=policy,
        settings=settings,
        built_at=START - timedelta(hours=2),
        note=note,
    )
    for policy, settings, note in (
        ("status_quo", {}, "Scenario status_quo."),
        ("affinity", {"half_life_hours": 6}, "Scenario heuristic."),
        ("latest", {}, "For comparison."),
    )
)

ARTICLES = tuple(
    Article(
        article=f"a{number:02}",
        url=f"https://gazette.example/a{number:02}",
        title=title,
        section=SECTIONS[number % len(SECTIONS)],
        published_at=NOW - timedelta(hours=number * 3),
    )
    for number, title in enumerate(TITLES)
)


def trained(days, refused_for=(), **checks):
    told = [
        {"check": name, "when": "before", "state": state, "code": code, "figures": figures}
        for name, (state, code, figures) in checks.items()
    ]
    return Run(
        run=f"{NOW - timedelta(days=days):%Y%m%dT030000}-{days:07}",
        created=(NOW - timedelta(days=days)).replace(hour=3, minute=0),
        state="refused" if refused_for else "accepted",
        model=f"{days:064}",
        about={
            "checks": told,
            "refused_for": list(refused_for),
            "ndcg": 0.412,
            "heuristics": {"popular": 0.371, "affinity": 0.388},
        },
    )


SILENT = {"hours": 14, "reads": 1200, "usual": 6}
RUNS = (
    trained(0, ("freshness",), freshness=("alarm", "feed_silent", SILENT)),
    trained(1, volumes=("ok", "usual", {})),
    trained(2, freshness=("watch", "feed_was_silent", SILENT)),
    *(trained(days) for days in range(3, 8)),
)


class FakeNewsroom:
    """What the dashboard asks of a newsroom, answered from records. `look` moves time on."""

    def __init__(self, *, simulated: bool = True, language: Any = "en", empty: bool = False) -> None:
        self.folder = Path("/nowhere")
        self.simulated, self.empty, self.look = simulated, empty, LOOKS - 1
        self.config = Config(
            language=language,
            sites={"gazette": SiteConfig(name="The Gazette")},
            scenarios={
                "status_quo": ScenarioConfig(policy="status_quo"),
                "heuristic": ScenarioConfig(policy="affinity"),
                "ml": ScenarioConfig(policy="latest"),
            },
        )
        self.sites = {
            "gazette": Site(
                site="gazette", name="The Gazette", placements={"article-bottom": Placement(placement="article-bottom")}
            )
        }
        self.rollout_now = Rollout(
            rollout="home-side-1",
            placement="home-side",
            stable=RELEASES[0].release,
            canary=RELEASES[1].release,
            steps=(0.01, 0.05, 0.25, 1.0),
            step=2,
            reason="Guardrails are fine.",
            by="ana",
            changed_at=NOW - timedelta(hours=5),
        )
        if not empty:
            self.sites["gazette"].placements["home-side"] = Placement(placement="home-side")  # type: ignore[index]
        self.log = SimpleNamespace(last=lambda: 48_211 + self.look)
        self.analysis = SimpleNamespace(rows=lambda *_: [] if empty else [{"reader": "r-keen"}])
        self.done: list[tuple[str, ...]] = []

    def clock(self) -> datetime:
        return NOW

    def article(self, site: str, article: str) -> Article | None:
        return next((each for each in ARTICLES if each.article == article), None)

    def articles(self, site: str) -> Sequence[Article]:
        return () if self.empty else ARTICLES

    def preview(self, request: SlateRequest, scenario: str) -> Sequence[Recommended]:
        if scenario == "status_quo":
            return ()
        others = [each for each in ARTICLES if each.article != request.article]
        start = 2 if scenario == "ml" else 0
        reason = "Just published" if scenario == "ml" else "You read Culture; popular now"
        return [Recommended(each.article, reason) for each in others[start : start + request.n]]

    def models(self, site: str) -> tuple[Sequence[Run], Current | None]:
        return ((), None) if self.empty else (RUNS, Current(run=RUNS[1], data=b""))

    def experiments(self, site: str) -> Sequence[Experiment]:
        return () if self.empty else (experiment(),)

    def experiment(self, name: str) -> Experiment:
        return replace(experiment(), experiment=name)

    def scorecard(self, name: str) -> Scorecard:
        return scorecard_at(self.look)

    def scorecard_history(self, name: str) -> Sequence[tuple[datetime, Scorecard]]:
        return [(START + timedelta(hours=12 * look), scorecard_at(look)) for look in range(self.look + 1)]

    def restated(self, name: str) -> Restated:
        return Restated((LateDay(START.date(), 31, NOW),))

    def question(self) -> Question:
        if self.empty:
            raise unknown_name("file", "question.toml", [])
        return question()

    def question_history(self) -> Sequence[tuple[datetime, QuestionFiled]]:
        return [] if self.empty else [(START, QuestionFiled(question=question().question, text=TEXT))]

    def evidence(self) -> Sequence[Evidence]:
        return (
            Evidence(measures="interest", estimate=0.0171, se=0.0031, source="experiment first-light", at=NOW),
            Evidence(measures="revenue", successes=12, trials=300, study="survey", at=START),
        )

    def verdict(self) -> Verdict:
        self.question()
        return verdict_at(self.look)

    def verdict_history(self) -> Sequence[tuple[datetime, Verdict]]:
        self.question()
        return [(START + timedelta(hours=12 * look), verdict_at(look)) for look in range(self.look + 1)]

    def releases(self, site: str) -> Sequence[Release]:
        return RELEASES

    def rollouts(self, site: str) -> Sequence[Rollout]:
        return () if self.empty else (self.rollout_now,)

    def stable(self, site: str) -> Mapping[str, str]:
        return dict.fromkeys(self.sites[site].placements, RELEASES[0].release)

    def rollout_history(self, site: str) -> Sequence[Event]:
        if self.empty:
            return ()
        bodies = (
            *RELEASES,
            experiment(),
            replace(self.rollout_now, step=0, reason=""),
            replace(self.rollout_now, step=1, state="held", reason="Too few readers to tell."),
            self.rollout_now,
        )
        return [
            Event(id=str(number), site=site, at=START + timedelta(hours=30 * number), body=body)
            for number, body in enumerate(bodies)
        ]

    def resting(self, site: str) -> Sequence[tuple[str, str]]:
        return []

    def rules(self, site: str) -> Sequence[Rule]:
        if self.empty:
            return ()
        return (
            Rule(rule="top", action="pin", article="a02", position=1, until=NOW + timedelta(days=1), by="ana"),
            Rule(rule="no-sport", action="ban", section="Sport", by="ben"),
            Rule(rule="variety", action="cap", limit=2),
        )

    def ledger(self) -> Sequence[Any]:
        if self.empty:
            return ()
        return (
            SimpleNamespace(site="gazette", hour=NOW, received=48_254, accepted=48_211, duplicates=37, quarantined=6),
        )

    def counts(self, site: str) -> Mapping[str, int]:
        if self.empty:
            return {}
        return {"article": 14, "served": 21_300, "exposure": 9_031, "impression": 14_820, "click": 512, "read": 11_900}

    def traffic(self, site: str, *, buckets: int = 60) -> list[dict[str, Any]]:
        if self.empty:
            return []
        step = (NOW - START) / buckets
        rates = {"served": 300, "impression": 210, "click": 12, "read": 165}
        return [
            {
                "at": (START + step * bucket).isoformat(),
                "kind": kind,
                "count": round(rate * (1.2 + math.sin(bucket / buckets * 24 * math.pi) + 0.1 * (bucket % 3))),
            }
            for bucket in range(buckets)
            for kind, rate in rates.items()
        ]

    def served_shares(self, site: str) -> Mapping[str, int]:
        return {} if self.empty else {"heuristic": 8_512, "status_quo": 8_488, RELEASES[0].release: 4_300}

    def popular_now(self, site: str, n: int = 10) -> list[tuple[Article, float]]:
        if self.empty:
            return []
        return [(article, 140 / (place + 1.4)) for place, article in enumerate(ARTICLES[:n])]

    def quarantined(self, site: str, n: int = 20) -> Sequence[Any]:
        if self.empty:
            return ()
        return (
            SimpleNamespace(
                reason="Unknown field of `click` `postion`. Did you mean `position`?",
                at="$.events[3].postion",
                payload='{"kind": "click", "slate_id": "s1", "article": "a01", "postion": 2}',
            ),
        )

    def start(self, site: str, placement: str, release: str, *, by: str = "") -> Rollout:
        if placement == "home-side":
            raise Conflict("Rollout `home-side-1` is open on `home-side`.", hint="Complete it or roll it back first.")
        self.done.append(("start", placement, release, by))
        return self.rollout_now

    def _change(self, verb: str, rollout: str, by: str, reason: str) -> Rollout:
        if rollout != self.rollout_now.rollout:
            raise unknown_name("rollout", rollout, [self.rollout_now.rollout])
        self.done.append((verb, rollout, by, reason))
        return self.rollout_now

    def advance(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        return self._change("advance", rollout, by, reason)

    def hold(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        return self._change("hold", rollout, by, reason)

    def complete(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        return self._change("complete", rollout, by, reason)

    def rollback(self, site: str, rollout: str, *, by: str = "", reason: str = "") -> Rollout:
        return self._change("rollback", rollout, by, reason)
