"""Looking ahead, held to closed forms, to quadrature, to nested sums, and to following the plan on fresh truths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from embellie.decide.branching import outcomes
from embellie.decide.looking_ahead import Prospects, follow, look_ahead, look_closer
from embellie.decide.preposterior import RANKS, Noise, evsi, subject
from embellie.decide.simulated_results import clue, signal_clue
from embellie.stats.distributions import quantile
from embellie.stats.sampling import normal_scores

ROWS = 8192
GRID = np.linspace(-8, 8, 4001)
WEIGHTS = np.exp(-0.5 * GRID**2) / np.exp(-0.5 * GRID**2).sum()


def loss(mean, sd):
    """The unit normal linear loss: what settling a normal difference is worth."""
    z = np.abs(mean) / sd
    return sd * (np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) - z * special.ndtr(-z))


def ahead(net, tests, costs, **options):
    """Look ahead where only results matter: no time passes, nothing is live meanwhile."""

    def settled(path):
        return net - sum(costs[move.test] for move in path)

    return look_ahead(Prospects(tests=tests, lives=(0,), settled=settled), **options)


def gain(net, tests, costs, **options):
    """Return what the best plan brings over acting at once."""
    outlook = ahead(net, tests, costs, **options)
    return outlook.gain(outlook.firsts[0])


@pytest.mark.parametrize(
    ("family", "parameters", "cost", "se"),
    [
        ("normal", (0.3, 1.0), 0.0, 0.7),
        ("lognormal", (0.05, 0.2), 0.12, 0.05),
        ("t", (4.0, 0.02, 0.02), 0.01, 0.01),
        ("t", (4.0, 0.02, 0.02), 0.03, 0.05),
    ],
)
def test_one_study_is_worth_its_evsi(family, parameters, cost, se):
    """For any prior, what quadrature says, within the error of both."""
    scores, noise = normal_scores(2 * ROWS, 2, seed=5).T
    x = quantile(family, parameters, scores)
    net = np.stack([0 * x, x - cost])
    nodes = quantile(family, parameters, RANKS)
    curve = subject(scores, net, carrier=x, nodes=RANKS, values=nodes)
    expected = evsi(curve, Noise(se=se))
    found = gain(net, [clue("s", "x", shown=x, noise=Noise(se=se), scores=noise)], [0.0])
    assert abs(found.value - expected.value) <= found.error + expected.error
    assert found.error < 0.03 * expected.value


def test_a_count_is_worth_its_evsi():
    """A beta prior and so many trials: quadrature over every count."""
    scores, noise = normal_scores(2 * ROWS, 2, seed=5).T
    p = quantile("beta", (2.0, 8.0), scores)
    net = np.stack([0 * p, p - 0.2])
    curve = subject(scores, net, carrier=p, nodes=RANKS, values=quantile("beta", (2.0, 8.0), RANKS))
    expected = evsi(curve, Noise(trials=20))
    found = gain(net, [clue("s", "p", shown=p, noise=Noise(trials=20), scores=noise)], [0.0])
    assert abs(found.value - expected.value) <= found.error + expected.error


def sequel(mean, first, second, cost):
    """Value of {0, X} where a second study, worth `loss(mean, second)`, may follow a first that moves the mean by `first`."""
    means = mean + first * GRID
    return float(WEIGHTS @ (np.maximum(means, 0) + np.maximum(loss(means, second) - cost, 0)))


@pytest.mark.parametrize("se", [(0.0, 0.0), (0.3, 0.5)])
def test_two_studies_of_two_unknowns_against_quadrature(se):
    """{0, A + B}: the better one goes first, and the second is run only where the first leaves it open."""
    (mean_a, sd_a), (mean_b, sd_b), costs = (0.2, 1.0), (-0.4, 1.5), (0.05, 0.08)
    a, b, one, two = normal_scores(2 * ROWS, 4, seed=3).T
    a, b = mean_a + sd_a * a, mean_b + sd_b * b
    tests = [
        clue("of_a", "a", shown=a, noise=Noise(se=se[0]), scores=one),
        clue("of_b", "b", shown=b, noise=Noise(se=se[1]), scores=two),
    ]
    outlook = ahead(np.stack([0 * a, a + b]), tests, costs)
    moved = sd_a**2 / np.hypot(sd_a, se[0]), sd_b**2 / np.hypot(sd_b, se[1])
    wanted = {
        "of_a": sequel(mean_a + mean_b, moved[0], moved[1], costs[1]) - costs[0],
        "of_b": sequel(mean_a + mean_b, moved[1], moved[0], costs[0]) - costs[1],
    }
    for node in outlook.firsts:
        found = outlook.gain(node)
        assert abs(found.value - wanted[tests[node.path[0].test].study]) <= found.error + 0.001
    best = tests[outlook.firsts[0].path[0].test].study
    assert best == max(wanted, key=lambda name: wanted[name])


def test_a_plan_found_in_few_draws_is_valued_in_many():
    """The same moves, at less than half the error, as quadrature has them."""
    (mean_a, sd_a), (mean_b, sd_b), costs = (0.2, 1.0), (-0.4, 1.5), (0.05, 0.08)

    def world(rows):
        a, b, one, two = normal_scores(rows, 4, seed=3).T
        a, b = mean_a + sd_a * a, mean_b + sd_b * b
        tests = [
            clue("of_a", "a", shown=a, noise=Noise(se=0.3), scores=one),
            clue("of_b", "b", shown=b, noise=Noise(se=0.5), scores=two),
        ]
        net = np.stack([0 * a, a + b])
        return Prospects(tests=tests, lives=(0,), settled=lambda path: net - sum(costs[move.test] for move in path))

    rough = look_ahead(world(1024))
    close = look_closer(rough, world(8 * 1024), most=1)
    wanted = sequel(mean_a + mean_b, sd_b**2 / np.hypot(sd_b, 0.5), sd_a**2 / np.hypot(sd_a, 0.3), costs[0]) - costs[1]
    assert close.firsts[0].path == rough.firsts[0].path
    assert [node.path for node in close.firsts[0].moves] == [node.path for node in rough.firsts[0].moves]
    found, before = close.gain(close.firsts[0]), rough.gain(rough.firsts[0])
    assert abs(found.value - wanted) <= found.error + 0.001
    assert found.error < before.error / 2


def test_the_thresholds_after_two_studies():
    """After the first result the second study is run between the two places where it is worth its cost."""
    (sd_a, sd_b), cost = (1.0, 1.5), 0.08
    a, b, one, two = normal_scores(2 * ROWS, 4, seed=3).T
    a, b = sd_a * a, sd_b * b
    tests = [
        clue("of_a", "a", shown=a, noise=Noise(), scores=one),
        clue("of_b", "b", shown=b, noise=Noise(), scores=two),
    ]
    outlook = ahead(np.stack([0 * a, a + b]), tests, [cost, cost])
    found = outcomes(outlook.firsts[0], tests, realised=outlook.firsts[0].realised, tolerance=1e-3)
    means = np.linspace(0, 8, 80_001)
    edge = float(means[np.argmax(loss(means, sd_a) < cost)])
    assert [outcome.choice for outcome in found] == [0, -1, 1]
    assert found[0].high == pytest.approx(-edge, abs=0.15)
    assert found[1].high == pytest.approx(edge, abs=0.15)
    assert found[1].chance == pytest.approx(2 * special.ndtr(edge / sd_b) - 1, abs=0.03)
    assert sum(outcome.chance for outcome in found) == pytest.approx(1.0)
    total = sum(outcome.chance * outcome.value for outcome in found)
    assert total == pytest.approx(outlook.firsts[0].value)


def test_two_results_on_one_unknown_add_up():
    """{0, X}: a rough study, then a better one of the same unknown: quadrature over the first."""
    mean, sd, first, second, costs = 0.2, 1.0, 1.5, 0.4, (0.01, 0.1)
    x, one, two = normal_scores(2 * ROWS, 3, seed=4).T
    x = mean + sd * x
    tests = [
        clue("rough", "x", shown=x, noise=Noise(se=first), scores=one),
        clue("fine", "x", shown=x, noise=Noise(se=second), scores=two),
    ]
    after = 1 / (1 / sd**2 + 1 / first**2)
    moved = after / np.sqrt(after + second**2)
    rough_first = sequel(mean, sd**2 / np.hypot(sd, first), moved, costs[1]) - costs[0] - mean
    fine_first = loss(mean, sd**2 / np.hypot(sd, second)) - costs[1]
    outlook = ahead(np.stack([0 * x, x]), tests, costs)
    for node in outlook.firsts:
        found = outlook.gain(node)
        wanted = rough_first if tests[node.path[0].test].study == "rough" else fine_first
        assert abs(found.value - wanted) <= found.error + 0.001


@pytest.mark.parametrize("normal", [False, True])
def test_every_policy_of_two_studies_by_nested_sums(normal):
    """Three options over two correlated normals: backward induction over grids of both results."""
    rho, se, costs = 0.4, (0.5, 0.7), (0.04, 0.05)
    a, rest, one, two = normal_scores(2 * ROWS, 4, seed=6).T
    b = rho * a + np.sqrt(1 - rho**2) * rest
    net = np.stack([0 * a, a - 0.1, a + 1.5 * b - 0.5])
    tests = [
        clue("of_a", "a", shown=a, noise=Noise(se=se[0]), scores=one, ties=["b"], normal=normal),
        clue("of_b", "b", shown=b, noise=Noise(se=se[1]), scores=two, ties=["a"], normal=normal),
    ]
    outlook = ahead(net, tests, costs)
    found = outlook.gain(outlook.firsts[0])
    assert abs(found.value - nested(rho, se, costs)) <= found.error + 0.001


def nested(rho, se, costs):
    """The best of all two-study policies: for each order, at each first result, settle or learn on; then settle."""
    prior = np.array([[1.0, rho], [rho, 1.0]])
    options = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.5]])
    constants = np.array([0.0, -0.1, -0.5])
    grid = GRID[::20]
    weights = WEIGHTS[::20] / WEIGHTS[::20].sum()
    best = 0.0
    for first, second in ((0, 1), (1, 0)):
        noise = prior[first, first] + se[first] ** 2
        gain_one = prior[:, first] / noise
        left = prior - np.outer(gain_one, prior[first])
        spread = np.sqrt(left[second, second] + se[second] ** 2)
        move = left[:, second] / spread
        total = 0.0
        for weight, z in zip(weights, grid, strict=True):
            centre = gain_one * np.sqrt(noise) * z
            settle = np.max(options @ centre + constants)
            worths = options @ (centre[:, None] + move[:, None] * grid) + constants[:, None]
            total += weight * max(settle, float(weights @ worths.max(axis=0)) - costs[second])
        best = max(best, total - costs[first])
    return best


def test_two_studies_that_only_tell_together():
    """{0, A B}: the first alone says nothing, and no threshold for the second alone tells what to do."""
    a, b, one, two = normal_scores(2 * ROWS, 4, seed=11).T
    tests = [
        clue("of_a", "a", shown=a, noise=Noise(se=0.5), scores=one),
        clue("of_b", "b", shown=b, noise=Noise(se=0.5), scores=two),
    ]
    outlook = ahead(np.stack([0 * a, a * b]), tests, [0.02, 0.02])
    node = outlook.firsts[0]
    found = outlook.gain(node)
    wanted = (1 / 1.25) * (2 / np.pi) / 2 - 0.04  # E[max(0, Â B̂)] = E|Â| E|B̂| / 2, for normals with mean 0
    assert wanted - 0.003 <= found.value <= wanted + 0.02  # the second is left out where the first is near 0
    told = outcomes(node, tests, realised=node.realised, tolerance=0.001)
    assert any(outcome.move is not None for outcome in told)


def oil(rows=ROWS):
    """Raiffa's wildcatter: net benefits, and the seismic test."""
    scores, noise = normal_scores(rows, 2, seed=2).T
    state = np.searchsorted(special.ndtri([0.5, 0.8]), scores)
    net = np.stack([0 * scores, np.array([-70.0, 50.0, 200.0])[state]])
    likelihood = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.4], [0.1, 0.3, 0.5]])
    return net, signal_clue("seismic", "well", state=state, likelihood=likelihood, scores=noise)


