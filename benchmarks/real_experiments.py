"""Real experiments, some of them broken: is the split's alarm right, and when does each rule speak?

- Upworthy Research Archive (Matias, Munger, Aubin Le Quere and Ebersole, Scientific Data 2021), exploratory part as cleaned
  by a third party: 4,873 headline tests, a fifth of them from months in which randomisation was broken.
- ASOS Digital Experiments (Liu, Cardoso, Couturier and McCoy 2021, CC BY 4.0): 99 treatments read again and again.

The sets are no part of this repository; what is printed is computed from them and holds none of their rows.
Run `python benchmarks/real_experiments.py [--data ../shared/data] [--out FILE]`.
"""

import argparse
import functools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect, SampleRatio
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates
from embellie.measure.looking import Looking
from embellie.measure.readings import Reading, check_readings, moments_of_reading
from embellie.measure.scoring import Design, sample_ratio, score
from embellie.stats.moments import Moments
from embellie.stats.multiplicity import benjamini_hochberg
from embellie.stats.sequential import group_bounds
from embellie.stats.shares import same_share_p

DATA = Path(__file__).parents[2] / "shared" / "data"
UPWORTHY = "upworthy/upworthy_clean_exploratory.parquet"
ASOS = "asos/asos_digital_experiments_dataset.parquet"

BROKEN = range(201325, 201402)
"""Weeks of the months in which visitors were probably not randomised one by one (the authors' note of June 2024)."""

# Upworthy


@dataclass(frozen=True, kw_only=True)
class HeadlineTest:
    """One test: its first week, and per variant the viewers and those who clicked."""

    test: str
    week: int
    shown: tuple[int, ...]
    clicked: tuple[int, ...]

    @property
    def broken(self) -> bool:
        """Whether it is of the months of broken randomisation."""
        return self.week in BROKEN

    def split(self, *, watched: bool) -> SampleRatio:
        """Check the split against equal shares, as looked at once or watched."""
        names = [str(place) for place in range(len(self.shown))]
        found = sample_ratio(dict(zip(names, self.shown, strict=True)), dict.fromkeys(names, 1.0), watched=watched)
        if isinstance(found, Unavailable):
            raise TypeError(found.reason)
        return found


