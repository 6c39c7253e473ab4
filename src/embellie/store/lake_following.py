"""What the lake of one server does when a reader was erased by another: it finds who that was by the mark, and stays its log's."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from embellie.store.engine import literal, name_table
from embellie.store.lake import files_sql, is_of, stage_in
from embellie.store.lake_manifest import Manifest, read_manifest, write_manifest
from embellie.store.log_place import LogPlace
from embellie.store.log_snapshot import LogSnapshot, log_snapshot

_PAGE = 500
_NAMELESS = "kept-"


def marked_in_lake(folder: Path, site: str, marks: Collection[str], *, mark_of: Callable[[str, str], str]) -> list[str]:
    """Find the readers in a lake who have one of some marks.

    Args:
        folder: The lake; it may be absent.
        site: The site.
        marks: The marks.
        mark_of: Tells the mark of a site's reader.
    """
    manifest = read_manifest(folder)
    files = _files(folder, manifest, site)
    if not files or not marks:
        return []
    with stage_in(folder) as stage:
        rows = stage.execute(
            f"SELECT DISTINCT reader FROM {files_sql(files)} WHERE site = {literal(site)} AND reader <> ''"
        ).fetchall()
    return sorted(reader for (reader,) in rows if mark_of(site, reader) in marks)


def own_visits_in_lake(folder: Path, log: LogPlace, *, site: str, reader: str) -> tuple[str, ...]:
    """Name the visits of a reader, whom the log does not hold any more, that were nobody else's.

    Args:
        folder: The lake.
        log: Where the log is.
        site: The site.
        reader: The reader's id.
    """
    files = _files(folder, read_manifest(folder), site)
    if not files:
        return ()
    with stage_in(folder) as stage:
        here = f"FROM {files_sql(files)} WHERE site = {literal(site)}"
        found = stage.execute(f"SELECT DISTINCT visit {here} AND reader = {literal(reader)} AND visit <> ''").fetchall()
        visits = sorted(str(row[0]) for row in found)
        name_table(stage, "their_visits", visits)
        others = f"reader <> '' AND reader <> {literal(reader)}"
        shared = stage.execute(
            f"SELECT DISTINCT visit {here} AND {others} AND visit IN (SELECT name FROM their_visits)"
        ).fetchall()
    taken = {str(row[0]) for row in shared}
    with log_snapshot(log, folder) as snapshot:
        for start in range(0, len(visits), _PAGE):
            taken |= _named_visits(snapshot, site, visits[start : start + _PAGE])
    return tuple(visit for visit in visits if visit not in taken)


def _named_visits(log: LogSnapshot, site: str, visits: Sequence[str]) -> set[str]:
    marks = ", ".join("?" * len(visits))
    sql = f"SELECT DISTINCT visit FROM events WHERE site = ? AND visit IN ({marks}) AND reader <> ''"
    return {str(row[0]) for row in log.rows(sql, (site, *visits))}


def end_in_log(folder: Path, log: LogPlace) -> bool:
    """End a lake on an event that its log still holds, where the one it ended on went; returns whether it is the log's own.

    All between that one and the former last is gone from the log: the lake is as complete as it was. The caller holds the lake.

    Args:
        folder: The lake; it may be absent.
        log: Where the log is.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return True
    with log_snapshot(log, folder) as snapshot:
        if is_of(manifest, snapshot):
            return True
        sql = "SELECT seq, site, id FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
        rows = snapshot.rows(sql, [manifest.through])
    if not rows or not _holds(folder, manifest, *rows[0]):
        return False
    seq, site, identity = rows[0]
    write_manifest(folder, replace(manifest, through=int(seq), last_site=str(site), last_id=str(identity)))
    return True


def _holds(folder: Path, manifest: Manifest, seq: int, site: str, identity: str) -> bool:
    """Whether a lake has an event of a log; one that lost its name there goes by its number."""
    files = _files(folder, manifest, site)
    if not files:
        return False
    same = "true" if identity.startswith(_NAMELESS) else f"id = {literal(identity)}"
    with stage_in(folder) as stage:
        found = stage.execute(
            f"SELECT 1 FROM {files_sql(files)} WHERE seq = {int(seq)} AND site = {literal(site)} AND {same} LIMIT 1"
        ).fetchone()
    return found is not None


def _files(folder: Path, manifest: Manifest | None, site: str) -> list[str]:
    return [str(folder / each.file) for each in manifest.partitions if each.site == site] if manifest else []
