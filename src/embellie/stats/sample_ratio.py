"""Sample ratio: is the split the designed one? A broken split breaks every other figure."""

from collections.abc import Sequence

import numpy as np
from scipy import special

CONCENTRATION = 10_000.0
"""How sharply the alternative of the sequential test is centred on the design; near a tenth of the planned units."""


def chi_square_p(counts: Sequence[int], weights: Sequence[float]) -> float:
    """Return the p-value of Pearson's chi-square test of counts against designed weights; good for one look.

    Arms of weight zero take no part, neither in the sum nor in the degrees of freedom.

    >>> f"{chi_square_p([821_588, 815_482], [1, 1]):.5e}"
    '1.82179e-06'
    >>> chi_square_p([60, 40, 0], [1, 1, 0]) == chi_square_p([60, 40], [1, 1])
    True
    """
    pairs = [(count, weight) for count, weight in zip(counts, weights, strict=True) if weight > 0]
    total, scale = sum(count for count, _ in pairs), sum(weight for _, weight in pairs)
    if total == 0 or len(pairs) < 2:
        return 1.0
    expected = [total * weight / scale for _, weight in pairs]
    statistic = sum((count - want) ** 2 / want for (count, _), want in zip(pairs, expected, strict=True))
    return float(special.chdtrc(len(pairs) - 1, statistic))


def log_e_value(counts: Sequence[int], weights: Sequence[float], *, concentration: float = CONCENTRATION) -> float:
    """Return the log e-value against "the split is as designed"; it may be looked at after every unit.

    A Dirichlet–multinomial mixture: with shares θ_j, a_j = cθ_j, counts S_j and n = ΣS_j,
    `log E = lnΓ(c) − Σ lnΓ(a_j) + Σ lnΓ(a_j + S_j) − lnΓ(c + n) − Σ S_j ln θ_j`.
    Under the designed split the chance that E ever reaches 1/α is at most α.
    Source: Lindon and Malek, NeurIPS 2022 (arXiv 2011.03567).

    Written out in that order, rounding costs about 1e-8 at a million units: nothing beside an alarm at ln 100.

    >>> round(log_e_value([821_588, 815_482], [1, 1]), 6)
    8.765972
    """
    pairs = [(count, weight) for count, weight in zip(counts, weights, strict=True) if weight > 0]
    scale = sum(weight for _, weight in pairs)
    shares = np.array([weight / scale for _, weight in pairs])
    seen = np.array([count for count, _ in pairs], dtype=np.float64)
    prior = concentration * shares
    total = special.gammaln(concentration) - special.gammaln(prior).sum() + special.gammaln(prior + seen).sum()
    return float(total - special.gammaln(concentration + seen.sum()) - (seen * np.log(shares)).sum())


def mixed_log_e_value(counts: Sequence[int], weights: Sequence[float]) -> float:
    """Return the log of the mean of e-values at concentrations 100, 1,000 and 10,000.

    The mean of e-values is an e-value, so it too may be watched. At 10,000 alone, a thousand units split 60 to 40 would
    raise no alarm; the mean sees small experiments and large ones, for at most ln 3 of the best.

    >>> round(log_e_value([600, 400], [1, 1]), 1), round(mixed_log_e_value([600, 400], [1, 1]), 1)
    (1.8, 16.0)
    """
    logs = [log_e_value(counts, weights, concentration=each) for each in (100.0, 1_000.0, CONCENTRATION)]
    return float(special.logsumexp(logs) - np.log(len(logs)))
