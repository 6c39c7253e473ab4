"""Intervals as text: on one axis, whatever they are."""

from hypothesis import given
from hypothesis import strategies as st

from embellie.measure.plotting import MARGIN, WIDTH, Line, interval_lines

ends = st.floats(min_value=-5, max_value=5, allow_nan=False).map(lambda value: round(value, 6))
lines = st.lists(
    st.tuples(st.text("abc é", min_size=1, max_size=12), st.lists(ends, min_size=3, max_size=3).map(sorted)),
    min_size=1,
    max_size=6,
)


@given(lines)
def test_every_interval_is_drawn_on_the_same_axis(rows):
    """One point per line, inside its interval, further right for a larger effect; the last line names the ends."""
    drawn = interval_lines([Line(label=label, low=low, effect=at, high=high) for label, (low, at, high) in rows])
    assert len(drawn) == len(rows) + 1
    start = max(len(label) for label, _ in rows) + 2
    points = [line[start:].index("●") for line in drawn[:-1]]
    assert all(point < WIDTH for point in points)
    placed = sorted(zip((at for _, (_, at, _) in rows), points, strict=True))
    assert [point for _, point in placed] == sorted(points)
    assert drawn[-1].count("%") == 2


def test_a_margin_is_marked_where_it_lies():
    """The mark of a guardrail stands left of zero, and the axis makes room for it."""
    (line, _) = interval_lines([Line(label="visits", low=0.0, effect=0.01, high=0.02, mark=-0.02)])
    assert line.index(MARGIN) < line.index("┼") < line.index("●")


def test_nothing_to_draw_is_nothing():
    """No interval, no axis."""
    assert interval_lines([]) == []
