"""Co-visitation: articles opened in the same visit, counted with recency; and the policy that recommends by it."""

import heapq
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from embellie.domain.moment import micros
from embellie.domain.slate import SlateRequest
from embellie.recommend.packing import pack, unpack
from embellie.recommend.policies import Popular, Scored
from embellie.recommend.popularity import MICROS_PER_HOUR, Floats, Integers
from embellie.recommend.signals import Opened, Silent
from embellie.recommend.state import SiteState

HALF_LIFE = 48.0
"""Hours in which two articles opened together count half."""

REACH = 10
"""How many earlier articles of a visit an article is paired with."""

BACKWARDS = 0.5
"""What a pair counts from the later article to the earlier, where it counts 1 from the earlier to the later."""

KEPT = 64
ARTICLES = 50_000

_MOST_EXPONENT = 512.0


class Covisits(Silent):
    """How often articles are opened in the same visit: a sparse table of decayed counts.

    When an article is opened `d` places after another in a visit, 1 / d is added from the earlier to the later, and
    half of it back. Counts halve every `HALF_LIFE` hours by forward decay, as in `ReadCounters`.

    Bounded: `KEPT` to twice `KEPT` neighbours of an article (the least are dropped), `ARTICLES` articles with
    neighbours (the one opened with others longest ago goes first). At most about 500 MB, whatever the number of
    articles and readers; a tenth of it where, as usual, most articles are read by few. It holds counts without
    readers, so there is nothing of a reader to forget.
    """

    name: ClassVar[str] = "covisits"

    def __init__(self) -> None:
        self._near: OrderedDict[int, dict[int, float]] = OrderedDict()
        self._landmark = 0

    def open(self, opened: Opened) -> None:
        """Pair an article with those opened before it in the visit."""
        if opened.again or not opened.before:
            return
        exponent = (opened.at - self._landmark) / _HALF_LIFE_MICROS
        if exponent > _MOST_EXPONENT:
            self._move_landmark(opened.at, exponent)
            exponent = 0.0
        weight: float = 2.0**exponent
        row = opened.row
        near = self._of(row)
        for distance, other in enumerate(reversed(opened.before[-REACH:]), start=1):
            count = weight / distance
            forwards = self._of(other)
            forwards[row] = forwards.get(row, 0.0) + count
            near[other] = near.get(other, 0.0) + BACKWARDS * count
            if len(forwards) > 2 * KEPT:
                self._near[other] = _largest(forwards)
        if len(near) > 2 * KEPT:
            self._near[row] = _largest(near)
        while len(self._near) > ARTICLES:
            self._near.popitem(last=False)

    def _of(self, row: int) -> dict[int, float]:
        near = self._near.get(row)
        if near is None:
            near = self._near[row] = {}
        else:
            self._near.move_to_end(row)
        return near

    def _move_landmark(self, at: int, exponent: float) -> None:
        shrink = 2.0**-exponent
        for row, near in self._near.items():
            self._near[row] = {other: count * shrink for other, count in near.items()}
        self._landmark = at

    def neighbours(self, row: int, now: int) -> tuple[Integers, Floats]:
        """Return the articles opened together with one, and how often: decayed counts at `now` (µs)."""
        near = self._near.get(row, _NOBODY)
        others = np.fromiter(near.keys(), np.int64, len(near))
        counts = np.fromiter(near.values(), np.float64, len(near))
        # A `now` before the clicks themselves must not overflow.
        counts *= 2.0 ** min((self._landmark - now) / _HALF_LIFE_MICROS, _MOST_EXPONENT)
        return others, counts

    def snapshot(self) -> Mapping[str, Any]:
        """Return the table, article by article."""
        return {
            "landmark": self._landmark,
            "rows": np.fromiter(self._near, np.int64, len(self._near)),
            "near": pack(self._near.values(), values=np.float64),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up a table."""
        self._landmark = int(snapshot["landmark"])
        self._near = OrderedDict(zip(snapshot["rows"].tolist(), unpack(snapshot["near"]), strict=True))


_HALF_LIFE_MICROS = HALF_LIFE * MICROS_PER_HOUR
_NOBODY: dict[int, float] = {}


def _largest(near: dict[int, float]) -> dict[int, float]:
    """Keep the `KEPT` largest counts; of equals, the newer article's."""
    return dict(heapq.nlargest(KEPT, near.items(), key=lambda item: (item[1], item[0])))


def context_of(request: SlateRequest, site: SiteState, *, fade: float, most: int) -> dict[int, float]:
    """Weigh what is open and what was opened in this visit: the page 1, each earlier article `fade` times the next.

    >>> from datetime import UTC, datetime
    >>> from embellie.recommend.state import State
    >>> request = SlateRequest(site="gazette", placement="bottom", n=4, now=datetime(2026, 1, 1, tzinfo=UTC))
    >>> context_of(request, State().site("gazette"), fade=0.8, most=10)
    {}
    """
    rows = site.visit_rows(request)
    page = site.shelf.row(request.article) if request.article else None
    if page is not None:
        rows = [*(row for row in rows if row != page), page]
    return {row: fade**age for age, row in enumerate(reversed(rows[-most:]))}


@dataclass(frozen=True)
class Covisitation(Popular):
    """What was opened in the same visits as this page and this visit's articles, popularity beneath.

    With c(i, j) the decayed count of j opened with i, C(i) its sum over j, and p(j) article j's share of popularity,

        P(j | i) = (c(i, j) + k p(j)) / (C(i) + k)        score(j) = Σ w(i) P(j | i)

    over the articles i of the context: the page weighs 1, earlier articles of the visit `fade` less each, and with
    consent to profiling the reader's latest other articles `history` each. Counts were made over days: each is first
    multiplied by what share of the reads j has now over its share then, at most 1. The k pseudo-visits (a Dirichlet prior;
    Zhai & Lafferty, SIGIR 2001) make a little-read page recommend what is popular, and nothing is ever empty.

    Args:
        pseudo_visits: k, visits that go on by popularity, in everyone's counts.
        fade: What each earlier article of the visit weighs, as a share of the next.
        history: What an article of the reader's history weighs.
        remembered: How many of them are looked at.
        currency: The exponent of that ratio of shares; 0 counts all days alike.
    """

    name: ClassVar[str] = "covisitation"
    signals: ClassVar[tuple[type[Covisits], ...]] = (Covisits,)

    pseudo_visits: float = 5.0
    fade: float = 0.8
    history: float = 0.1
    remembered: int = 10
    currency: float = 1.0

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by how likely each article is the next of a visit such as this one."""
        popular = super().score(request, site)
        context = context_of(request, site, fade=self.fade, most=REACH)
        read = site.history(request)
        for row in list(read)[-self.remembered :] if self.history > 0.0 else ():
            context.setdefault(row, self.history)
        total = float(popular.values.sum())
        if not context or total <= 0.0:
            return popular
        covisits, now = site.signal(Covisits), micros(request.now)
        together = np.zeros(len(popular.values))
        still = self._still(site, now)
        beneath = 0.0
        for row, weight in context.items():
            others, counts = covisits.neighbours(row, now)
            counts = counts * still[others]
            trust = weight / (float(counts.sum()) + self.pseudo_visits)
            together[others] += trust * counts
            beneath += trust * self.pseudo_visits
        by_popularity = popular.values * (beneath / total)

        def reason(row: int) -> str:
            return "read_together" if together[row] > by_popularity[row] else popular.reason(row)

        return Scored(together + by_popularity, reason)

    def _still(self, site: SiteState, now: int) -> Floats:
        """Tell how much each article is read now beside what it was while pairs were counted: its share over its share."""
        counters = site.counters
        short = counters.reads(now, counters.step(now, self.enough_reads))
        long = counters.reads(now, counters.nearest(HALF_LIFE))
        smooth = 1.0 / max(1, len(short))
        ratio = (short / max(float(short.sum()), 1e-9) + smooth) / (long / max(float(long.sum()), 1e-9) + smooth)
        still: Floats = np.minimum(ratio, 1.0) ** self.currency
        return still
