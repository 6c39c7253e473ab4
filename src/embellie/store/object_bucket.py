"""Object bucket: objects under a URL's prefix, in S3, Google Cloud Storage, Azure or what speaks like them; by `obstore`.

Who one is comes from the environment or the instance, never from the URL; what the library says is told in one line, without addresses'
parameters.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from embellie.domain.errors import Busy, EngineError, InputError
from embellie.store.lake_storage import KeptManifest, Listed, manifest_moved

SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss")
"""The beginnings of URLs that name a bucket."""

UNREACHABLE = "lake_unreachable"
"""The code of the error that says that nobody answers, or that one is not let in."""

_CONNECT, _ANSWER, _RETRIES, _RETRY_FOR = "3s", "60s", 2, timedelta(seconds=8)
_QUICK_ANSWER, _QUICK_RETRIES = "5s", 1
_PART = 16_000_000


def is_bucket_url(place: str) -> bool:
    """Whether a place is a bucket's URL rather than a folder.

    >>> is_bucket_url("s3://news/lake"), is_bucket_url("/data/lake")
    (True, False)
    """
    scheme, separator, _ = place.partition("://")
    return bool(separator) and scheme in SCHEMES


def check_bucket_url(url: str) -> None:
    """Refuse a URL that names no bucket, or that carries who one is.

    Raises:
        InputError: With what is expected. What was given is not repeated: it may hold a secret.
    """
    if not is_bucket_url(url):
        raise InputError(
            "The lake's place is no folder and no bucket.",
            hint="Write `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`, or leave it out.",
        )
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            "The lake's URL carries more than a bucket and a prefix.",
            hint="Write `s3://bucket/prefix` alone; keys and addresses come from the environment (`AWS_ACCESS_KEY_ID`, …).",
        )
    if not parts.netloc:
        raise InputError("The lake's URL names no bucket.", hint="Write `s3://bucket/prefix`.")


class ObjectBucket:
    """Objects by name under one place.

    Args:
        store: A store of `obstore`.
        place: Where it is, for people.
        quick: The same, waiting less long: for what someone waits for.
    """

    def __init__(self, store: Any, place: str, *, quick: Any = None) -> None:
        self._store, self._quick, self.place = store, quick or store, place
        self._obstore = _library()

    def list(self) -> Mapping[str, Listed]:
        """List all objects."""
        with self._told("listed"):
            found = [one for page in self._obstore.list(self._store) for one in page]
        return {one["path"]: Listed(bytes=one["size"], modified=one["last_modified"]) for one in found}

    def read(self, name: str) -> KeptManifest | None:
        """Read a small object whole; None when it is not there."""
        with self._told("read"):
            try:
                got = self._obstore.get(self._quick, name)
                return KeptManifest(text=bytes(got.bytes()), tag=_tag(got.meta))
            except (FileNotFoundError, self._errors.NotFoundError):
                return None

    def tag(self, name: str) -> str | None:
        """Tell an object's present content from any other it had; None when it is not there."""
        with self._told("read"):
            try:
                return _tag(self._obstore.head(self._quick, name))
            except (FileNotFoundError, self._errors.NotFoundError):
                return None

    def download(self, name: str, into: Path) -> bool:
        """Write an object's content to a file; returns whether it is there."""
        with self._told("read"), into.open("wb") as file:
            try:
                size = int(self._obstore.head(self._store, name)["size"])
                # In parts, so that none takes as long as one waits for an answer.
                for start in range(0, size, _PART):
                    part = self._obstore.get_range(self._store, name, start=start, end=min(start + _PART, size))
                    file.write(bytes(part))
            except (FileNotFoundError, self._errors.NotFoundError):
                return False
        return True

    def upload(self, name: str, file: Path) -> None:
        """Make a file's content an object, whole or not at all."""
        with self._told("written"):
            self._obstore.put(self._store, name, file)

    def delete(self, names: Collection[str]) -> None:
        """Remove objects; those that are gone are passed over."""
        with self._told("deleted from"):
            for name in names:
                try:
                    self._obstore.delete(self._store, name)
                except (FileNotFoundError, self._errors.NotFoundError):
                    continue

    def replace(self, name: str, text: bytes, *, former: str | None) -> str:
        """Put a small object in the place of the one with the tag `former`, or where there is none; returns its tag.

        Raises:
            Busy: Another is there by now.
        """
        with self._told("written"):
            try:
                mode: Any = "create" if former is None else _version(former)
                return _tag(self._obstore.put(self._store, name, text, mode=mode, use_multipart=False))
            except (self._errors.PreconditionError, self._errors.AlreadyExistsError, self._errors.NotFoundError):
                raise manifest_moved(self.place) from None

    @property
    def _errors(self) -> Any:
        return self._obstore.exceptions

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        errors = self._errors
        try:
            yield
        except (Busy, EngineError):
            raise
        except (PermissionError, errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
            raise _error(self.place, done, error, _LET_IN) from None
        except (errors.NotSupportedError, NotImplementedError) as error:
            raise _error(self.place, done, error, "Take a store with conditional writes (`If-Match`).") from None
        except (errors.BaseError, OSError) as error:
            # A disk that is full is this machine's affair; all else that speaks of files is the store's.
            if isinstance(error, OSError) and error.errno:
                raise
            raise _error(self.place, done, error, _REACH) from None


_LET_IN = "Look at the keys in the environment and at what they may do: list, read, write and delete."
_REACH = (
    "Look at the bucket's name, the keys and the address in the environment (`AWS_ENDPOINT_URL`, …), and the way there."
)


def _error(place: str, done: str, error: BaseException, hint: str) -> EngineError:
    return EngineError(
        f"The lake at `{place}` cannot be {done}: {_first_line(str(error))}", hint=hint, code=UNREACHABLE
    )


def _first_line(said: str) -> str:
    r"""Give what a library says in one line: without the parameters of addresses, which may hold a signature.

    >>> _first_line("Generic S3 error: at http://h/b?sig=abc: refused\n\nDebug source: …")
    'Generic S3 error: at http://h/b: refused.'
    """
    first = next((line.strip() for line in said.splitlines() if line.strip()), "it says nothing")
    without = re.sub(r"(\w+://)[^/\s@]*@", r"\1", re.sub(r"\?[^\s)\"':]*", "", first))
    return without[:300].rstrip(".") + "."


def open_bucket(url: str) -> ObjectBucket:
    """Open what a URL names; nothing is asked of it yet.

    Raises:
        InputError: It names no bucket, or carries who one is.
        EngineError: The extra is missing, or the environment holds what the library does not understand.
    """
    check_bucket_url(url)
    _library()
    from obstore.store import from_url

    try:
        store, quick = (
            from_url(
                re.sub(r"^s3a:", "s3:", url),
                client_options={"connect_timeout": _CONNECT, "timeout": answer, **_plain_http()},
                retry_config={"max_retries": retries, "retry_timeout": _RETRY_FOR},
            )
            for answer, retries in ((_ANSWER, _RETRIES), (_QUICK_ANSWER, _QUICK_RETRIES))
        )
    except Exception as error:  # noqa: BLE001, each store has errors of its own
        raise _error(url, "opened", error, _REACH) from None
    return ObjectBucket(store, url, quick=quick)


def _plain_http() -> dict[str, Any]:
    """Allow plain HTTP where the environment names such an address: that is a server one runs oneself."""
    addresses = (os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"))
    return {"allow_http": True} if any(one.startswith("http://") for one in addresses) else {}


def _tag(meta: Mapping[str, Any]) -> str:
    return f"{meta.get('e_tag') or ''} {meta.get('version') or ''}"


def _version(tag: str) -> dict[str, str]:
    e_tag, _, version = tag.partition(" ")
    return {name: value for name, value in (("e_tag", e_tag), ("version", version)) if value}


def _library() -> Any:
    try:
        import obstore
        import obstore.exceptions
    except ImportError:
        raise EngineError(
            "The lake is asked for in a bucket, but what speaks to it is not installed.",
            hint="Run `pip install 'embellie[object-storage]'`.",
            code="missing_extra",
        ) from None
    return obstore
