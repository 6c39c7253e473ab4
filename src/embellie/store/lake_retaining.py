"""What time does to the lake: files with names past their time are written anew without them, the old ones go."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from embellie.domain.errors import InputError
from embellie.store.engine import literal
from embellie.store.event_columns import EVENT_COLUMNS
from embellie.store.lake import files_sql, keep_ready, stage_in, sweep
from embellie.store.lake_erasing import put_in_place, write_anew
from embellie.store.lake_manifest import manifest_text, parse_manifest
from embellie.store.lake_storage import LakeStorage, as_storage
from embellie.store.log_retaining import NAMELESS_KINDS

_REPLACED = {
    "id": "'kept-' || seq",
    "reader": "''",
    "visit": "''",
    "body": """CAST(json_merge_patch(body, '{"reader":"","visit":""}') AS VARCHAR)""",
}


def forget_past_in_lake(lake: Path | LakeStorage, before: Mapping[str, datetime]) -> int:
    """Write anew the files in which names are past their time; returns how many events that changed.

    The caller holds the lake (`locked`). The event on which the lake ends stays as it is: the log is told by it.

    Args:
        lake: The lake; it may be absent.
        before: By consent, the moment of arrival from which events keep their names.

    Raises:
        InputError: A file of the lake is gone or damaged.
    """
    if not before:
        return 0
    storage = as_storage(lake)
    kept = storage.read()
    manifest = parse_manifest(kept.text) if kept else None
    if kept is None or manifest is None:
        return 0
    if lost := storage.damaged(manifest):
        raise InputError(
            f"{len(lost)} files of the lake are gone or damaged.",
            hint="Write them again with `embellie log export`.",
            at=f"{storage.place}: {lost[0].file}",
        )
    past = f"({_past(before)}) AND seq <> {manifest.through}"
    folder, generation = storage.folder, storage.generation_after(manifest.generation)
    storage.bring({each.file: each.bytes for each in manifest.partitions})
    with stage_in(folder) as stage:
        places = {str(folder / each.file): each for each in manifest.partitions}
        rows = stage.execute(
            f"SELECT filename, count(*) FROM {files_sql(list(places), ', filename = true')} WHERE {past} GROUP BY 1"
        ).fetchall()
        written = {
            places[file]: write_anew(stage, folder, places[file], _nameless(str(file), past), generation=generation)
            for file, _ in rows
        }
    if not written:
        sweep(storage, manifest)
        return 0
    changed = replace(put_in_place(storage, manifest, written), generation=generation)
    seen = storage.list()
    changed = keep_ready(storage, changed, manifest.views, generation=generation)
    storage.replace(manifest_text(changed), former=kept.tag)
    sweep(storage, changed, seen=seen)
    return sum(int(count) for _, count in rows)


def _past(before: Mapping[str, datetime]) -> str:
    kinds = ", ".join(literal(kind) for kind in ("exposure", *NAMELESS_KINDS))
    times = " OR ".join(
        f"(consent = {literal(consent)} AND received_at < TIMESTAMP {literal(_plain(moment))})"
        for consent, moment in before.items()
    )
    return f"(reader <> '' OR visit <> '') AND kind IN ({kinds}) AND ({times})"


def _plain(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def _nameless(file: str, past: str) -> str:
    """Write the query for a file's rows: exposures that are past go, other events lose their names."""
    columns = ", ".join(
        f'CASE WHEN {past} THEN {_REPLACED[name]} ELSE "{name}" END AS "{name}"' if name in _REPLACED else f'"{name}"'
        for name in EVENT_COLUMNS
    )
    return f"SELECT {columns} FROM {files_sql([file])} WHERE NOT (kind = 'exposure' AND {past})"
