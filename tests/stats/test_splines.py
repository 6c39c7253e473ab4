"""The penalised spline."""

import numpy as np
import pytest

from embellie.stats.sampling import normal_scores
from embellie.stats.splines import fit_curves

X, NOISE = normal_scores(4096, 2, seed=5).T


@pytest.mark.parametrize("shape", [np.sin, np.exp, lambda x: x**2 - 1, lambda x: 3 * x + 2])
def test_a_smooth_curve_is_found_under_noise(shape):
    """Within a few hundredths where most of the data lie."""
    nodes = np.linspace(-2, 2, 9)
    curve = fit_curves(X, np.array([shape(X) + NOISE]), blocks=8).at(nodes)[0, 0]
    assert curve == pytest.approx(shape(nodes), abs=0.08)


def test_fitted_agrees_with_at():
    """Two ways to the same curve."""
    curves = fit_curves(X, np.array([X**2 + NOISE, NOISE]), blocks=8)
    assert curves.fitted(X)[0] == pytest.approx(curves.at(X)[0], abs=1e-9)


def test_noise_has_no_curve():
    """What does not depend on x comes out nearly flat."""
    curve = fit_curves(X, np.array([NOISE]), blocks=8).at(np.linspace(-2, 2, 9))[0, 0]
    assert np.abs(curve).max() < 0.05


def test_a_carrier_is_followed_beyond_the_data():
    """A curve linear in its carrier stays so in the tail."""
    carrier = X**3
    curves = fit_curves(X, np.array([2 * carrier]), blocks=8, carrier=carrier)
    assert curves.at(np.array([6.0]), np.array([216.0]))[0, 0, 0] == pytest.approx(432.0)


def test_unseen_curves_have_not_seen_the_rows_they_are_read_at():
    """A spike in one block moves the curve elsewhere only: read in its own block, the fit does not know of it."""
    spiked = NOISE.copy()
    spiked[:512] += 50.0
    plain = fit_curves(X, np.array([NOISE]), blocks=8, crossed=True).unseen(X)[0]
    found = fit_curves(X, np.array([spiked]), blocks=8, crossed=True).unseen(X)[0]
    assert np.abs(found[:512] - plain[:512]).max() < 0.5
    assert found[512:].mean() - plain[512:].mean() == pytest.approx(50 / 7, rel=0.05)


def test_unseen_curves_must_be_asked_for():
    """They cost eight more fits."""
    with pytest.raises(ValueError, match="crossed"):
        fit_curves(X, np.array([NOISE]), blocks=8).unseen(X)
