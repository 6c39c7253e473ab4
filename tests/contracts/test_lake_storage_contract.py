"""The storages of a lake keep the contract: a folder, and objects in memory."""

from datetime import UTC, datetime

import pytest

from embellie.store.lake_storage import FolderLake
from embellie.testing.lake_storage_contract import LakeStorageContract


class TestFolder(LakeStorageContract):
    def open(self, folder):
        return FolderLake(folder / "lake")


class TestObjects(LakeStorageContract):
    def open(self, folder):
        memory = pytest.importorskip("obstore.store", reason="obstore is not installed: the extra `object-storage`.")
        from embellie.store.object_bucket import ObjectBucket
        from embellie.store.object_lake import ObjectLake

        self.store = getattr(self, "store", None) or memory.MemoryStore()
        return ObjectLake(ObjectBucket(self.store, "memory://lake"), folder / "lake", clock=lambda: datetime.now(UTC))
