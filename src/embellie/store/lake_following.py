"""What the lake of one server does when a reader was erased by another: it finds who that was by the mark, and stays its log's."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from embellie.store.engine import literal, name_table
from embellie.store.lake import files_sql, is_of, stage_in
from embellie.store.lake_manifest import Manifest, manifest_text, parse_manifest
from embellie.store.lake_storage import LakeStorage, as_storage
from embellie.store.log_place import LogPlace
from embellie.store.log_snapshot import LogSnapshot, log_snapshot

_PAGE = 500
_NAMELESS = "kept-"


def marked_in_lake(
    lake: Path | LakeStorage, site: str, marks: Collection[str], *, mark_of: Callable[[str, str], str]
) -> list[str]:
    """Find the readers in a lake who have one of some marks.

    Args:
        lake: The lake; it may be absent.
        site: The site.
        marks: The marks.
        mark_of: Tells the mark of a site's reader.
    """
    storage = as_storage(lake)
    files = _files(storage, _manifest(storage), site) if marks else []
    if not files:
        return []
    with stage_in(storage.folder) as stage:
        rows = stage.execute(
            f"SELECT DISTINCT reader FROM {files_sql(files)} WHERE site = {literal(site)} AND reader <> ''"
        ).fetchall()
    return sorted(reader for (reader,) in rows if mark_of(site, reader) in marks)


def own_visits_in_lake(lake: Path | LakeStorage, log: LogPlace, *, site: str, reader: str) -> tuple[str, ...]:
    """Name the visits of a reader, whom the log does not hold any more, that were nobody else's.

    Args:
        lake: The lake.
        log: Where the log is.
        site: The site.
        reader: The reader's id.
    """
    storage = as_storage(lake)
    files = _files(storage, _manifest(storage), site)
    if not files:
        return ()
    with stage_in(storage.folder) as stage:
        here = f"FROM {files_sql(files)} WHERE site = {literal(site)}"
        found = stage.execute(f"SELECT DISTINCT visit {here} AND reader = {literal(reader)} AND visit <> ''").fetchall()
        visits = sorted(str(row[0]) for row in found)
        name_table(stage, "their_visits", visits)
        others = f"reader <> '' AND reader <> {literal(reader)}"
        shared = stage.execute(
            f"SELECT DISTINCT visit {here} AND {others} AND visit IN (SELECT name FROM their_visits)"
        ).fetchall()
    taken = {str(row[0]) for row in shared}
    with log_snapshot(log, storage) as snapshot:
        for start in range(0, len(visits), _PAGE):
            taken |= _named_visits(snapshot, site, visits[start : start + _PAGE])
    return tuple(visit for visit in visits if visit not in taken)


def _named_visits(log: LogSnapshot, site: str, visits: Sequence[str]) -> set[str]:
    marks = ", ".join("?" * len(visits))
    sql = f"SELECT DISTINCT visit FROM events WHERE site = ? AND visit IN ({marks}) AND reader <> ''"
    return {str(row[0]) for row in log.rows(sql, (site, *visits))}


def end_in_log(lake: Path | LakeStorage, log: LogPlace) -> bool:
    """End a lake on an event that its log still holds, where the one it ended on went; returns whether it is the log's own.

    All between that one and the former last is gone from the log: the lake is as complete as it was. The caller holds the lake.

    Args:
        lake: The lake; it may be absent.
        log: Where the log is.
    """
    storage = as_storage(lake)
    kept = storage.read()
    if kept is None:
        return True
    manifest = parse_manifest(kept.text)
    if manifest is None:
        return True
    with log_snapshot(log, storage) as snapshot:
        if is_of(manifest, snapshot):
            return True
        sql = "SELECT seq, site, id FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
        rows = snapshot.rows(sql, [manifest.through])
    if not rows or not _holds(storage, manifest, *rows[0]):
        return False
    seq, site, identity = rows[0]
    ended = replace(manifest, through=int(seq), last_site=str(site), last_id=str(identity))
    storage.replace(manifest_text(ended), former=kept.tag)
    return True


def _holds(storage: LakeStorage, manifest: Manifest, seq: int, site: str, identity: str) -> bool:
    """Whether a lake has an event of a log; one that lost its name there goes by its number."""
    files = _files(storage, manifest, site)
    if not files:
        return False
    same = "true" if identity.startswith(_NAMELESS) else f"id = {literal(identity)}"
    with stage_in(storage.folder) as stage:
        found = stage.execute(
            f"SELECT 1 FROM {files_sql(files)} WHERE seq = {int(seq)} AND site = {literal(site)} AND {same} LIMIT 1"
        ).fetchone()
    return found is not None


def _manifest(storage: LakeStorage) -> Manifest | None:
    kept = storage.read()
    return parse_manifest(kept.text) if kept else None


def _files(storage: LakeStorage, manifest: Manifest | None, site: str) -> list[str]:
    """Bring a site's files, and name them."""
    named = [each for each in manifest.partitions if each.site == site] if manifest else []
    storage.bring({each.file: each.bytes for each in named})
    return [str(storage.folder / each.file) for each in named]
