"""Backing up: an installation in one file, and back; what was erased meanwhile is erased again."""

import os
import secrets
import shutil
import tarfile
import tomllib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from embellie import __version__
from embellie.app.compacting import SPILL
from embellie.app.config import FILE as CONFIG_FILE
from embellie.app.config import StorageConfig, read_config
from embellie.app.erasing import ErasureReport
from embellie.app.forgetting import erase_marked, erased_document
from embellie.app.log_keeping import Place, require_log
from embellie.domain.errors import Conflict
from embellie.domain.moment import iso
from embellie.store.archive import Archive, check_archive, copy_log, extract_archive, require_unused, write_archive
from embellie.store.lake import FOLDER as LAKE_FOLDER
from embellie.store.log import FILE as LOG_FILE
from embellie.store.log_place import LogPlace, PostgresPlace, log_place
from embellie.store.log_transfer import key_of_marks, transfer_log
from embellie.store.postgres_lead import is_used, unled
from embellie.store.reader_marks import FILE as MARKS_FILE
from embellie.store.state_file import is_state

_DATA, _PROJECT = "data", "project"

Progress = Callable[[int, int], None]
"""Told how many of how many rows are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restored backup: what it was, where the former data folder and the former schema went, and who was erased again.

    `replaced` is None when there was no data folder, `replaced_schema` empty when there was no log in PostgreSQL.
    """

    archive: Archive
    replaced: Path | None
    replaced_schema: str = ""
    erased_again: tuple[ErasureReport, ...]
    project_files: tuple[str, ...]


