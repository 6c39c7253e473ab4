"""Checking the lake's bucket: whether it can be listed, written, read and deleted from, and replaces only what is unchanged."""

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embellie.domain.errors import Busy, EmbellieError
from embellie.store.object_bucket import ObjectBucket, open_bucket

_TRIED = "embellie-doctor"


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that was tried: what, whether it can be done, and if not why and what to do."""

    what: str
    done: bool
    message: str = ""
    remedy: str = ""


def try_bucket(url: str) -> list[Tried]:
    """Try all that a lake needs of a bucket, with an object of its own that is removed again; ends at the first thing that fails."""
    try:
        bucket = open_bucket(url)
    except EmbellieError as error:
        return [Tried("open", False, error.message, error.hint)]
    return try_all(bucket)


def try_all(bucket: ObjectBucket) -> list[Tried]:
    """Try them on an open bucket."""
    name, text = f"{_TRIED}-{secrets.token_hex(6)}", secrets.token_bytes(64)

    def write() -> None:
        bucket.replace(name, text, former=None)

    def read() -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            if not bucket.download(name, file) or file.read_bytes() != text:
                raise Busy("What was written is not what is read.", hint="Take a store that is consistent.")

    def replace() -> None:
        former = bucket.tag(name)
        bucket.replace(name, text + b"2", former=former)
        try:
            bucket.replace(name, text + b"3", former=former)
        except Busy:
            return
        raise Busy(
            "The store replaces an object whatever it holds by now: two servers could undo one another's work.",
            hint="Take a store with conditional writes (`If-Match`).",
        )

    steps: list[tuple[str, Callable[[], object]]] = [
        ("list", bucket.list),
        ("write", write),
        ("read", read),
        ("replace only what is unchanged", replace),
        ("delete", lambda: bucket.delete([name])),
    ]
    found = []
    for what, step in steps:
        try:
            step()
        except EmbellieError as error:
            found.append(Tried(what, False, error.message, error.hint))
            break
        found.append(Tried(what, True))
    return found
