"""ASOS's experiments read over time: what each rule says when, and what cannot be used."""

import importlib.util
import sys
from pathlib import Path

import pytest

from embellie.domain.scorecard import Effect
from embellie.domain.unavailable import Unavailable
from embellie.measure.looking import Looking
from embellie.measure.readings import check_readings

ROOT = Path(__file__).parents[2]
FILE = ROOT.parent / "shared" / "data" / "asos" / "asos_digital_experiments_dataset.parquet"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not FILE.exists(), reason="needs the `asos` set in ../shared/data/asos (not part of this repository)"
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
def series(benchmark):
    return {(one.experiment, one.variant, one.metric): one for one in benchmark.series(FILE)}


@pytest.fixture(scope="module")
def told(benchmark, series):
    return [benchmark.said(one) for one in series.values() if one.readings]


def test_missing_variances_are_unavailable(series):
    """99 treatments are usable for metric 1, 94 for each other; 779 readings lack a variance, 8 have nobody."""
    usable = [metric for (_, _, metric), one in series.items() if one.readings]
    assert [usable.count(metric) for metric in (1, 2, 3, 4)] == [99, 94, 94, 94]
    assert sum(one.unavailable for one in series.values()) == 779 + 8


def test_a_side_without_a_single_event_is_no_certainty(benchmark, series):
    """203 readers, none of whom did: no relative answer out of nothing, and no interval that holds at every look."""
    first = series["591c2c", 1, 2].readings[0]
    assert first.sides["treatment"].mean("m") == 0
    once = benchmark.row_of(first, Looking())
    assert isinstance(once, Unavailable) or isinstance(once.relative, Unavailable) or once.relative.low >= -1
    watched = benchmark.row_of(first, Looking(kind="always"))
    assert isinstance(watched, Unavailable) or watched.interval.low < 0 < watched.interval.high


@pytest.mark.parametrize(("metric", "last", "ever"), [(1, 26, 46), (2, 27, 64), (3, 25, 57), (4, 27, 58)])
def test_looking_again_and_again_doubles_what_is_found(benchmark, series, metric, last, ever):
    """Fixed intervals: 105 of 381 differ at the last reading, 225 at some reading."""
    own = [benchmark.said(one)["fixed"] for key, one in series.items() if key[2] == metric and one.readings]
    # The 1.96 of the notes beside Student's t with millions of degrees of freedom: the same.
    assert (sum(one.last for one in own), sum(one.first is not None for one in own)) == (last, ever)


def test_what_crosses_comes_back_less_often_under_rules_made_for_looking(benchmark, told):
    """120 come back and 13 say both under fixed intervals; under each sequential rule a half, and a third, at most."""
    came_back = {rule: sum(each[rule].first is not None and not each[rule].last for each in told) for rule in told[0]}
    both = {rule: sum(each[rule].both_ways for each in told) for rule in told[0]}
    assert (came_back["fixed"], both["fixed"]) == (120, 13)
    for rule in benchmark.RULES[1:]:
        assert came_back[rule] <= 60
        assert both[rule] <= 5


def test_rules_made_for_looking_find_most_of_what_lasts(benchmark, told):
    """They speak far less often than 225 times, and of the 105 that differ at the end they miss few or some."""
    end = [each for each in told if each["fixed"].last]
    for rule, fewest in zip(benchmark.RULES[1:], (90, 70, 65), strict=True):
        assert sum(each[rule].first is not None for each in told) < 140
        assert sum(each[rule].first is not None for each in end) >= fewest


def test_what_cannot_be_is_warned_of(series):
    """Falling counts in two treatments, all four metrics; and the suspected loss of events of `162a38`, day 38."""
    warned = {
        (check.code, key[0], key[1], key[2], round(check.figures["at"], 1))
        for key, one in series.items()
        for check in check_readings(one.readings)
    }
    fell = {(experiment, variant, at) for code, experiment, variant, _, at in warned if code == "units_fell"}
    assert fell == {("4db6c7", 2, 18.0), ("b3280a", 1, 30.0)}
    assert ("side_silent", "162a38", 1, 1, 38.0) in warned


def test_every_reading_scores(benchmark, series):
    """No reading of the 99 treatments, however odd, is an error: a row or a reason."""
    for one in series.values():
        for reading in one.readings:
            assert isinstance(benchmark.row_of(reading, Looking(kind="always")), Effect | Unavailable)
