"""Phrasing: sentences in English and French from one table, with the reasons why something has no answer."""

from collections.abc import Mapping, Sequence

from embellie.domain.unavailable import Unavailable
from embellie.measure.telling import NARROW_SPACE, number_text

Phrases = Mapping[str, tuple[str, str]]
"""Each sentence by its key: English, French; `{…}` for what is filled in."""


def phrase(phrases: Phrases, key: str, language: str, /, **values: object) -> str:
    """Say one sentence.

    >>> phrase({"much": ("{n} reads.", "{n} lectures.")}, "much", "fr", n=3)
    '3 lectures.'
    """
    return phrases[key][_place(language)].format(**values)


def unavailable(phrases: Phrases, code: str, /, **values: object) -> Unavailable:
    """Say that there is no answer: the phrases `code` and `code!` (what to do), filled in.

    >>> unavailable({"few": ("Only {n}.", "{n} seulement."), "few!": ("Wait.", "Attendez.")}, "few", n=2).reason
    'Only 2.'
    """
    texts = {name: str(value) for name, value in values.items()}
    return Unavailable(
        phrase(phrases, code, "en", **texts), phrase(phrases, f"{code}!", "en", **texts), code=code, values=texts
    )


def unavailable_text(phrases: Phrases, because: Unavailable, language: str) -> str:
    """Say in the reader's language why there is no answer, and what to do."""
    if because.code not in phrases:
        return f"{because.reason} {because.remedy}"
    return " ".join(phrase(phrases, key, language, **because.values) for key in (because.code, f"{because.code}!"))


def range_text(low: float, high: float, language: str, *, signed: bool = True) -> str:
    """Write a range with the decimals it deserves.

    >>> range_text(0.2134, 0.2941, "en"), range_text(-1.0, 2.0, "fr")
    ('+0.213 to +0.294', '−1,0 à +2,0')
    """
    word = (" to ", " à ")[_place(language)]
    return word.join(number_text(limit, (high - low) / 2, language, signed=signed) for limit in (low, high))


def share_text(share: float, language: str, *, decimals: int = 0) -> str:
    r"""Write a share in per cent.

    >>> share_text(0.634, "en"), share_text(0.0125, "fr", decimals=2)
    ('63 %', '1,25\u202f%')
    """
    text = f"{100 * share:.{decimals}f} %".replace("-", "−")
    return text.replace(".", ",").replace(" ", NARROW_SPACE) if _place(language) else text


WIDTH = 41


def interval_lines(rows: Sequence[tuple[str, float, float, float]], language: str, *, zero: bool = False) -> list[str]:
    """Draw values with their intervals, a line each on one axis, its ends beneath; with `zero` marked where it matters.

    Args:
        rows: A name, the value, and the interval's limits.
        language: For the numbers at the ends.
        zero: Let the axis reach to zero.
    """
    ends = [limit for _, _, *limits in rows for limit in limits] + ([0.0] if zero else [])
    low, high = min(ends), max(ends)
    margin = max(len(name) for name, *_ in rows)

    def place(at: float) -> int:
        return round((at - low) / (high - low) * (WIDTH - 1)) if high > low else 0

    lines = []
    for name, value, left, right in rows:
        cells = [" "] * WIDTH
        if zero:
            cells[place(0.0)] = "┊"
        for cell in range(place(left), place(right) + 1):
            cells[cell] = "┼" if zero and cell == place(0.0) else "─"
        cells[place(value)] = "●"
        lines.append(f"{name:<{margin}}  {''.join(cells).rstrip()}")
    first, last = (number_text(end, (high - low) / 10, language) for end in (low, high))
    return [*lines, f"{'':<{margin}}  {first}{last:>{WIDTH - len(first)}}"]


def _place(language: str) -> int:
    return 1 if language.lower().startswith("fr") else 0
