"""Reader marks: a keyed hash in the place of an erased reader's id, so that the id can be refused and not be told."""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from embellie.domain.errors import InputError

FILE = "erasure.key"
"""The key's name in the data folder."""

_BYTES = 32


def digest(key: bytes, site: str, reader: str) -> str:
    """Return the mark that a key makes of a reader."""
    said = f"{site}\x1f{reader}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, said, "sha256").hex()


class ReaderMarks:
    """Makes marks with the installation's own key, which only its owner can read; made when the first reader is erased.

    HMAC-SHA256 (RFC 2104): without the key, nobody can try ids until one fits. Kept apart from the log, in which the marks
    stand.

    Args:
        path: The key's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = b""

    def mark(self, site: str, reader: str) -> str:
        """Return the mark of a reader; the key is made when there is none."""
        return digest(self._read() or self._make(), site, reader)

    def known(self, site: str, reader: str) -> str:
        """Return the mark of a reader; `""` when there is no key yet, so that nobody can have been marked."""
        key = self._read()
        return digest(key, site, reader) if key else ""

    def _read(self) -> bytes:
        if self._key:
            return self._key
        try:
            key = bytes.fromhex(self.path.read_text().strip())
        except FileNotFoundError:
            return b""
        except (OSError, ValueError) as error:
            raise self._wrong(str(error)) from None
        if len(key) != _BYTES:
            raise self._wrong(f"{len(key)} bytes instead of {_BYTES}")
        self._key = key
        return key

    def _make(self) -> bytes:
        """Write the key whole, unless another process has been faster."""
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)
        return self._read()

    def _wrong(self, why: str) -> InputError:
        return InputError(
            f"`{self.path.name}` cannot be read: {why}.",
            hint="Restore it from a backup: without it, events of erased readers cannot be told.",
            at=str(self.path),
        )