def test_the_oil_wildcatter():
    """Value 20, the seismic test worth 12.5 and 10 to pay: 2.5 net; no drilling after no structure."""
    net, seismic = oil()
    outlook = ahead(net, [seismic], [10.0])
    assert outlook.at_once.mean() == pytest.approx(20.0, rel=0.01)
    found = outlook.gain(outlook.firsts[0])
    assert abs(found.value - 2.5) <= found.error
    told = outcomes(outlook.firsts[0], [seismic], realised=outlook.firsts[0].realised, tolerance=0.1)
    assert {outcome.signals: outcome.choice for outcome in told} == {(0,): 0, (1, 2): 1}
    assert told[0].chance == pytest.approx(0.41, abs=0.01)


def test_a_second_signal_where_the_first_leaves_it_open():
    """Two independent seismic tests of one well, by enumeration of both signals."""
    net, seismic = oil(2 * ROWS)
    state = seismic.shown.astype(int)
    likelihood = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.4], [0.1, 0.3, 0.5]])
    again = signal_clue(
        "again", "well", state=state, likelihood=likelihood, scores=normal_scores(2 * ROWS, 3, seed=2)[:, 2]
    )
    prior, drill, cost = np.array([0.5, 0.3, 0.2]), np.array([-70.0, 50.0, 200.0]), 3.0
    wanted = -cost
    for signal in likelihood:
        joint = prior * signal
        both = [max(0.0, float(joint * other @ drill)) for other in likelihood]
        wanted += max(0.0, float(joint @ drill), sum(both) - cost * joint.sum())
    found = gain(net, [seismic, again], [cost, cost])
    assert abs(found.value - (wanted - 20.0)) <= found.error + 0.2


