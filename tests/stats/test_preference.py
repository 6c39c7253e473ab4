"""Preference: random clicks favour nobody, true preferences are found, and looking often does no harm."""

import numpy as np
import pytest

from embellie.stats.estimators import two_sided_p
from embellie.stats.preference import paired_preference, sign_test

SLOTS = 4


def credit(rng, readers, *, lift=0.0, rate=0.12):
    """Readers of 1 to many slates, half of whose slots each team owns; the first team's are read `lift` more often."""
    slates = 1 + rng.geometric(0.4, readers)
    taste = rng.gamma(1.0, 1.0, readers)
    one, other = (rng.binomial(slates * SLOTS // 2, np.clip(rate * (1 + more) * taste, 0, 1)) for more in (lift, 0.0))
    return one, other, slates, taste


def test_random_clicks_favour_nobody():
    """Readers who choose without looking give both the same credit, within its error; tests alarm at their level."""
    rng = np.random.default_rng(1)
    found = [paired_preference(*credit(rng, 500)[:2], planned=400) for _ in range(1000)]
    means = np.array([one.mean_credit for one in found])
    assert abs(means.mean()) < 4 * means.std() / len(means) ** 0.5
    assert np.mean([one.t_p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.02)
    assert np.mean([one.sign_p < 0.05 for one in found]) < 0.06
    assert np.mean([one.low <= 0 <= one.high for one in found]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
def test_looking_every_day_keeps_the_level():
    """Looked at 20 times while readers come in, the always-valid interval excludes zero in fewer than 5 % of cases."""
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(500):
        one, other, *_ = credit(rng, 2000)
        looks = [paired_preference(one[:n], other[:n], planned=800) for n in range(200, 2001, 90)]
        wrong += any(look.always_low > 0 or look.always_high < 0 for look in looks)
    assert wrong / 500 < 0.05


def test_it_needs_fewer_readers_than_a_split():
    """At the same readers, a true preference is found far more often by interleaving than by comparing two halves."""
    rng = np.random.default_rng(3)
    found = {"interleaved": 0, "split": 0}
    for _ in range(200):
        one, other, slates, taste = credit(rng, 1000, lift=0.15)
        found["interleaved"] += paired_preference(one, other, planned=800).t_p < 0.05
        half = rng.permutation(1000) < 500
        rate = np.clip(0.12 * (1 + 0.15 * half) * taste, 0, 1)
        reads = rng.binomial(slates * SLOTS, rate)
        difference = reads[half].mean() - reads[~half].mean()
        se = (reads[half].var(ddof=1) / 500 + reads[~half].var(ddof=1) / 500) ** 0.5
        found["split"] += two_sided_p(difference / se) < 0.05
    assert found["interleaved"] > 2 * found["split"]
    assert found["interleaved"] > 80


def test_a_reader_counts_once():
    """One who reads a hundred things counts as one side, like one who reads one."""
    found = paired_preference([100.0] + [0.0] * 9, [0.0] + [1.0] * 9, planned=100)
    assert (found.wins, found.losses, found.delta) == (1, 9, pytest.approx(-0.4))


def test_swapping_the_two_turns_the_sign():
    """The comparison has no preferred order."""
    one, other, *_ = credit(np.random.default_rng(4), 300, lift=0.3)
    forth, back = paired_preference(one, other, planned=100), paired_preference(other, one, planned=100)
    assert forth.delta == pytest.approx(-back.delta)
    assert (forth.sign_p, forth.t_p) == pytest.approx((back.sign_p, back.t_p))


def test_the_sign_test_is_exact():
    """Against the binomial counted out."""
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(3, 3) == 1.0
    assert sign_test(2, 9) == sign_test(9, 2) == pytest.approx(2 * (1 + 11 + 55) / 2**11)
