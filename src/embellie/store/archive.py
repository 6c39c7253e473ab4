"""Archive: one file that holds an installation, with the sum of each of its parts, checked after writing and before reading."""

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from embellie.domain.errors import Busy, InputError
from embellie.domain.moment import iso
from embellie.store.log_file import explained, open_for_reading

MANIFEST = "manifest.json"
_SCHEMA = "embellie/backup/1"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive as its manifest tells it: bytes and SHA-256 of each part, and how far its log goes."""

    created: datetime
    version: str
    through: int
    parts: Mapping[str, tuple[int, str]]

    @property
    def bytes(self) -> int:
        """How much is in it."""
        return sum(size for size, _ in self.parts.values())


def copy_log(log: Path, target: Path) -> int:
    """Copy a log as it is at one moment, while others write to it; returns its last event's number.

    Raises:
        InputError: There is no log, or the copy is not sound.
    """
    with closing(open_for_reading(log)) as source, closing(sqlite3.connect(target)) as copy, explained(log):
        source.backup(copy)  # one read transaction: the copy is of one moment
        copy.execute("PRAGMA journal_mode = DELETE")
        said = copy.execute("PRAGMA quick_check").fetchone()[0]
        last = copy.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
    if said != "ok":
        raise InputError(f"The copy of the log is not sound: {said}.", hint="Check the disk.", at=str(target))
    return int(last)


def write_archive(file: Path, parts: Mapping[str, Path], *, through: int, version: str, now: datetime) -> Archive:
    """Write parts into one file that only its owner can read, under its name only when it is whole and has been read back.

    Args:
        file: The archive (tar); one of that name is replaced.
        parts: Where each part lies, by its name in the archive.
        through: The number of the log's last event.
        version: Of the program.
        now: When.

    Raises:
        InputError: It cannot be written, or reads back otherwise.
    """
    sums = {name: (path.stat().st_size, _sum_of(path)) for name, path in sorted(parts.items())}
    archive = Archive(created=now, version=version, through=through, parts=sums)
    beside = file.with_name(f".{file.name}.unfinished")
    try:
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w") as tar:
                said = beside.with_name(f".{file.name}.manifest")
                said.write_text(json.dumps(_document(archive), indent=1) + "\n", encoding="utf-8")
                tar.add(said, MANIFEST)
                said.unlink()
                for name, path in sorted(parts.items()):
                    tar.add(path, name, recursive=False)
            raw.flush()
            os.fsync(raw.fileno())
        check_archive(beside)
        beside.replace(file)
    except OSError as error:
        raise InputError(
            f"The archive cannot be written: {error.strerror or error}.", hint="Give a folder with room.", at=str(file)
        ) from None
    finally:
        beside.unlink(missing_ok=True)
    return archive


def check_archive(file: Path) -> Archive:
    """Read an archive through and compare every sum.

    Raises:
        InputError: It is no archive of ours, or a part is missing or damaged.
    """
    try:
        with tarfile.open(file, "r:") as tar:
            archive = _read_manifest(tar, file)
            left = dict(archive.parts)
            for member in tar:
                if member.name == MANIFEST:
                    continue
                content = tar.extractfile(member)
                expected = left.pop(member.name, None)
                if content is None or expected is None or (member.size, _sum(content)) != expected:
                    raise _damaged(file, f"`{member.name}` is not as it was written")
            if left:
                raise _damaged(file, f"`{next(iter(left))}` is missing")
    except (tarfile.TarError, OSError) as error:
        raise _damaged(file, str(error)) from None
    return archive


def extract_archive(file: Path, folder: Path) -> Archive:
    """Check an archive, then write its parts into an empty folder.

    Raises:
        InputError: It is damaged, or the folder cannot be written.
    """
    archive = check_archive(file)
    try:
        folder.mkdir(parents=True)
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                if member.name != MANIFEST:
                    tar.extract(member, folder, filter="data")
        for name, (_, expected) in archive.parts.items():
            if _sum_of(folder / name) != expected:
                raise _damaged(file, f"`{name}` was not written whole")
    except (tarfile.TarError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(
            f"The archive cannot be unpacked: {error}.", hint="Give a folder with room.", at=str(folder)
        ) from None
    return archive


def require_unused(log: Path) -> None:
    """Make sure that no process has a log open.

    Raises:
        Busy: One has.
    """
    if not log.is_file():
        return
    with closing(sqlite3.connect(log, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            raise Busy(
                "A process has the log open that is to be replaced.",
                hint="Stop the server first.",
                at=str(log),
                code="log_locked",
            ) from None


def _document(archive: Archive) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "created": iso(archive.created),
        "version": archive.version,
        "through": archive.through,
        "parts": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in archive.parts.items()},
    }


def _read_manifest(tar: tarfile.TarFile, file: Path) -> Archive:
    wrong = _damaged(file, "it has no manifest that this version reads")
    try:
        content = tar.extractfile(MANIFEST)
        said = json.load(content) if content else {}
        parts = {name: (int(one["bytes"]), str(one["sha256"])) for name, one in said["parts"].items()}
        archive = Archive(
            created=datetime.fromisoformat(said["created"]),
            version=str(said["version"]),
            through=int(said["through"]),
            parts=parts,
        )
    except (KeyError, ValueError, TypeError):
        raise wrong from None
    if said["schema"] != _SCHEMA:
        raise wrong
    return archive


def _damaged(file: Path, why: str) -> InputError:
    return InputError(
        f"`{file.name}` is no whole backup: {why}.", hint="Take another one.", at=str(file), code="backup_damaged"
    )


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return _sum(file)


def _sum(file: Any) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
