"""Shrinkage: recovery of what effects were drawn from, the winner's curse, stopping on odds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.stats.shrinkage import (
    FATTEST_DF,
    USUAL_DF,
    Prior,
    believed,
    learnt_prior,
    log_marginal,
    shrunk_together,
)


def drawn(rng, many, *, df=None, scale=0.01, se=(0.003, 0.01), location=0.001):
    """True effects, standard errors, estimates."""
    deviates = rng.standard_normal(many) if df is None else rng.standard_t(df, many)
    ses = rng.uniform(*se, many)
    truth = location + scale * deviates
    return truth, ses, truth + ses * rng.standard_normal(many)


@pytest.mark.slow
@pytest.mark.parametrize("df", [3.0, 8.0, None])
def test_the_scale_and_the_tails_are_recovered(df):
    """From 1,000 effects: location, scale and, where there are any, fat tails."""
    _, ses, x = drawn(np.random.default_rng(3), 1000, df=df)
    prior = learnt_prior(x, ses)
    assert prior.location == pytest.approx(0.001, abs=0.001)
    assert prior.scale == pytest.approx(0.01, rel=0.1)
    assert prior.df > 25 if df is None else prior.df == pytest.approx(df, rel=0.35)


def test_the_learnt_prior_is_the_most_likely():
    """No prior near it explains the estimates better."""
    _, ses, x = drawn(np.random.default_rng(5), 60, df=4.0)
    best = learnt_prior(x, ses)

    def likelihood(prior):
        return float(log_marginal(x, ses, prior).sum())

    for change in ({"location": best.location + 0.001}, {"location": best.location - 0.001}):
        assert likelihood(
            Prior(**{"df": best.df, "location": best.location, "scale": best.scale} | change)
        ) < likelihood(best)
    for factor in (0.8, 1.25):
        assert likelihood(Prior(df=best.df, location=best.location, scale=best.scale * factor)) < likelihood(best)
        if best.df * factor > FATTEST_DF:
            assert (
                likelihood(Prior(df=best.df * factor, location=best.location, scale=best.scale))
                < likelihood(best) + 1e-9
            )


def test_few_effects_learn_no_tails_and_fewer_nothing():
    """Below 30 the degrees of freedom are given; below 8 there is no prior."""
    _, ses, x = drawn(np.random.default_rng(1), 12)
    assert learnt_prior(x, ses).df == USUAL_DF
    with pytest.raises(ValueError, match="8 past effects"):
        learnt_prior(x[:7], ses[:7])
    with pytest.raises(ValueError, match="above 0"):
        learnt_prior(x, np.zeros(12))


def test_effects_that_differ_by_noise_alone_shrink_to_nothing():
    """No true effect anywhere: estimates are drawn nearly all the way in."""
    rng = np.random.default_rng(2)
    x = 0.01 * rng.standard_normal(200)
    prior = learnt_prior(x, np.full(200, 0.01))
    assert prior.scale < 0.004
    assert abs(believed(0.03, 0.01, prior).mean) < 0.012


def test_units_do_not_matter():
    """In per cent instead of shares everything is a hundred times as large."""
    _, ses, x = drawn(np.random.default_rng(6), 40, df=4.0)
    shares, percents = learnt_prior(x, ses), learnt_prior(100 * x, 100 * ses)
    assert percents.scale == pytest.approx(100 * shares.scale, rel=1e-4)
    assert percents.df == pytest.approx(shares.df, rel=1e-3)


def test_one_wild_effect_does_not_spoil_the_rest():
    """A success ten times larger than any other is kept, and the others stay drawn in: that is what fat tails are for."""
    _, ses, x = drawn(np.random.default_rng(8), 50, scale=0.005)
    wild = np.append(x, 0.3)
    prior = learnt_prior(wild, np.append(ses, 0.01))
    assert believed(0.3, 0.01, prior).mean > 0.29
    assert believed(0.02, 0.01, prior).mean < 0.012


def test_the_winners_curse_and_its_cure():
    """Effects N(0, 1 %), s = 0.5 %, shipped above 1.96: raw sums are 1.249 times the truth, shrunk ones 1."""
    rng = np.random.default_rng(11)
    truth = 0.01 * rng.standard_normal(1_000_000)
    x = truth + 0.005 * rng.standard_normal(1_000_000)
    won = x > 1.96 * 0.005
    learnt = learnt_prior(x[:400], np.full(400, 0.005))
    # The mean of what is believed is one function of the estimate; a table of it is enough.
    at = np.linspace(0.0098, 0.07, 200)
    shrunk = np.interp(x[won], at, [believed(float(each), 0.005, learnt).mean for each in at])
    assert x[won].sum() / truth[won].sum() == pytest.approx(1.249, abs=0.003)
    assert shrunk.sum() / truth[won].sum() == pytest.approx(1.0, abs=0.05)
    assert 0.8 * x[won].sum() / truth[won].sum() == pytest.approx(0.9995, abs=0.003), "0.8 is the normal prior's"


@pytest.mark.slow
def test_ranges_hold_the_truth_as_often_as_they_say():
    """With a prior learnt from 99 effects, 90 % ranges of another 4,000 hold 87 to 93 % of them, the winners' too."""
    rng = np.random.default_rng(21)
    _, ses, x = drawn(rng, 99, df=3.0)
    prior = learnt_prior(x, ses)
    truth, ses, x = drawn(rng, 4000, df=3.0)
    beliefs = [believed(float(one), float(se), prior) for one, se in zip(x, ses, strict=True)]
    inside = np.array([b.quantile(0.05) <= t <= b.quantile(0.95) for b, t in zip(beliefs, truth, strict=True)])
    assert 0.87 < inside.mean() < 0.93
    assert 0.85 < inside[x > 1.96 * ses].mean() < 0.95


