"""Private file: a record in one JSON file that only its owner can read, shared by several processes."""

import copy
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from embellie.domain.errors import InputError
from embellie.store.file_lock import Stamp, file_locked, stamp_of

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


class PrivateFile(Generic[RecordT]):
    """A record kept whole in a file: read again when another process replaced it, changed by one process at a time.

    Args:
        path: The file; it may not be there yet.
        empty: The record while there is no file.
        remedy: What to do about a file that cannot be read.

    Raises:
        InputError: The file cannot be read.
    """

    def __init__(self, path: Path, *, empty: RecordT, remedy: str) -> None:
        self.path = path
        self._record, self._remedy = empty, remedy
        self._stamp: Stamp = (0, 0)
        self._lock = threading.Lock()

    @property
    def latest(self) -> RecordT:
        """The record as it was last read; the file is not looked at."""
        return self._record

    def read(self) -> RecordT:
        """Return the record as it is now.

        Raises:
            InputError: The file cannot be read.
        """
        try:
            stamp = stamp_of(self.path)
        except FileNotFoundError:
            return self._record
        if stamp != self._stamp:
            try:
                self._record = msgspec.json.decode(self.path.read_bytes(), type=type(self._record))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputError(
                    f"`{self.path.name}` cannot be read: {error}.", hint=self._remedy, at=str(self.path)
                ) from None
            self._stamp = stamp
        return self._record

    @contextmanager
    def changing(self) -> Iterator[RecordT]:
        """Give the record to be changed, with no other thread or process doing so; it is written at the end, unless an error is raised."""
        with self._lock, file_locked(self.path.with_name(f".{self.path.name}.lock")):
            record = copy.deepcopy(self.read())
            yield record
            self._write(record)
            self._record = record

    def _write(self, record: RecordT) -> None:
        """Write the whole beside, then put it in place."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=self.path.parent, prefix=".keys-")  # readable by its owner only
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(msgspec.to_builtins(record), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(self.path)
        finally:
            with suppress(FileNotFoundError):
                Path(beside).unlink()
        self._stamp = stamp_of(self.path)
