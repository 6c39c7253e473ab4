"""Canvas: what pictures are drawn on. Lines, shapes and words as SVG that looks right with our style sheets and without.

Colours are CSS variables with a fallback, so that the same drawing follows the theme of a page, light or dark.
"""

import math
from collections.abc import Sequence
from html import escape

PAINTS = {
    "ink": "#1d1c1a", "soft": "#5f5b54", "rule": "#dfdbd2", "faint": "#efece5", "paper": "#ffffff", "accent": "#1f5f99",
    "accent-soft": "#d8e6f2", "sun": "#e8ab1e", "warn": "#a3401c",
    "status_quo": "#8b867b", "heuristic": "#2a78b8", "ml": "#c26a1c",
    "tone-0": "#2a78b8", "tone-1": "#8b867b", "tone-2": "#c26a1c", "tone-3": "#4c8a5b", "tone-4": "#8a5a9e",
    "tone-5": "#b3475c", "tone-6": "#2f8f8f", "tone-7": "#a08a1f", "tone-8": "#6a6fb5", "tone-9": "#9a6b4f",
}  # fmt: skip
"""What each paint is where no style sheet says otherwise."""

WIDE = 620.0
NARROW = 340.0
"""Every picture is laid out twice: for a desk, and for a phone."""

TEXT = 13.0
_NARROW_LETTERS = frozenset("iljtfrI.,:;'’|!()[] \u202f/-·")
_BROAD_LETTERS = frozenset("mwMW%—…€")


def paint(name: str) -> str:
    """Return a paint as a CSS value."""
    return f"var(--{name},{PAINTS[name]})" if name in PAINTS else name


def scenario_paint(name: str, place: int) -> str:
    """Return the paint of a scenario: its own if it is one of the usual three, else by its place; the baseline is grey."""
    if name in {"status_quo", "heuristic", "ml"}:
        return name
    return "tone-1" if place == 0 else f"tone-{(0, 2, 3, 4, 5, 6, 7, 8, 9)[(place - 1) % 9]}"


def width_of(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """Estimate how wide a text is set, in a usual sans serif; a little too wide rather than too narrow.

    >>> width_of("ill") < width_of("mom")
    True
    """
    ems = 0.0
    for letter in text:
        if letter in _NARROW_LETTERS:
            ems += 0.34
        elif letter in _BROAD_LETTERS:
            ems += 0.93
        elif letter.isupper():
            ems += 0.7
        else:
            ems += 0.6
    return ems * size * (1.1 if bold else 1.0)


def wrap(text: str, width: float, *, size: float = TEXT, lines: int = 3, bold: bool = False) -> list[str]:
    """Break a text into lines no wider than `width`; what does not fit in `lines` ends in an ellipsis.

    >>> wrap("one two three", 60.0, size=10.0)
    ['one two', 'three']
    """
    found: list[str] = []
    for word in text.split(" "):
        longer = f"{found[-1]} {word}" if found else word
        if found and width_of(longer, size, bold=bold) <= width:
            found[-1] = longer
        else:
            found.append(word)
    if len(found) > lines:
        found = [*found[: lines - 1], f"{found[lines - 1]} …"]
    return [fit(line, width, size=size, bold=bold) for line in found]


def fit(text: str, width: float, *, size: float = TEXT, bold: bool = False) -> str:
    """Cut a text that is too wide for its place, and say so by an ellipsis.

    >>> fit("a_name_without_an_end", 60.0), fit("short", 60.0)
    ('a_nam…', 'short')
    """
    if width_of(text, size, bold=bold) <= width:
        return text
    kept = text.removesuffix(" …")
    while kept and width_of(f"{kept}…", size, bold=bold) > width:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def nice_ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Return round values inside a range, evenly spaced, 0 among them if it is inside.

    >>> nice_ticks(-12.0, 31.0)
    (-10.0, 0.0, 10.0, 20.0, 30.0)
    """
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return (low,)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * times for times in (1, 2, 5, 10, 20) if span / (power * times) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(float(f"{index * step:.12g}") for index in range(first, last + 1))


class Scale:
    """A straight scale from values to places on the canvas.

    >>> Scale(0.0, 10.0, 100.0, 200.0)(5.0)
    150.0
    """

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high if high > low else low + 1.0, start, end

    def __call__(self, value: float) -> float:
        """Return the place of a value; values outside are held at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, -0.02), 1.02) * (self.end - self.start)

    def ticks(self, most: int = 5) -> tuple[float, ...]:
        """Return round values inside it."""
        return nice_ticks(self.low, self.high, most)


