"""Unknown values: what settling each unknown is worth, and each named group of them, with how sure that figure is."""

from collections.abc import Mapping, Sequence

import numpy as np

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import Sample
from embellie.decide.information import evpi, evppi, evppi_bound, evppi_group, normal_loss, permutation_floor
from embellie.decide.judging import is_open, spread_of
from embellie.domain.verdict import Figure, Method, Spread, UnknownValue
from embellie.stats.distributions import spread

_BOUNDED = 8
"""For how many of those valued by regression, worth most first, a lower bound and a floor of their own are found."""

_CHECKED = 2
_MOST_NORMALS = 64
_MATERIAL = 1e-3
"""Below this share of EVPI, what an unknown could change is nothing to ask about."""

_WIDE = 3 / 2.364624251592785
"""Three standard errors, in halves of a 95 % interval over eight scrambles."""


def value_unknowns(sample: Sample, conditional: Conditional, cheapest: Mapping[str, float]) -> tuple[UnknownValue, ...]:
    """Value every unknown of a question, worth most first.

    Args:
        sample: Its draws.
        conditional: Its conditional curves.
        cheapest: What the cheapest study of an unknown costs.
    """
    conditional.know(name for name in sample.question.unknowns if conditional.matters(name))
    found = {name: _worth(conditional, name) for name in sample.question.unknowns}
    ordered = sorted(found, key=lambda name: (-found[name][0].value, name))
    regressed = [name for name in ordered if found[name][1] == "spline"]
    bounds: dict[str, tuple[Figure | None, float]] = {name: (None, conditional.noise_floor()) for name in regressed}
    bounds |= {name: _bounds(conditional, name) for name in regressed[:_BOUNDED]}
    material = _MATERIAL * evpi(sample.draws.net).value
    return tuple(
        _unknown(
            sample,
            name,
            *found[name],
            least=max(material, cheapest.get(name, 0.0)),
            bounds=bounds.get(name, (None, 0.0)),
        )
        for name in ordered
    )


def _worth(conditional: Conditional, name: str) -> tuple[Figure, Method]:
    if not conditional.matters(name):
        return Figure(value=0.0, error=0.0), "none"
    return conditional.evppi(name), conditional.method(name)


def _bounds(conditional: Conditional, name: str) -> tuple[Figure | None, float]:
    """Return a lower bound of what a regression found, and what it would find for an unknown that matters nothing."""
    draws, net = conditional.sample.draws, conditional.regressed(name)
    bound = evppi_bound(draws.scores[name], net, carrier=draws.values[name])
    return bound, permutation_floor(draws.scores[name], net, seed=len(name) + draws.net.shape[1])


def _unknown(
    sample: Sample, name: str, worth: Figure, method: Method, *, least: float, bounds: tuple[Figure | None, float]
) -> UnknownValue:
    unknown = sample.question.unknowns[name]
    mean, p05, p50, p95 = spread(unknown.prior.family, unknown.prior.parameters)
    prior = Spread(mean=mean, p05=p05, p50=p50, p95=p95)
    lower, floor = bounds
    return UnknownValue(
        name=name,
        kind=unknown.kind,
        ask=unknown.ask,
        open=is_open(worth, floor, least),
        prior=prior,
        posterior=spread_of(sample.draws.values[name]) if sample.beliefs.touched(name) else prior,
        evppi=worth,
        method=method,
        lower=lower,
        floor=floor,
    )


def value_everything(sample: Sample, conditional: Conditional) -> Figure:
    """Value knowing everything: EVPI, in closed form where there is one.

    Where one unknown is all there is, it is that one's EVPPI. Where two scenarios differ by a sum of normals, which no evidence
    has touched, it is the unit normal loss of that difference. Else it is the mean over the draws.
    """
    sampled = evpi(sample.draws.net)
    if len(conditional.used) == 1:
        return conditional.evppi(next(iter(conditional.used)))
    apart = _sum_of_normals(sample, conditional)
    if apart is None:
        return sampled
    return Figure(value=normal_loss(*apart), error=1e-9 * abs(sampled.value) + 1e-12 * abs(apart[0]))


def _sum_of_normals(sample: Sample, conditional: Conditional) -> tuple[float, float] | None:
    """Return mean and sd of the difference of two scenarios that is a sum of normals, to the last digit of every draw."""
    question, draws = sample.question, sample.draws
    names = [name for name in question.unknowns if name in conditional.used]
    normal = all(question.unknowns[name].prior.family == "normal" for name in names)
    if (
        len(draws.net) != 2
        or not 0 < len(names) <= _MOST_NORMALS
        or not normal
        or any(sample.beliefs.touched(name) for name in names)
    ):
        return None
    scores = np.stack([draws.scores[name] for name in names])
    apart = draws.net[1] - draws.net[0]
    few = slice(None, None, max(len(apart) // 512, 1))
    basis = np.concatenate([np.ones((1, len(apart))), scores])
    weights, *_ = np.linalg.lstsq(basis[:, few].T, apart[few], rcond=None)
    if np.max(np.abs(weights @ basis - apart)) > 1e-9 * max(float(np.max(np.abs(apart))), 1e-300):
        return None
    ties = np.array([[conditional.others.correlation(one, other) for other in names] for one in names])
    return float(weights[0]), float(np.sqrt(max(weights[1:] @ ties @ weights[1:], 0.0)))


def value_groups(sample: Sample, conditional: Conditional) -> tuple[tuple[str, Figure], ...]:
    """Value every named group of unknowns, worth most first."""
    found = [(name, _of_group(sample, conditional, members)) for name, members in sample.question.groups.items()]
    return tuple(sorted(found, key=lambda group: (-group[1].value, group[0])))


def _of_group(sample: Sample, conditional: Conditional, members: Sequence[str]) -> Figure:
    """Average the others out where that is exact: if nothing but the members is left to draw, that is E[NB | group]."""
    others = conditional.others
    drawn = others.together(members) | frozenset(others.held(None).drawn)
    net = others.net(drawn)
    return evpi(net) if drawn == frozenset(members) else evppi_group([sample.draws.scores[m] for m in members], net)


def cross_check(conditional: Conditional, unknowns: Sequence[UnknownValue], everything: Figure) -> tuple[str, ...]:
    """Value everything, and the unknowns worth most, a second way from the draws, and say where the two are far apart."""
    sample, draws = conditional.sample, conditional.sample.draws
    notes = [_disagreement("everything", everything, evpi(draws.net))]
    for unknown in [unknown for unknown in unknowns if unknown.method in {"exact", "curve"}][:_CHECKED]:
        if sample.question.unknowns[unknown.name].prior.family != "discrete":
            second = evppi(draws.scores[unknown.name], draws.net, carrier=draws.values[unknown.name])
            slack = _MATERIAL * everything.value  # what is next to nothing may well differ
            notes.append(_disagreement(f"`{unknown.name}`", unknown.evppi, second, slack=slack))
    return tuple(note for note in notes if note)


def _disagreement(subject: str, first: Figure, second: Figure, *, slack: float = 0.0) -> str:
    if abs(second.value - first.value) <= _WIDE * (second.error + first.error) + 0.02 * first.value + slack:
        return ""
    return (
        f"Two ways of valuing {subject} disagree: {first.value:,.6g} by the formulas, {second.value:,.6g} by the draws. "
        "Ask for more draws before relying on either."
    )
