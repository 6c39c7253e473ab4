"""Two spreads over the same bins: alike, or not, and whether the samples are large enough to say."""

import numpy as np
import pytest

from embellie.stats.stability import population_stability


def test_samples_of_one_distribution_are_rarely_called_different():
    """Small or large, two samples of the same are told apart about once in a thousand times."""
    rng = np.random.default_rng(1)
    shares = np.array([0.5, 0.3, 0.1, 0.05, 0.05])
    for n in (60, 5000):
        false = sum(
            population_stability(rng.multinomial(n, shares), rng.multinomial(n, shares), units=(n, n)).real
            for _ in range(500)
        )
        assert false <= 5


def test_a_real_shift_is_called_one_when_there_is_enough_to_see_it():
    """The same shift is chance among twenty and real among two thousand."""
    before, after = [0.5, 0.5], [0.3, 0.7]
    assert not population_stability(before, after, units=(20, 20)).real
    assert population_stability(before, after, units=(2000, 2000)).real


def test_rows_of_one_reader_count_once():
    """What matters is how many independent units stand behind the shares, not the scale of the counts."""
    few = population_stability([5000, 5000], [3000, 7000], units=(20, 20))
    assert few.index == pytest.approx(population_stability([5, 5], [3, 7], units=(20, 20)).index)


def test_bins_must_agree():
    """Different bins cannot be compared."""
    with pytest.raises(ValueError, match="same bins"):
        population_stability([1, 2], [1, 2, 3], units=(3, 6))
