"""The lake: the log as Parquet files, one per site and day, for scorecards and for any tool that reads Parquet.

What is in it is a beginning of the log, whole: every event up to the sequence number its manifest names, but for what
erased readers did before their erasure. An export takes up where the last one stopped and writes anew only the days to
which something came, or in which someone was erased. A file once named by a manifest never changes: a day written
anew is another file, and the manifest, replaced in one step when all files are there, says which ones count. So a
process killed between any two steps leaves either the lake as it was or the lake as it is to be, and rubbish that
the next export removes. Beside the events of a day lie the views of them that the lake keeps ready.
"""

import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embellie.domain.errors import Busy, InputError
from embellie.domain.moment import micros
from embellie.ports import DailyView
from embellie.store.engine import engine, literal
from embellie.store.event_columns import DEFINED, NAMED, typed_sql
from embellie.store.lake_manifest import (
    MANIFEST,
    Manifest,
    Partition,
    ViewFile,
    folder_of,
    manifest_text,
    parse_manifest,
    unfinished_name,
)
from embellie.store.lake_storage import LakeStorage, Listed, as_storage
from embellie.store.log_place import LogPlace
from embellie.store.log_rows import HOUR
from embellie.store.log_snapshot import LogSnapshot, log_snapshot
from embellie.store.upcasting import upcast_column

if TYPE_CHECKING:
    import duckdb

FOLDER = "lake"
"""The lake's name in the data folder."""

FREQUENT = ("served", "impression", "click", "read")
"""The kinds that fill a log; exposures and conversions are few beside them."""

ROWS_PER_GROUP = 122_880
MEMORY = "1GiB"
"""What an export may hold in memory; the rest waits on disk, in the lake's own folder."""

Progress = Callable[[int, int], None]
"""Told how many of how many events are done."""

DAY = 24 * HOUR
_PAGE = 50_000
_TEXTS = ("id", "site", "kind", "consent", "reader", "visit", "article", "body")
_NUMBERS = ("seq", "at", "received_at")
_COLUMNS = (*_TEXTS, *_NUMBERS, "schema")
_STAGING = ".staging"
_EPOCH = date(1970, 1, 1).toordinal()

