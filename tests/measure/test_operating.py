"""The simulations of `benchmarks/operating.py` in small: wide bands around what must hold."""

import importlib.util
import sys
from pathlib import Path

import pytest

from embellie.domain.scorecard import Effect
from embellie.measure.aggregates import Aggregates
from embellie.measure.looking import Looking
from embellie.measure.scoring import score
from embellie.stats.moments import Moments

FILE = Path(__file__).parents[2] / "benchmarks" / "operating.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("operating", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("looks", [4, 7])
def test_the_bounds_used_are_those_of_the_scorecard(benchmark, looks):
    """The benchmark computes a plan's bounds once; `score` gives the same reach at each look."""
    bounds = benchmark.bounds_at(looks, 28)
    metric = benchmark.METRICS[2]
    design = benchmark.design_of(
        (metric,), Looking(kind="group_sequential", looks=looks, planned=28_000), adjusted=False
    )
    for day, bound in bounds.items():
        side = Moments(500 * day, {"reads": 3.0}, {("reads", "reads"): 4.0})
        (row,) = score(design, Aggregates(moments={"control": side, "treatment": side})).effects
        assert isinstance(row, Effect)
        assert (row.interval.high - row.effect) / row.se == pytest.approx(bound, abs=1e-6)


def test_the_planted_truth_is_that_of_the_readers(benchmark):
    """Simulated in the large, the readers' effects are what `truths` says, metric by metric."""
    rng = benchmark.np.random.default_rng(3)
    readers = benchmark.draw_readers(rng, (1, 1, 2_000_000), benchmark.EFFECT)
    treated = readers["variant"].ravel()
    truth = benchmark.truths(benchmark.EFFECT)
    for name, (top, bottom) in {
        "reads": ("reads", ""),
        "reads_per_visit": ("reads", "visits"),
        "click_through": ("clicks", "impressions"),
        "subscribed": ("subscribed", ""),
    }.items():
        means = [
            readers[top].ravel()[treated == side].mean()
            / (readers[bottom].ravel()[treated == side].mean() if bottom else 1)
            for side in (0, 1)
        ]
        assert means[1] / means[0] - 1 == pytest.approx(truth[name][1], abs=0.02)


@pytest.mark.slow
def test_rules_keep_their_errors_and_find_what_is_there(benchmark, capsys):
    """A hundred months each: peeking inflates, the others do not; what is planted is found, and held by the intervals."""
    told = benchmark.simulate(("errors", "power", "decisions"), runs=100, jobs=2, seed=3)
    print("\n".join(benchmark.tables(told)))  # noqa: T201, shown when something fails
    none = told["no effect"]
    for metric, one in none.items():
        if metric == "requests":
            assert one["fixed, daily"]["percent"] > 25
            continue
        spoke = {rule: one["spoke"][rule]["percent"] for rule in benchmark.RULES}
        assert spoke["fixed, at the end"] <= 15
        assert spoke["fixed, daily"] >= 12
        assert spoke["95 % chance to win, daily"] >= 28
        assert spoke["group-sequential, 28 looks"] <= 15
        assert spoke["always-valid"] <= 8
    planted = told["planted"]
    assert planted["reads_per_visit adjusted"]["spoke"]["always-valid"]["percent"] > 75
    assert planted["reads_per_visit adjusted"]["spoke"]["group-sequential, 28 looks"]["percent"] > 90
    for one in planted.values():
        if "held" in one:
            assert one["held"]["absolute, fixed, at the end"]["percent"] >= 86
            assert one["held"]["absolute, always-valid, every look"]["percent"] >= 92
    for metric in ("reads_per_visit", "reads_per_visit adjusted"):
        assert told["guardrail, a harm of the margin"][metric]["passed"]["percent"] <= 12
        assert told["guardrail, no harm"][metric]["alarmed"]["percent"] <= 12
        assert told["guardrail, twice the margin"][metric]["alarmed"]["percent"] >= 80
    assert told["many"]["holm"]["percent"] <= 14
    assert told["many"]["bh"]["percent"] <= 12
    assert told["many"]["e-bh"]["percent"] <= 12


def test_the_splits_checks_over_ninety_days(benchmark):
    """200 runs: false alarms stay rare, 50.5/49.5 is seen within two weeks."""
    told = benchmark.summary("split", benchmark.split((1,), 200))
    for check, one in told.items():
        assert one["50.0%"]["percent"] <= 5
        assert one["50.5%"]["percent"] >= 98
        assert 3 <= one["50.5%"]["median_day"] <= 14, check
