"""Leftovers: whether the bytes of any file still hold certain ids. What was removed is looked for, not believed to be gone."""

import mmap
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from embellie.store.engine import engine, name_table, quoted
from embellie.store.lake import files_sql

SHORT = 8
"""An id of fewer bytes occurs by chance in what is compressed: it is looked for as JSON writes it, between quotes."""

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MANY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A file in which an id was found, and how often."""

    file: str
    count: int


def files_of(folder: Path) -> list[Path]:
    """List all files of a folder, at any depth."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def find_leftovers(folder: Path, ids: Collection[str], *, longer: Collection[str] = ()) -> list[Leftover]:
    """Find the files of a folder that hold one of some ids: Parquet by its values, all others by their bytes.

    Args:
        folder: Looked through at any depth.
        ids: What must not be there; a UUID among them costs nothing.
        longer: Other ids that contain one of them, so that they are not mistaken for it.
    """
    names = sorted(ids)
    found = []
    engine_ = None
    for path in files_of(folder):
        try:
            if path.suffix == ".parquet":
                engine_ = engine_ or _engine(names)
                count = _in_parquet(engine_, path)
            else:
                count = _in_bytes(path, names, longer)
        except FileNotFoundError:
            continue  # gone while we looked: a file another process had put aside
        if count:
            found.append(Leftover(file=path.relative_to(folder).as_posix(), count=count))
    if engine_:
        engine_.close()
    return found


def _engine(names: list[str]) -> duckdb.DuckDBPyConnection:
    connection = engine(threads=1, memory="512MiB")
    name_table(connection, "names", names)
    return connection


def _in_parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Count the values of a Parquet file that are one of the names; `body` tells what other columns do."""
    try:
        columns = connection.execute(f"DESCRIBE SELECT * FROM {files_sql([str(path)])}").fetchall()
    except duckdb.Error:
        return 0  # unfinished: whoever was writing it removes or replaces it
    texts = [name for name, kind, *_ in columns if kind == "VARCHAR" and name != "body"]
    total = 0
    for name in texts:
        row = connection.execute(
            f"SELECT count(*) FROM {files_sql([str(path)])} WHERE {quoted(name)} IN (SELECT name FROM names)"
        ).fetchone()
        total += int(row[0]) if row else 0
    return total


def _in_bytes(path: Path, names: list[str], longer: Collection[str]) -> int:
    if not path.stat().st_size:
        return 0
    uuids = {name.encode() for name in names if _UUID.fullmatch(name.encode())}
    others = [name for name in names if name.encode() not in uuids]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        total = sum(1 for hit in _UUID.finditer(data) if hit.group() in uuids) if uuids else 0
        return total + sum(_count(data, name, longer) for name in others)


def _count(data: mmap.mmap, name: str, longer: Collection[str]) -> int:
    raw = name.encode("utf-8", "surrogatepass")
    if len(raw) < SHORT:
        raw = b'"' + raw + b'"'
        return sum(1 for _ in _places(data, raw))
    around = _around(raw, [one.encode("utf-8", "surrogatepass") for one in longer if name in one and name != one])
    count = 0
    for place in _places(data, raw):
        covered = any(
            data[place - before : place - before + len(one)] == one
            for one, befores in around.items()
            for before in befores
            if place >= before
        )
        count += not covered
    return count


def _around(raw: bytes, longer: list[bytes]) -> Mapping[bytes, list[int]]:
    """Tell at which distances before an id a longer one that contains it may begin."""
    return {one: [hit.start() for hit in re.finditer(re.escape(raw), one)] for one in longer[:_MANY]}


def _places(data: mmap.mmap, raw: bytes) -> Iterator[int]:
    place = data.find(raw)
    while place >= 0:
        yield place
        place = data.find(raw, place + 1)
