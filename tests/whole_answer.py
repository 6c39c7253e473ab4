"""A whole answer to one question, by hand: every record there is to draw, with plausible figures."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from statistics import NormalDist

from embellie.app.deciding import decide, parse_question
from embellie.domain.evidence import Evidence
from embellie.domain.plan import Branch, Plan, Rival, Step
from embellie.domain.verdict import (
    Boundary,
    CaseValue,
    Curve,
    Duration,
    Figure,
    FlatTop,
    Prospect,
    Spread,
    Stopping,
    Stress,
    Stressed,
    Swing,
    TippingPoint,
)

TEXT = """question = "Should we recommend articles below each article?"
currency = "EUR"
horizon  = "24 months"
discount = "8 %/year"
[quantities]
visits = { value = "6M visit/month", source = "replace by your own analytics" }
[unknowns.articles_per_visit]
range  = "1.6 to 1.9 article/visit"
ask    = "How many articles does a visit read today?"
kind   = "reader"
[unknowns.revenue]
range  = "0.008 to 0.02 EUR/article"
ask    = "What is one more article read worth?"
kind   = "business"
[unknowns.interest]
range  = "-2.9 % to 6.9 %"
tails  = "fat"
ask    = "Do readers want recommendations at all?"
kind   = "reader"
[unknowns.ml_gain]
range  = "-1.5 % to 2.5 %"
ask    = "How much better than the simple rule is a model?"
kind   = "ml"
[unknowns.crisis]
range  = "-15 % to 5 %"
ask    = "What will the news cycle do to traffic?"
kind   = "world"
[correlations]
"interest ~ ml_gain" = 0.3
[formulas]
base = "visits * articles_per_visit * revenue * (1 + crisis)"
[scenarios.status_quo]
benefit = "0 EUR/month"
[scenarios.heuristic]
build   = "8k to 20k EUR"
run     = "300 to 900 EUR/month"
ready   = "2 to 5 weeks"
benefit = "base * interest"
[scenarios.ml]
needs   = "heuristic"
build   = "60k / 110k / 220k EUR"
run     = "3k to 7k EUR/month"
ready   = "3 to 8 months"
benefit = "base * (interest + ml_gain)"
[studies.ab_heuristic]
kind     = "experiment"
measures = "interest"
scenario = "heuristic"
metric   = "articles_per_visit"
traffic  = "visits"
sd       = 1.2
weeks    = [1, 2, 4, 8]
share    = [0.1, 0.5]
cost     = "1k EUR + 500 EUR/week"
[studies.replay_ml]
kind     = "offline"
measures = "ml_gain"
se       = "1.5 %"
delay    = "3 weeks"
cost     = "4k EUR"
[studies.ask_finance]
kind     = "measurement"
measures = "revenue"
se       = 0.001
delay    = "1 week"
cost     = "1k EUR"
"""
NORMAL = NormalDist()
CHANCES = tuple(NORMAL.cdf(-3.5 + 0.1 * k) for k in range(71))
RANKS = tuple(-3.5 + 0.1 * k for k in range(71))


def question():
    """Three scenarios, eleven unknowns, three studies."""
    return parse_question(TEXT, file="question.toml")


def evidence():
    """Two findings, months apart."""
    return [
        Evidence(
            measures="revenue", estimate=0.0135, se=0.001, study="ask_finance", at=datetime(2026, 2, 2, tzinfo=UTC)
        ),
        Evidence(
            measures="interest", estimate=0.012, se=0.012, study="ab_heuristic", at=datetime(2026, 3, 9, tzinfo=UTC)
        ),
    ]


def curves():
    """Three unknowns: two that could change the choice, one that could not."""
    interest = tuple(0.02 + 0.03 * rank for rank in RANKS)
    gain = tuple(0.005 + 0.0122 * rank for rank in RANKS)
    revenue = tuple(math.exp(-4.37 + 0.28 * rank) for rank in RANKS)
    flat = (0.0,) * len(RANKS)

    def of(name, values, heuristic, ml):
        net = {"status_quo": flat, "heuristic": tuple(map(heuristic, values)), "ml": tuple(map(ml, values))}
        return Curve(unknown=name, values=values, chances=CHANCES, net_benefit=net)

    return (
        of("interest", interest, lambda v: -24_000 + 2.75e6 * v, lambda v: -205_000 + 2.7e6 * v),
        of("ml_gain", gain, lambda v: 31_000 + 2e5 * (v - 0.005), lambda v: -151_000 + 6.4e6 * (v - 0.005)),
        of("revenue", revenue, lambda v: -14_000 + 3.4e6 * v, lambda v: -196_000 + 3.4e6 * v),
    )


def tops():
    """ENBS by duration at two shares of the traffic."""

    def of(share, best, high):
        durations = tuple(
            Duration(
                weeks=week,
                evsi=high + 900 * week,
                enbs=high * (1 - 0.09 * abs(math.log(week / best)) ** 2.2) - 60 * week,
            )
            for week in (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12)
        )
        top = max(durations, key=lambda each: each.enbs)
        return FlatTop(
            study="ab_heuristic", share=share, best=top, low=0.6 * best, high=1.9 * best, durations=durations
        )

    return of(0.5, 2.0, 17_600), of(0.1, 3.4, 16_700)


def stopping():
    """A region that narrows to a point."""
    boundaries = (
        *tuple(
            Boundary(weeks=week, low=0.009 - 0.028 * (1 - week / 9) ** 1.4, high=0.009 + 0.034 * (1 - week / 9) ** 1.4)
            for week in range(1, 9)
        ),
        Boundary(weeks=9, low=None, high=None),
    )
    return (
        Stopping(
            study="ab_heuristic",
            share=0.5,
            most_weeks=9,
            enbs=Figure(value=18_400, error=60),
            fixed=17_480,
            expected_weeks=1.7,
            boundaries=boundaries,
        ),
    )


def plan():
    """Ask first; then ship, replay a model, or stop."""

    def end(live, begins, *, starts=False, stops=False):
        return Step(live=live, begins=begins, starts=starts, stops=stops)

    replay = Step(
        live="heuristic",
        begins=4,
        starts=True,
        study="replay_ml",
        weeks=0,
        cost=4_000,
        branches=(
            Branch(low=None, high=0.021, chance=0.93, value=131_000, then=end("heuristic", 7)),
            Branch(low=0.021, high=None, chance=0.07, value=212_000, then=end("ml", 31, starts=True)),
        ),
    )
    first = Step(
        live="status_quo",
        begins=0,
        study="ab_heuristic",
        weeks=2,
        share=0.5,
        cost=2_000,
        branches=(
            Branch(low=None, high=0.0085, chance=0.34, value=-2_000, then=end("status_quo", 2)),
            Branch(low=0.0085, high=0.034, chance=0.36, value=34_000, then=end("heuristic", 4, starts=True)),
            Branch(low=0.034, high=None, chance=0.30, value=137_000, then=replay),
        ),
    )
    return Plan(
        first=first,
        value=Figure(value=52_300, error=180),
        gain=Figure(value=21_100, error=160),
        words={
            "en": (
                "Run `ab_heuristic` for 2 weeks on 50 % of the traffic; it costs 2,000 EUR.",
                "Below 0.85 %, keep `status_quo`: nothing more is worth asking.",
                "From 0.85 % to 3.4 %, put `heuristic` in production.",
                "Above, put `heuristic` in production and run `replay_ml`: above 2.1 %, build `ml`.",
            ),
            "fr": (
                "Lancez `ab_heuristic` pendant 2 semaines sur 50 % du trafic : 2 000 EUR.",
                "En dessous de 0,85 %, gardez `status_quo` : plus rien ne vaut d'être demandé.",
                "De 0,85 % à 3,4 %, mettez `heuristic` en production.",
                "Au-dessus, mettez `heuristic` en production et lancez `replay_ml` : au-dessus de 2,1 %, construisez `ml`.",
            ),
        },
        rivals=(
            Rival(live="status_quo", study="ab_heuristic", weeks=4, share=0.5, gain=Figure(value=19_000, error=150)),
            Rival(live="heuristic", study="ab_heuristic", weeks=2, share=0.5, gain=Figure(value=16_400, error=150)),
            Rival(live="heuristic", study="", weeks=0, share=0, gain=Figure(value=0, error=0)),
        ),
    )


def stress():
    """It holds until ranges are more than twice as wide."""

    def of(factor, *, fat=False, scenario="heuristic"):
        nets = {"status_quo": 0.0, "heuristic": 31_200 - 4_000 * factor, "ml": -151_000 - 9_000 * factor}
        return Stressed(
            factor=factor, fat=fat, action="learn_more", scenario=scenario, evpi=19_600 * factor, net_benefit=nets
        )

    return Stress(
        flips_at=2.4,
        becomes="status_quo",
        learns_at=1.0,
        tried=4.0,
        widened=(of(1.25), of(1.5), of(2.0), of(3.0, scenario="status_quo")),
        fat=of(1.0, fat=True),
    )


def cases():
    """Two suppositions."""

    def of(name, sets, best, shift):
        net = {
            "status_quo": Spread(mean=0, p05=0, p50=0, p95=0),
            "heuristic": Spread(mean=31_200 + shift, p05=-98_000 + shift, p50=31_000 + shift, p95=162_000 + shift),
            "ml": Spread(
                mean=-151_000 + 3 * shift, p05=-330_000 + 3 * shift, p50=-145_000 + 3 * shift, p95=21_000 + 3 * shift
            ),
        }
        chances = {"status_quo": 0.3, "heuristic": 0.5, "ml": 0.2}
        return CaseValue(
            case=name,
            sets=sets,
            action="learn_more",
            best=best,
            evpi=Figure(value=21_000, error=90),
            net_benefit=net,
            p_best=chances,
        )

    return (
        of("twice_the_traffic", {"visits": "12M visit/month"}, "heuristic", 52_000),
        of("dear_rule", {"heuristic.build": "60k to 90k EUR"}, "status_quo", -61_000),
    )


def whole(**changes):
    """The whole verdict; `changes` replace fields."""
    quick = decide(question(), draws=1024)
    ends = {unknown.name: unknown.posterior for unknown in quick.unknowns}
    worth = {"interest": 18_800.0, "ml_gain": 1_520.0}
    unknowns = [
        replace(
            unknown,
            evppi=Figure(value=worth.get(unknown.name, 12.0), error=45.0),
            open=unknown.name == "interest",
            floor=0.0,
        )
        for unknown in quick.unknowns
    ]
    swings = {
        "interest": (-104_000, 166_000),
        "ml_gain": (27_000, 36_000),
        "revenue": (14_000, 55_000),
        "articles_per_visit": (26_000, 36_000),
        "crisis": (24_000, 38_000),
        "heuristic.build": (38_000, 22_000),
        "heuristic.run": (37_000, 25_500),
    }
    fields = {
        "evpi": Figure(value=19_600.0, error=60.0),
        "noise_floor": 30.0,
        "unknowns": tuple(sorted(unknowns, key=lambda each: (-each.evppi.value, each.name))),
        "curves": curves(),
        "tipping": (
            TippingPoint(unknown="interest", value=0.0087, below="status_quo", above="heuristic", chance_above=0.65),
            TippingPoint(unknown="ml_gain", value=0.0345, below="heuristic", above="ml", chance_above=0.008),
        ),
        "tornado": tuple(
            Swing(unknown=name, best="heuristic", rival="status_quo", at_p05=low, at_p95=high)
            for name, (low, high) in swings.items()
            if name in ends
        ),
        "tops": tops(),
        "stopping": stopping(),
        "plan": plan(),
        "stress": stress(),
        "cases": cases(),
        "prospect": Prospect(
            study="ab_heuristic",
            weeks=2,
            share=0.5,
            now=19_600,
            after=Spread(mean=2_300, p05=0, p50=400, p95=9_800),
        ),
    }
    return replace(quick, **fields | changes)
