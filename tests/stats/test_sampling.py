"""Draws and their numerical error."""

import numpy as np
import pytest

from embellie.stats.sampling import correlation_matrix, normal_scores, numerical_error


def test_same_seed_same_bytes():
    """Drawing is deterministic, and another seed differs."""
    assert normal_scores(256, 3, seed=1).tobytes() == normal_scores(256, 3, seed=1).tobytes()
    assert normal_scores(256, 3, seed=1).tobytes() != normal_scores(256, 3, seed=2).tobytes()


def test_scores_are_standard_normal():
    """Mean 0, sd 1, and no correlation between columns, far closer than random draws would be."""
    scores = normal_scores(16_384, 5, seed=3)
    assert np.abs(scores.mean(axis=0)).max() < 1e-3
    assert np.cov(scores.T) == pytest.approx(np.eye(5), abs=5e-3)


def test_the_error_is_never_zero():
    """Rounding is an error too."""
    assert numerical_error(np.ones(8), scale=1.0) > 0


def test_impossible_correlations_are_mended():
    """Three that contradict one another become the nearest ones that do not, and the change is told."""
    matrix, change = correlation_matrix(["a", "b", "c"], {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9})
    assert np.linalg.eigvalsh(matrix)[0] > 0
    assert np.diag(matrix) == pytest.approx(np.ones(3))
    assert change > 0.05


def test_mending_leaves_alone_what_no_correlation_ties():
    """The nearest matrix has no new ties between those that contradict one another and the rest."""
    pairs = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}
    alone, _ = correlation_matrix(["a", "b", "c"], pairs)
    among, _ = correlation_matrix(["x", "a", "y", "b", "c"], pairs)
    assert among[np.ix_([1, 3, 4], [1, 3, 4])] == pytest.approx(alone)
    assert among[[0, 2]].tolist() == np.eye(5)[[0, 2]].tolist()
