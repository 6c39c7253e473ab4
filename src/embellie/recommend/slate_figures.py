"""Slate figures: how novel what is shown is, how well its sections fit the reader's; and figures that cannot be."""

import math
from dataclasses import dataclass

import numpy as np

from embellie.domain.errors import EmbellieError
from embellie.domain.moment import micros
from embellie.domain.slate import SlateRequest
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.state import SiteState


class ImpossibleFigure(EmbellieError):
    """A figure lies where it cannot: something computes it wrongly."""

    code = "impossible_figure"
    exit_code = 1


def within(value: float, low: float, high: float, *, name: str) -> float:
    """Return a figure that is where it can be.

    >>> within(0.5, 0.0, 1.0, name="hr")
    0.5

    Raises:
        ImpossibleFigure: It is not.
    """
    slack = 1e-9 * max(1.0, abs(low), abs(high) if math.isfinite(high) else 1.0)
    if not (low - slack <= value <= high + slack):
        raise ImpossibleFigure(
            f"`{name}` is `{value!r}`, which cannot be: it lies between {low:g} and {high:g}.",
            hint="Do not use this evaluation: a policy's ranking or embellie itself computes it wrongly. Report it.",
        )
    return value


def self_information(reads: Floats, total: float) -> Floats:
    """Return how surprising each article is, in bits: −log₂ of its share of all reads.

        novelty = mean over a slate of −log₂ ((r + 1) / (Σ r + n))

    with n articles in all, each lent one read so that none is impossible (mean self-information: Zhou, Kuscsik, Liu,
    Medo, Wakeling & Zhang, PNAS 2010; Vargas & Castells, RecSys 2011). What everyone reads scores low.

    Args:
        reads: The articles' reads.
        total: Σ r + n.

    >>> self_information(np.array([3.0, 0.0]), 8.0).tolist()
    [1.0, 3.0]
    """
    found: Floats = np.log2(total / (reads + 1.0))
    return found


def section_divergence(read: Floats, shown: Floats) -> float:
    """Return how far the sections of a slate are from those a reader reads, 0 (the same) to 1 (none in common).

    The Jensen-Shannon divergence in bits, of p (read) and q (shown), m = (p + q) / 2:

        JS = ½ Σ p log₂ (p / m) + ½ Σ q log₂ (q / m)

    Calibration as Steck (RecSys 2018) means it; his Kullback-Leibler divergence has no bound and needs smoothing where
    a section is not shown, this one (Lin, IEEE Transactions on Information Theory 1991) has 1 and does not.

    Args:
        read: Reads by section; not all 0.
        shown: Articles of the slate by section; not all 0.

    >>> round(section_divergence(np.array([1.0, 1.0]), np.array([1.0, 0.0])), 3)
    0.311
    """
    p, q = read / read.sum(), shown / shown.sum()
    middle = (p + q) / 2.0
    return 0.5 * (_divergence(p, middle) + _divergence(q, middle))


def _divergence(one: Floats, other: Floats) -> float:
    there = one > 0.0
    return float(np.sum(one[there] * np.log2(one[there] / other[there])))


@dataclass(frozen=True, slots=True)
class Beholder:
    """What one target's request is measured with: everyone's reads, and the reader's reads by section."""

    reads: Floats
    total: float
    sections: Integers
    read: Floats | None

    def look(self, shown: Integers) -> tuple[float, float]:
        """Return the novelty (bits) and the section divergence of the rows shown; NaN where there is none."""
        if not len(shown):
            return math.nan, math.nan
        novelty = float(self_information(self.reads[shown], self.total).mean())
        within(novelty, 0.0, math.log2(self.total), name="novelty")
        if self.read is None:
            return novelty, math.nan
        known = np.bincount(self.sections[shown], minlength=len(self.read)).astype(np.float64)
        known[0] = 0.0
        if not known.any():
            return novelty, math.nan
        return novelty, within(section_divergence(self.read, known), 0.0, 1.0, name="section_divergence")


def behold(request: SlateRequest, site: SiteState) -> Beholder:
    """Look at a site as it stands at a request: reads that halve in the longest half-life, the reader's history."""
    reads = site.counters.reads(micros(request.now), len(site.counters.half_lives) - 1)
    sections, count = site.shelf.section, len(site.shelf.sections)
    read = None
    if count > 1 and (history := site.history(request)):
        weights = np.bincount(sections[np.fromiter(history, np.int64, len(history))], minlength=count)
        weights[0] = 0
        read = weights.astype(np.float64) if weights.any() else None
    return Beholder(reads, max(1.0, float(reads.sum()) + len(reads)), sections, read)
