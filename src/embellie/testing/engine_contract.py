# ruff: noqa: S101 - a contract suite asserts
"""What any engine must hold. Subclass `EngineContract` in a test module and give it a way to load a table.

The SQL is hand-written in the words that scorecards use; what it must give is computed here in extended precision. An engine
that keeps this suite gives the scorecards that DuckDB gives.

Example:
    ```python
    class TestMyEngine(EngineContract):
        def open(self, columns, folder):
            return MyEngine(columns)
    ```
"""

import math
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
"""A table: arrays of numbers or text by name; an array of objects may hold None."""

ROWS = 120_000
REPEATS = 20
NEAR = 1e-9

PER_UNIT = """
WITH units AS MATERIALIZED (
  SELECT unit, min(variant) AS variant, CASE WHEN min(variant) <> max(variant) THEN 1 ELSE 0 END AS mixed,
         sum(CAST(y AS DOUBLE)) AS y, sum(CAST(z AS DOUBLE)) AS z, sum(CAST(x AS DOUBLE)) AS x
  FROM source GROUP BY unit
)
SELECT variant, count(*) AS n, avg(y - CAST($pivot AS DOUBLE)) AS my, avg(z) AS mz, avg(x) AS mx,
       var_samp(y - CAST($pivot AS DOUBLE)) AS vy, covar_samp(y - CAST($pivot AS DOUBLE), z) AS cyz,
       covar_samp(y - CAST($pivot AS DOUBLE), x) AS cyx, var_samp(z) AS vz
FROM units WHERE mixed = 0 GROUP BY variant
UNION ALL
SELECT NULL, count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM units WHERE mixed = 1
"""

CAPS = """
SELECT quantile_cont(CASE WHEN y > 0 THEN y END, $share) AS cap, count(*) FILTER (WHERE y > 0) AS above FROM source
"""

CAPPED = """
SELECT variant, avg(CASE WHEN y > CAST($cap AS DOUBLE) THEN CAST($cap AS DOUBLE) ELSE y END) AS m,
       var_samp(CASE WHEN y > CAST($cap AS DOUBLE) THEN CAST($cap AS DOUBLE) ELSE y END) AS v,
       quantile_cont(y, 0.9) AS p90, quantile_cont(y, 0.5) AS median
FROM source GROUP BY variant
"""


class Engine(Protocol):
    """Holds one table, `source`, and runs SQL in DuckDB's dialect over it."""

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


