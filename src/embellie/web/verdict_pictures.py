"""Verdict pictures: those the dashboard shares with the mailed report, drawn on the server."""

from collections.abc import Callable, Sequence
from typing import Any

from embellie.app.pictures.gallery import Exhibit, Voice
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Verdict
from embellie.web.picture import Picture
from embellie.web.view import View

COLUMN = 540.0
"""How wide a picture is laid out on the dashboard: about a column of a page for a desk."""

Maker = Callable[[Verdict, Voice], Exhibit | Sequence[Exhibit] | None]
"""Draws something of a verdict: one picture, several, or none where the verdict does not hold it."""


def exhibits(view: View, verdict: Verdict | Unavailable, makers: Sequence[Maker]) -> list[Exhibit]:
    """Draw what the verdict holds, in the words of the page."""
    question = view.question()
    if isinstance(verdict, Unavailable) or isinstance(question, Unavailable):
        return []
    voice = Voice(view.words.language, question, stake=verdict.stake)
    found: list[Exhibit] = []
    for make in makers:
        made = make(verdict, voice)
        found += [made] if isinstance(made, Exhibit) else made or []
    return found


def pictures(found: Sequence[Exhibit]) -> dict[str, dict[str, Any]]:
    """Return the documents of pictures that are drawn already: their words and their tables."""
    return {
        each.key: Picture(
            drawing="svg",
            title=each.title,
            sentence=each.sentence,
            note=each.note,
            columns=each.columns,
            rows=each.rows,
        ).document()
        for each in found
    }


def drawings(found: Sequence[Exhibit]) -> dict[str, str]:
    """Return the drawings themselves, as SVG, for a desk and for a phone; whatever holds them says their name."""
    return {each.key: each.pair(wide=COLUMN, named=False) for each in found}


def plan_in_words(view: View, verdict: Verdict | Unavailable) -> list[str]:
    """The plan, a sentence for each step; none without a plan."""
    question = view.question()
    if isinstance(verdict, Unavailable) or isinstance(question, Unavailable) or verdict.plan is None:
        return []
    voice = Voice(view.words.language, question)
    return [voice.said(sentence) for sentence in verdict.plan.words.get(view.words.language, ())]
