"""Shares: one chi-square test for all groups."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from embellie.stats.shares import same_share_p


@pytest.mark.parametrize("groups", [2, 3, 7])
def test_it_is_pearsons_test(groups):
    """The same p-value as the reference's, to 1e-12."""
    rng = np.random.default_rng(groups)
    units = rng.integers(50, 5000, groups)
    yes = rng.binomial(units, 0.1)
    theirs = chi2_contingency([yes, units - yes], correction=False).pvalue
    assert same_share_p(yes.tolist(), units.tolist()) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(("yes", "units"), [([0, 0], [5, 5]), ([5, 5], [5, 5]), ([1], [5]), ([1, 0], [5, 0])])
def test_where_nothing_varies_there_is_no_answer(yes, units):
    """Nobody did it, all did, or there is one group only: None, not 1."""
    assert same_share_p(yes, units) is None