def test_following_the_plan_on_fresh_truths_brings_what_it_says():
    """20,000 new truths and new noise, not seen when the plan was made."""
    costs = [0.02, 0.05, 0.05]

    def world(scores):
        a, b, c = quantile("t", (4.0, 0.1, 0.6), scores[0]), -0.2 + scores[1], 0.5 * scores[2]
        tests = [
            clue("of_a", "a", shown=a, noise=Noise(se=0.8), scores=scores[3]),
            clue("of_b", "b", shown=b, noise=Noise(se=0.5), scores=scores[4]),
            clue("more_of_a", "a", shown=a, noise=Noise(se=0.3), scores=scores[5]),
        ]
        net = np.stack([0 * a, a - 0.1, a + b + c])
        return Prospects(tests=tests, lives=(0,), settled=lambda path: net - sum(costs[move.test] for move in path))

    made = world(normal_scores(2 * ROWS, 6, seed=9).T)
    outlook = look_ahead(made)
    node = outlook.firsts[0]
    stated = outlook.gain(node)
    fresh = world(np.random.default_rng(1).standard_normal((6, 20_000)))
    assert node.moves, "a plan of more than one study"
    realised = follow(node, made, fresh=fresh)
    more = realised - fresh.settled(())[outlook.best]
    error = 2 * more.std() / np.sqrt(len(more))
    assert stated.value > 20 * stated.error
    assert abs(more.mean() - stated.value) <= error + stated.error


