"""Backing up: an installation in one file, and back; what was erased meanwhile is erased again."""

import os
import secrets
import shutil
import tarfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from embellie import __version__
from embellie.app.compacting import SPILL
from embellie.app.config import FILE as CONFIG_FILE
from embellie.app.config import read_config
from embellie.app.erasing import ErasureReport
from embellie.app.forgetting import erase_marked, erased_document
from embellie.app.log_keeping import Place, require_log
from embellie.domain.errors import Conflict, InputError
from embellie.domain.moment import iso
from embellie.store.archive import Archive, check_archive, copy_log, extract_archive, require_unused, write_archive
from embellie.store.lake import FOLDER as LAKE_FOLDER
from embellie.store.log import FILE as LOG_FILE
from embellie.store.log_place import PostgresPlace
from embellie.store.reader_marks import FILE as MARKS_FILE
from embellie.store.state_file import is_state

_DATA, _PROJECT = "data", "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restored backup: what it was, where the former data folder went (None when there was none), and who was erased again."""

    archive: Archive
    replaced: Path | None
    erased_again: tuple[ErasureReport, ...]
    project_files: tuple[str, ...]


def back_up(place: Place, file: Path, *, now: datetime, project: Path | None = None) -> Archive:
    """Write everything that cannot be computed again into one file, while the server runs.

    In it: the log as of one moment, models and their runs, keys, what the jobs remember, `embellie.toml` and the question. Left
    out: the lake and snapshots, which are written again from the log.

    Args:
        place: The installation.
        file: The archive to write; only its owner can read it: it holds keys and readers.
        now: The time.
        project: The folder of `embellie.toml`.

    Raises:
        InputError: There is no log, or the archive cannot be written or read back.
    """
    if isinstance(place.log, PostgresPlace):
        raise InputError(
            "A log in PostgreSQL is not in this backup's reach.",
            hint="Back it up with `pg_dump --schema` or the server's own backups; copy the data folder beside it.",
            at=str(place.log),
        )
    require_log(place)
    data = place.beside
    file.parent.mkdir(parents=True, exist_ok=True)
    copy = file.with_name(f".{file.name}.{os.getpid()}.log")
    try:
        copy.touch(mode=0o600)
        through = copy_log(place.log, copy)
        parts = {f"{_DATA}/{LOG_FILE}": copy}
        parts |= {f"{_DATA}/{path.relative_to(data).as_posix()}": path for path in _kept(data, without=(file, copy))}
        if project is not None and (project / CONFIG_FILE).is_file():
            config = read_config(project)
            names = [name for name in (CONFIG_FILE, config.question) if (project / name).is_file()]
            parts |= {f"{_PROJECT}/{name}": project / name for name in names if not Path(name).is_absolute()}
        return write_archive(file, parts, through=through, version=__version__, now=now)
    finally:
        copy.unlink(missing_ok=True)


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
    file: Path, project: Path, *, now: datetime, yes: bool = False, erased: Iterable[tuple[str, str]] = ()
) -> Restored:
    """Put a backup in the place of an installation's data folder.

    Every sum is checked first. The former data folder is set aside beside it, not removed. Who was erased since the backup was taken,
    by the former log and by `erased`, is erased again.

    Args:
        file: The archive.
        project: The folder of the project; `embellie.toml` and the question are written only where there are none.
        now: The time.
        yes: Replace a data folder that holds something.
        erased: More erasures, as (site, mark): `embellie reader erased --json` lists them.

    Raises:
        InputError: The archive is damaged.
        Conflict: There is a data folder, and `yes` is not said.
        Busy: A process has the log open.
    """
    check_archive(file)
    data = project / (read_config(project).data if (project / CONFIG_FILE).is_file() else "embellie-data")
    if not (project / CONFIG_FILE).is_file():
        data = project / _data_named_in(file)
    occupied = data.is_dir() and any(data.iterdir())
    if occupied and not yes:
        raise Conflict("There is a data folder already.", hint="Say `--yes` to set it aside.", at=str(data))
    require_unused(data / LOG_FILE)
    marks = set(erased)
    if (data / LOG_FILE).is_file():
        marks |= {(one["site"], one["mark"]) for one in erased_document(Place(log=data / LOG_FILE))["erased"]}
    unpacked = data.with_name(f".{data.name}.restore-{secrets.token_hex(4)}")
    archive = extract_archive(file, unpacked)
    if (data / MARKS_FILE).is_file() and not (unpacked / _DATA / MARKS_FILE).is_file():
        shutil.copy2(data / MARKS_FILE, unpacked / _DATA / MARKS_FILE)
    replaced = data.with_name(f"{data.name}.replaced-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}") if occupied else None
    if replaced:
        data.rename(replaced)
    elif data.is_dir():
        data.rmdir()
    (unpacked / _DATA).rename(data)
    written = _put_project_files(unpacked / _PROJECT, project)
    shutil.rmtree(unpacked, ignore_errors=True)
    again = erase_marked(Place(log=data / LOG_FILE), marks, now=now) if marks else []
    return Restored(archive=archive, replaced=replaced, erased_again=tuple(again), project_files=tuple(written))


def _data_named_in(file: Path) -> str:
    """Read from the archive's own configuration where the data folder is."""
    with tarfile.open(file, "r:") as tar:
        try:
            content = tar.extractfile(f"{_PROJECT}/{CONFIG_FILE}")
            said = tomllib.loads(content.read().decode()) if content else {}
        except (KeyError, ValueError):
            said = {}
    named = said.get("data", "embellie-data")
    return named if isinstance(named, str) and not Path(named).is_absolute() else "embellie-data"


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
        "project_files": list(done.project_files),
        "erased_again": len(done.erased_again),
        "gone": all(one.gone for one in done.erased_again),
    }
