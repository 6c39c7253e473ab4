"""File lock: a file that one process at a time holds; the system frees it when that process ends, however it ends.

`flock` where the system has it. Elsewhere (Windows) nothing is locked, and every process believes that it holds the file: there,
run one server on a data folder.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover -- Windows
    fcntl = None  # type: ignore[assignment]


Stamp = tuple[int, int]
"""Which writing of a file this is: when, and into which file. Two within one tick of the clock differ in the second."""


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a file that is always replaced, never written into.

    Raises:
        FileNotFoundError: It is not there.
    """
    found = path.stat()
    return found.st_mtime_ns, found.st_ino


@contextmanager
def file_locked(path: Path) -> Iterator[None]:
    """Hold a file, waiting for whoever holds it; it is made when absent, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class FileLead:
    """The lead among the processes that share a folder: whoever holds a file in it, whose number stands there.

    Args:
        path: The file; it and its folder are made when absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def held(self) -> bool:
        """Whether this process leads, as of now; taken when nobody does. False where the file cannot be made."""
        try:
            if self._handle is not None and not self._is_still_there(self._handle):
                self.close()  # the folder was put back from elsewhere: whoever holds the new file leads
            if self._handle is None:
                self._handle = self._taken()
        except OSError:
            self.close()
        return self._handle is not None

    def close(self) -> None:
        """Leave it to others."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _taken(self) -> int | None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            raise
        return handle

    def _is_still_there(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False


def who_leads(path: Path) -> int | None:
    """Tell which process holds a file that `FileLead` takes; None when nobody does, or it cannot be told."""
    if fcntl is None:
        return None
    with suppress(OSError, ValueError):
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(handle, 32))
        finally:
            os.close(handle)
    return None
