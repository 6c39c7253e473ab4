"""A record of secrets in a file: its owner's alone, whole, and the same for every process."""

import stat

import msgspec
import pytest

from embellie.domain.errors import InputError
from embellie.store.private_file import PrivateFile


class Words(msgspec.Struct, kw_only=True):
    words: list[str] = []


def opened(path):
    return PrivateFile(path, empty=Words(), remedy="Make another.")


def test_what_one_process_changes_the_other_reads(tmp_path):
    """Each change starts from what is in the file then; nobody but the owner may look."""
    one, other = opened(tmp_path / "secret.json"), opened(tmp_path / "secret.json")
    assert one.read().words == []
    with one.changing() as record:
        record.words.append("a")
    with other.changing() as record:
        record.words.append("b")
    assert one.read().words == one.latest.words == ["a", "b"]
    assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600


def test_a_change_that_fails_is_none(tmp_path):
    """Neither the file nor what is in memory keeps half of it, and nothing is left lying beside."""
    file = opened(tmp_path / "secret.json")
    with file.changing() as record:
        record.words.append("a")
    with pytest.raises(ZeroDivisionError), file.changing() as record:
        record.words.append(str(1 // len(record.words[1:])))
    assert file.read().words == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".secret.json.lock", "secret.json"]


def test_a_file_that_cannot_be_read_is_told_with_what_to_do(tmp_path):
    """Not taken for an empty one: secrets would be made anew."""
    (tmp_path / "secret.json").write_text("{")
    with pytest.raises(InputError, match=r"secret\.json.*cannot be read") as told:
        opened(tmp_path / "secret.json").read()
    assert told.value.hint == "Make another."