def back_up(
    place: Place, file: Path, *, now: datetime, project: Path | None = None, progress: Progress | None = None
) -> Archive:
    """Write everything that cannot be computed again into one file, while the server runs.

    In it: the log as of one moment (as a file, wherever it is kept), models and their runs, keys, what the jobs remember, `embellie.toml` and the question. Left
    out: the lake and snapshots, which are written again from the log.

    Args:
        place: The installation.
        file: The archive to write; only its owner can read it: it holds keys and readers.
        now: The time.
        project: The folder of `embellie.toml`.
        progress: Told how far it is, where the log is in PostgreSQL.

    Raises:
        InputError: There is no log, or the archive cannot be written or read back.
    """
    require_log(place)
    data = place.beside
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}.copy")
    try:
        beside.mkdir(mode=0o700)
        copy = beside / LOG_FILE
        if isinstance(place.log, PostgresPlace):
            through = transfer_log(place.log, copy, still=False, progress=progress).last
        else:
            through = copy_log(place.log, copy)
        copies = sorted(path for path in beside.iterdir() if path.name in (LOG_FILE, MARKS_FILE))
        parts = {f"{_DATA}/{path.relative_to(data).as_posix()}": path for path in _kept(data, without=(file, *copies))}
        parts |= {f"{_DATA}/{path.name}": path for path in copies}
        if project is not None and (project / CONFIG_FILE).is_file():
            config = read_config(project)
            names = [name for name in (CONFIG_FILE, config.question) if (project / name).is_file()]
            parts |= {f"{_PROJECT}/{name}": project / name for name in names if not Path(name).is_absolute()}
        return write_archive(file, parts, through=through, version=__version__, now=now)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _kept(data: Path, *, without: Iterable[Path]) -> list[Path]:
    """List the files of the data folder that are to be kept, beside the log."""
    left_out = {path.resolve() for path in without}
    return [
        path
        for path in sorted(data.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not path.relative_to(data).parts[0].startswith((LAKE_FOLDER, SPILL, f"{LOG_FILE}", ".keys-"))
        and not path.name.endswith(".unfinished")
        and path.resolve() not in left_out
        and not is_state(path)
    ]


def restore(
    file: Path,
    project: Path,
    *,
    now: datetime,
    yes: bool = False,
    erased: Iterable[tuple[str, str]] = (),
    progress: Progress | None = None,
) -> Restored:
    """Put a backup in the place of an installation's data folder, and its log where `embellie.toml` says: a file, or PostgreSQL.

    Every sum is checked first. The former data folder is set aside beside it, not removed, and so is a former log in PostgreSQL,
    by another name for its schema. Who was erased since the backup was taken, by the former log and by `erased`, is erased again.

    Args:
        file: The archive.
        project: The folder of the project; `embellie.toml` and the question are written only where there are none.
        now: The time.
        yes: Replace a data folder that holds something, and a log in PostgreSQL.
        erased: More erasures, as (site, mark): `embellie reader erased --json` lists them.
        progress: Told how far it is, where the log goes to PostgreSQL.

    Raises:
        InputError: The archive is damaged.
        Conflict: There is a data folder or a log, and `yes` is not said.
        Busy: A process has the log open.
    """
    check_archive(file)
    data, log = _places(file, project)
    occupied = data.is_dir() and any(data.iterdir())
    if occupied and not yes:
        raise Conflict("There is a data folder already.", hint="Say `--yes` to set it aside.", at=str(data))
    with ExitStack() as stack:
        former = _former(log, yes=yes, stack=stack)
        marks = set(erased)
        if former:
            marks |= {(one["site"], one["mark"]) for one in erased_document(Place(log=log))["erased"]}
        unpacked = data.with_name(f".{data.name}.restore-{secrets.token_hex(4)}")
        archive = extract_archive(file, unpacked)
        stack.callback(shutil.rmtree, unpacked, ignore_errors=True)
        _keep_key(key_of_marks(log) if former else "", data, unpacked / _DATA)
        aside = f"{log.schema[:40]}_replaced_{now:%Y%m%d%H%M%S}" if isinstance(log, PostgresPlace) and former else ""
        if isinstance(log, PostgresPlace):
            transfer_log(unpacked / _DATA / LOG_FILE, log, aside=aside, progress=progress)
            for ending in ("", "-wal", "-shm"):
                (unpacked / _DATA / f"{LOG_FILE}{ending}").unlink(missing_ok=True)
        replaced = _set_aside(data, now) if occupied else None
        if data.is_dir():
            data.rmdir()
        (unpacked / _DATA).rename(data)
        written = _put_project_files(unpacked / _PROJECT, project)
    again = erase_marked(Place(log=log, data=data), marks, now=now) if marks else []
    return Restored(
        archive=archive,
        replaced=replaced,
        replaced_schema=aside,
        erased_again=tuple(again),
        project_files=tuple(written),
    )


def _places(file: Path, project: Path) -> tuple[Path, LogPlace]:
    """Tell where the data folder and the log are to be: as the project's configuration says, or else the archive's."""
    if (project / CONFIG_FILE).is_file():
        config = read_config(project)
        data = project / config.data
        return data, log_place(data, config.storage.log, config.storage.schema)
    said = _config_in(file)
    named, storage = said.get("data", ""), said.get("storage", {})
    data = project / (named if isinstance(named, str) and named and not Path(named).is_absolute() else "embellie-data")
    url, schema = str(storage.get("log", "")), str(storage.get("schema", StorageConfig().schema))
    return data, log_place(data, url, schema)


def _former(log: LogPlace, *, yes: bool, stack: ExitStack) -> bool:
    """Tell whether there is a log that is to be replaced, and keep servers away from it until the end."""
    if isinstance(log, Path):
        require_unused(log)
        return log.is_file()
    stack.enter_context(unled(log))
    former = is_used(log)
    if former and not yes:
        raise Conflict(
            "There is a log in PostgreSQL already.", hint="Say `--yes` to set it aside in another schema.", at=str(log)
        )
    return former


def _keep_key(key: str, data: Path, restored: Path) -> None:
    """Leave the key of the marks as it was, where the backup has none: it is older than the first erasure."""
    if (restored / MARKS_FILE).is_file():
        return
    if key:
        handle = os.open(restored / MARKS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(f"{key}\n")
    elif (data / MARKS_FILE).is_file():
        shutil.copy2(data / MARKS_FILE, restored / MARKS_FILE)


def _set_aside(data: Path, now: datetime) -> Path:
    replaced = data.with_name(f"{data.name}.replaced-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}")
    data.rename(replaced)
    return replaced


def _config_in(file: Path) -> dict[str, Any]:
    """Read the archive's own configuration; empty where there is none."""
    with tarfile.open(file, "r:") as tar:
        try:
            content = tar.extractfile(f"{_PROJECT}/{CONFIG_FILE}")
            return tomllib.loads(content.read().decode()) if content else {}
        except (KeyError, ValueError):
            return {}


def _put_project_files(source: Path, project: Path) -> list[str]:
    written = []
    for path in sorted(source.rglob("*")) if source.is_dir() else []:
        name = path.relative_to(source)
        if path.is_file() and not (project / name).exists():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, project / name)
            written.append(name.as_posix())
    return written


def backup_document(file: Path, archive: Archive) -> dict[str, Any]:
    """Return the JSON form (`embellie/log-backup/1`)."""
    return {
        "schema": "embellie/log-backup/1",
        "file": str(file),
        "created": iso(archive.created),
        "through": archive.through,
        "bytes": archive.bytes,
        "parts": {name: digest for name, (_, digest) in archive.parts.items()},
        "verified": True,
    }


def restore_document(done: Restored) -> dict[str, Any]:
    """Return the JSON form (`embellie/log-restore/1`)."""
    return {
        "schema": "embellie/log-restore/1",
        "created": iso(done.archive.created),
        "through": done.archive.through,
        "parts": len(done.archive.parts),
        "replaced": str(done.replaced) if done.replaced else None,
        "replaced_schema": done.replaced_schema or None,
        "project_files": list(done.project_files),
        "erased_again": len(done.erased_again),
        "gone": all(one.gone for one in done.erased_again),
    }
