"""Sample sizes against the published rule and simulation."""

import math

import numpy as np
import pytest

from embellie.stats.sample_size import rule_of_thumb, smallest_effect, units_per_arm


def test_the_published_example():
    """16 s²/d² for 5 % and a relative effect of 5 %: 121,600 per arm (Kohavi et al. 2009)."""
    assert rule_of_thumb(math.sqrt(0.05 * 0.95), 0.05 * 0.05) == pytest.approx(121_600, rel=1e-12)


def test_the_power_is_what_was_asked_for():
    """Simulated at the computed size, 80 % of experiments see the effect."""
    n = math.ceil(units_per_arm(1.0, 0.2))
    rng = np.random.default_rng(2)
    z = (0.2 + rng.standard_normal(20_000) * math.sqrt(2 / n)) / math.sqrt(2 / n)
    assert (np.abs(z) > 1.959964).mean() == pytest.approx(0.8, abs=0.01)


def test_size_and_smallest_effect_are_inverse():
    """The smallest effect at a size needs that size."""
    assert units_per_arm(3.0, smallest_effect(3.0, 1234.0)) == pytest.approx(1234.0)