def headline_tests(file: Path) -> list[HeadlineTest]:
    """Read every test; rows of one are not next to each other, and the earliest week counts."""
    rows = duckdb.sql(
        f"""SELECT clickability_test_id, min(test_week), list(impressions ORDER BY index), list(clicks ORDER BY index)
        FROM '{file}' GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    return [
        HeadlineTest(test=test, week=week, shown=tuple(shown), clicked=tuple(did)) for test, week, shown, did in rows
    ]


def split_alarms(tests: Sequence[HeadlineTest]) -> dict[str, float]:
    """Per cent of tests with an alarm: chi-square at three levels, and our e-values, of one look and of many."""
    once = [test.split(watched=False) for test in tests]
    watched = [test.split(watched=True) for test in tests]
    shares = {f"p < {level:g}": [one.p_value < level for one in once] for level in (0.05, 0.01, 0.001)}
    shares["e ≥ 100"] = [one.log_e >= math.log(100) for one in once]
    shares["alarm when watched"] = [one.alarm for one in watched]
    return {name: 100 * sum(flags) / max(1, len(flags)) for name, flags in shares.items()}


def upworthy(file: Path) -> dict[str, dict]:
    """The split's alarms inside and outside the broken months, week by week around them; how many headlines differ."""
    tests = headline_tests(file)
    parts = {
        "inside": [test for test in tests if test.broken],
        "outside": [test for test in tests if not test.broken],
        "before": [test for test in tests if test.week < BROKEN.start],
        "after": [test for test in tests if test.week >= BROKEN.stop],
    }
    alarms = {name: {"tests": len(part), **split_alarms(part)} for name, part in parts.items()}
    weeks = sorted({test.week for test in tests if 201316 <= test.week <= 201412})
    by_week = {}
    for week in weeks:
        part = [test for test in tests if test.week == week]
        by_week[str(week)] = {"tests": len(part), **split_alarms(part)}
    p_values = [same_share_p(test.clicked, test.shown) for test in tests]
    known = [p for p in p_values if p is not None]
    return {
        "tests": {"tests": len(tests), "variants": sum(len(test.shown) for test in tests)},
        "alarms": alarms,
        "weeks": by_week,
        "clicks": {
            "unavailable": len(p_values) - len(known),
            "p < 0.05": sum(p < 0.05 for p in known),
            "after correction, 5 %": sum(p < 0.05 for p in benjamini_hochberg(known)),
        },
    }


# ASOS

RULES = ("fixed", "group-sequential", "always-valid, t* = final n", "always-valid, t* = 1,000,000")
METRIC = Metric(metric="m", numerator="m")
SIDES = {"control": 1.0, "treatment": 1.0}


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of one treatment: its usable readings in order of time, and how many are not."""

    experiment: str
    variant: int
    metric: int
    readings: tuple[Reading, ...]
    unavailable: int


def series(file: Path) -> list[Series]:
    """Read every treatment and metric."""
    rows = duckdb.sql(
        f"""SELECT experiment_id, variant_id, metric_id, time_since_start, count_c, mean_c, variance_c, count_t, mean_t,
        variance_t FROM '{file}' ORDER BY experiment_id, variant_id, metric_id, time_since_start"""
    ).fetchall()
    grouped: dict[tuple[str, int, int], list[tuple]] = {}
    for experiment, variant, metric, *rest in rows:
        grouped.setdefault((experiment, variant, metric), []).append(tuple(rest))
    return [_series(key, own) for key, own in grouped.items()]


def _series(key: tuple[str, int, int], rows: Sequence[tuple]) -> Series:
    readings = []
    for at, *cells in rows:
        sides = {
            name: moments_of_reading(*cells[3 * place : 3 * place + 3], column="m") for place, name in enumerate(SIDES)
        }
        whole = {name: side for name, side in sides.items() if isinstance(side, Moments)}
        if len(whole) == len(SIDES):
            readings.append(Reading(at=at, column="m", sides=whole))
    return Series(
        experiment=key[0],
        variant=key[1],
        metric=key[2],
        readings=tuple(readings),
        unavailable=len(rows) - len(readings),
    )


def row_of(reading: Reading, looking: Looking) -> Effect | Unavailable:
    """The scorecard's row of one reading."""
    design = Design(control="control", weights=SIDES, metrics=(METRIC,), looking=looking)
    (row,) = score(design, Aggregates(moments=reading.sides)).effects
    return row if isinstance(row, Effect) else row.because


def units_of(reading: Reading) -> int:
    """Units of both sides."""
    return sum(side.n for side in reading.sides.values())


LOOKS = 28


@functools.cache
def bounds() -> tuple[float, ...]:
    """The bounds of a plan of so many equally spaced looks."""
    return group_bounds(tuple((look + 1) / LOOKS for look in range(LOOKS)))


def calendar_of(readings: Sequence[Reading]) -> dict[float, float]:
    """By time, the bound of |z| of a plan of 28 looks, equally spaced in units; the first reading at or past each is the look.

    Readings between two looks are none: to look at them all would spend the error twice.
    """
    final = max(units_of(reading) for reading in readings)
    found: dict[float, float] = {}
    seen = 0
    for reading in readings:
        look = math.floor(units_of(reading) / final * LOOKS + 1e-9)
        if look > seen:
            found[reading.at], seen = bounds()[look - 1], look
    return found


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a rule said of a series: the first time it called the sides different, whether it did at the last reading,
    and whether it ever called each side the better one.
    """

    first: float | None
    last: bool
    both_ways: bool


def said(found: Series) -> dict[str, Said]:
    """What each rule says of one series."""
    readings = found.readings
    final = units_of(readings[-1])
    calendar = calendar_of(readings)
    differs: dict[str, list[tuple[float, float]]] = {rule: [] for rule in RULES}
    ends = dict.fromkeys(RULES, False)
    for reading in readings:
        looked: dict[str, Effect | Unavailable] = {
            RULES[0]: row_of(reading, Looking()),
            RULES[2]: row_of(reading, Looking(kind="always", planned=final)),
            RULES[3]: row_of(reading, Looking(kind="always", planned=1_000_000)),
        }
        once = looked[RULES[0]]
        for rule in RULES:
            row = looked.get(rule, once)
            ends[rule] = False
            if isinstance(row, Unavailable):
                continue
            if rule == RULES[1]:
                apart = abs(row.effect / row.se) >= calendar.get(reading.at, math.inf)
                ends[rule] = abs(row.effect / row.se) >= bounds()[-1]
            else:
                apart = ends[rule] = not row.interval.low <= 0 <= row.interval.high
            if apart:
                differs[rule].append((reading.at, row.effect))
    return {
        rule: Said(
            first=found[0][0] if found else None,
            last=ends[rule],
            both_ways=len({effect > 0 for _, effect in found}) == 2,
        )
        for rule, found in differs.items()
    }


def asos(file: Path) -> dict[str, dict]:
    """When each rule first speaks, what the last reading says; which readings cannot be used, which are suspect."""
    every = series(file)
    usable = [one for one in every if one.readings]
    told = [(one, said(one)) for one in usable]
    rules = {}
    for rule in RULES:
        own = [each[rule] for _, each in told]
        ever = [one for one in own if one.first is not None]
        shares = sorted(each[rule].first / one.readings[-1].at for one, each in told if each[rule].first is not None)
        rules[rule] = {
            "ever": len(ever),
            "at the last reading": sum(one.last for one in own),
            "and came back": sum(not one.last for one in ever),
            "both ways": sum(one.both_ways for one in ever),
            "median first crossing, share of the time": shares[len(shares) // 2] if shares else None,
        }
    end = {(one.experiment, one.variant, one.metric) for one, each in told if each["fixed"].last}
    for rule in RULES:
        kept = sum(
            (one.experiment, one.variant, one.metric) in end for one, each in told if each[rule].first is not None
        )
        rules[rule]["of those that differ at the end"] = kept
    suspect: dict[str, list[str]] = {}
    for one in usable:
        for check in check_readings(one.readings):
            place = f"{one.experiment} {one.variant}, metric {one.metric}, day {check.figures['at']:g}"
            suspect.setdefault(check.code, []).append(place)
    return {
        "series": {
            "treatments": len({(one.experiment, one.variant) for one in every}),
            "usable": len(usable),
            "unusable": len(every) - len(usable),
            "readings": sum(len(one.readings) + one.unavailable for one in every),
            "readings unavailable": sum(one.unavailable for one in every),
        },
        "rules": rules,
        "suspect": suspect,
    }


# telling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, help="write the figures there")
    asked = parser.parse_args()
    document: dict[str, Mapping] = {}
    for name, file, work in (("upworthy", UPWORTHY, upworthy), ("asos", ASOS, asos)):
        place = asked.data / file
        if not place.is_file():
            print(f"{name}: no file {file} under the folder of data; left out.")
            continue
        began = time.perf_counter()
        document[name] = work(place)
        print(f"\n{name}, {time.perf_counter() - began:.0f} s")
        show(document[name])
    if asked.out:
        asked.out.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")


def show(figures: Mapping, indent: int = 2) -> None:
    """Print figures, one line each; groups of plain figures as one line."""
    for key, value in figures.items():
        if isinstance(value, Mapping) and not any(isinstance(one, Mapping | list) for one in value.values()):
            line = ", ".join(f"{name} {_text(one)}" for name, one in value.items())
            print(f"{' ' * indent}{key}: {line}")
        elif isinstance(value, Mapping):
            print(f"{' ' * indent}{key}")
            show(value, indent + 2)
        elif isinstance(value, list):
            print(f"{' ' * indent}{key}: {len(value)}, such as {'; '.join(value[:6])}")
        else:
            print(f"{' ' * indent}{key}: {_text(value)}")


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
