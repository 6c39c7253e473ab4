"""Rank table: where policies put the articles readers chose, as one Parquet file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from embellie.domain.errors import InputError
from embellie.store.engine import engine, literal


def write_ranks(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write the columns `visit`, `at` (UTC), `article`, `policy` and `rank` (from 1; null: not ranked).

    Args:
        path: The Parquet file; an older one is replaced.
        columns: Arrays of one length; `at` in µs since 1970, `rank` 0 where the article was not ranked.

    Raises:
        InputError: The file cannot be written.
    """
    ranks = {name: np.asarray(column) for name, column in columns.items()}
    connection = engine()
    try:
        connection.register("ranks", ranks)
        connection.execute(
            'COPY (SELECT visit, make_timestamp("at") AS "at", article, policy, nullif(rank, 0) AS rank FROM ranks)'
            f" TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )
    except duckdb.IOException as error:
        raise InputError(
            f"Cannot write `{path}`: {str(error).splitlines()[0]}.", hint="Give a file in a folder that exists."
        ) from None
    finally:
        connection.close()
