"""Data frames as tables: pandas, Polars, PyArrow, or whatever hands out Arrow streams, queried where they lie in memory.

Nothing here imports a data frame library: who hands in a frame has it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np

from embellie.domain.errors import TableError
from embellie.store.engine import engine
from embellie.store.tables import LocalTable

NAME = "the frame"


class FrameTable(LocalTable):
    """A data frame, queried as `source`, as it was when it was handed in.

    Args:
        connection: Holds a view or a table named `source`.
        index: The names of pandas' index, which is no column.
        twice: Names that two columns share.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, index: tuple[str, ...] = (), twice: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(connection, name=NAME)
        self._index, self._twice = index, twice

    def require(self, column: str) -> None:
        """Refuse a column that does not exist, is the index, or exists twice.

        Raises:
            TableError: With the nearest name and all there are.
        """
        if column in self._twice:
            raise TableError(f"Two columns are called `{column}`.", hint="Give each a name of its own.", at=NAME)
        if column in self._index and column not in self.columns:
            raise TableError(f"`{column}` is the index, not a column.", hint="Hand in `frame.reset_index()`.", at=NAME)
        super().require(column)


def open_frame(frame: Any) -> FrameTable:
    """Open a data frame.

    pandas' missing values (NaN, None, NA, NaT) are missing; in Polars and Arrow NaN is a number that is none, and is
    refused as such. pandas' columns are copied, since others may write to them; Polars' and Arrow's are read where they lie.

    Args:
        frame: Of pandas, Polars (lazy or not), PyArrow, or an object with `__arrow_c_stream__`.

    Raises:
        TableError: It is no data frame, or a column holds what no table does.
    """
    home = type(frame).__module__.partition(".")[0]
    connection = engine()
    try:
        if home == "pandas" and hasattr(frame, "columns"):
            names = [str(name) for name in frame.columns]
            twice = frozenset(name for name, times in Counter(names).items() if times > 1)
            connection.register("source", _copy_of_pandas(frame, names, without=twice))
            index = tuple(str(name) for name in frame.index.names if name is not None)
            return FrameTable(connection, index=index, twice=twice)
        if home == "polars" and hasattr(frame, "columns" if not hasattr(frame, "collect") else "collect"):
            # A clone shares the values and keeps its own list of columns.
            whole = frame.collect() if hasattr(frame, "collect") else frame.clone()
            connection.register("source", whole)
        elif home == "pyarrow" and hasattr(frame, "column_names"):
            connection.register("source", frame)
        elif hasattr(frame, "__arrow_c_stream__"):
            # A stream may be read once only.
            connection.register("stream", frame)
            connection.execute("CREATE TABLE source AS SELECT * FROM stream")
            connection.unregister("stream")
        else:
            raise _no_frame(frame)
        return FrameTable(connection)
    except (duckdb.Error, RuntimeError, TypeError, ValueError) as error:
        connection.close()
        first = str(error).strip().splitlines()[0].rstrip(".")
        raise TableError(
            f"This frame cannot be read: {first}.", hint="Keep the columns you need, as numbers or text."
        ) from None
    except TableError:
        connection.close()
        raise


def _no_frame(frame: object) -> TableError:
    return TableError(
        f"A `{type(frame).__name__}` is no table.",
        hint="Hand in a data frame of pandas, Polars or PyArrow, or the path of a CSV or Parquet file.",
    )


def _copy_of_pandas(frame: Any, names: list[str], *, without: frozenset[str]) -> Any:
    columns: Mapping[str, Any] = {
        name: _fresh(frame.iloc[:, place], name) for place, name in enumerate(names) if name not in without
    }
    return type(frame)(columns)


def _fresh(column: Any, name: str) -> Any:
    """Copy a column into memory of its own, in one piece: a reversed or sliced one is read wrongly, or not at all."""
    kind = str(column.dtype)
    values = column.array
    if kind == "category":
        return _of_categories(column)
    if kind.startswith("Sparse"):
        return np.ascontiguousarray(column.sparse.to_dense().to_numpy())
    if kind == "object":
        return _of_objects(column, name)
    if type(column.dtype).__module__.partition(".")[0] == "numpy":
        return np.ascontiguousarray(column.to_numpy()).copy()
    return values.take(np.arange(len(values)))


def _of_categories(column: Any) -> Any:
    """Write categories as text; their order means nothing here."""
    categories = np.array([*(str(each) for each in column.cat.categories), None], dtype=object)
    return categories[column.cat.codes.to_numpy()]


def _of_objects(column: Any, name: str) -> Any:
    """Give a column of anything one type: yes and no, or text, which is read as numbers where it can be."""
    missing = column.isna().to_numpy()
    values = column.to_numpy()
    types = {type(value) for value in values[~missing]}
    if any(issubclass(type_, list | dict | set | tuple | np.ndarray) for type_ in types):
        raise TableError(f"Column `{name}` holds lists or the like.", hint="Leave it out.", at=NAME)
    if types and types <= {bool, np.bool_}:
        # Missing ones stay missing: an array of objects keeps None.
        return np.array(
            [None if gone else bool(value) for value, gone in zip(values, missing, strict=True)], dtype=object
        )
    return np.array([None if gone else str(value) for value, gone in zip(values, missing, strict=True)], dtype=object)