@given(shift=st.floats(-0.5, 0.5), first=st.floats(0.2, 2.0), second=st.floats(0.2, 2.0), cost=st.floats(0.001, 0.1))
@settings(max_examples=25, deadline=None)
def test_more_studies_are_never_worth_less(shift, first, second, cost):
    """Within the error; and no more than knowing everything at once."""
    a, b, one, two = normal_scores(2048, 4, seed=8).T
    net = np.stack([0 * a, a + b + shift])
    tests = [
        clue("of_a", "a", shown=a, noise=Noise(se=first), scores=one),
        clue("of_b", "b", shown=b, noise=Noise(se=second), scores=two),
    ]
    both, alone = gain(net, tests, [cost, cost]), gain(net, tests[:1], [cost])
    assert both.value >= alone.value - both.error - alone.error
    assert both.value <= net.max(axis=0).mean() - net.mean(axis=1).max()


@given(scale=st.floats(1e-3, 1e6), shift=st.floats(-10, 10))
@settings(max_examples=25, deadline=None)
def test_the_currency_changes_nothing_but_the_scale(scale, shift):
    """Net benefits and costs in another unit, and something added to every option."""
    a, b, one, two = normal_scores(2048, 4, seed=8).T
    net = np.stack([0 * a, a + b + 0.1])
    tests = [
        clue("of_a", "a", shown=a, noise=Noise(se=0.5), scores=one),
        clue("of_b", "b", shown=b, noise=Noise(se=0.5), scores=two),
    ]
    found, other = gain(net, tests, [0.05, 0.05]), gain((net + shift) * scale, tests, [0.05 * scale] * 2)
    assert other.value == pytest.approx(found.value * scale, rel=1e-6)


def test_a_study_of_nothing_that_matters_is_worth_less_than_nothing():
    """It costs, and its noise does not mislead."""
    a, b, one = normal_scores(ROWS, 3, seed=8).T
    found = gain(np.stack([0 * a, a]), [clue("of_b", "b", shown=b, noise=Noise(se=1), scores=one)], [0.01])
    assert -0.01 - found.error - 0.004 <= found.value <= -0.01 + found.error


def test_what_is_live_meanwhile_and_taken_back():
    """{0, X} a week: put X live, see it exactly after w weeks, take it back at a price; against waiting for the test to end.

    Live first: E[wX + (H - w) max(X, -r)], with r the rollback per week left; waiting first: (H - w) E[max(X, 0)].
    """
    mean, sd, horizon, weeks = 0.3, 1.0, 50.0, 6.0
    x, noise = normal_scores(2 * ROWS, 2, seed=5).T
    x = mean + sd * x
    for rollback in (0.0, 60.0):

        def settled(path, rollback=rollback):
            if not path:
                return np.stack([0 * x, x * horizon])
            early = x * weeks if path[0].live else 0 * x
            back = rollback if path[0].live else 0.0
            return np.stack([early - back, early + x * (horizon - weeks)])

        test = clue("test", "x", shown=x, noise=Noise(), scores=noise)
        outlook = look_ahead(Prospects(tests=[test], lives=(0, 1), settled=settled))
        left, at_once = horizon - weeks, mean * horizon
        floor = -rollback / left
        live = mean * weeks + left * (floor + max(mean - floor, 0) + loss(mean - floor, sd)) - at_once
        wait = left * (mean + loss(mean, sd)) - at_once
        for node in outlook.firsts:
            found = outlook.gain(node)
            assert abs(found.value - (live if node.path[0].live else wait)) <= found.error + 0.01
        assert outlook.firsts[0].path[0].live == (1 if live > wait else 0)
    assert live < wait, "a dear rollback speaks for waiting"
