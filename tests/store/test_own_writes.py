"""Of several that write one log, each tells its own events from the others', at whatever moment it looks."""

from hypothesis import given
from hypothesis import strategies as st

from embellie.store.own_writes import OwnWrites

turns = st.lists(
    st.tuples(st.sampled_from(["own", "other", "failed", "lost", "look", "look_meanwhile"]), st.integers(1, 4)),
    max_size=40,
)


@given(turns)
def test_everything_is_heard_once_and_nothing_of_ones_own(done):
    """Writes that come to nothing give their numbers to others; one of which nobody knows counts as another's."""
    own, last, reached = OwnWrites(), 0, 0
    heard: list[int] = []
    expected: list[int] = []

    def look():
        nonlocal reached
        spans, upto = own.others(reached, last)
        for first, to in spans:
            heard.extend(range(first, to + 1))
        reached = upto

    for what, count in done:
        numbers = range(last + 1, last + count + 1)
        if what == "look":
            look()
        elif what == "other":
            last += count
            expected += numbers
        else:
            own.begin(last + 1)
            if what == "look_meanwhile":
                look()
            if what != "failed":
                last += count
            look()  # it can be seen before its writer is told
            own.end(None if what in ("failed", "lost") else last)
            if what == "lost":
                expected += numbers
    look()
    assert heard == expected
    assert reached == last
