"""Upworthy's headline tests: the split's alarm inside and outside the months of broken randomisation."""

import importlib.util
import sys
from pathlib import Path

import pytest
from scipy.stats import chi2_contingency

from embellie.app.measuring import check_split
from embellie.stats.multiplicity import benjamini_hochberg
from embellie.stats.shares import same_share_p

ROOT = Path(__file__).parents[2]
FILE = ROOT.parent / "shared" / "data" / "upworthy" / "upworthy_clean_exploratory.parquet"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not FILE.exists(), reason="needs the `upworthy` set in ../shared/data/upworthy (not part of this repository)"
    ),
]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("real_experiments", ROOT / "benchmarks" / "real_experiments.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tests(benchmark):
    return benchmark.headline_tests(FILE)


def test_the_tests_are_read_whole(tests):
    """Rows of one test are put together, and those of two weeks count in the first."""
    assert (len(tests), sum(len(test.shown) for test in tests)) == (4873, 22666)
    assert sum(test.broken for test in tests) == 1058


@pytest.mark.parametrize(
    ("level", "inside", "outside"), [("p < 0.05", 85.6, 7.8), ("p < 0.01", 78.1, 2.3), ("p < 0.001", 69.5, 0.5)]
)
def test_the_share_of_alarms_is_the_known_one(benchmark, tests, level, inside, outside):
    """Equal-split chi-square: as counted independently, to the last digit given."""
    parts = [[test for test in tests if test.broken is broken] for broken in (True, False)]
    found = [benchmark.split_alarms(part)[level] for part in parts]
    assert found == [pytest.approx(inside, abs=0.06), pytest.approx(outside, abs=0.06)]


def test_the_alarm_fires_inside_and_hardly_ever_outside(benchmark, tests):
    """At .001 above 60 % inside, below 2 % outside, below 1 % after; our own alarm keeps its 1 % after the broken months."""
    inside, outside, after = (
        benchmark.split_alarms([test for test in tests if keep(test)])
        for keep in (lambda t: t.broken, lambda t: not t.broken, lambda t: t.week >= benchmark.BROKEN.stop)
    )
    assert inside["p < 0.001"] > 60
    assert outside["p < 0.001"] < 2
    assert after["p < 0.001"] < 1
    for rule in ("e ≥ 100", "alarm when watched"):
        assert inside[rule] > 55
        assert outside[rule] < 1
        assert after[rule] < 0.5


def test_the_week_in_which_it_broke_shows(benchmark, tests):
    """From 12 % in 201324 to 70 % in 201325, and back to 9 % in 201402."""
    found = {
        week: benchmark.split_alarms([test for test in tests if test.week == week])["p < 0.01"]
        for week in (201324, 201325, 201401, 201402)
    }
    assert found[201324] < 15
    assert found[201325] == pytest.approx(70, abs=1)
    assert found[201401] > 50
    assert found[201402] < 10


@pytest.mark.parametrize(
    ("shown", "p_value"), [((11839, 12951), 1.6e-12), ((13921, 14253), 0.048), ((15194, 14970), 0.197)]
)
def test_three_large_tests(shown, p_value):
    """Equal-split p of three tests, to the digits given."""
    found = check_split(shown, [1, 1])
    assert found.p_value == pytest.approx(p_value, rel=0.03)
    assert found.alarm is (p_value < 0.001)


def test_how_many_headlines_differ(tests):
    """Omnibus p < .05 in 45.2 %, 1,711 tests after Benjamini and Hochberg; without a click there is no answer.

    1,708 where the tests of two variants are corrected for continuity, as an independent count did.
    """
    clicked = [test for test in tests if sum(test.clicked)]
    p_values = [same_share_p(test.clicked, test.shown) for test in tests]
    known = [p for p in p_values if p is not None]
    assert len(tests) - len(known) == len(tests) - len(clicked) == 1
    assert sum(p < 0.05 for p in known) / len(p_values) == pytest.approx(0.452, abs=5e-4)
    assert sum(p < 0.05 for p in benjamini_hochberg(known)) == 1711
    for correction, found in ((False, 1711), (True, 1708)):
        theirs = [
            chi2_contingency(
                [test.clicked, [n - s for n, s in zip(test.shown, test.clicked, strict=True)]], correction=correction
            ).pvalue
            for test in clicked
        ]
        assert sum(p < 0.05 for p in benjamini_hochberg(theirs)) == found
