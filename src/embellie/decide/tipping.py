"""Tipping: where along an unknown the best option changes, and by how much one leads another at its ends.

Curves are taken as straight between their points, in the unknown's own values: exact where net benefits are affine in it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Tip:
    """The best option is `below` up to a place and `above` from there; 2.25 is a quarter of the way from point 2 to point 3."""

    place: float
    below: int
    above: int


def tips(net: Array) -> tuple[Tip, ...]:
    """Return where the upper envelope of several curves passes from one to another, in rising order.

    Args:
        net: What each option is worth at each point (options, points).

    >>> tips(np.array([[0.0, 0.0, 0.0], [-1.0, 3.0, 3.0]]))
    (Tip(place=0.25, below=0, above=1),)
    """
    close = _ROUNDING * float(np.max(np.abs(net), initial=0.0))
    best = int(np.argmax(net[:, 0]))
    if not np.any(net - net[best] > close):
        return ()
    found: list[Tip] = []
    for point in range(net.shape[1] - 1):
        along = 0.0
        while (after := _overtaken(net[:, point], net[:, point + 1], best, along, close)) is not None:
            along, above = after
            found.append(Tip(point + along, best, above))
            best = above
    return tuple(found)


def _overtaken(left: Array, right: Array, best: int, along: float, close: float) -> tuple[float, int] | None:
    """Return where between two points the best option is overtaken first after `along`, and by which."""
    behind, ahead = np.minimum(left - left[best], 0.0), right - right[best]
    rising = np.flatnonzero(ahead > close)
    if not len(rising):
        return None
    places = np.maximum(behind[rising] / (behind[rising] - ahead[rising]), along)
    soonest = np.flatnonzero(places <= places.min() + 1e-12)
    first = rising[soonest[int(np.argmax(ahead[rising[soonest]]))]]
    return float(places.min()), int(first)


def lead(net: Array, *, best: int, rival: int) -> Array:
    """Return by how much one option leads another at each point.

    >>> lead(np.array([[0.0, 1.0], [2.0, 5.0]]), best=1, rival=0).tolist()
    [2.0, 4.0]
    """
    return np.asarray(net[best] - net[rival], dtype=float)


def nearest_rival(ends: Array, best: int) -> int | None:
    """Return which option comes closest to the best one at either end, of those whose distance differs between the ends.

    Args:
        ends: What each option is worth at each end (options, 2).
        best: The option that leads on average.

    >>> nearest_rival(np.array([[0.0, 0.0], [-3.0, 9.0], [-8.0, 1.0]]), 1)
    0
    """
    least = _ROUNDING * float(np.max(np.abs(ends), initial=0.0))
    leads = ends[best] - ends
    moved = [at for at in range(len(ends)) if at != best and abs(leads[at, 1] - leads[at, 0]) > least]
    return min(moved, key=lambda at: float(leads[at].min()), default=None)


def two_best(means: Array) -> tuple[int, int]:
    """Return the option of the highest mean and the next; of equal ones the first.

    >>> two_best(np.array([0.0, 3.0, 3.0]))
    (1, 2)
    """
    order = np.argsort(-means, kind="stable")
    return int(order[0]), int(order[1])
