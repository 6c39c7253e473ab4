"""Picture: a drawing, the sentence that says what it shows, and the figures it was drawn from.

The sentence and the table are written on the server, so that a page says everything without a script; the drawing is
made in the browser from `data`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embellie.domain.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One figure of a page.

    Args:
        drawing: Which drawing of `dashboard.js` shows it.
        title: What it is about, a few words.
        sentence: What it shows, for everyone; also its accessible name.
        columns: Headings of its table.
        rows: Cells of its table, as text.
        data: What the drawing needs; plain JSON values.
        note: How to read it.
    """

    drawing: str
    title: str
    sentence: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    data: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def document(self) -> dict[str, Any]:
        """Return the JSON form of the twin."""
        return {
            "drawing": self.drawing,
            "title": self.title,
            "sentence": self.sentence,
            "note": self.note,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "data": dict(self.data),
        }


def drawn(title: str, picture: Picture | Unavailable) -> dict[str, Any]:
    """Return a picture's document, or its title with what is missing and what to do."""
    return picture.document() if isinstance(picture, Picture) else {"title": title} | picture.document()
