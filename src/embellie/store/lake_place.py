"""Lake place: where an installation's lake lies, in the data folder or in a bucket; opened without caring which."""

from pathlib import Path

from embellie.ports import Clock
from embellie.store.lake import FOLDER
from embellie.store.lake_storage import FolderLake
from embellie.store.object_lake import ObjectLake, open_object_lake

GIGABYTE = 1_000_000_000


def open_lake(data: Path, url: str, *, clock: Clock, cache_gb: float = 20.0) -> FolderLake | ObjectLake:
    """Open an installation's lake; a bucket is not asked anything yet.

    Args:
        data: The data folder: the lake lies in it, or copies of its files do.
        url: The bucket's; `""` for the data folder.
        clock: Tells the time.
        cache_gb: How many gigabytes of copies are kept.

    Raises:
        InputError: The URL names no bucket.
        EngineError: What speaks to buckets is not installed.
    """
    folder = data / FOLDER
    return (
        open_object_lake(url, folder, clock=clock, cache_bytes=int(cache_gb * GIGABYTE)) if url else FolderLake(folder)
    )


def where_to_read(lake: FolderLake | ObjectLake) -> Path | ObjectLake:
    """Give what an analysis takes."""
    return lake if isinstance(lake, ObjectLake) else lake.folder
