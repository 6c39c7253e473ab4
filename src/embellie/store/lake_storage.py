"""Lake storage: where a lake's files lie, a folder or objects in a bucket; and what each must be able to do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from embellie.domain.errors import Busy
from embellie.ports import DailyView
from embellie.store.lake_manifest import (
    MANIFEST,
    Manifest,
    Partition,
    ViewFile,
    damaged,
    replace_safely,
    stamp_of,
    unfinished_name,
    view_files,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file of a lake: of so many bytes, last written then."""

    bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptManifest:
    """A manifest's text, and what tells this one from any other that was or will be in its place."""

    text: bytes
    tag: str


class LakeStorage(Protocol):
    """Where a lake's files lie. What lies under a name never changes, but for the manifest, which is replaced in one step.

    Files are written and read in `folder`: it is the lake itself, or holds copies of what lies elsewhere.
    """

    @property
    def folder(self) -> Path:
        """Where files are made, and where they are read."""
        ...

    @property
    def place(self) -> str:
        """Where it is, for people; without any secret."""
        ...

    @property
    def copied(self) -> bool:
        """Whether `folder` holds copies, which must be brought before they are read."""
        ...

    def is_there(self) -> bool:
        """Whether there may be a lake."""
        ...

    def generation_after(self, former: int) -> int:
        """Give the number for files to be written, higher than any before and than anyone else's."""
        ...

    def list(self) -> Mapping[str, Listed]:
        """List all files by name, the manifest apart."""
        ...

    def bring(self, files: Mapping[str, int]) -> None:
        """See that files, of so many bytes each, lie in `folder`."""
        ...

    def put(self, file: str) -> None:
        """Keep under its name what was written in `folder` under `unfinished_name`."""
        ...

    def delete(self, files: Collection[str]) -> None:
        """Remove files; those that are gone already are passed over."""
        ...

    def read(self) -> KeptManifest | None:
        """Read the manifest; None when there is none."""
        ...

    def replace(self, text: bytes, *, former: str | None) -> str:
        """Put another manifest in the place of the one with the tag `former` (None: of none); returns its tag.

        Raises:
            Busy: Another is there by now.
        """
        ...

    def damaged(self, manifest: Manifest) -> Sequence[Partition]:
        """Name the partitions whose file is gone, or not of the size it was written in."""
        ...

    def lying(self, manifest: Manifest, view: DailyView) -> Mapping[Partition, ViewFile]:
        """Find the sound files of a view, by partition."""
        ...

    def sweep(self, named: Collection[str], *, seen: Mapping[str, Listed] | None = None) -> None:
        """Remove elsewhere than in `folder` what no manifest names: when nobody reads it any more, or at once what was `seen`."""
        ...


class FolderLake:
    """A lake that is a folder of this machine."""

    copied = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        """Its path."""
        return str(self.folder)

    def is_there(self) -> bool:
        """Whether the folder is."""
        return self.folder.is_dir()

    def generation_after(self, former: int) -> int:
        """Give the next number: who writes holds the folder's lock."""
        return former + 1

    def list(self) -> Mapping[str, Listed]:
        """List what lies in the days' folders."""
        found = {}
        for path in self.folder.glob("site=*/day=*/*.parquet"):
            status = path.stat()
            at = datetime.fromtimestamp(status.st_mtime, UTC)
            found[path.relative_to(self.folder).as_posix()] = Listed(bytes=status.st_size, modified=at)
        return found

    def bring(self, files: Mapping[str, int]) -> None:
        """They are there."""

    def put(self, file: str) -> None:
        """Give a finished file its name."""
        replace_safely(unfinished_name(self.folder / file), self.folder / file)

    def delete(self, files: Collection[str]) -> None:
        """Remove files, and days' folders with nothing left in them."""
        for file in files:
            path = self.folder / file
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def read(self) -> KeptManifest | None:
        """Read the manifest's file."""
        try:
            return KeptManifest(text=(self.folder / MANIFEST).read_bytes(), tag=self._tag() or "")
        except OSError:
            return None

    def replace(self, text: bytes, *, former: str | None) -> str:
        """Put the manifest in place, whole or not at all, and on disk when this returns."""
        if self._tag() != former:
            raise manifest_moved(self.place)
        unfinished = self.folder / f".{MANIFEST}.unfinished"
        unfinished.write_bytes(text)
        replace_safely(unfinished, self.folder / MANIFEST)
        return self._tag() or ""

    def damaged(self, manifest: Manifest) -> Sequence[Partition]:
        """Look at the files' sizes."""
        return damaged(self.folder, manifest)

    def lying(self, manifest: Manifest, view: DailyView) -> Mapping[Partition, ViewFile]:
        """Look at the files' sizes."""
        there = view_files(self.folder, manifest, view)
        return {each: one for each in there for one in each.views if one.name == view.name}

    def sweep(self, named: Collection[str], *, seen: Mapping[str, Listed] | None = None) -> None:
        """There is nothing elsewhere."""

    def _tag(self) -> str | None:
        stamp = stamp_of(self.folder)
        return "-".join(map(str, stamp)) if stamp else None


def as_storage(lake: Path | LakeStorage) -> LakeStorage:
    """Take a folder as a lake that lies in it."""
    return FolderLake(lake) if isinstance(lake, Path) else lake


def manifest_moved(place: str) -> Busy:
    """Build the error for who comes second."""
    return Busy(
        "Another process has written this lake meanwhile; what it wrote counts, and nothing is lost.",
        hint="Let one installation alone write to it, and try again.",
        at=place,
        code="lake_moved",
    )
