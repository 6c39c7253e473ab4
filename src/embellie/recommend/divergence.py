"""Divergence: how far what readers are shown is from what they read, and from what others are shown. Figures for editors.

The figures are RADio's (Vrijenhoek, Bénédict, Gutierrez Granada, Odijk and de Rijke, *RADio: Rank-Aware Divergence Metrics to
Measure Normative Diversity in News Recommendations*, RecSys 2022): nobody can say which value is right without saying what
the newspaper wants, so they describe and do not judge.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations

Shares = Mapping[Hashable, float]
"""What part of a whole is of each kind; adds up to 1."""


def rank_weights(count: int) -> list[float]:
    """Return the weight of each position, 1 / rank, adding up to 1: readers look at the first places most.

    >>> [round(weight, 3) for weight in rank_weights(3)]
    [0.545, 0.273, 0.182]
    """
    raw = [1.0 / rank for rank in range(1, count + 1)]
    total = sum(raw)
    return [weight / total for weight in raw]


def ranked_shares(kinds: Sequence[Hashable]) -> dict[Hashable, float]:
    """Return the share of each kind in a ranked list, best first, each position counting 1 / rank.

    >>> {kind: round(share, 3) for kind, share in ranked_shares(["Sport", "Politics", "Sport"]).items()}
    {'Sport': 0.727, 'Politics': 0.273}
    """
    found: dict[Hashable, float] = {}
    for kind, weight in zip(kinds, rank_weights(len(kinds)), strict=True):
        found[kind] = found.get(kind, 0.0) + weight
    return found


def plain_shares(kinds: Iterable[Hashable]) -> dict[Hashable, float]:
    """Return the share of each kind in a collection, whatever its order.

    >>> plain_shares(["Sport", "Politics", "Sport", "Sport"])
    {'Sport': 0.75, 'Politics': 0.25}
    """
    every = list(kinds)
    return {kind: every.count(kind) / len(every) for kind in dict.fromkeys(every)}


def jensen_shannon(p: Shares, q: Shares) -> float:
    """Return the Jensen-Shannon divergence of two distributions, in bits: 0 when they are the same, 1 when they share nothing.

    With m = (p + q) / 2 it is ½ Σ p log2(p / m) + ½ Σ q log2(q / m) (Lin, IEEE Transactions on Information Theory 37, 1991).

    >>> jensen_shannon({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}), jensen_shannon({"a": 1.0}, {"b": 1.0})
    (0.0, 1.0)
    >>> round(jensen_shannon({"a": 1.0}, {"a": 0.5, "b": 0.5}), 6)
    0.311278
    """
    total = 0.0
    for kind in {**p, **q}:
        left, right = p.get(kind, 0.0), q.get(kind, 0.0)
        middle = (left + right) / 2.0
        total += sum(share * math.log2(share / middle) / 2.0 for share in (left, right) if share > 0.0)
    return min(max(total, 0.0), 1.0)


def calibration(history: Sequence[Hashable], slate: Sequence[Hashable]) -> float | None:
    """Return how far a slate is from what its reader reads: 0 the same mixture, 1 nothing in common; `None` without either.

    Args:
        history: The kind (the section, for instance) of each article read, in any order.
        slate: The kind of each article shown, best first.

    >>> calibration(["Sport", "Sport"], ["Sport"]), calibration(["Sport"], ["Politics"])
    (0.0, 1.0)
    """
    if not history or not slate:
        return None
    return jensen_shannon(plain_shares(history), ranked_shares(slate))


def fragmentation(slates: Sequence[Sequence[Hashable]]) -> float | None:
    """Return how little readers' slates have in common, averaged over pairs: 0 one public, 1 as many publics as readers.

    Args:
        slates: One list per reader of what each article is about (its story, else itself), best first; a few dozen will do,
            as their pairs are compared.

    >>> fragmentation([["a", "b"], ["a", "b"]]), fragmentation([["a"], ["b"], ["a"]])
    (0.0, 0.6666666666666666)
    """
    shares = [ranked_shares(slate) for slate in slates if slate]
    pairs = [jensen_shannon(one, other) for one, other in combinations(shares, 2)]
    return sum(pairs) / len(pairs) if pairs else None
