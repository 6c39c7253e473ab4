"""Re-randomising: history assigned anew, again and again, without any effect. Is the scorecard wrong as often as it says?"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embellie.domain.errors import InputError
from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates, Covariate, Needs, quantile_shares
from embellie.measure.scoring import Design, score
from embellie.stats.calibration import uniformity_p
from embellie.stats.covariance_of_effects import wilson_interval
from embellie.stats.moments import Moments, QuantileSample

Floats = NDArray[np.float64]
State = Literal["fine", "too_sure", "too_careful"]
MOST_UNITS = 200_000
"""More units than this are not needed: the first so many, in order of their names, are assigned."""

FEWEST_UNITS = 200
RUNS = 1_000
BINS = 10
SURE = 0.002
"""The chance that any metric is called off though all are right."""

_Z = 1.959963984540054
_AT_ONCE = 4_000_000
_SIDES = ("control", "treatment")


@dataclass(frozen=True, kw_only=True)
class Units:
    """Values per unit, nothing yet cut, and what of them is assigned at random.

    Attributes:
        needs: Names the columns of `values`.
        values: One row per unit.
        assigned: For each unit, the number of what is assigned as a whole; None where each unit is by itself.
    """

    needs: Needs
    values: Floats
    assigned: NDArray[np.int64] | None = None

    @property
    def groups(self) -> int:
        """How many are assigned."""
        return len(self.values) if self.assigned is None else int(self.assigned.max()) + 1


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How one row of the scorecard behaved without an effect.

    Attributes:
        error_rate: The share of runs with p < 0.05, and the interval that this share can lie in.
        uniformity: The p-value of the test that p-values are uniform.
        coverage: The share of fixed intervals that hold zero, absolute and relative.
        se_ratio: The standard error that was claimed, over the spread of the estimates that was seen.
        histogram: How many p-values fell in each tenth.
        runs: In how many runs the row was available.
    """

    metric: str
    adjusted: bool
    state: State
    error_rate: tuple[float, float, float]
    uniformity: float
    coverage: tuple[float, float | None]
    se_ratio: float
    histogram: tuple[int, ...]
    runs: int


@dataclass(frozen=True, kw_only=True)
class ReRandomised:
    """What was assigned anew, and how each metric's rows behaved; `missing` says why a metric has none."""

    units: int
    groups: int
    runs: int
    seed: int
    rows: tuple[Calibration, ...]
    missing: Mapping[str, Unavailable]
    more_units: bool = False

    @property
    def passed(self) -> bool:
        """Whether no row's error rate is off, and there is a row."""
        return bool(self.rows) and all(row.state == "fine" for row in self.rows)


def re_randomise(
    units: Units,
    metrics: Sequence[Metric],
    *,
    covariates: Mapping[str, Covariate | Sequence[Covariate]] | None = None,
    runs: int = RUNS,
    seed: int = 0,
    share: float = 0.5,
    more_units: bool = False,
) -> ReRandomised:
    """Assign units to two sides at random, `runs` times, and score each time: there is no effect but what chance makes.

    Roles are left aside: each row is a fixed interval, whose p-values must be uniform.

    Args:
        units: What to assign.
        metrics: What to compare; their columns are in `units`.
        covariates: As in a design.
        runs: How often.
        seed: Of the assignments.
        share: The part that is assigned to the treatment, on average.
        more_units: There are more units than these.

    Raises:
        InputError: Too few units to say anything.
    """
    if units.groups < FEWEST_UNITS:
        raise InputError(
            f"There are only {units.groups} units to assign.", hint=f"From {FEWEST_UNITS} on something can be said."
        )
    plain = tuple(replace(metric, role="diagnostic", margin=0.0, loss=None, worth=None) for metric in metrics)
    design = Design(
        control=_SIDES[0],
        weights={_SIDES[0]: 1.0 - share, _SIDES[1]: share},
        metrics=plain,
        covariates=covariates or {},
    )
    rows: dict[tuple[str, bool], list[Effect]] = {}
    missing: dict[str, Unavailable] = {}
    for known in _assignments(units, runs=runs, seed=seed, share=share):
        for row in score(design, known).effects:
            if isinstance(row, Effect):
                rows.setdefault((row.metric, row.adjusted), []).append(row)
            else:
                missing.setdefault(row.metric, row.because)
    enough = {key: found for key, found in rows.items() if len(found) > runs / 2}
    return ReRandomised(
        units=len(units.values),
        groups=units.groups,
        runs=runs,
        seed=seed,
        rows=tuple(_calibration(key, found, rows=len(enough)) for key, found in enough.items()),
        missing={name: because for name, because in missing.items() if (name, False) not in enough},
        more_units=more_units,
    )


