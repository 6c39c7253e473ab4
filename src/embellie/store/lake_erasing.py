"""What erasing a reader does to the lake: the files that hold something of theirs are written anew now, the old ones go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from embellie.domain.errors import InputError
from embellie.store.engine import literal, name_table
from embellie.store.event_columns import NAMED
from embellie.store.lake import files_sql, is_of, keep_ready, stage_in, sweep, write_events
from embellie.store.lake_manifest import (
    MANIFEST,
    Manifest,
    Partition,
    folder_of,
    manifest_text,
    parse_manifest,
    unfinished_name,
)
from embellie.store.lake_storage import LakeStorage, as_storage
from embellie.store.log_place import LogPlace
from embellie.store.log_snapshot import LogSnapshot, log_snapshot

if TYPE_CHECKING:
    import duckdb

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whose events are meant: those that name the reader, and those without a name of their own visits."""

    site: str
    reader: str
    visits: Sequence[str]


def erase_from_lake(lake: Path | LakeStorage, log: LogPlace, *, site: str, reader: str, visits: Sequence[str]) -> int:
    """Write anew, without them, the files in which a reader's events are; returns how many events those were.

    The caller holds the lake (`locked`), and has not taken them out of the log yet. Killed at any moment, the lake is as it was or as
    it is to be, but for old files, which the next call or export removes.

    Args:
        lake: The lake; it may be absent.
        log: Where the log is.
        site: The site.
        reader: The reader's id.
        visits: The visits that are theirs alone.

    Raises:
        InputError: A file of the lake is gone or damaged.
    """
    storage = as_storage(lake)
    kept = storage.read()
    manifest = parse_manifest(kept.text) if kept else None
    if kept is None or manifest is None:
        _remove_all(storage)
        return 0
    lost = storage.damaged(manifest)
    if lost:
        raise InputError(
            f"{len(lost)} files of the lake are gone or damaged.",
            hint="Write them again with `embellie log export`; then erase again.",
            at=f"{storage.place}: {lost[0].file}",
        )
    who = Whose(site=site, reader=reader, visits=visits)
    folder, generation = storage.folder, storage.generation_after(manifest.generation)
    concerned = [each for each in manifest.partitions if each.site == site]
    storage.bring({each.file: each.bytes for each in concerned})
    with stage_in(folder) as stage:
        places = {str(folder / each.file): each for each in concerned}
        held = _held(stage, list(places), who)
        written = {each: _without(stage, folder, each, who, generation) for each in (places[file] for file in held)}
    changed = _ending_on_others(put_in_place(storage, manifest, written), log, storage, who)
    if changed is None:
        _remove_all(storage)
        return sum(held.values())
    seen = storage.list()
    if changed != manifest:
        changed = keep_ready(storage, replace(changed, generation=generation), manifest.views, generation=generation)
        storage.replace(manifest_text(changed), former=kept.tag)
    sweep(storage, changed, seen=seen)
    return sum(held.values())


def put_in_place(storage: LakeStorage, manifest: Manifest, written: Mapping[Partition, Partition | None]) -> Manifest:
    """Give files written anew their names; return the manifest that names them in the place of the former ones."""
    for one in written.values():
        if one:
            storage.put(one.file)
    kept = [one for each in manifest.partitions if (one := written.get(each, each))]
    return replace(manifest, partitions=tuple(kept))


def write_anew(
    stage: "duckdb.DuckDBPyConnection", folder: Path, each: Partition, query: str, *, generation: int
) -> Partition | None:
    """Write what a query makes of a partition, under a name not yet final; None when nothing is left."""
    name = f"{each.folder}/events-{generation}.parquet"
    unfinished = unfinished_name(folder / name)
    events = write_events(stage, query, unfinished)
    if not events:
        unfinished.unlink()
        return None
    return Partition(site=each.site, day=each.day, events=events, file=name, bytes=unfinished.stat().st_size)


def lake_rows(lake: Path | LakeStorage, *, site: str, reader: str, visits: Sequence[str]) -> int:
    """Count the events of a reader in all Parquet files of the lake, also in those that no manifest names."""
    storage = as_storage(lake)
    of_site = folder_of(site, date.min).partition("/")[0]
    listed = {name: one.bytes for name, one in storage.list().items() if name.startswith(f"{of_site}/")}
    storage.bring(listed)  # views too: whoever looks for leftovers finds in the folder all that is kept elsewhere
    files = [str(storage.folder / name) for name in sorted(listed) if "/events-" in name]
    if not files:
        return 0
    with stage_in(storage.folder) as stage:
        return sum(_held(stage, files, Whose(site=site, reader=reader, visits=visits)).values())


def _held(stage: "duckdb.DuckDBPyConnection", files: list[str], who: Whose) -> dict[str, int]:
    """Count, by file, what is theirs."""
    if not files:
        return {}
    rows = stage.execute(
        f"SELECT filename, count(*) FROM {files_sql(files, ', filename = true')} WHERE {_theirs(stage, who)} GROUP BY 1"
    ).fetchall()
    return {str(file): int(count) for file, count in rows}


def _theirs(stage: "duckdb.DuckDBPyConnection", who: Whose) -> str:
    """Write the condition that an event is theirs."""
    name_table(stage, "their_visits", who.visits)
    own = f"reader = {literal(who.reader)} OR (reader = '' AND visit IN (SELECT name FROM their_visits))"
    return f"site = {literal(who.site)} AND ({own})"


def _without(
    stage: "duckdb.DuckDBPyConnection", folder: Path, each: Partition, who: Whose, generation: int
) -> Partition | None:
    query = f"SELECT {NAMED} FROM {files_sql([str(folder / each.file)])} WHERE NOT ({_theirs(stage, who)})"
    return write_anew(stage, folder, each, query, generation=generation)


def _ending_on_others(manifest: Manifest, log: LogPlace, storage: LakeStorage, who: Whose) -> Manifest | None:
    """End the lake on an event that stays; None when no event before is anyone else's.

    All between that one and the former last are the reader's: the lake is as complete as it was.
    """
    with log_snapshot(log, storage) as snapshot:
        if not is_of(manifest, snapshot):
            return manifest
        row = _last_of_others(snapshot, manifest.through, who)
    return replace(manifest, through=row[0], last_site=row[1], last_id=row[2]) if row else None


def _last_of_others(log: LogSnapshot, through: int, who: Whose) -> tuple[int, str, str] | None:
    theirs = set(who.visits)
    sql = "SELECT seq, site, id, reader, visit FROM events WHERE seq <= ? ORDER BY seq DESC"
    for page in log.pages(sql, (through,), size=_PAGE):
        for seq, site, identity, reader, visit in page:
            own = site == who.site and (reader == who.reader or (not reader and visit in theirs))
            if not own:
                return int(seq), str(site), str(identity)
    return None


def _remove_all(storage: LakeStorage) -> None:
    """Remove a lake of which nothing is left, or that has no manifest: the next export writes it from the log."""
    if not storage.is_there():
        return
    storage.delete([MANIFEST])
    (storage.folder / MANIFEST).unlink(missing_ok=True)
    nothing = Manifest(through=0, last_id="", last_site="", generation=0, partitions=())
    sweep(storage, nothing, seen=storage.list())
