"""Click rates: how often each article is clicked when it is seen, whatever place it stood at; with recency."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

import numpy as np

from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Impression
from embellie.domain.slate import Slate
from embellie.recommend.packing import pack, unpack
from embellie.recommend.popularity import MICROS_PER_HOUR, Floats, Integers
from embellie.recommend.signals import Watched, Watcher

HALF_LIFE = 24.0
"""Hours in which an impression and a click count half."""

START_CLICKS, START_VIEWS = 3.0, 200.0
"""What a site that has shown nothing yet is taken to have earned: a click rate of 1.5 %, and soon outweighed."""

SLOT_CLICKS = 20.0
"""Clicks that a slot must outweigh before it is taken to be looked at more, or less, than the others."""

PSEUDO_CLICKS = 10.0
"""Clicks at the site's rate that an article must outweigh. Click rates of articles then differ by about 1/√10, a third."""

SLATES = 50_000
SLOTS = 1_000
BOTS = 10_000

_MOST_EXPONENT = 256.0
_LEAST, _MOST = 0.1, 10.0
_SEEN, _CLICKED, _PLACE = 1, 2, 4


class ClickRates(Watcher):
    """Clicks and examined impressions of every article: decayed counts, and a count of all its examined impressions.

    An impression and a click count once per slate and article, and only for what the server wrote down as served there, at
    the place where it stood: a page can make up neither. A click without an impression is one: what was clicked was
    seen. Readers tagged as bots do not count; nor does what they did after the tag was lifted by an erasure.

    An impression counts by how much its slot is looked at. With p the click rates of the articles that stood in slot s (posterior
    means of then), and sums over the slot's impressions, against the same sums over all slots,

        attention(s) = ((clicks + m) / (Σ p + m)) of the slot, over that of all slots

    so the average impression counts 1; m is `SLOT_CLICKS`. This is the position-based model (Craswell, Zoeter, Taylor and
    Ramsey, WSDM 2008), fitted by one step of expectation-maximisation per event. It tells places from articles as far as
    articles change places.

    Counts halve every `HALF_LIFE` hours by forward decay, as in `ReadCounters`: what a newspaper offers ages
    (discounted Thompson sampling: Raj and Kalyani, 2017).

    Memory: 24 bytes per article of the site, 2.4 MB for 100,000; about 600 bytes for each of the last `SLATES` slates, 30 MB; `BOTS`
    bots and `SLOTS` slots of placements, 2 MB. Readers take none: the counts are without them, so there is nothing to forget.
    """

    name: ClassVar[str] = "click_rates"

    def __init__(self) -> None:
        # Lines: decayed impressions, decayed clicks, impressions ever.
        self._counts = np.zeros((3, 64))
        self._landmark = 0
        self._views = self._clicks = self._expected = 0.0
        self._slots: dict[str, tuple[float, float]] = {}
        self._open: OrderedDict[str, tuple[str, dict[int, int]]] = OrderedDict()
        self._bots: OrderedDict[str, None] = OrderedDict()

    def watch(self, body: Watched, at: int, row: Callable[[str], int | None]) -> None:
        """Take in what was served, seen or clicked, or that a reader is no person."""
        match body:
            case Slate() if body.items and not body.shared:  # one shown to many is not counted once
                rows = ((row(item.article), item.position) for item in body.items)
                self._open[body.slate_id] = (
                    body.placement,
                    {one: _PLACE * place for one, place in rows if one is not None},
                )
                if len(self._open) > SLATES:
                    self._open.popitem(last=False)
            case Exposure(unit=reader) if body.bot and reader:
                self._bots[reader] = None
                if len(self._bots) > BOTS:
                    self._bots.popitem(last=False)
            case Impression() | Click():
                served = self._open.get(body.slate_id)
                one = row(body.article)
                if served is not None and one in served[1] and body.reader not in self._bots:
                    self._count(one, *served, clicked=isinstance(body, Click), at=at)
            case _:
                pass

    def _count(self, row: int, placement: str, items: dict[int, int], *, clicked: bool, at: int) -> None:
        """Count an impression that was not counted yet, and a click."""
        place, marks = divmod(items[row], _PLACE)
        items[row] |= _SEEN | (_CLICKED if clicked else 0)
        slot = f"{placement} {place}"
        weight = self._weight(at)
        if row >= self._counts.shape[1]:
            wider = np.zeros((3, max(row + 1, 2 * self._counts.shape[1])))
            wider[:, : self._counts.shape[1]] = self._counts
            self._counts = wider
        if not marks & _SEEN:
            self._see(row, slot, weight)
        if clicked and not marks & _CLICKED:
            self._counts[1, row] += weight
            self._clicks += weight
            self._learn(slot, weight, 0.0)

    def _see(self, row: int, slot: str, weight: float) -> None:
        examined = self._attention(slot, weight)
        rate = self.rate(self._landmark, worth=1.0 / weight)
        views, clicks = float(self._counts[0, row]) / weight, float(self._counts[1, row]) / weight
        likely = (PSEUDO_CLICKS + clicks) / (PSEUDO_CLICKS / rate + views)
        self._counts[0, row] += examined * weight
        self._counts[2, row] += examined
        self._views += examined * weight
        self._expected += likely * weight
        self._learn(slot, 0.0, likely * weight)

    def _learn(self, slot: str, clicks: float, expected: float) -> None:
        known = self._slots.get(slot)
        if known is None:
            if len(self._slots) >= SLOTS:
                return
            known = (0.0, 0.0)
        self._slots[slot] = known[0] + clicks, known[1] + expected

    def _attention(self, slot: str, weight: float) -> float:
        clicks, expected = self._slots.get(slot, (0.0, 0.0))
        prior = SLOT_CLICKS * weight
        here = (clicks + prior) / (expected + prior)
        everywhere = (self._clicks + prior) / (self._expected + prior)
        return min(max(here / everywhere, _LEAST), _MOST)

    def _weight(self, at: int) -> float:
        """Return what a count at a time weighs; the landmark moves on before weights overflow."""
        exponent = (at - self._landmark) / _HALF_LIFE_MICROS
        if exponent > _MOST_EXPONENT:
            shrink = 2.0**-exponent
            self._counts[:2] *= shrink
            self._views, self._clicks, self._expected = (
                count * shrink for count in (self._views, self._clicks, self._expected)
            )
            self._slots = {
                slot: (clicks * shrink, expected * shrink) for slot, (clicks, expected) in self._slots.items()
            }
            self._landmark, exponent = at, 0.0
        return float(2.0 ** max(exponent, -_MOST_EXPONENT))

    def _worth(self, now: int) -> float:
        # A `now` before the clicks themselves must not overflow.
        return float(2.0 ** min((self._landmark - now) / _HALF_LIFE_MICROS, _MOST_EXPONENT))

    def rate(self, now: int, *, worth: float | None = None) -> float:
        """Return the site's own click rate per examined impression at `now` (µs)."""
        worth = self._worth(now) if worth is None else worth
        return (self._clicks * worth + START_CLICKS) / (self._views * worth + START_VIEWS)

    def counts(self, rows: Integers, now: int) -> tuple[Floats, Floats]:
        """Return the examined impressions and the clicks of rows, decayed to `now` (µs)."""
        known = rows < self._counts.shape[1]
        counts = self._counts[:2, np.where(known, rows, 0)] * known * self._worth(now)
        return counts[0], counts[1]

    def examined(self, size: int) -> Floats:
        """Return how many examined impressions each of a site's first `size` articles ever had."""
        ever = self._counts[2, :size]
        return ever if len(ever) == size else np.pad(ever, (0, size - len(ever)))

    def forget(self, reader: str, visits: Collection[str]) -> None:
        """Forget that a reader is a bot; nothing else is known of readers."""
        self._bots.pop(reader, None)

    def snapshot(self) -> Mapping[str, Any]:
        """Return all counts, the slates that may still be acted on, and the bots."""
        return {
            "landmark": self._landmark,
            "counts": self._counts.reshape(-1).copy(),
            "totals": np.array([self._views, self._clicks, self._expected]),
            "slots": list(self._slots),
            "slot_counts": np.array(list(self._slots.values()), np.float64).reshape(-1),
            "slates": list(self._open),
            "placements": [placement for placement, _ in self._open.values()],
            "items": pack(items for _, items in self._open.values()),
            "bots": list(self._bots),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up counts."""
        self._landmark = int(snapshot["landmark"])
        self._counts = np.array(snapshot["counts"], np.float64).reshape(3, -1)
        self._views, self._clicks, self._expected = snapshot["totals"].tolist()
        pairs = snapshot["slot_counts"].reshape(-1, 2).tolist()
        self._slots = {slot: (pair[0], pair[1]) for slot, pair in zip(snapshot["slots"], pairs, strict=True)}
        served = zip(snapshot["placements"], unpack(snapshot["items"]), strict=True)
        self._open = OrderedDict(zip(snapshot["slates"], served, strict=True))
        self._bots = OrderedDict.fromkeys(snapshot["bots"])


_HALF_LIFE_MICROS = HALF_LIFE * MICROS_PER_HOUR