_Key = tuple[str, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did: files written, files left as they were, events in all of them, events too recent for it.

    `through` is the sequence number up to which the lake holds every event of the log.
    """

    written: tuple[Partition, ...]
    unchanged: int
    events: int
    too_recent: int = 0
    through: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upto:
    """Where an export ends: the last event it takes, and how many come after it."""

    seq: int
    site: str
    id: str
    too_recent: int


def export(
    log: LogPlace,
    lake: Path | LakeStorage,
    *,
    before: datetime | None = None,
    anew: bool = False,
    views: Sequence[DailyView] | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write the log as Parquet (zstd), a file per site and day; a day to which nothing came is left alone.

    Exporting again gives the same files.

    Args:
        log: Where the log is.
        lake: The lake, a folder or where else it lies; created when absent.
        before: Only up to the first event received at or after this time (an hour that is over stays as it is); all
            by default.
        anew: Write every file again, from the log alone.
        views: What to keep ready beside the events; those it has by default.
        progress: Told how far it is.

    Raises:
        InputError: There is no log, the folder cannot be written, or it holds another log's lake.
        Busy: Another process is writing this lake.
        EngineError: The lake lies elsewhere, and cannot be reached.
    """
    storage = as_storage(lake)
    folder = storage.folder
    try:
        with log_snapshot(log, storage) as snapshot:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                return _export(
                    snapshot, storage, before=before, anew=anew, views=views, progress=progress or _in_silence
                )
    except OSError as error:
        raise InputError(
            f"The lake cannot be written: {error.strerror or error}.",
            hint="Give a folder that this account may write to.",
            at=str(folder),
        ) from None


def is_of(manifest: Manifest, log: LogSnapshot) -> bool:
    """Whether a lake was made from this log: its last event is here too, under the same number."""
    rows = log.rows("SELECT site, id FROM events WHERE seq = ?", [manifest.through])
    return rows == [(manifest.last_site, manifest.last_id)]


def _export(
    log: LogSnapshot,
    storage: LakeStorage,
    *,
    before: datetime | None,
    anew: bool,
    views: Sequence[DailyView] | None,
    progress: Progress,
) -> Exported:
    kept = storage.read()
    former = held = parse_manifest(kept.text) if kept else None
    generation = storage.generation_after(held.generation if held else _last_generation(storage.list()))
    if former and not anew and not is_of(former, log):
        raise InputError(
            "This folder holds the lake of another log.",
            hint="Give another folder, or write this one anew with `--anew`.",
            at=storage.place,
            code="lake_of_another_log",
        )
    views = tuple(views) if views is not None else former.views if former else ()
    former = None if anew else former
    upto = _upto(log, former.through if former else 0, before)
    written: tuple[Partition, ...] = ()
    if former and former.through == upto.seq and not storage.damaged(former):
        manifest = former
    elif not upto.seq:
        return Exported(written=(), unchanged=0, events=0, too_recent=upto.too_recent)
    else:
        manifest, written = _grow(log, storage, former, upto, generation=generation, progress=progress)
        for each in written:
            storage.put(each.file)
    manifest = keep_ready(storage, manifest, views, generation=generation)
    if manifest != former:
        storage.replace(manifest_text(manifest), former=kept.tag if kept else None)
    sweep(storage, manifest)
    return Exported(
        written=written,
        unchanged=len(manifest.partitions) - len(written),
        events=manifest.events,
        too_recent=upto.too_recent,
        through=manifest.through,
    )


def _upto(log: LogSnapshot, after: int, before: datetime | None) -> _Upto:
    """Find the last event to take: the log's last, or the last before one that is too recent."""
    limit = 2**62
    if before:
        found = log.rows("SELECT min(seq) FROM events WHERE seq > ? AND received_at >= ?", [after, micros(before)])[0][
            0
        ]
        limit = limit if found is None else found - 1
    rows = log.rows("SELECT seq, site, id FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1", [limit])
    seq, site, identity = rows[0] if rows else (0, "", "")
    recent = log.rows("SELECT count(*) FROM events WHERE seq > ?", [seq])[0][0]
    return _Upto(seq=seq, site=site, id=identity, too_recent=recent)


def _grow(
    log: LogSnapshot,
    storage: LakeStorage,
    former: Manifest | None,
    upto: _Upto,
    *,
    generation: int,
    progress: Progress,
) -> tuple[Manifest, tuple[Partition, ...]]:
    """Write the files that change, beside those there are; returns the manifest to be, and what was written."""
    held = {(each.site, each.day): each for each in former.partitions} if former else {}
    lost = {(each.site, each.day) for each in storage.damaged(former)} if former else set()
    folder = storage.folder
    after = former.through if former else 0
    total = log.rows("SELECT count(*) FROM events WHERE seq > ? AND seq <= ?", [after, upto.seq])[0][0]
    whole = {key: each for key, each in held.items() if key not in lost}
    with stage_in(folder) as stage:
        erasures = _load_erasures(stage, log, upto.seq)
        staging = folder / _STAGING
        _load(
            stage, staging, log, after=after, through=upto.seq, told=lambda done: progress(min(done, total) // 2, total)
        )
        if lost:
            _load(stage, staging, log, after=0, through=after, only=lost)
        _show_staged(stage, staging)
        changed = sorted(lost | _staged_days(stage) | _days_of_the_erased(stage, storage, whole.values(), after))
        written: list[Partition] = []
        for place, key in enumerate(changed, start=1):
            partition = _write_partition(stage, storage, key, whole.get(key), generation=generation, erasures=erasures)
            if partition:
                written.append(partition)
            progress(total // 2 + (total - total // 2) * place // len(changed), total)
    kept = {key: each for key, each in whole.items() if key not in set(changed)}
    partitions = sorted([*kept.values(), *written], key=lambda each: (each.site, each.day))
    manifest = Manifest(
        through=upto.seq,
        last_id=upto.id,
        last_site=upto.site,
        generation=generation,
        partitions=tuple(partitions),
        views=former.views if former else (),
    )
    return manifest, tuple(written)


def keep_ready(
    lake: Path | LakeStorage, manifest: Manifest, views: tuple[DailyView, ...], *, generation: int
) -> Manifest:
    """Compute what is to lie ready of each day and does not yet; its events are in their place by now."""
    storage = as_storage(lake)
    held = {view.name: storage.lying(manifest, view) for view in views}
    lacking = [view for view in views if len(held[view.name]) < len(manifest.partitions)]
    if not lacking:
        return replace(manifest, views=views) if views != manifest.views else manifest
    partitions = []
    with stage_in(storage.folder) as stage:
        for each in manifest.partitions:
            kept = {one.name: one for one in each.views if each in held.get(one.name, ())}
            missing = [view for view in lacking if view.name not in kept]
            made = {view.name: _write_view(stage, storage, each, view, generation=generation) for view in missing}
            partitions.append(replace(each, views=tuple((kept | made)[view.name] for view in views)))
    return replace(manifest, partitions=tuple(partitions), views=views)


def _write_view(
    stage: "duckdb.DuckDBPyConnection", storage: LakeStorage, partition: Partition, view: DailyView, *, generation: int
) -> ViewFile:
    """Write the rows of a view of one day, a reader's side by side."""
    name = f"{partition.folder}/{view.name}-{generation}.parquet"
    target = storage.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_name(target)
    storage.bring({partition.file: partition.bytes})
    events = files_sql([str(storage.folder / partition.file)])
    stage.execute(
        f"COPY (SELECT * FROM ({view_sql(view, events)}) ORDER BY reader) TO {literal(str(unfinished))}"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_PER_GROUP})"
    )
    size = unfinished.stat().st_size
    storage.put(name)
    return ViewFile(name=view.name, file=name, bytes=size)


def view_sql(view: DailyView, events: str) -> str:
    """Write the query that computes a view from a relation with the columns of `events`."""
    return f"WITH events AS (SELECT {NAMED} FROM {events}) {view.sql}"


def _load_erasures(stage: "duckdb.DuckDBPyConnection", log: LogSnapshot, through: int) -> bool:
    """Copy who was erased, and when last; returns whether anyone was."""
    rows = log.rows(
        "SELECT site, reader, max(seq) FROM events WHERE kind = 'erasure' AND reader <> '' AND seq <= ? GROUP BY 1, 2",
        [through],
    )
    if rows:
        stage.executemany("INSERT INTO erased VALUES (?, ?, ?)", rows)
    return bool(rows)


def _load(
    stage: "duckdb.DuckDBPyConnection",
    staging: Path,
    log: LogSnapshot,
    *,
    after: int,
    through: int,
    only: Collection[_Key] = (),
    told: Callable[[int], None] | None = None,
) -> None:
    """Copy a stretch of the log into the staging folder; of these days only, when some are named."""
    wanted = {(site, day.toordinal() - _EPOCH) for site, day in only}
    site, at, done = _COLUMNS.index("site"), _COLUMNS.index("at"), 0
    asked = f"SELECT {', '.join(_COLUMNS)} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq"
    for found in log.pages(asked, [after, through], size=_PAGE):
        done += len(found)
        page = [row for row in found if (row[site], row[at] // DAY) in wanted] if wanted else found
        if page:
            columns = dict(zip(_COLUMNS, (list(column) for column in zip(*page, strict=True)), strict=True))
            columns["body"] = upcast_column(columns["kind"], columns.pop("schema"), columns["body"])
            arrays: dict[str, np.ndarray[Any, Any]] = {name: np.array(columns[name], dtype=object) for name in _TEXTS}
            arrays |= {name: np.array(columns[name], dtype=np.int64) for name in _NUMBERS}
            stage.register("page", arrays)
            # As files, which need no write-ahead log, and are passed over by the days that have nothing in them.
            chunk = staging / f"chunk-{after}-{done}.parquet"
            stage.execute(f"COPY ({typed_sql('page')}) TO {literal(str(chunk))} (FORMAT parquet)")
            stage.unregister("page")
        if told:
            told(done)


def _show_staged(stage: "duckdb.DuckDBPyConnection", staging: Path) -> None:
    """Name what was staged, which may be nothing."""
    chunks = [str(path) for path in sorted(staging.glob("chunk-*.parquet"))]
    stage.execute(
        f"CREATE VIEW staged AS SELECT * FROM {files_sql(chunks)}" if chunks else f"CREATE TABLE staged ({DEFINED})"
    )


def _staged_days(stage: "duckdb.DuckDBPyConnection") -> set[_Key]:
    return set(stage.execute('SELECT DISTINCT site, CAST("at" AS DATE) FROM staged').fetchall())


def _days_of_the_erased(
    stage: "duckdb.DuckDBPyConnection", storage: LakeStorage, partitions: Collection[Partition], after: int
) -> set[_Key]:
    """Name the days whose files hold what someone did who has been erased since."""
    sites = {row[0] for row in stage.execute("SELECT DISTINCT site FROM erased WHERE seq > ?", [after]).fetchall()}
    concerned = [each for each in partitions if each.site in sites]
    if not concerned:
        return set()
    storage.bring({each.file: each.bytes for each in concerned})
    places = {str(storage.folder / each.file): (each.site, each.day) for each in concerned}
    found = stage.execute(
        f"SELECT DISTINCT held.filename FROM {files_sql(list(places), ', filename = true')} AS held"
        " JOIN erased ON held.site = erased.site AND held.reader = erased.reader"
        " WHERE erased.seq > ? AND held.kind <> 'erasure'",
        [after],
    ).fetchall()
    return {places[row[0]] for row in found}


def _write_partition(
    stage: "duckdb.DuckDBPyConnection",
    storage: LakeStorage,
    key: _Key,
    held: Partition | None,
    *,
    generation: int,
    erasures: bool,
) -> Partition | None:
    """Write one day anew, under a name not yet final, from its former file and what was staged.

    None when nothing is left of it.
    """
    site, day = key
    low = f"TIMESTAMP {literal(day.isoformat())}"
    sources = [
        f'SELECT {NAMED} FROM staged WHERE site = {literal(site)} AND "at" >= {low} AND "at" < {low} + INTERVAL 1 DAY'
    ]
    folder = storage.folder
    if held:
        storage.bring({held.file: held.bytes})
        sources.append(f"SELECT {NAMED} FROM {files_sql([str(folder / held.file)])}")
    query = f"SELECT * FROM ({' UNION ALL '.join(sources)}) AS act"
    if erasures:
        query += (
            " ANTI JOIN erased ON act.site = erased.site AND act.reader = erased.reader AND act.seq < erased.seq"
            " AND act.kind <> 'erasure'"
        )
    name = f"{folder_of(site, day)}/events-{generation}.parquet"
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_name(target)
    events = write_events(stage, query, unfinished)
    if not events:
        unfinished.unlink()
        return None
    return Partition(site=site, day=day, events=events, file=name, bytes=unfinished.stat().st_size)


def write_events(connection: "duckdb.DuckDBPyConnection", query: str, file: Path) -> int:
    """Write what a query gives, which has the columns of `events`, as the lake keeps it; returns how many rows."""
    # First what is rare, so that whoever asks for exposures or conversions alone passes over all other row groups. Then a
    # reader's acts side by side: names repeat and compress, and counting per reader meets each one in a run.
    frequent = ", ".join(literal(kind) for kind in FREQUENT)
    rows = connection.execute(
        f'COPY (SELECT {NAMED} FROM ({query}) ORDER BY kind IN ({frequent}), reader, "at", seq) TO {literal(str(file))}'
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_PER_GROUP})"
    ).fetchone()
    return int(rows[0]) if rows else 0


def files_sql(files: Sequence[str], options: str = "") -> str:
    """Write the relation that these Parquet files are together."""
    return f"read_parquet([{', '.join(literal(each) for each in files)}], hive_partitioning = false{options})"


@contextmanager
def stage_in(folder: Path) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Make a folder where a log larger than memory can be sorted into days; gone afterwards."""
    staging = folder / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    stage = engine(memory=MEMORY, spill=staging)
    try:
        stage.execute("CREATE TABLE erased (site VARCHAR, reader VARCHAR, seq BIGINT)")
        yield stage
    finally:
        stage.close()
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other exports out; whatever becomes of this process, the lock goes with it."""
    lock = sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise Busy(
                "Another process is writing this lake.",
                hint="Wait for it to finish; then try again.",
                at=str(folder),
                code="lake_locked",
            ) from None
        yield
    finally:
        lock.close()


def sweep(storage: LakeStorage, manifest: Manifest, *, seen: Mapping[str, Listed] | None = None) -> None:
    """Remove what no manifest names: files that were replaced, and what an export that was killed left behind.

    Args:
        storage: The lake.
        manifest: What counts.
        seen: What was listed before the manifest was put in place: of that nothing unnamed stays, whoever may be reading it.
    """
    named = {file for each in manifest.partitions for file in (each.file, *(one.file for one in each.views))}
    sweep_folder(storage.folder, named)
    storage.sweep(named, seen=seen)


def sweep_folder(folder: Path, named: Collection[str]) -> None:
    """Remove from a folder what is not named, and what was being made in it."""
    for path in folder.glob("site=*/day=*/*"):
        if path.relative_to(folder).as_posix() not in named and _is_ours(path.name):
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
    (folder / f".{MANIFEST}.unfinished").unlink(missing_ok=True)
    for path in folder.glob(".staging*"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _is_ours(name: str) -> bool:
    """Whether an export gives such names, or once did."""
    stem, _, ending = name.lstrip(".").rpartition(".")
    numbered = stem.rpartition("-")[2].isdecimal()
    return name in ("_mark", "events.parquet") or (numbered and ending in ("parquet", "unfinished"))


def _last_generation(files: Collection[str]) -> int:
    """Find the highest number a file carries, for a lake that lost its manifest."""
    numbers = (file.rpartition("-")[2].removesuffix(".parquet") for file in files)
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _in_silence(done: int, total: int) -> None:
    """Tell nobody."""
