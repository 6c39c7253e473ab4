"""Discrete unknowns, held to sums worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.decide.discrete import conditional_means, evsi_of_signals
from embellie.stats.distributions import quantile
from embellie.stats.sampling import SCRAMBLES, normal_scores

STATES = (-70.0, 50.0, 200.0, 0.5, 0.3, 0.2)
CHANCES = np.array([0.5, 0.3, 0.2])


@pytest.fixture
def wells():
    """Dry, wet and soaking wells, and noise that says nothing."""
    scores = normal_scores(4096, 2, seed=3)
    drawn = quantile("discrete", STATES, scores[:, 0])
    return drawn, np.stack([0 * drawn, drawn + scores[:, 1]])


def test_knowing_the_state_of_an_oil_well(wells):
    """Raiffa's wildcatter: 35 with perfect information."""
    means = conditional_means(*wells, STATES[:3])
    found = evsi_of_signals(means, CHANCES, np.eye(3), scale=50.0)[1]
    assert found.value == pytest.approx(35.0, rel=0.005)
    assert abs(found.value - 35.0) <= found.error


def test_a_seismic_test_of_an_oil_well(wells):
    """Its signal is worth 12.5, by all draws and by each scramble."""
    seismic = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.4], [0.1, 0.3, 0.5]])
    replicates, found = evsi_of_signals(conditional_means(*wells, STATES[:3]), CHANCES, seismic)
    assert found.value == pytest.approx(12.5, rel=0.005)
    assert len(replicates) == 1 + SCRAMBLES


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_signal_is_worth_between_nothing_and_the_state_itself(first, second):
    """0 <= EVSI <= EVPPI for any likelihood."""
    means = np.array([[0.0, 0.0, 0.0], [-70.0, 50.0, 200.0]])[None].repeat(1 + SCRAMBLES, axis=0)
    raw = np.array([first, second])
    signal = evsi_of_signals(means, CHANCES, raw / raw.sum(axis=0))[1].value
    assert 0 <= signal <= evsi_of_signals(means, CHANCES, np.eye(3))[1].value + 1e-9


def test_a_signal_that_says_the_same_in_every_state_is_worth_nothing():
    """Its columns are alike."""
    means = np.array([[0.0, 0.0], [-1.0, 3.0]])[None].repeat(1 + SCRAMBLES, axis=0)
    assert evsi_of_signals(means, np.array([0.5, 0.5]), np.full((2, 2), 0.5))[1].value == 0.0
