"""An allowance is the server's, whichever of its workers is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.web import shared_buckets
from embellie.web.access import Buckets
from embellie.web.shared_buckets import SharedBuckets


@pytest.fixture
def clock():
    """A clock moved by hand."""

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    return Clock()


def test_two_that_share_a_file_draw_on_one_allowance(tmp_path, clock):
    """What one took is gone for the other; it comes back with time."""
    one, other = (SharedBuckets(tmp_path / "calls", rate=2.0, burst=4.0, clock=clock) for _ in range(2))
    assert [one.take("a"), other.take("a"), one.take("a"), other.take("a")] == [True] * 4
    assert (one.take("a"), other.take("a"), other.take("b")) == (False, False, True)
    clock.now += 1.0
    assert [other.take("a"), one.take("a"), one.take("a")] == [True, True, False]


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=60))
def test_alone_it_decides_as_the_allowance_of_one_process_does(tmp_path_factory, steps):
    """Same names, same times: the same answers."""
    now = [0.0]
    file = tmp_path_factory.mktemp("allowance") / "calls"
    shared = SharedBuckets(file, rate=1.5, burst=3.0, clock=lambda: now[0])
    plain = Buckets(1.5, burst=3.0, clock=lambda: now[0])
    for name, later in steps:
        now[0] += later
        assert shared.take(name) == plain.take(name)


def test_where_there_is_no_room_who_took_most_is_remembered(tmp_path, clock, monkeypatch):
    """A flood of addresses neither grows the memory nor gives back to one that has used up its allowance."""
    monkeypatch.setattr(shared_buckets, "SLOTS", shared_buckets._PROBES)
    buckets = SharedBuckets(tmp_path / "calls", rate=0.1, burst=3.0, clock=clock)
    while buckets.take("greedy"):
        pass
    assert all(buckets.take(f"address {n}") for n in range(1_000))
    assert not buckets.take("greedy")
    assert (tmp_path / "calls").stat().st_size == shared_buckets._PROBES * shared_buckets._SLOT.size
