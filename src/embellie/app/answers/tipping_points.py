"""Tipping points: what each scenario is worth along an unknown, where the best of them changes, and how far each unknown swings it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import Array
from embellie.decide.preposterior import RANKS
from embellie.decide.tipping import lead, nearest_rival, tips, two_best
from embellie.domain.verdict import Curve, Swing, TippingPoint, UnknownValue
from embellie.stats.distributions import Z95, chance_of, discrete_law, score_of

CENTRAL = 0.998
"""Tipping points are looked for in this central share of what is believed of an unknown."""

DRAWN = 0.99
"""A curve is drawn over this central share."""

_POINTS = 61


@dataclass(frozen=True, slots=True)
class _Line:
    """Points along an unknown: its values, the chances of lying below them, and each scenario's net benefit (options, points)."""

    values: Array
    below: Array
    net: Array
    states: bool = False

    def at(self, place: float) -> tuple[float, float]:
        """Return the value at a place between two points, and the chance of lying above it."""
        points = np.arange(len(self.values))
        value = float(np.interp(place, points, self.values))
        if self.states:
            return value, float(1 - self.below[int(np.floor(place)) + 1])
        rank = np.interp(place, points, score_of(self.below))
        return value, float(chance_of(-rank))

    def net_at(self, value: float) -> Array:
        """Return each scenario's net benefit at a value."""
        if self.states:
            return np.asarray(self.net[:, int(np.argmin(np.abs(self.values - value)))])
        return np.array([np.interp(value, self.values, row) for row in self.net])


def tipping(conditional: Conditional, names: Sequence[str] | None = None) -> tuple[TippingPoint, ...]:
    """Return where the best scenario by mean changes along each unknown, all others as believed.

    Looked for in the central 99.8 % of what is believed now; values in the unit the unknown is written in. Of an unknown whose
    curve was found by regression on the draws, only where it is worth more than such a regression finds in nothing.

    Args:
        conditional: Over a sample of the question.
        names: The unknowns, in the order in which to tell of them; all, in the order of the file, when None.
    """
    return tuple(point for name in _asked(conditional, names) for point in _tipping_of(conditional, name))


def curves(conditional: Conditional, unknowns: Sequence[UnknownValue]) -> tuple[Curve, ...]:
    """Return each scenario's expected net benefit along the unknowns that could change the choice.

    Those are the ones worth more than their numerical error and noise floor, or with a tipping point. About sixty points
    lie between the 0.5 % and the 99.5 % quantile of what is believed now; of a discrete unknown, its values.
    """
    return tuple(
        _curve(conditional, unknown.name)
        for unknown in unknowns
        if conditional.matters(unknown.name) and (_is_worth(unknown) or _tipping_of(conditional, unknown.name))
    )


def tornado(conditional: Conditional, names: Sequence[str] | None = None) -> tuple[Swing, ...]:
    """Return by how much the best scenario leads its rival, were each unknown at its p05 or its p95; widest first.

    Best is the one of the highest mean. Its rival along an unknown is the scenario that comes closest to it, or overtakes it
    by most, at either end, of those whose distance the unknown changes. Unknowns that change none are left out.
    """
    best, _ = two_best(conditional.sample.draws.net.mean(axis=1))
    choices = conditional.sample.draws.choices
    found = []
    for name in _asked(conditional, names):
        line = _line(conditional, name, 1.0)
        ends = np.stack([line.net_at(value) for value in _ends(conditional, name)], axis=1)
        rival = nearest_rival(ends, best)
        if rival is not None:
            low, high = (float(each) for each in lead(ends, best=best, rival=rival))
            found.append(Swing(unknown=name, best=choices[best], rival=choices[rival], at_p05=low, at_p95=high))
    return tuple(sorted(found, key=lambda swing: (-abs(swing.at_p95 - swing.at_p05), swing.unknown)))


def _asked(conditional: Conditional, names: Sequence[str] | None) -> list[str]:
    wanted = conditional.sample.question.unknowns if names is None else names
    return [name for name in wanted if conditional.matters(name)]


def _is_worth(unknown: UnknownValue) -> bool:
    return unknown.evppi.value - unknown.evppi.error > max(unknown.floor, 0.0)


def _tipping_of(conditional: Conditional, name: str) -> list[TippingPoint]:
    line = _line(conditional, name, CENTRAL)
    found = tips(line.net)
    if found and conditional.method(name) == "spline":
        worth = conditional.evppi(name)
        if worth.value - worth.error <= conditional.noise_floor():
            return []
    choices, points = conditional.sample.draws.choices, []
    for tip in found:
        value, above = line.at(tip.place)
        points.append(
            TippingPoint(
                unknown=name, value=value, below=choices[tip.below], above=choices[tip.above], chance_above=above
            )
        )
    return points


def _curve(conditional: Conditional, name: str) -> Curve:
    line = _line(conditional, name, DRAWN)
    many = len(line.values)
    shown = np.unique(np.linspace(0, many - 1, min(_POINTS, many)).round().astype(int))
    return Curve(
        unknown=name,
        values=tuple(line.values[shown].tolist()),
        chances=tuple(line.below[shown].tolist()),
        net_benefit={
            choice: tuple(row[shown].tolist())
            for choice, row in zip(conditional.sample.draws.choices, line.net, strict=True)
        },
    )


def _line(conditional: Conditional, name: str, central: float) -> _Line:
    """Return an unknown's points within a central share of what is believed of it."""
    prior = conditional.sample.question.unknowns[name].prior
    if prior.family == "discrete":
        known = conditional.known(name)
        if known.states is not None and known.chances is not None:
            below = np.cumsum(known.chances) - known.chances
            return _Line(discrete_law(prior.parameters)[0], below, known.states[0], states=True)
    inside = np.abs(RANKS) <= score_of((1 + central) / 2)
    return _Line(conditional.values(name)[inside], chance_of(RANKS[inside]), conditional.net(name)[:, inside])


def _ends(conditional: Conditional, name: str) -> list[float]:
    """Return p05 and p95 of an unknown, as believed now."""
    return [float(value) for value in conditional.others.along(name, np.array([-Z95, Z95]))]
