"""Off-policy: the truth comes back from a log that explored, with intervals that cover it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.stats.off_policy import modelled_rewards, off_policy_value

ACTIONS, CONTEXTS, EXPLORES = 6, 4, 0.2
TABLE = np.array([[0.31, 0.20, 0.12, 0.05, 0.28, 0.24], [0.10, 0.35, 0.22, 0.30, 0.06, 0.27],
                  [0.24, 0.18, 0.08, 0.40, 0.33, 0.15], [0.29, 0.07, 0.45, 0.21, 0.13, 0.30]])  # fmt: skip
TRUTH = float(TABLE.max(axis=1).mean())


def logged(seed, readers=400):
    """A log of an ε-greedy policy with a poor favourite; the other policy takes each context's best article."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(readers), 1 + rng.geometric(0.25, readers))
    n = len(cluster)
    taste = rng.uniform(0.4, 1.6, readers)[cluster]
    context = rng.integers(0, CONTEXTS, n)
    favourite = TABLE.argmin(axis=1)[context]
    explores = rng.random(n) < EXPLORES
    shown = np.where(explores, rng.integers(0, ACTIONS, n), favourite)
    propensity = EXPLORES / ACTIONS + (1 - EXPLORES) * (shown == favourite)
    reward = (rng.random(n) < np.clip(TABLE[context, shown] * taste, 0, 1)).astype(float)
    return cluster, context, shown, propensity, reward, TABLE.argmax(axis=1)[context]


def valued(seed, readers=400, **how):
    cluster, context, shown, propensity, reward, would = logged(seed, readers)
    modelled = modelled_rewards(
        reward, shown=(shown, context * ACTIONS + shown), would=(would, context * ACTIONS + would), cluster=cluster
    )
    target = (shown == would).astype(float)
    return off_policy_value(reward, propensity=propensity, target=target, cluster=cluster, modelled=modelled, **how)


@pytest.fixture(scope="module")
def runs():
    return [valued(seed) for seed in range(400)]


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_the_truth_lies_in_the_interval(runs, name):
    """Of 95 % intervals clustered by reader, about 95 % cover the true value, at some 70 effective decisions."""
    covered = [getattr(run, name).low <= TRUTH <= getattr(run, name).high for run in runs]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)
    assert np.mean([getattr(run, name).value for run in runs]) == pytest.approx(TRUTH, abs=0.012)


def test_doubly_robust_is_closer_than_plain_weighting(runs):
    """With a model of the reward the error is clearly smaller than by weighting alone."""

    def error(name):
        return np.mean([(getattr(run, name).value - TRUTH) ** 2 for run in runs]) ** 0.5

    assert error("dr") < 0.85 * error("ips")


def test_the_gain_is_against_the_same_decisions(runs):
    """The gain is the difference of the two values; its interval covers the true one."""
    earned = float(np.mean((1 - EXPLORES) * TABLE.min(axis=1) + EXPLORES * TABLE.mean(axis=1)))
    assert all(run.gain.value == pytest.approx(run.dr.value - run.logged.value) for run in runs)
    assert np.mean([run.gain.low <= TRUTH - earned <= run.gain.high for run in runs]) == pytest.approx(0.95, abs=0.03)


def test_readers_not_slots_are_independent():
    """Where a reader's slots are alike, intervals by slot would be too narrow: writing each reader's slots twice changes none."""
    cluster, _, shown, propensity, reward, would = logged(1)
    target = (shown == would).astype(float)
    once = off_policy_value(reward, propensity=propensity, target=target, cluster=cluster)
    twice = off_policy_value(
        np.tile(reward, 2), propensity=np.tile(propensity, 2), target=np.tile(target, 2), cluster=np.tile(cluster, 2)
    )
    assert twice.ips.se == pytest.approx(once.ips.se)
    assert twice.effective_clusters == pytest.approx(once.effective_clusters)


def test_the_mean_weight_is_one_only_with_support():
    """Weights average 1 where every article had a chance, and less by what never had one."""
    cluster, context, shown, propensity, reward, would = logged(2, 1500)
    whole = off_policy_value(reward, propensity=propensity, target=shown == would, cluster=cluster)
    assert abs(whole.weight.value - 1) < 4 * whole.weight.se
    never = context == 0
    kept = ~(never & (shown == would))
    part = off_policy_value(
        reward[kept], propensity=propensity[kept], target=(shown == would)[kept],
        cluster=np.unique(cluster[kept], return_inverse=True)[1],
    )  # fmt: skip
    assert part.weight.value < 0.85


def test_cutting_weights_tells_its_bias():
    """Cut weights lower the estimate by exactly what is told."""
    whole, cut = valued(3), valued(3, clip=5.0)
    assert cut.clipped > 0
    assert whole.ips.value - cut.ips.value == pytest.approx(cut.clip_bias)
    assert cut.largest == whole.largest > 5


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5)), min_size=2, max_size=40))
def test_the_logs_own_policy_is_valued_as_earned(rows):
    """A policy that gives everything the chance it had is worth what was earned, by every estimator."""
    reward = [row[0] for row in rows]
    cluster = np.unique([row[1] for row in rows], return_inverse=True)[1]
    same = np.full(len(rows), 0.25)
    found = off_policy_value(reward, propensity=same, target=same, cluster=cluster)
    assert found.ips.value == pytest.approx(np.mean(reward))
    assert found.snips.value == pytest.approx(np.mean(reward))
    assert found.gain.value == pytest.approx(0, abs=1e-9)
    assert found.effective == pytest.approx(len(rows))


def test_the_model_never_sees_the_readers_own_rewards():
    """Changing one reader's rewards leaves what the model expects of that reader's slots as it was."""
    cluster, _, shown, _, reward, would = logged(4, 50)
    one, _ = modelled_rewards(reward, shown=(shown,), would=(would,), cluster=cluster)
    other, _ = modelled_rewards(
        np.where(cluster == 7, 1 - reward, reward), shown=(shown,), would=(would,), cluster=cluster
    )
    np.testing.assert_array_equal(one[cluster == 7], other[cluster == 7])
    assert not np.array_equal(one, other)


def test_an_article_never_shown_is_expected_to_earn_the_mean():
    """What nobody was ever shown has no cell of its own."""
    reward, cells = np.array([1.0, 0.0, 1.0, 0.0]), np.zeros(4, int)
    _, wanted = modelled_rewards(reward, shown=(cells,), would=(cells - 1,), cluster=[0, 1, 2, 3], folds=2)
    assert wanted.tolist() == pytest.approx([0.0, 1.0, 0.0, 1.0])
