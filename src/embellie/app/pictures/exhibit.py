"""Exhibit: one picture of an answer, the sentence that says what to see in it, and the figures it was drawn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embellie.app.pictures.canvas import NARROW, WIDE, Canvas


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One picture, for the mailed report and the dashboard alike.

    Args:
        key: Its name on the page; letters, digits and dashes.
        title: What it is about, a few words.
        sentence: What to see in it; also what a screen reader says of it.
        draw: Draws it, given a width.
        note: How to read it.
        columns: Headings of its table.
        rows: Cells of its table, as text.
    """

    key: str
    title: str
    sentence: str
    draw: Callable[[float], Canvas]
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def svg(self, width: float = WIDE) -> str:
        """Return the drawing as one SVG element with a name and a description."""
        key = f"{self.key}-{'narrow' if width <= NARROW else 'wide'}"
        return self.draw(width).svg(title=self.title, description=self.sentence, key=key)

    def pair(self, *, wide: float = WIDE, named: bool = True) -> str:
        """Return it for a desk and for a phone; a style sheet shows one. `named=False` when what holds them has the name."""
        if named:
            return self.svg(wide) + self.svg(NARROW)
        return self.draw(wide).svg() + self.draw(NARROW).svg()
