"""State file: a snapshot of what is folded from the log, so that a server starts without folding it all again."""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from embellie.domain.errors import InputError

_MARK = b"embellie/state/1\n"
_ARRAY = 1
_KINDS = frozenset("?bhilqBHILQefd")
_MOST_HEAD = 256
_AGAIN = "It is only a shortcut: delete it, and the log is folded from its beginning."


About: TypeAlias = dict[str, Any]
"""What a state file says of itself, in JSON values: what it was made from, and for."""


class _Header(msgspec.Struct, frozen=True):
    """What stands before the snapshot: up to where the log was folded, and what the snapshot must measure."""

    sequence: int
    size: int
    crc32: int
    about: About = {}


def write_state(path: Path, snapshot: Mapping[str, Any], *, sequence: int, about: About | None = None) -> None:
    """Write a snapshot, the file before it staying whole until the new one is.

    Args:
        path: The file; its folder must exist.
        snapshot: Arrays, numbers, texts, and lists and mappings of them.
        sequence: The number of the last event of the log that is in it.
        about: What it says of itself.

    Raises:
        InputError: The file cannot be written.
    """
    body = msgspec.msgpack.encode(snapshot, enc_hook=_packed)
    header = msgspec.json.encode(_Header(sequence=sequence, size=len(body), crc32=zlib.crc32(body), about=about or {}))
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.writelines((_MARK, header, b"\n", body))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(
            f"The state cannot be written: {error.strerror}.", hint="Give a folder with room.", at=str(path)
        ) from None


def is_state(path: Path) -> bool:
    """Tell whether a file is such a snapshot, whole or not."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MARK)) == _MARK
    except OSError:
        return False


def read_state(path: Path) -> tuple[Mapping[str, Any], int]:
    """Read a snapshot and the number of the last event in it.

    Raises:
        InputError: There is no such file, it is no state file, or it is not whole.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"The state cannot be read: {error.strerror}.", hint=_AGAIN, at=str(path)) from None
    if not raw.startswith(_MARK):
        raise InputError("This is no state file that this version writes.", hint=_AGAIN, at=str(path))
    end = raw.find(b"\n", len(_MARK))
    body = memoryview(raw)[end + 1 :]
    try:
        header = msgspec.json.decode(raw[len(_MARK) : max(end, 0)], type=_Header)
        _require_whole(body, header)
        found = msgspec.msgpack.decode(body, type=dict[str, Any], ext_hook=_unpacked)
    except (ValueError, TypeError, msgspec.MsgspecError) as error:
        raise InputError(f"The state is not whole: {error}.", hint=_AGAIN, at=str(path)) from None
    return found, header.sequence


def look_at_state(path: Path) -> tuple[int, About]:
    """Read the number of the last event in a state file, and what it says of itself; not the snapshot.

    Raises:
        InputError: There is no such file, or it is no state file.
    """
    try:
        with path.open("rb") as file:
            mark, line = file.read(len(_MARK)), file.readline()
    except OSError as error:
        raise InputError(f"The state cannot be read: {error.strerror}.", hint=_AGAIN, at=str(path)) from None
    try:
        header = msgspec.json.decode(line if mark == _MARK else b"", type=_Header)
    except (ValueError, msgspec.MsgspecError):
        raise InputError("This is no state file that this version writes.", hint=_AGAIN, at=str(path)) from None
    return header.sequence, header.about


def _require_whole(body: memoryview, header: _Header) -> None:
    if len(body) != header.size:
        raise ValueError(f"{len(body):,} bytes of {header.size:,}")
    if zlib.crc32(body) != header.crc32:
        raise ValueError("its bytes have changed")


def _packed(value: object) -> object:
    if isinstance(value, np.ndarray) and value.dtype.char in _KINDS:
        shape = msgspec.json.encode([value.dtype.str, *value.shape])
        return msgspec.msgpack.Ext(_ARRAY, shape + b"\n" + value.tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a snapshot cannot hold {type(value).__name__}")


def _unpacked(code: int, data: memoryview) -> Any:
    head, _, _ = bytes(data[:_MOST_HEAD]).partition(b"\n")
    kind, *shape = msgspec.json.decode(head)
    if code != _ARRAY or np.dtype(kind).char not in _KINDS:
        raise ValueError(f"an array of kind {kind}")
    return np.frombuffer(data[len(head) + 1 :], np.dtype(kind)).reshape(shape).copy()
