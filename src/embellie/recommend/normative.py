"""Normative figures: what lists give each reader, readers together, and each desk. They describe; what is right, the editors say.

Calibration and fragmentation are those of RADio (`divergence`), the first places counting most, averaged over readers; the
desks' shares are its representation, with sections as the voices.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embellie.domain.unavailable import Unavailable
from embellie.recommend.divergence import rank_weights
from embellie.recommend.list_sample import Background, Lists, Sample, section_shares
from embellie.recommend.paired import (
    REACH95,
    Difference,
    Interval,
    clustered_moments,
    corrected,
    paired_difference,
)
from embellie.recommend.popularity import Floats, Integers

_SECTIONS = "Give a catalogue with sections (`--catalogue`)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A section's share of the places, of what was published, and of what the same readers opened next.

    `against_published` and `against_read` are its share of the places less the other share, by reader; their `p_holm` is
    corrected for all desks of the policy.
    """

    section: str
    shown: float
    published: float
    read: float
    against_published: Difference
    against_read: Difference | Unavailable

    @property
    def short(self) -> bool:
        """Whether it really gets less than its share of what was published."""
        return self.against_published.value < 0 and self.against_published.real


@dataclass(frozen=True, kw_only=True)
class Normative:
    """What one policy's lists give: `lists` were looked at, and `pairs` of two readers' compared."""

    lists: int
    pairs: int
    calibration: Interval | Unavailable
    fragmentation: Interval | Unavailable
    desks: Sequence[Desk] | Unavailable


def normative(lists: Lists, sample: Sample, background: Background) -> Normative:
    """Return the figures of one policy's lists."""
    looked = sample.places()
    shown = section_shares(lists.sections, count=len(background.sections))
    some = bool((lists.rows[looked] >= 0).any())
    clusters = background.clusters[looked]
    return Normative(
        lists=len(looked),
        pairs=len(sample.partners),
        calibration=_calibration(shown[looked], background.read[looked], clusters, some=some),
        fragmentation=_fragmentation(lists.rows, sample, background.clusters, some=some),
        desks=_desks(shown[looked], background, looked, some=some),
    )


def divergences(p: Floats, q: Floats) -> Floats:
    """Return the Jensen-Shannon divergence in bits of each row of two tables of shares (`divergence.jensen_shannon`).

    >>> divergences(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])).tolist()
    [1.0, 0.0]
    """
    middle = (p + q) / 2.0
    total = np.zeros(len(p))
    for part in (p, q):
        ratio = np.divide(part, middle, out=np.ones_like(part), where=part > 0.0)
        total += 0.5 * (part * np.log2(ratio)).sum(axis=1)
    found: Floats = np.clip(total, 0.0, 1.0)
    return found


def _calibration(shown: Floats, read: Floats, clusters: Integers, *, some: bool) -> Interval | Unavailable:
    both = (shown.sum(axis=1) > 0.0) & (read.sum(axis=1) > 0.0)
    if not some:
        return _nothing_shown()
    if not both.any():
        return Unavailable(
            reason="No list of known sections went to a reader with a history in known sections.", remedy=_SECTIONS
        )
    _, among = np.unique(clusters[both], return_inverse=True)
    readers, mean, se = clustered_moments(divergences(shown[both], read[both]), among)
    if readers < 2:
        return _one_reader()
    return _bounded(mean, se)


def _fragmentation(rows: Integers, sample: Sample, clusters: Integers, *, some: bool) -> Interval | Unavailable:
    if not some:
        return _nothing_shown()
    values, readers = [], []
    for number, other in sample.pairs():
        one, two = sample.place(number), sample.place(other)
        if one is None or two is None or rows[one, 0] < 0 or rows[two, 0] < 0:
            continue
        values.append(_unlike(rows[one][rows[one] >= 0], rows[two][rows[two] >= 0]))
        readers.append((int(clusters[one]), int(clusters[two])))
    if len({reader for pair in readers for reader in pair}) < 3:
        return Unavailable(
            reason="No three readers were to get lists in the same windows.",
            remedy="Give a longer log, or a wider `--window`.",
        )
    mean = float(np.mean(values))
    return _bounded(mean, dyadic_error(np.array(values) - mean, readers))