def _calibration(key: tuple[str, bool], found: Sequence[Effect], *, rows: int) -> Calibration:
    p_values = np.array([row.p_value for row in found])
    wrong = int(np.sum(p_values < 0.05))
    low, high = wilson_interval(wrong, len(found), level=1.0 - SURE / rows)
    state: State = "too_sure" if low > 0.05 else "too_careful" if high < 0.05 else "fine"
    spread = float(np.std([row.effect for row in found]))
    claimed = math.sqrt(float(np.mean([row.se**2 for row in found])))
    relative = [
        row.relative.low <= 0.0 <= row.relative.high for row in found if not isinstance(row.relative, Unavailable)
    ]
    return Calibration(
        metric=key[0],
        adjusted=key[1],
        state=state,
        error_rate=(wrong / len(found), low, high),
        uniformity=uniformity_p(p_values.tolist()),
        coverage=(
            float(np.mean([row.interval.low <= 0.0 <= row.interval.high for row in found])),
            float(np.mean(relative)) if relative else None,
        ),
        se_ratio=claimed / spread if spread > 0 else math.inf,
        histogram=tuple(int(count) for count in np.histogram(p_values, bins=BINS, range=(0.0, 1.0))[0]),
        runs=len(found),
    )


def _assignments(units: Units, *, runs: int, seed: int, share: float) -> Iterator[Aggregates]:
    """Yield what is known after each assignment.

    Sums are of centred values: of groups first, then of the groups of the treatment; the control is the rest.
    """
    rng = np.random.default_rng(seed)
    values = _cut(units)
    shifts = values.mean(axis=0)
    centred = values - shifts
    place_of = {name: place for place, name in enumerate(units.needs.names)}
    pairs = [(place_of[one], place_of[other]) for one, other in units.needs.pairs]
    sums = np.column_stack(
        [np.ones(len(values)), centred, *(centred[:, one] * centred[:, other] for one, other in pairs)]
    )
    if units.assigned is not None:
        sums = np.column_stack([np.bincount(units.assigned, column, units.groups) for column in sums.T])
    total = sums.sum(axis=0)
    step = max(1, _AT_ONCE // units.groups)
    for begin in range(0, runs, step):
        treated = rng.random((min(step, runs - begin), units.groups), dtype=np.float32) < share
        for one, own in zip(treated, treated.astype(float) @ sums, strict=True):
            sides = {
                name: _moments(part, units.needs, shifts, pairs)
                for name, part in zip(_SIDES, (total - own, own), strict=True)
            }
            yield Aggregates(moments=sides, quantiles=_quantiles(units, values, place_of, one))


def _moments(sums: Floats, needs: Needs, shifts: Floats, pairs: Sequence[tuple[int, int]]) -> Moments:
    n, columns = round(float(sums[0])), len(shifts)
    if n < 2:
        return Moments(n, {}, {})
    own, products = sums[1 : columns + 1], sums[columns + 1 :]
    means = shifts + own / n
    return Moments(
        n,
        dict(zip(needs.names, means.tolist(), strict=True)),
        {
            names: float((product - own[one] * own[other] / n) / (n - 1))
            for names, (one, other), product in zip(needs.pairs, pairs, products, strict=True)
        },
    )


def _quantiles(
    units: Units, values: Floats, place_of: Mapping[str, int], treated: NDArray[np.bool_]
) -> dict[tuple[str, str, float], QuantileSample]:
    found: dict[tuple[str, str, float], QuantileSample] = {}
    for name, share in units.needs.quantiles:
        side = treated if units.assigned is None else treated[units.assigned]
        for variant, own in ((_SIDES[0], ~side), (_SIDES[1], side)):
            column = values[own, place_of[name]]
            if len(column) > 1:
                low, value, high = np.quantile(column, quantile_shares(share, len(column))).tolist()
                found[variant, name, share] = QuantileSample(n=len(column), value=value, low=low, high=high, z=_Z)
    return found


def _cut(units: Units) -> Floats:
    """Cut capped columns where all units together say, as the scorecard does."""
    values = units.values.copy()
    for place, column in enumerate(units.needs.columns):
        if column.cap:
            own = values[:, place]
            if (own > 0).any():
                own = np.minimum(own, np.quantile(own[own > 0], column.cap))
            if (own < 0).any():
                own = np.maximum(own, np.quantile(own[own < 0], 1.0 - column.cap))
            values[:, place] = own
    return values


def re_randomised_document(found: ReRandomised) -> dict[str, Any]:
    """Return the JSON form, `embellie/aa/1`."""
    return {
        "schema": "embellie/aa/1",
        "passed": found.passed,
        "units": found.units,
        "assigned": found.groups,
        "more_units": found.more_units,
        "runs": found.runs,
        "seed": found.seed,
        "metrics": [
            {
                "metric": row.metric,
                "adjusted": row.adjusted,
                "state": row.state,
                "error_rate": dict(zip(("value", "low", "high"), row.error_rate, strict=True)),
                "uniformity_p": row.uniformity,
                "coverage": {"absolute": row.coverage[0], "relative": row.coverage[1]},
                "se_ratio": row.se_ratio if math.isfinite(row.se_ratio) else None,
                "histogram": list(row.histogram),
                "runs": row.runs,
            }
            for row in found.rows
        ]
        + [{"metric": name} | dict(because.document()) for name, because in found.missing.items()],
    }
