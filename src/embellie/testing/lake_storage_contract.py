# ruff: noqa: S101 - a contract suite asserts
"""What any storage of a lake must hold. Subclass `LakeStorageContract` in a test module and give it a way to open one.

Example:
    ```python
    class TestMyStorage(LakeStorageContract):
        def open(self, folder):
            return MyStorage(folder)
    ```
"""

from pathlib import Path
from typing import Any

import pytest

from embellie.domain.errors import Busy

LakeStorage = Any
"""As `embellie.store.lake_storage` says."""

FILE = "site=gazette/day=2026-03-01/events-{}.parquet"


class LakeStorageContract:
    """The promises of a lake's storage, each one a test."""

    def open(self, folder: Path) -> LakeStorage:
        """Open a lake: its files, or copies of them, are in `folder`; opening it again finds what was put."""
        raise NotImplementedError

    def test_what_is_put_is_listed_and_brought(self, tmp_path: Path) -> None:
        """Under its name, with its size, and its bytes are in the folder when they were brought."""
        lake = self._opened(tmp_path)
        name, text = self._put(lake, 7, b"seven" * 100)
        assert {name: one.bytes for name, one in lake.list().items()} == {name: len(text)}
        again = self.open(tmp_path)
        again.bring({name: len(text)})
        assert (again.folder / name).read_bytes() == text

    def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, tmp_path: Path) -> None:
        """Only that."""
        lake = self._opened(tmp_path)
        first, second = self._put(lake, 1, b"1")[0], self._put(lake, 2, b"2")[0]
        lake.delete([first])
        lake.delete([first])
        assert list(lake.list()) == [second]
        assert not (lake.folder / first).exists()

    def test_the_manifest_is_replaced_only_where_it_is_the_one_that_was_read(self, tmp_path: Path) -> None:
        """Of two who read the same, the second to write is told, and what the first wrote stays."""
        lake, other = self._opened(tmp_path), self.open(tmp_path)
        assert lake.read() is None
        tag = lake.replace(b"one", former=None)
        kept = other.read()
        assert kept is not None
        assert (kept.text, kept.tag) == (b"one", tag)
        with pytest.raises(Busy):
            other.replace(b"none before", former=None)
        second = other.replace(b"two", former=kept.tag)
        assert second != tag
        with pytest.raises(Busy):
            lake.replace(b"three", former=tag)
        found = self.open(tmp_path).read()
        assert found is not None
        assert found.text == b"two"

    def test_generations_go_up(self, tmp_path: Path) -> None:
        """A number given later is higher."""
        lake = self._opened(tmp_path)
        assert lake.generation_after(5) > 5

    def test_nothing_named_is_swept(self, tmp_path: Path) -> None:
        """Whatever else goes."""
        lake = self._opened(tmp_path)
        name, _ = self._put(lake, 1, b"1")
        lake.sweep([name])
        lake.sweep([name], seen=lake.list())
        assert list(lake.list()) == [name]

    def _opened(self, folder: Path) -> LakeStorage:
        lake = self.open(folder)
        lake.is_there()
        lake.folder.mkdir(parents=True, exist_ok=True)
        return lake

    def _put(self, lake: LakeStorage, generation: int, text: bytes) -> tuple[str, bytes]:
        name = FILE.format(generation)
        (lake.folder / name).parent.mkdir(parents=True, exist_ok=True)
        file = lake.folder / name
        file.with_name(f".{file.stem}.unfinished").write_bytes(text)
        lake.put(name)
        return name, text