class Canvas:
    """A drawing in the making, `width` wide and as high as what was drawn on it."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.height = 0.0
        self._parts: list[str] = []

    @property
    def narrow(self) -> bool:
        """Whether it is for a phone."""
        return self.width < 480

    def add(self, markup: str) -> None:
        """Draw what is SVG already."""
        self._parts.append(markup)

    def sink(self) -> None:
        """Put what was drawn last under everything else."""
        self._parts.insert(0, self._parts.pop())

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        stroke: str = "rule",
        width: float = 1.0,
        dash: str = "",
    ) -> None:
        """Draw a straight line."""
        (x1, y1), (x2, y2) = start, end
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.add(
            f'<line x1="{num(x1)}" y1="{num(y1)}" x2="{num(x2)}" y2="{num(y2)}" stroke="{paint(stroke)}" '
            f'stroke-width="{num(width)}"{dashed}/>'
        )

    def rect(
        self,
        place: tuple[float, float],
        size: tuple[float, float],
        *,
        fill: str,
        opacity: float = 1.0,
        radius: float = 0.0,
    ) -> None:
        """Draw a box; nothing is drawn of one without an extent."""
        (x, y), (width, height) = place, size
        if width <= 0 or height <= 0:
            return
        more = (f' rx="{num(radius)}"' if radius else "") + (f' fill-opacity="{num(opacity)}"' if opacity < 1 else "")
        self.add(
            f'<rect x="{num(x)}" y="{num(y)}" width="{num(width)}" height="{num(height)}" fill="{paint(fill)}"{more}/>'
        )

    def dot(
        self,
        place: tuple[float, float],
        radius: float,
        *,
        fill: str,
        opacity: float = 1.0,
        ring: str = "",
        ring_width: float = 1.5,
    ) -> None:
        """Draw a filled circle, with a ring around it if named."""
        x, y = place
        more = f' fill-opacity="{num(opacity)}"' if opacity < 1 else ""
        more += f' stroke="{paint(ring)}" stroke-width="{num(ring_width)}"' if ring else ""
        self.add(f'<circle cx="{num(x)}" cy="{num(y)}" r="{num(radius)}" fill="{paint(fill)}"{more}/>')

    def curve(
        self,
        points: Sequence[tuple[float, float]],
        *,
        stroke: str,
        width: float = 2.2,
        dash: str = "",
        opacity: float = 1.0,
    ) -> None:
        """Draw a line through points."""
        if len(points) < 2:
            return
        more = (f' stroke-dasharray="{dash}"' if dash else "") + (
            f' stroke-opacity="{num(opacity)}"' if opacity < 1 else ""
        )
        self.add(
            f'<path d="{path(points)}" fill="none" stroke="{paint(stroke)}" stroke-width="{num(width)}" '
            f'stroke-linejoin="round" stroke-linecap="round"{more}/>'
        )

    def area(self, points: Sequence[tuple[float, float]], *, fill: str, opacity: float = 1.0) -> None:
        """Fill what a closed line goes round."""
        if len(points) < 3:
            return
        more = f' fill-opacity="{num(opacity)}"' if opacity < 1 else ""
        self.add(f'<path d="{path(points)}Z" fill="{paint(fill)}"{more}/>')

    def specks(
        self, points: Sequence[tuple[float, float]], *, stroke: str, size: float = 4.0, opacity: float = 0.5
    ) -> None:
        """Draw many small round points at once."""
        marks = "".join(f"M{num(x)} {num(y)}h0" for x, y in points)
        self.add(
            f'<path d="{marks}" stroke="{paint(stroke)}" stroke-width="{num(size)}" stroke-linecap="round" '
            f'stroke-opacity="{num(opacity)}" fill="none"/>'
        )

    def text(
        self,
        place: tuple[float, float],
        text: str,
        *,
        fill: str = "soft",
        size: float = TEXT,
        anchor: str = "start",
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """Write a line of text; its place is on its base line."""
        x, y = place
        more = f' text-anchor="{anchor}"' if anchor != "start" else ""
        more += f' font-size="{num(size)}"' if size != TEXT else ""
        more += ' font-weight="600"' if bold else ""
        if halo:
            more += f' paint-order="stroke" stroke="{paint("paper")}" stroke-width="4" stroke-linejoin="round"'
        self.add(f'<text x="{num(x)}" y="{num(y)}" fill="{paint(fill)}"{more}>{escape(text, quote=False)}</text>')

    def names(
        self, place: tuple[float, float], strong: str, soft: str, *, size: float = TEXT, small: float = TEXT
    ) -> None:
        """Write a name and, after it on the same line, what is said of it; however wide the letters turn out to be."""
        x, y = place
        self.add(
            f'<text x="{num(x)}" y="{num(y)}" fill="{paint("ink")}" font-size="{num(size)}" paint-order="stroke" '
            f'stroke="{paint("paper")}" stroke-width="4" stroke-linejoin="round"><tspan font-weight="600">'
            f'{escape(strong, quote=False)}</tspan><tspan dx="8" fill="{paint("soft")}" font-size="{num(small)}">'
            f"{escape(soft, quote=False)}</tspan></text>"
        )

    def words(
        self,
        place: tuple[float, float],
        lines: Sequence[str],
        *,
        fill: str = "soft",
        size: float = TEXT,
        anchor: str = "start",
        bold: bool = False,
        leading: float = 1.32,
        halo: bool = False,
    ) -> float:
        """Write lines under one another; return where the next would stand."""
        x, y = place
        for line in lines:
            self.text((x, y), line, fill=fill, size=size, anchor=anchor, bold=bold, halo=halo)
            y += leading * size
        return y

    def svg(self, *, title: str = "", description: str = "", key: str = "") -> str:
        """Return the drawing; with a title it is an image with a name, without one it is mere decoration."""
        named = f'role="img" aria-labelledby="{key}-t {key}-d"' if title else 'aria-hidden="true" focusable="false"'
        said = (
            f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(description)}</desc>'
            if title
            else ""
        )
        return (
            f'<svg class="{"narrow" if self.narrow else "wide"}" viewBox="0 0 {num(self.width)} {num(math.ceil(self.height))}" '
            f'width="{num(self.width)}" height="{num(math.ceil(self.height))}" font-size="{num(TEXT)}" {named}>'
            f"{said}{''.join(self._parts)}</svg>"
        )


def num(value: float) -> str:
    """Write a coordinate, to a tenth.

    >>> num(12.04), num(0.55), num(-0.01)
    ('12', '0.55', '0')
    """
    text = f"{value:.1f}" if abs(value) >= 1 or value == 0 else f"{value:.2g}" if abs(value) >= 0.05 else "0"
    return text.removesuffix(".0")


def path(points: Sequence[tuple[float, float]]) -> str:
    """Write points as the data of an SVG path."""
    return "M" + "L".join(f"{num(x)} {num(y)}" for x, y in points)


def spread_out(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart until neighbours are `gap` apart, staying near where they were and within bounds.

    >>> spread_out([10.0, 11.0], 4.0, 0.0, 100.0)
    [8.5, 12.5]
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    groups: list[tuple[float, int]] = []
    for index in order:
        middle, count = places[index], 1
        while groups and groups[-1][0] + groups[-1][1] * gap / 2 > middle - count * gap / 2:
            before, size = groups.pop()
            middle = (before * size + middle * count) / (size + count)
            count += size
        groups.append((middle, count))
    moved: list[float] = []
    for middle, count in groups:
        half = (count - 1) * gap / 2
        held = min(max(middle, low + half), high - half)
        moved += [held - half + each * gap for each in range(count)]
    found = [0.0] * len(places)
    for place, index in zip(moved, order, strict=True):
        found[index] = place
    return found
