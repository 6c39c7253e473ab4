"""Data frames as tables: every column is read as what it is, wherever it lies."""

from decimal import Decimal

import numpy as np
import pytest

from embellie import measure_table
from embellie.domain.errors import TableError
from embellie.store.frame_engine import open_frame


@pytest.mark.parametrize("wrong", [None, 3, [1, 2], {"a": [1]}, object()])
def test_what_is_no_frame_is_refused(wrong):
    """A thing that is no table is named, with what would be one."""
    with pytest.raises(TableError, match="pandas, Polars or PyArrow"):
        open_frame(wrong)


@pytest.mark.engines
class TestPandas:
    """pandas, whose columns are anything, anywhere."""

    pd = property(lambda self: pytest.importorskip("pandas"))

    def read(self, column):
        """Read one column back, with its type."""
        table = open_frame(self.pd.DataFrame({"x": column}))
        found = [row["x"] for row in table.rows("SELECT x FROM source")], table.columns["x"]
        table.close()
        return found

    def test_missing_values_are_missing(self):
        """NaN, None, NA: pandas has several, each is a missing value."""
        pd = self.pd
        assert self.read(pd.Series([1.5, np.nan])) == ([1.5, None], "DOUBLE")
        assert self.read(pd.array([1, None], dtype="Int64")) == ([1, None], "BIGINT")
        assert self.read(pd.array([True, None], dtype="boolean")) == ([True, None], "BOOLEAN")
        assert self.read(pd.array(["a", None], dtype="string")) == (["a", None], "VARCHAR")
        assert self.read(pd.Series(["a", np.nan, None, pd.NA], dtype=object)) == (["a", None, None, None], "VARCHAR")
        assert self.read(pd.array([1.5, None], dtype="double[pyarrow]")) == ([1.5, None], "DOUBLE")

    def test_an_object_column_has_one_type(self):
        """A column of anything is text (so that a cell that is no number can be told), or yes and no."""
        pd = self.pd
        assert self.read(pd.Series([1] * 3000 + ["late"], dtype=object))[1] == "VARCHAR"
        assert self.read(pd.Series([None] * 3000 + ["late"], dtype=object))[0][-1] == "late"
        assert self.read(pd.Series([1, "a", 2.5, None], dtype=object)) == (["1", "a", "2.5", None], "VARCHAR")
        assert self.read(pd.Series([True, None, False], dtype=object)) == ([True, None, False], "BOOLEAN")
        assert self.read(pd.Series([Decimal("1.10"), None], dtype=object)) == (["1.10", None], "VARCHAR")
        assert self.read(pd.Series([None, None], dtype=object))[0] == [None, None]

    def test_lists_are_refused(self):
        """A column of lists is named."""
        with pytest.raises(TableError, match="`x` holds lists"):
            self.read(self.pd.Series([[1], [2]]))

    def test_categories_are_text(self):
        """A category is what it is called, whatever its order; none is missing."""
        pd = self.pd
        assert self.read(pd.Categorical(["b", None, "a"], categories=["b", "a"], ordered=True)) == (
            ["b", None, "a"],
            "VARCHAR",
        )
        assert self.read(pd.Categorical([2, 1])) == (["2", "1"], "VARCHAR")

    @pytest.mark.parametrize(
        "dtype", ["int64", "float64", "bool", "Int64", "string", "category", "object", "datetime64[us]"]
    )
    @pytest.mark.parametrize("cut", [slice(None, None, -1), slice(None, None, 2), slice(1, 4)])
    def test_a_slice_is_read_as_it_stands(self, dtype, cut):
        """Reversed, every second, a part: columns that lie in memory backwards or with gaps give their own values."""
        whole = self.pd.DataFrame({"x": self.pd.Series([0, 1, 1, 0, 1]).astype(dtype), "y": range(5)})
        table = open_frame(whole[cut])
        found = table.rows("SELECT y, CAST(x AS VARCHAR) AS x FROM source")
        table.close()
        plain = open_frame(whole)
        expected = plain.rows("SELECT y, CAST(x AS VARCHAR) AS x FROM source")[cut]
        plain.close()
        assert found == expected

    def test_columns_of_one_array_are_told_apart(self):
        """A frame over a two-dimensional array, whose columns lie interleaved."""
        table = open_frame(self.pd.DataFrame(np.arange(8.0).reshape(4, 2), columns=["a", "b"]))
        assert table.rows("SELECT sum(a) AS a, sum(b) AS b FROM source") == [{"a": 12.0, "b": 16.0}]
        table.close()

    def test_a_frame_changed_later_is_read_as_it_was(self):
        """What is written into the frame after it was handed in is not seen, half or whole."""
        frame = self.pd.DataFrame({"x": [1.0, 2.0], "o": ["a", "b"]})
        table = open_frame(frame)
        frame.loc[:, "x"] = 9.0
        del frame["o"]
        assert table.rows("SELECT x, o FROM source") == [{"x": 1.0, "o": "a"}, {"x": 2.0, "o": "b"}]
        table.close()

    def test_the_index_is_no_column(self):
        """Who asks for the index is told how to make a column of it."""
        frame = self.pd.DataFrame({"x": [1, 2]}, index=self.pd.Index([7, 8], name="reader"))
        table = open_frame(frame)
        with pytest.raises(TableError, match="reset_index"):
            table.require("reader")
        table.close()

    def test_two_columns_of_one_name(self):
        """A name that stands twice is refused when it is asked for, and only then."""
        table = open_frame(self.pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"]))
        table.require("b")
        with pytest.raises(TableError, match="Two columns are called `a`"):
            table.require("a")
        table.close()

    def test_numbers_as_names_times_and_sparse(self):
        """Columns named by numbers, times with a zone, sparse ones."""
        pd = self.pd
        frame = pd.DataFrame({0: pd.to_datetime(["2026-01-01"], utc=True), 1: pd.arrays.SparseArray([5])})
        table = open_frame(frame)
        assert table.rows('SELECT CAST("0" AS VARCHAR) AS t, "1" AS s FROM source') == [
            {"t": "2026-01-01 00:00:00+00", "s": 5}
        ]
        table.close()


@pytest.mark.engines
class TestArrowAndPolars:
    """Arrow's memory, in several pieces, with several words for nothing."""

    def test_nan_is_not_missing(self):
        """In Polars and Arrow NaN is told from null, and refused as a number that is none."""
        pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
        columns = {"u": [1, 2, 3, 4], "v": ["a", "a", "b", "b"], "x": [1.0, float("nan"), 2.0, 3.0]}
        for frame in (pl.DataFrame(columns, strict=False), pa.table(columns)):
            with pytest.raises(TableError, match="NaN"):
                measure_table(frame, unit="u", variant="v", metrics=["x"])

    def test_every_way_to_hand_it_in(self):
        """Frame, lazy frame, table in pieces, one batch, a stream that can be read once."""
        pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
        table = pa.table(
            {"x": pa.chunked_array([[1], [2, 3]]), "d": pa.chunked_array([["a"], ["b", "a"]]).dictionary_encode()}
        )
        frame = pl.from_arrow(table)
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
        for given in (
            table,
            table.slice(0),
            frame,
            frame.lazy(),
            frame.with_columns(pl.col("d").cast(pl.Categorical)),
            reader,
        ):
            opened = open_frame(given)
            for _ in range(2):
                assert opened.rows("SELECT sum(x) AS s, count(DISTINCT d) AS n FROM source") == [{"s": 6, "n": 2}]
            opened.close()

    def test_a_slice_is_read_as_it_stands(self):
        """An offset into shared memory is kept to."""
        pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
        whole = pa.table({"x": pa.chunked_array([[1, None], [3, 4, 5]])})
        for frame in (whole.slice(1, 3), pl.from_arrow(whole)[1:4], pl.from_arrow(whole).reverse()[1:4]):
            table = open_frame(frame)
            assert table.rows("SELECT sum(x) AS s, count(*) AS n, count(x) AS k FROM source") == [
                {"s": 7, "n": 3, "k": 2}
            ]
            table.close()

    def test_a_polars_frame_changed_later_is_read_as_it_was(self):
        """Columns put into the frame, or values written over, after it was handed in are not seen."""
        pl = pytest.importorskip("polars")
        frame = pl.DataFrame({"x": [1, 2]})
        table = open_frame(frame)
        frame[0, "x"] = 9
        frame.insert_column(0, pl.Series("y", [1, 2]))
        assert table.rows("SELECT * FROM source") == [{"x": 1}, {"x": 2}]
        table.close()


@pytest.mark.engines
def test_a_frame_gives_the_scorecard_of_its_file(tmp_path):
    """pandas, Polars, Arrow and Parquet: one table, one scorecard, to the last bit."""
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    random = np.random.default_rng(5)
    columns = {
        "u": np.arange(20_000) % 15_000,
        "v": np.where(np.arange(20_000) % 15_000 % 2 == 0, "a", "b"),
        "x": random.exponential(size=20_000),
        "y": random.poisson(2, 20_000),
    }
    frame = pd.DataFrame(columns)
    frame.to_parquet(tmp_path / "t.parquet")
    given = [
        str(tmp_path / "t.parquet"),
        tmp_path / "t.parquet",
        frame,
        frame[::-1],
        pl.DataFrame(columns),
        pa.table(columns),
    ]
    cards = [
        measure_table(one, unit="u", variant="v", metrics=["x", "x/y", "p90(x)", "capped(x)"]).card for one in given
    ]
    for card in cards:
        for one, other in zip(card.effects, cards[0].effects, strict=True):
            assert one.relative.effect == pytest.approx(other.relative.effect, rel=1e-12)
            assert one.relative.se == pytest.approx(other.relative.se, rel=1e-12)