def _unlike(one: Integers, other: Integers) -> float:
    """Return the divergence of two lists of different articles each, a place counting 1 / rank (`divergence.fragmentation`)."""
    p, q = np.array(rank_weights(len(one))), np.array(rank_weights(len(other)))
    same = one[:, None] == other[None, :]
    shared, back = same @ q, p @ same
    inside = (p * np.log2(2.0 * p / (p + shared))).sum() + (q * np.log2(2.0 * q / (q + back))).sum()
    return float(inside) / 2.0


def dyadic_error(residuals: Floats, readers: Sequence[tuple[int, int]]) -> float:
    """Return the standard error of a mean over pairs of readers, pairs that share a reader being alike.

        var = (Σ_r S_r² − Σ_d D_d²) / n²

    with S_r the sum of the residuals of reader r's pairs and D_d that of the pairs of the same two readers, which the first
    sum has twice (Aronow, Samii & Assenova, Political Analysis 2015).

    >>> round(dyadic_error(np.array([0.5, -0.5]), [(0, 1), (2, 3)]), 3)
    0.354
    """
    by_reader: dict[int, float] = {}
    by_pair: dict[tuple[int, int], float] = {}
    for value, (one, other) in zip(residuals.tolist(), readers, strict=True):
        by_reader[one] = by_reader.get(one, 0.0) + value
        by_reader[other] = by_reader.get(other, 0.0) + value
        pair = min(one, other), max(one, other)
        by_pair[pair] = by_pair.get(pair, 0.0) + value
    variance = sum(value**2 for value in by_reader.values()) - sum(value**2 for value in by_pair.values())
    return float(np.sqrt(max(variance, 0.0))) / len(readers)


def _desks(shown: Floats, background: Background, looked: Integers, *, some: bool) -> Sequence[Desk] | Unavailable:
    if len(background.sections) < 2:
        return Unavailable(reason="No section is known.", remedy=_SECTIONS)
    if not some:
        return _nothing_shown()
    there = shown.sum(axis=1) > 0.0
    clusters = background.clusters[looked]
    if not background.published.any() or len(set(clusters[there].tolist())) < 2:
        return Unavailable(
            reason="Too few lists or articles of known sections: none published meanwhile, or fewer than two readers.",
            remedy="Give a longer log, and a catalogue with sections.",
        )
    known = there & (background.next_[looked] > 0)
    found = []
    for code in range(1, len(background.sections)):
        section = background.sections[code]
        read = (background.next_[looked] == code).astype(np.float64)
        published = np.full(len(shown), background.published[code])
        against = {
            what: _difference(shown[:, code], other, clusters, where, names=(section, what))
            for what, other, where in (("published", published, there), ("read", read, known))
        }
        if not isinstance(against["published"], Difference):
            return against["published"]
        found.append(
            Desk(
                section=section,
                shown=float(shown[there, code].mean()),
                published=float(background.published[code]),
                read=float(read[known].mean()) if known.any() else 0.0,
                against_published=against["published"],
                against_read=against["read"],
            )
        )
    return sorted(_corrected(found), key=lambda desk: (desk.against_published.value, desk.section))


def _difference(
    shown: Floats,
    other: Floats,
    clusters: Integers,
    where: np.ndarray[Any, np.dtype[np.bool_]],
    *,
    names: tuple[str, str],
) -> Difference | Unavailable:
    _, among = np.unique(clusters[where], return_inverse=True)
    return paired_difference(shown[where], other[where], among, names=names, metric="places")


def _corrected(desks: Sequence[Desk]) -> list[Desk]:
    """Correct the p-values of all desks together."""
    asked = [
        one for desk in desks for one in (desk.against_published, desk.against_read) if isinstance(one, Difference)
    ]
    told: Iterator[Difference] = iter(corrected(asked))
    found = []
    for desk in desks:
        published = next(told)
        read = next(told) if isinstance(desk.against_read, Difference) else desk.against_read
        found.append(replace(desk, against_published=published, against_read=read))
    return found


def _bounded(mean: float, se: float) -> Interval:
    return Interval(value=mean, low=max(0.0, mean - REACH95 * se), high=min(1.0, mean + REACH95 * se))


def _nothing_shown() -> Unavailable:
    return Unavailable(reason="It showed nothing.", remedy="Look at a policy that shows something.")


def _one_reader() -> Unavailable:
    return Unavailable(reason="Only one reader has lists: the interval needs two.", remedy="Give a longer log.")
