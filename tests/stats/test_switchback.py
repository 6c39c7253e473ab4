"""Switchback: every path gone through, the estimate is the truth on average, its variance never too small on average."""

import math

import numpy as np
import pytest

from embellie.stats.switchback import (
    all_paths,
    blocks_of,
    carry_over_sign,
    conservative_variance,
    path_effects,
    randomisation_points,
    switchback_effect,
)


def outcomes(seed, carry_over):
    """Outcomes that depend, freely, on the period and on the arms of it and of those before."""
    rng, known = np.random.default_rng(seed), {}

    def outcome(t, window):
        return known.setdefault((t, window), rng.normal(2, 3))

    return lambda path: [outcome(t, tuple(path[max(0, t - carry_over) : t + 1].tolist())) for t in range(len(path))]


@pytest.mark.parametrize(("periods", "carry_over"), [(8, 1), (12, 2), (6, 0)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_over_all_paths_the_estimate_is_the_truth(periods, carry_over, seed):
    """Enumerated, the expectation equals the effect to 1e-10, and the variance is at most the mean of its estimate."""
    points = randomisation_points(periods, carry_over)
    blocks = blocks_of(periods, points)
    of = outcomes(seed, carry_over)
    effects, variances = [], []
    for path in all_paths(blocks):
        y = of(path)
        effects.append(path_effects(y, path[None, :], blocks, carry_over)[0])
        variances.append(conservative_variance(y, path, blocks, carry_over))
    on, off = (of(np.full(periods, side)) for side in (1, 0))
    truth = np.mean(np.array(on)[carry_over:] - np.array(off)[carry_over:])
    assert abs(np.mean(effects) - truth) < 1e-10
    assert np.var(effects) <= np.mean(variances)


def test_the_points_are_those_of_the_paper():
    """For T = n·m the coins fall at 1, 2m + 1, 3m + 1, …, (n − 2)m + 1; without carry-over at every period."""
    assert randomisation_points(8, 1) == (1, 3, 4, 5, 6, 7)
    assert randomisation_points(12, 2) == (1, 5, 7, 9)
    assert randomisation_points(12, 3) == (1, 7)
    assert randomisation_points(4, 0) == (1, 2, 3, 4)


def test_those_points_beat_coins_every_period_and_rare_ones():
    """Where outcomes are alike in all periods, the best points have a smaller variance than the usual alternatives."""

    def variance(points):
        blocks = blocks_of(12, points)
        return np.var(path_effects(np.ones(12), all_paths(blocks), blocks, 2))

    best = variance(randomisation_points(12, 2))
    assert best < variance(tuple(range(1, 13)))
    assert best < variance((1, 7))
    assert best <= variance((1, 4, 7, 10))


def test_p_values_are_even_without_effect():
    """Under no effect on any period, over all paths, p ≤ 5 % comes in at most 5 %."""
    rng = np.random.default_rng(4)
    y = rng.normal(5, 2, 8)
    points = randomisation_points(8, 1)
    blocks = blocks_of(8, points)
    found = [switchback_effect(y, path, points=points, carry_over=1).p_value for path in all_paths(blocks)]
    for level in (0.05, 0.1, 0.5):
        assert np.mean(np.array(found) <= level) <= level
    assert max(found) == 1.0


@pytest.mark.slow
def test_intervals_cover_with_drift_and_days():
    """60 periods with a daily pattern and a drift: the 95 % interval covers the total effect at least that often, nearly."""
    rng = np.random.default_rng(5)
    points = randomisation_points(60, 1)
    blocks = blocks_of(60, points)
    season = 10 + 2 * np.sin(np.arange(60) / 6 * 2 * math.pi) + np.arange(60) / 60
    covered, ps = [], []
    for _ in range(200):
        path = rng.integers(0, 2, len(points))[blocks]
        before = np.concatenate([[path[0]], path[:-1]])
        y = season + 0.7 * path + 0.3 * before + rng.normal(0, 0.5, 60)
        found = switchback_effect(y, path, points=points, carry_over=1)
        covered.append(found.low <= 1.0 <= found.high)
        ps.append(found.p_value)
    assert np.mean(covered) >= 0.94


def test_a_baseline_narrows_what_a_level_widens():
    """Outcomes a hundred above zero: taking their level off makes the error many times smaller."""
    rng = np.random.default_rng(6)
    points = randomisation_points(20, 1)
    path = rng.integers(0, 2, len(points))[blocks_of(20, points)]
    y = 100 + path + rng.normal(0, 0.3, 20)
    plain = switchback_effect(y, path, points=points, carry_over=1, baseline=0.0)
    level = switchback_effect(y, path, points=points, carry_over=1, baseline=100.0)
    assert level.se < plain.se / 20
    assert level.low < 1 < level.high


def test_many_coins_are_sampled_with_a_seed():
    """Beyond 14 coins paths are drawn: the same seed gives the same p, never below one in the number of draws."""
    rng = np.random.default_rng(7)
    points = randomisation_points(40, 1)
    path = rng.integers(0, 2, len(points))[blocks_of(40, points)]
    y = 3.0 * path + rng.normal(0, 0.1, 40)
    one, again = (switchback_effect(y, path, points=points, carry_over=1, seed=2) for _ in range(2))
    assert one == again
    assert not one.exact
    assert 1 / 10_001 <= one.p_value < 0.01


def test_more_carry_over_than_assumed_shows():
    """An effect that takes two periods to come shows as carry-over where one is assumed, and not where two are."""
    rng = np.random.default_rng(8)
    found = {0: [], 2: []}
    for _ in range(60):
        points = randomisation_points(80, 1)
        path = rng.integers(0, 2, len(points))[blocks_of(80, points)]
        late = np.convolve(path, [0.2, 0.4, 0.4])[:80]
        y = late + rng.normal(0, 0.15, 80)
        for assumed, seen in found.items():
            seen.append(carry_over_sign(y, path, assumed))
    assert np.mean(np.array(found[0]) > 3) > 0.9
    assert np.nanmean(np.array(found[2]) > 3) < 0.1
