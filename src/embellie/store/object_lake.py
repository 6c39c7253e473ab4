"""Object lake: a lake that lies in a bucket, and the copies of its files in the data folder.

What lies under a name never changes, so a copy is as good as the object. The manifest alone is replaced, and only where it is still
the one that was read (conditional write): of two who write, one comes second, is told, and takes its files away again. Files that were
replaced stay for a while: an analysis elsewhere may be reading them. How long they have been of no use is written down beside them.
"""

import json
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from embellie.domain.errors import Busy, EngineError
from embellie.domain.moment import iso
from embellie.ports import Clock, DailyView
from embellie.store.lake import locked, sweep_folder
from embellie.store.lake_manifest import (
    MANIFEST,
    Manifest,
    Partition,
    ViewFile,
    named_views,
    parse_manifest,
    replace_safely,
    unfinished_name,
)
from embellie.store.lake_storage import KeptManifest, Listed
from embellie.store.object_bucket import UNREACHABLE, ObjectBucket, open_bucket

GRACE = timedelta(hours=1)
"""How long files that were replaced stay in the bucket."""

CACHE_BYTES = 20_000_000_000
"""How much of the copies is kept by default."""

LOST = "lake_file_lost"
"""The code of the error that says that a file which the manifest names is not there."""

LOOK_SECONDS = 5.0
"""How old what is known of the manifest may be for who only reads: what is not in the lake yet is read from the log."""

REST_SECONDS = 60.0
"""How long nobody is asked again who has just not answered."""

USED = 600.0
"""For so many seconds after its last use a copy is not removed to make room."""

_T = TypeVar("_T")

_REPLACED = "_replaced.json"
_FETCHING = ".fetching"
_KEPT_TAG = "_manifest.tag"
_STEP = 1_000_000_000


