"""The state file: whole or refused."""

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.store.state_file import read_state, write_state

SNAPSHOT = {
    "bits": np.array([1.5, -0.0, np.inf]),
    "empty": np.zeros((0, 3), np.int32),
    "words": ["é", ""],
    "deep": {"n": 2},
}


def test_what_is_read_is_what_was_written(tmp_path):
    """Arrays come back with their kind, shape and bits; the sequence number beside them."""
    write_state(tmp_path / "state", SNAPSHOT, sequence=41)
    found, sequence = read_state(tmp_path / "state")
    assert sequence == 41
    assert found["bits"].tobytes() == SNAPSHOT["bits"].tobytes()
    assert (found["empty"].dtype, found["empty"].shape) == (np.dtype(np.int32), (0, 3))
    assert (found["words"], found["deep"]) == (["é", ""], {"n": 2})
    found["bits"][0] = 2.0


def test_nothing_is_left_beside_it(tmp_path):
    """Written twice, there is one file: the later one."""
    for sequence in (1, 2):
        write_state(tmp_path / "state", SNAPSHOT, sequence=sequence)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert read_state(tmp_path / "state")[1] == 2


@pytest.mark.parametrize("kept", [0, 5, 17, 30, -1])
def test_a_truncated_file_is_refused(tmp_path, kept):
    """Wherever it was cut, the file is refused, and the error says what to do."""
    write_state(tmp_path / "state", SNAPSHOT, sequence=1)
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:kept])
    with pytest.raises(InputError, match="delete it"):
        read_state(tmp_path / "state")


def test_a_changed_byte_is_noticed(tmp_path):
    """One bit flipped in the snapshot is noticed."""
    write_state(tmp_path / "state", SNAPSHOT, sequence=1)
    raw = bytearray((tmp_path / "state").read_bytes())
    raw[-9] ^= 1
    (tmp_path / "state").write_bytes(raw)
    with pytest.raises(InputError, match="not whole"):
        read_state(tmp_path / "state")


@pytest.mark.parametrize("content", [b"SQLite format 3\0", b"embellie/state/1\n", b"embellie/state/1\n{}\nxx"])
def test_a_foreign_file_is_refused(tmp_path, content):
    """What is no state file is refused."""
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(InputError, match="delete it"):
        read_state(tmp_path / "state")


def test_a_missing_file_or_folder_is_said(tmp_path):
    """No file to read, no folder to write in: an error that names the place."""
    with pytest.raises(InputError, match="cannot be read"):
        read_state(tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot be written"):
        write_state(tmp_path / "no" / "state", SNAPSHOT, sequence=1)


def test_what_no_snapshot_can_hold_is_refused(tmp_path):
    """An object of an unknown kind is a mistake of whoever wrote the signal, told at once."""
    with pytest.raises(NotImplementedError, match="complex"):
        write_state(tmp_path / "state", {"x": 1j}, sequence=1)
