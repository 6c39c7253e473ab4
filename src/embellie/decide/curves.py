"""Curves: what knowing one unknown is worth, from its conditional net benefits along the standard normal ranks of the unknown.

EVPPI = ∫ max_d f_d(r) φ(r) dr - max_d ∫ f_d(r) φ(r) dr,      f_d(r) = E[NB_d | unknown at rank r]

Between two ranks the integrand is smooth, where no two options cross: ∫ f φ by a four-point rule, of order 5. Where they cross,
each is taken up to the crossing, found from the same four points.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.decide.preposterior import RANKS

Array = npt.NDArray[np.float64]

_STEP = float(RANKS[1] - RANKS[0])
_BEYOND = 68

FAR: Array = _STEP * np.arange(-(len(RANKS) // 2) - _BEYOND, len(RANKS) // 2 + _BEYOND + 1.0)
"""`RANKS` and more of them on either side, out to ±8: an integral over them holds the whole of a fat tail."""

WITHIN = slice(_BEYOND, _BEYOND + len(RANKS))
"""Where `RANKS` are in `FAR`."""


def _density(ranks: Array) -> Array:
    return np.asarray(np.exp(-0.5 * ranks * ranks) / np.sqrt(2 * np.pi), dtype=float)


def _between(curves: Array, ranks: Array) -> Array:
    """Return ∫ f φ between each two neighbouring ranks, which are evenly spaced."""
    heights = curves * _density(ranks)
    inner = 13 * (heights[..., 1:-2] + heights[..., 2:-1]) - heights[..., :-3] - heights[..., 3:]
    first, last = (heights[..., place : place + 2].sum(axis=-1, keepdims=True) * 12 for place in (0, len(ranks) - 2))
    step = (ranks[-1] - ranks[0]) / (len(ranks) - 1)
    return np.asarray(np.concatenate([first, inner, last], axis=-1) * (step / 24), dtype=float)


def mean_of_curves(curves: Array, ranks: Array) -> Array:
    """Return E[f] over the last axis, evenly spaced standard normal ranks.

    >>> bool(abs(mean_of_curves(FAR**2, FAR) - 1) < 1e-9)
    True
    """
    total = special.ndtr(ranks[-1]) - special.ndtr(ranks[0])
    return np.asarray(_between(curves, ranks).sum(axis=-1) / total, dtype=float)


def gain_of_curves(curves: Array, ranks: Array) -> Array:
    """Return E[max_d f_d] - max_d E[f_d].

    Args:
        curves: Conditional net benefits (fits, options, ranks).
        ranks: Evenly spaced standard normal ranks.

    >>> gain = gain_of_curves(np.stack([0 * FAR, FAR])[None], FAR)[0]
    >>> bool(abs(gain / 0.3989422804014327 - 1) < 1e-6)
    True
    """
    pieces = _between(curves, ranks)
    top = curves.argmax(axis=1)
    before, after = top[:, :-1], top[:, 1:]
    chosen = np.take_along_axis(pieces, before[:, None, :], axis=1)[:, 0].sum(axis=1)
    fit, place = np.nonzero(before != after)
    near = np.clip(place + np.arange(-1, 3)[:, None], 0, len(ranks) - 1)
    won = _switched(curves[fit, :, near], start=ranks[place], width=float(ranks[1] - ranks[0]))
    gains = chosen + np.bincount(fit, won, len(curves)) - pieces.sum(axis=2).max(axis=1)
    return np.asarray(np.maximum(gains, 0.0), dtype=float)


def _switched(near: Array, *, start: Array, width: float) -> Array:
    """Return what changing over brings between two ranks, against keeping to the best at the first of them.

    `near` (4, places, options) are the curves at the rank before, at the two, and at the one after. Of the two options best at
    the ends it is ∫ D(r) φ(r) dr from their crossing c to the second rank e, with D their difference: a chord S (r - c₀) bent by
    its second differences κ. What a third option adds, best only in between, is summed along chords.
    """
    at = np.arange(near.shape[1])
    one, other = near[1].argmax(axis=1), near[2].argmax(axis=1)
    apart = near[:, at, other] - near[:, at, one]
    slope = np.maximum(apart[2] - apart[1], 1e-300) / width
    bend = (apart[0] - apart[1] - apart[2] + apart[3]) / (2 * width**2)
    end, chord = start + width, start - apart[1] / slope
    into = chord - start
    into = np.clip(into + 0.5 * bend * into * (width - into) / slope, 0.0, width)
    crossing = start + into
    share = special.ndtr(end) - special.ndtr(crossing)
    won = slope * (_density(crossing) - _density(end) - chord * share)
    left_out = width**3 / 6 - width * into**2 / 2 + into**3 / 3  # ∫ (r - start)(end - r) dr from the crossing
    won -= 0.5 * bend * left_out * _density(start + width / 2)
    if near.shape[2] > 2:
        shares = np.linspace(0.0, 1.0, 33)
        chords = near[1][:, :, None] + (near[2] - near[1])[:, :, None] * shares
        more = chords.max(axis=1) - np.maximum(chords[at, one], chords[at, other])
        won += more[:, 1:-1].sum(axis=1) * (width / 32) * _density(start + width / 2)
    return np.asarray(won, dtype=float)


def through(ranks: Array, curves: Array, wanted: Array) -> Array:
    """Return a cubic spline through curves (…, ranks), at other ranks.

    >>> bool(np.allclose(through(FAR[::8], FAR[::8] ** 3, FAR), FAR**3))
    True
    """
    from scipy.interpolate import CubicSpline

    return np.asarray(CubicSpline(ranks, curves, axis=-1)(wanted), dtype=float)


def chances_between(steps: Array) -> Array:
    """Return the probabilities of the states that lie between these ranks.

    >>> chances_between(np.array([0.0])).tolist()
    [0.5, 0.5]
    """
    return np.diff(np.concatenate([[0.0], special.ndtr(steps), [1.0]]))


def gain_of_states(curves: Array, chances: Array) -> Array:
    """Return E[max_d f_d] - max_d E[f_d] of an unknown that is one of a few states: curves (fits, options, states).

    >>> float(gain_of_states(np.array([[[0.0, 0.0], [-1.0, 3.0]]]), np.array([0.5, 0.5]))[0])
    0.5
    """
    weighed = curves * chances
    gains = weighed.max(axis=1).sum(axis=1) - weighed.sum(axis=2).max(axis=1)
    return np.asarray(np.maximum(gains, 0.0), dtype=float)


def smoothed(values: Array, ranks: Array, *, centres: Array, sd: float) -> Array:
    """Return E[Q(m + sd ε)] at each centre m, from the values of Q at evenly spaced ranks; ε is standard normal.

    >>> bool(abs(smoothed(np.exp(FAR), FAR, centres=np.array([0.5]), sd=1.0)[0] - np.exp(1.0)) < 1e-4)
    True
    """
    if sd < 0.06:
        return np.asarray(np.interp(centres, ranks, values), dtype=float)
    kernel = np.exp(-0.5 * ((ranks - centres[:, None]) / sd) ** 2)
    return np.asarray(np.einsum("ck,k->c", kernel, values) / kernel.sum(axis=1), dtype=float)