def a_table(*, rows: int = ROWS, shift: float = 0.0, seed: int = 11) -> dict[str, NDArray[Any]]:
    """Make a table of two arms ten standard deviations apart, in no order, some units in several rows."""
    random = np.random.default_rng(seed)
    unit = random.integers(0, rows * 4 // 5, rows)
    arm = unit % 2
    y = random.normal(size=rows) + 10.0 * arm + shift
    z = random.poisson(3.0, rows).astype(np.int64)
    x = 0.7 * y + random.normal(size=rows)
    variant = np.array(["control", "treatment"], dtype=object)[arm]
    crossing = unit % 997 == 5  # units whose rows are now in one arm, now in the other
    variant[crossing & (random.random(rows) < 0.5)] = "control"
    return {"unit": unit, "variant": variant, "y": y, "z": z, "x": x}


def moments_of(columns: Columns) -> dict[str | None, dict[str, float]]:
    """Compute what `PER_UNIT` must give, in extended precision."""
    unit, place = np.unique(columns["unit"], return_inverse=True)
    treated = columns["variant"] == "treatment"
    rows_of, treated_of = np.bincount(place), np.bincount(place, weights=treated)
    mixed = (treated_of > 0) & (treated_of < rows_of)
    sums = {}
    for name in ("y", "z", "x"):
        total = np.zeros(len(unit), dtype=np.longdouble)
        np.add.at(total, place, columns[name].astype(np.longdouble))
        sums[name] = total
    found: dict[str | None, dict[str, float]] = {None: {"n": int(mixed.sum())}}
    for name, of in (("control", treated_of == 0), ("treatment", treated_of == rows_of)):
        own = {key: total[of] for key, total in sums.items()}
        n, means = int(of.sum()), {key: total.mean() for key, total in own.items()}
        centred = {key: total - means[key] for key, total in own.items()}
        found[name] = {
            "n": n,
            "my": float(means["y"]),
            "mz": float(means["z"]),
            "mx": float(means["x"]),
            "vy": float((centred["y"] * centred["y"]).sum() / (n - 1)),
            "vz": float((centred["z"] * centred["z"]).sum() / (n - 1)),
            "cyz": float((centred["y"] * centred["z"]).sum() / (n - 1)),
            "cyx": float((centred["y"] * centred["x"]).sum() / (n - 1)),
        }
    return found


class EngineContract:
    """The promises of an engine, each one a test."""

    threads = 4
    """How many threads ask at once; 1 for an engine that one thread at a time may ask."""

    def open(self, columns: Columns, folder: Path) -> Engine:
        """Load a table in as many pieces and with as many threads as the engine knows, and open it as `source`."""
        raise NotImplementedError

    @pytest.fixture
    def table(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, Columns]]:
        """A table of many rows in no order; with what it holds."""
        columns = a_table()
        engine = self.opened(request, columns, tmp_path)
        yield engine, columns
        engine.close()

    def opened(self, request: pytest.FixtureRequest, columns: Columns, folder: Path) -> Engine:
        """Open with the fixtures at hand; override it to ask for a server's."""
        return self.open(columns, folder)

    def test_sums_agree_with_extended_precision(self, table: tuple[Engine, Columns]) -> None:
        """Means, variances and covariances per unit and arm, to 1e-9; units in two arms are left out and counted."""
        engine, columns = table
        expected = moments_of(columns)
        found = {row["variant"]: row for row in engine.rows(PER_UNIT, {"pivot": 0.0})}
        assert set(found) == set(expected)
        assert found[None]["n"] == expected[None]["n"] > 0
        for variant in ("control", "treatment"):
            for name, value in expected[variant].items():
                assert _near(found[variant][name], value, scale=_scale(name, expected[variant])), (variant, name)

    def test_the_same_question_has_the_same_answer(self, table: tuple[Engine, Columns]) -> None:
        """Asked again and again, and from several threads, the sums are the same to fifteen digits, the counts exactly."""
        engine, _ = table
        answers: list[list[dict[str, Any]]] = []

        def ask() -> None:
            answers.extend(
                sorted(engine.rows(PER_UNIT, {"pivot": 0.0}), key=lambda row: str(row["variant"]))
                for _ in range(REPEATS // self.threads)
            )

        asking = [threading.Thread(target=ask) for _ in range(self.threads)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert len(answers) == REPEATS
        for answer in answers[1:]:
            for one, other in zip(answer, answers[0], strict=True):
                assert one["variant"] == other["variant"]
                assert one["n"] == other["n"]
                for name in ("my", "mz", "mx", "vy", "vz", "cyz", "cyx"):
                    assert one[name] == other[name] or math.isclose(one[name], other[name], rel_tol=1e-12)

    def test_quantiles_are_exact(self, table: tuple[Engine, Columns]) -> None:
        """The cap, the median and the ninetieth percentile are the interpolated order statistics."""
        engine, columns = table
        y, variant = columns["y"], columns["variant"]
        (caps,) = engine.rows(CAPS, {"share": 0.999})
        cap = float(np.quantile(y[y > 0], 0.999))
        assert _near(caps["cap"], cap)
        assert caps["above"] == int((y > 0).sum())
        for row in engine.rows(CAPPED, {"cap": cap}):
            own = y[variant == row["variant"]].astype(np.longdouble)
            cut = np.minimum(own, cap)
            assert _near(row["p90"], float(np.quantile(own, 0.9)))
            assert _near(row["median"], float(np.quantile(own, 0.5)))
            assert _near(row["m"], float(cut.mean()))
            assert _near(row["v"], float(((cut - cut.mean()) ** 2).sum() / (len(cut) - 1)))

    @pytest.mark.parametrize("shift", [1e5, 1e7, 1e8])
    def test_far_from_zero_no_digit_is_lost(self, request: pytest.FixtureRequest, tmp_path: Path, shift: float) -> None:
        """Moved by up to 1e8 standard deviations, the variance stays what it was."""
        random = np.random.default_rng(3)
        base = np.round(random.normal(size=20_000), 6)
        columns = {
            "unit": np.arange(20_000), "variant": np.array(["control", "treatment"], dtype=object)[np.arange(20_000) % 2],
            "y": base + shift, "z": np.ones(20_000, dtype=np.int64), "x": base,
        }  # fmt: skip
        expected = moments_of(columns)
        engine = self.opened(request, columns, tmp_path)
        try:
            found = {row["variant"]: row for row in engine.rows(PER_UNIT, {"pivot": shift})}
            plain = {row["variant"]: row for row in engine.rows(PER_UNIT, {"pivot": 0.0})}
        finally:
            engine.close()
        for variant in ("control", "treatment"):
            for name in ("vy", "cyx"):
                assert _near(found[variant][name], expected[variant][name]), name
                # Without a pivot centred sums still keep most digits; sums of squares would keep none.
                assert math.isclose(plain[variant][name], expected[variant][name], rel_tol=1e-5), name
            assert math.isclose(found[variant]["my"] + shift, expected[variant]["my"], rel_tol=1e-15)

    def test_missing_values_are_left_out_of_what_they_are_missing_in(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        """A missing number is in no sum and no count of its column; an empty group has no mean, and is no zero."""
        columns = {
            "unit": np.arange(6), "variant": np.array(["control", "control", "treatment", "treatment", "none", None], dtype=object),
            "y": np.array([1.0, None, 3.0, 5.0, None, 9.0], dtype=object), "z": np.arange(6), "x": np.zeros(6),
        }  # fmt: skip
        engine = self.opened(request, columns, tmp_path)
        try:
            sql = "SELECT variant, count(*) AS n, count(y) AS k, avg(y) AS m, sum(y) AS s, var_samp(y) AS v FROM source GROUP BY variant"
            found = {row["variant"]: row for row in engine.rows(sql)}
        finally:
            engine.close()
        assert set(found) == {"control", "treatment", "none", None}
        assert [found["control"][name] for name in ("n", "k", "m", "s", "v")] == [2, 1, 1.0, 1.0, None]
        assert [found["treatment"][name] for name in ("n", "k", "m", "s", "v")] == [2, 2, 4.0, 8.0, 2.0]
        assert [found["none"][name] for name in ("n", "k", "m", "s", "v")] == [1, 0, None, None, None]

    def test_a_parameter_is_a_value(self, table: tuple[Engine, Columns]) -> None:
        """What looks like SQL in a parameter is compared, not run."""
        engine, _ = table
        evil = "x' OR '1'='1"
        assert engine.rows("SELECT count(*) AS n FROM source WHERE variant = $name", {"name": evil}) == [{"n": 0}]


def _scale(name: str, moments: Mapping[str, float]) -> float:
    """What an error of a covariance is measured against: the product of the standard deviations."""
    if name == "cyz":
        return math.sqrt(moments["vy"] * moments["vz"])
    return abs(moments[name])


def _near(one: float, other: float, *, scale: float = 0.0) -> bool:
    return abs(one - other) <= NEAR * max(abs(other), scale)