class ObjectLake:
    """A lake in a bucket. Safe to share between threads, and its folder between processes.

    Args:
        bucket: Where it lies.
        folder: Where copies are kept, and files made.
        clock: Tells the time.
        cache_bytes: How much of the copies is kept; what one query needs is kept whatever that is.
        timer: Tells seconds.
    """

    copied = True

    def __init__(
        self,
        bucket: ObjectBucket,
        folder: Path,
        *,
        clock: Clock,
        cache_bytes: int = CACHE_BYTES,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self._bucket, self._cache_bytes = folder, bucket, cache_bytes
        self._clock, self._timer = clock, timer
        self._lock = threading.Lock()
        self._listed: Mapping[str, Listed] | None = None
        self._mine: list[str] = []
        self._tag: str | None = None
        self._looked = self._refused = -3600.0
        self._trouble: EngineError | None = None

    @property
    def place(self) -> str:
        """Its URL."""
        return self._bucket.place

    def is_there(self) -> bool:
        """It may be; the folder for the copies is made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return True

    def generation_after(self, former: int) -> int:
        """Give a number that nobody else gives: two who write at once must not meet under one name."""
        return former + 1 + secrets.randbelow(_STEP)

    def list(self) -> Mapping[str, Listed]:
        """List the days' files."""
        found = self._bucket.list()
        return {name: one for name, one in found.items() if name.startswith("site=") and name.endswith(".parquet")}

    def bring(self, files: Mapping[str, int]) -> None:
        """Download what is lacking; what has lain unused for longest makes room.

        Raises:
            EngineError: The bucket cannot be reached, or lacks one of them (`LOST`).
        """
        lacking = {name: size for name, size in files.items() if not self._touch(name, size)}
        if not lacking:
            return
        with self._lock:
            for name, size in lacking.items():
                if not self._touch(name, size):
                    self._asking(lambda name=name, size=size: self._download(name, size))  # type: ignore[misc]
            self._make_room(files)

    def put(self, file: str) -> None:
        """Give a finished file its name, here and in the bucket."""
        replace_safely(unfinished_name(self.folder / file), self.folder / file)
        self._bucket.upload(file, self.folder / file)
        self._mine.append(file)
        if self._listed is not None:
            size = (self.folder / file).stat().st_size
            self._listed = {**self._listed, file: Listed(bytes=size, modified=self._clock())}

    def delete(self, files: Collection[str]) -> None:
        """Remove objects, and their copies."""
        self._bucket.delete(files)
        for file in files:
            (self.folder / file).unlink(missing_ok=True)

    def read(self) -> KeptManifest | None:
        """Read the manifest, and list what there is."""
        self._mine = []
        kept = self._bucket.read(MANIFEST)
        self._listed = self.list()
        return kept

    def replace(self, text: bytes, *, former: str | None) -> str:
        """Put another manifest in place; who comes second takes their files away again."""
        try:
            tag = self._bucket.replace(MANIFEST, text, former=former)
        except Busy:
            if not self._is_ours(text):
                self.delete(self._mine)
                raise
            # The answer to a first try was lost, and the library tried again: it is there.
            tag = self._bucket.tag(MANIFEST) or ""
        self._mine = []
        self._keep(KeptManifest(text=text, tag=tag))
        return tag

    def damaged(self, manifest: Manifest) -> Sequence[Partition]:
        """Look at what was listed when the manifest was read."""
        listed = self._listed if self._listed is not None else self.list()
        return [one for one in manifest.partitions if one.file not in listed or listed[one.file].bytes != one.bytes]

    def lying(self, manifest: Manifest, view: DailyView) -> Mapping[Partition, ViewFile]:
        """Believe the manifest, but for what was not listed."""
        listed = self._listed
        return {
            each: one
            for each, one in named_views(manifest, view).items()
            if listed is None or (one.file in listed and listed[one.file].bytes == one.bytes)
        }

    def sweep(self, named: Collection[str], *, seen: Mapping[str, Listed] | None = None) -> None:
        """Remove objects that no manifest names: those of no use for `GRACE`, or at once those that were seen."""
        listed = self.list()
        if seen is not None:
            self.delete([name for name in seen if name in listed and name not in named])
            listed = {name: one for name, one in listed.items() if name in named or name not in seen}
            shutil.rmtree(self.folder / _FETCHING, ignore_errors=True)
        now = self._clock()
        kept = self._bucket.read(_REPLACED)
        since = _since(kept)
        of_no_use = {name: since.get(name, now) for name in listed if name not in named}
        old = [name for name, moment in of_no_use.items() if now - moment >= GRACE]
        self.delete(old)
        left = {name: iso(moment) for name, moment in of_no_use.items() if name not in old}
        if left != {name: iso(moment) for name, moment in since.items()}:
            with suppress(Busy):  # another sweeps too: what it writes down will do
                text = (json.dumps(left, indent=1) + "\n").encode()
                self._bucket.replace(_REPLACED, text, former=kept.tag if kept else None)

    # For who only reads: never without an answer, and never waiting twice for one that does not come.

    def stamp(self) -> str | None:
        """Tell one manifest from the next; the last one known where the bucket does not answer, None when none is known."""
        now = self._timer()
        if now - self._looked < LOOK_SECONDS:
            return self._tag
        with suppress(EngineError):
            self._tag = self._asking(lambda: self._bucket.tag(MANIFEST))
            self._looked = now
            return self._tag
        kept = self._kept_here()
        return self._tag or (kept.tag if kept else None)

    def look_again(self) -> None:
        """Forget when one looked last."""
        self._looked = -3600.0

    def manifest_for_reading(self) -> Manifest | None:
        """Read the manifest, or where the bucket does not answer the copy of the last one known; its files take the place of others' copies."""
        kept = self._kept_here()
        if kept is None or kept.tag != self._tag:
            with suppress(EngineError):
                found = self._asking(lambda: self._bucket.read(MANIFEST))
                self._tag = found.tag if found else None
                if found is None:
                    return None
                self._keep(found)
                return parse_manifest(found.text)
        return parse_manifest(kept.text) if kept else None

    def tidy(self, manifest: Manifest | None) -> None:
        """Remove copies that a manifest does not name: they may hold someone who was erased. Left alone while the lake is written from here."""
        named = (
            {file for each in manifest.partitions for file in (each.file, *(one.file for one in each.views))}
            if manifest
            else set()
        )
        with suppress(Busy, OSError, sqlite3.Error):
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder):
                sweep_folder(self.folder, named)

    @property
    def trouble(self) -> EngineError | None:
        """Why the bucket did not answer when it was last asked; None when it did."""
        return self._trouble

    def _asking(self, ask: Callable[[], _T]) -> _T:
        if self._trouble and self._timer() - self._refused < REST_SECONDS:
            raise self._trouble
        try:
            answer = ask()
        except EngineError as error:
            if error.code == UNREACHABLE:
                self._trouble, self._refused = error, self._timer()
            raise
        self._trouble = None
        return answer

    def _touch(self, name: str, size: int) -> bool:
        """Whether a copy is here; says that it is used."""
        path = self.folder / name
        try:
            status = path.stat()
            if status.st_size != size:
                return False
            now = self._clock().timestamp()
            if now - status.st_mtime > USED / 2:
                os.utime(path, (now, now))
        except OSError:
            return False
        return True

    def _download(self, name: str, size: int) -> None:
        fetching = self.folder / _FETCHING / f"{os.getpid()}-{secrets.token_hex(6)}"
        fetching.parent.mkdir(parents=True, exist_ok=True)
        try:
            there = self._bucket.download(name, fetching)
            if not there or fetching.stat().st_size != size:
                raise EngineError(
                    f"The lake at `{self.place}` lacks `{name}`, or has other bytes there.",
                    hint="Write it again with `embellie log export`.",
                    code=LOST,
                )
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.utime(fetching)
            fetching.replace(self.folder / name)
        except FileNotFoundError:  # removed meanwhile, by an erasure
            raise EngineError(f"`{name}` was removed while it was read.", hint="Try again.", code=LOST) from None
        finally:
            fetching.unlink(missing_ok=True)

    def _make_room(self, wanted: Collection[str]) -> None:
        found = []
        for path in self.folder.glob("site=*/day=*/*.parquet"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        over = sum(size for _, size, _ in found) - self._cache_bytes
        for used, size, path in sorted(found):
            if over <= 0 or self._clock().timestamp() - used < USED:
                break
            if path.relative_to(self.folder).as_posix() not in wanted:
                path.unlink(missing_ok=True)
                over -= size

    def _kept_here(self) -> KeptManifest | None:
        with suppress(OSError, ValueError):
            tag, _, text = (self.folder / _KEPT_TAG).read_bytes().partition(b"\n")
            return KeptManifest(text=text, tag=tag.decode())
        return None

    def _keep(self, kept: KeptManifest) -> None:
        """Keep the manifest with its tag, for when the bucket does not answer; and as a folder's lake has it, for who looks there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in ((_KEPT_TAG, kept.tag.encode() + b"\n" + kept.text), (MANIFEST, kept.text)):
            unfinished = self.folder / f".{name}.{os.getpid()}-{threading.get_ident()}.unfinished"
            unfinished.write_bytes(text)
            unfinished.replace(self.folder / name)

    def _is_ours(self, text: bytes) -> bool:
        found = self._bucket.read(MANIFEST)
        return found is not None and found.text == text


def _since(kept: KeptManifest | None) -> Mapping[str, datetime]:
    try:
        said = json.loads(kept.text) if kept else {}
        return {str(name): datetime.fromisoformat(moment) for name, moment in said.items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def open_object_lake(url: str, folder: Path, *, clock: Clock, cache_bytes: int = CACHE_BYTES) -> ObjectLake:
    """Open the lake at a bucket's URL, with its copies in a folder.

    Raises:
        InputError: The URL names no bucket.
        EngineError: The extra is missing.
    """
    return ObjectLake(open_bucket(url), folder, clock=clock, cache_bytes=cache_bytes)
