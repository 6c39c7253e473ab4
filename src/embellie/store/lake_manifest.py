"""The lake's manifest: which files it consists of, and up to which event of the log it is complete."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from embellie.ports import DailyView

MANIFEST = "_manifest.json"
_SCHEMA = "embellie/lake/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFile:
    """The rows of a view of one site and day: the file that holds them, of so many bytes."""

    name: str
    file: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The events of one site and day (UTC, by `at`): how many, and the file that holds them, of so many bytes.

    `views` are the files of what the lake keeps computed from them.
    """

    site: str
    day: date
    events: int
    file: str
    bytes: int
    views: tuple[ViewFile, ...] = ()

    @property
    def folder(self) -> str:
        """Where it lies in the lake, in the manner of Hive: `site=…/day=…`."""
        return folder_of(self.site, self.day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The lake as it stands: every event up to sequence number `through`, in the files of `partitions`.

    `last_id` and `last_site` are those of the event numbered `through`: they tell whether a log is the lake's own.
    Files are never changed, only replaced by others of a later `generation`. Every partition has a file of each of `views`.
    """

    through: int
    last_id: str
    last_site: str
    generation: int
    partitions: tuple[Partition, ...]
    views: tuple[DailyView, ...] = ()

    @property
    def events(self) -> int:
        """How many events the lake holds."""
        return sum(each.events for each in self.partitions)


def folder_of(site: str, day: date) -> str:
    """Name the folder of a site and day within the lake."""
    return f"site={quote(site, safe='')}/day={day.isoformat()}"


def named_views(manifest: Manifest, view: DailyView) -> Mapping[Partition, ViewFile]:
    """Find the files that a manifest names of a view, by partition; none when it keeps another query under its name."""
    if view not in manifest.views:
        return {}
    return {each: one for each in manifest.partitions for one in each.views if one.name == view.name}


def view_files(folder: Path, manifest: Manifest, view: DailyView) -> Mapping[Partition, Path]:
    """Find the sound files of a view, by partition; none when the lake keeps another query under its name."""
    found = {each: (folder / one.file, one.bytes) for each, one in named_views(manifest, view).items()}
    return {each: path for each, (path, size) in found.items() if _size_of(path) == size}


def damaged(folder: Path, manifest: Manifest) -> Sequence[Partition]:
    """Name the partitions whose file is gone, or not of the size it was written in."""
    return [each for each in manifest.partitions if _size_of(folder / each.file) != each.bytes]


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest; None when there is none that this version can read."""
    try:
        return parse_manifest((folder / MANIFEST).read_bytes())
    except OSError:
        return None


def parse_manifest(text: bytes) -> Manifest | None:
    """Read a manifest's text; None when this version cannot."""
    try:
        said = json.loads(text)
        return _manifest(said) if said["schema"] == _SCHEMA else None
    except (ValueError, KeyError, TypeError):
        return None


def stamp_of(folder: Path) -> tuple[int, int, int] | None:
    """Tell one manifest from the next without reading it."""
    try:
        status = (folder / MANIFEST).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in the place of the former one, whole or not at all, and on disk when this returns."""
    unfinished = folder / f".{MANIFEST}.unfinished"
    unfinished.write_bytes(manifest_text(manifest))
    replace_safely(unfinished, folder / MANIFEST)


def manifest_text(manifest: Manifest) -> bytes:
    """Write a manifest as it is kept."""
    said = {
        "schema": _SCHEMA,
        "through": manifest.through,
        "last": {"site": manifest.last_site, "id": manifest.last_id},
        "generation": manifest.generation,
        "views": {view.name: view.sql for view in manifest.views},
        "files": [
            {
                "site": each.site,
                "day": each.day.isoformat(),
                "events": each.events,
                "file": each.file,
                "bytes": each.bytes,
                "views": {one.name: {"file": one.file, "bytes": one.bytes} for one in each.views},
            }
            for each in manifest.partitions
        ],
    }
    return (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode()


def unfinished_name(target: Path) -> Path:
    """Name the file in which another is written before it has its own name."""
    return target.with_name(f".{target.stem}.unfinished")


def replace_safely(unfinished: Path, target: Path) -> None:
    """Move a finished file to its place; what it holds is on disk before its name is."""
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    unfinished.replace(target)


def _manifest(said: Mapping[str, Any]) -> Manifest:
    return Manifest(
        through=int(said["through"]),
        last_id=str(said["last"]["id"]),
        last_site=str(said["last"]["site"]),
        generation=int(said["generation"]),
        partitions=tuple(
            Partition(
                site=str(each["site"]),
                day=date.fromisoformat(each["day"]),
                events=int(each["events"]),
                file=str(each["file"]),
                bytes=int(each["bytes"]),
                views=tuple(
                    ViewFile(name=str(name), file=str(one["file"]), bytes=int(one["bytes"]))
                    for name, one in each.get("views", {}).items()
                ),
            )
            for each in said["files"]
        ),
        views=tuple(DailyView(str(name), str(sql)) for name, sql in said.get("views", {}).items()),
    )


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