@pytest.mark.slow
def test_stopping_on_odds_is_rarely_wrong_with_the_true_prior():
    """Looked at 50 times, stopped at odds of 19 to 1 for `above 0`: at most 1 in 20 of those stops is wrong."""
    rng, prior = np.random.default_rng(4), Prior(df=4.0, location=0.0, scale=0.01)
    truth = 0.01 * rng.standard_t(4.0, 3000)
    sums, stopped, flat = np.zeros(3000), np.zeros(3000, bool), np.zeros(3000, bool)
    for look in range(1, 51):
        sums += truth + 0.06 * rng.standard_normal(3000)
        se = 0.06 / np.sqrt(look)
        edges = np.linspace(-0.5, 0.5, 201)
        chances = np.array([believed(float(each), se, prior).chance_above(0.0) for each in edges])
        stopped |= np.interp(sums / look, edges, chances) >= 0.95
        flat |= sums / look / se >= 1.6449
    assert (truth[stopped] <= 0).mean() <= 0.05
    assert (truth[flat] <= 0).mean() > 0.1, "a flat prior's chances are no such promise"


# Segments of one experiment


def test_segments_that_agree_are_drawn_together_and_one_far_off_is_not():
    """Noise shrinks to the mean; what is ten standard errors away stays."""
    near = shrunk_together([0.01, 0.02, 0.03], [0.02, 0.02, 0.02])
    assert all(abs(belief.mean - 0.02) < 0.006 for belief in near)
    far = shrunk_together([0.0, 0.0, 0.2], [0.01, 0.01, 0.01])
    assert far[2].mean > 0.18


def test_one_segment_keeps_its_estimate():
    """There is nothing to draw it towards."""
    (belief,) = shrunk_together([0.04], [0.01])
    assert (belief.mean, belief.sd) == (pytest.approx(0.04), pytest.approx(0.01))


@given(
    effects=st.lists(st.floats(-1, 1), min_size=2, max_size=6),
    shift=st.floats(-2, 2),
    scale=st.floats(0.01, 100),
)
def test_segments_shrink_alike_in_any_unit(effects, shift, scale):
    """Shifted and scaled estimates give shifted and scaled beliefs, between the smallest and the largest."""
    ses = [0.1 + 0.05 * place for place in range(len(effects))]
    plain = shrunk_together(effects, ses)
    moved = shrunk_together([scale * (each + shift) for each in effects], [scale * each for each in ses])
    for one, other in zip(plain, moved, strict=True):
        assert other.mean == pytest.approx(scale * (one.mean + shift), abs=1e-6 * scale)
        assert min(effects) - 1e-9 <= one.mean <= max(effects) + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_ranges_of_segments_hold_the_truth(spread):
    """Six segments, whatever their true spread: 90 % ranges cover in 86 % or more."""
    rng, covered = np.random.default_rng(17), 0
    for _ in range(500):
        truth = 0.3 + spread * rng.standard_normal(6)
        ses = rng.uniform(0.5, 1.5, 6)
        for belief, true in zip(shrunk_together(truth + ses * rng.standard_normal(6), ses), truth, strict=True):
            covered += belief.quantile(0.05) <= true <= belief.quantile(0.95)
    assert covered / 3000 >= 0.86
