"""Shares: do several groups have the same share of yes?"""

from collections.abc import Sequence

from scipy import special


def same_share_p(yes: Sequence[int], units: Sequence[int]) -> float | None:
    """Return the p-value of Pearson's chi-square test that all groups have one share of yes; None where nothing varies.

    `Σ (s_j − n_j p)² / (n_j p (1 − p))` with p the share over all, on one degree of freedom less than there are groups.

    >>> round(same_share_p([150, 122, 110, 132], [3052, 3033, 3092, 3018]), 3)
    0.058
    >>> same_share_p([0, 0], [10, 10]) is None
    True
    """
    pairs = [(s, n) for s, n in zip(yes, units, strict=True) if n > 0]
    total, did = sum(n for _, n in pairs), sum(s for s, _ in pairs)
    if len(pairs) < 2 or not 0 < did < total:
        return None
    share = did / total
    statistic = sum((s - n * share) ** 2 / (n * share * (1.0 - share)) for s, n in pairs)
    return float(special.chdtrc(len(pairs) - 1, statistic))
