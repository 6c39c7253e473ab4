"""Value: from draws of the unknowns to the net benefit of a scenario over the horizon, month by month.

What is said of time: costs of building are paid at the start; from the day a scenario is ready its own benefit and running
cost replace those of what went on before, which is the scenario it needs, or else the baseline (the first scenario, where it
needs no building). Flows are discounted at the end of each month, PV = Σ c (1+r)^(-months/12). A lump `value` is taken as it is.
"""

import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.domain.errors import QuestionError
from embellie.domain.question import Question, Scenario
from embellie.frame.formulas import Formula, parse_formula
from embellie.frame.units import WEEKS_PER_MONTH, WEEKS_PER_YEAR, Dimensions, unit_text

Array = npt.NDArray[np.float64]

FIELDS = ("value", "benefit", "build", "run", "ready")
HORIZON = "horizon"


@dataclass(frozen=True, slots=True)
class Worth:
    """A scenario's net benefit and its cost (building and running), in money of today, one number per draw."""

    net: Array
    cost: Array


@dataclass(frozen=True, slots=True)
class Flow:
    """What a scenario brings and takes: money per week from `ready` (weeks), `build` at the start."""

    benefit: Array
    run: Array
    build: Array
    ready: Array


class Model:
    """A question compiled: every formula checked for names, cycles and units, ready to be evaluated.

    Args:
        question: As read from its file.

    Raises:
        QuestionError: A formula that cannot be used; says where and what to write.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self._formulas: dict[str, Formula] = {}
        self._units: dict[str, Dimensions] = {HORIZON: {"week": 1.0}}
        self._factors: dict[str, float] = {}
        self.notes: list[str] = []
        self._names = {HORIZON, *question.unknowns, *question.quantities, *question.formulas}
        for name, unknown in question.unknowns.items():
            self._units[name] = unknown.unit
        self._compile_names()
        self._compile_scenarios()
        self._knots, self._tail = _tail_of(question.horizon_weeks, question.discount)

    # compiling

    def _compile_names(self) -> None:
        texts = question_texts(self.question)
        parsed = {name: self._parse(text, self._place(name)) for name, text in texts.items()}
        graph = {name: formula.names & set(texts) for name, formula in parsed.items()}
        try:
            order = list(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise QuestionError(
                f"These formulas need one another in a circle: {circle}.",
                hint="Write one of them without the others.",
                at=self._at(self._place(error.args[1][0])),
            ) from None
        for name in order:
            self._formulas[name] = parsed[name]
            self._units[name] = self._unit(parsed[name], self._place(name)) or {}

    def _place(self, name: str) -> str:
        return f"formulas.{name}" if name in self.question.formulas else f"quantities.{name}"

    def _compile_scenarios(self) -> None:
        for name, scenario in self.question.scenarios.items():
            for field in FIELDS:
                text = getattr(scenario, field)
                if text:
                    self._compile_field(name, field, text)

    def _compile_field(self, name: str, field: str, text: str) -> None:
        place = f"scenarios.{name}.{field}"
        formula = self._parse(text, place)
        unit = self._unit(formula, place)
        money = self.question.currency
        wanted: Dimensions = {money: 1.0}
        factor = 1.0
        if field in {"benefit", "run"}:
            wanted = {money: 1.0, "week": -1.0}
            factor = 1 / WEEKS_PER_MONTH  # a bare number is money per month
        elif field == "ready":
            wanted = {"week": 1.0}
        bare = unit == {} and field != "ready"
        if unit is not None and not bare and dict(unit) != dict(wanted):
            expected = f"{money}/month" if "week" in wanted and money in wanted else unit_text(wanted)
            raise QuestionError(
                f"`{field}` of `{name}` comes out in {unit_text(unit)}, where {expected} is expected: `{text}`.",
                hint=self._units_of(formula.names) if formula.names else f"Write `{text} {expected}`.",
                at=self._at(place),
            )
        if bare and formula.names and field in {"benefit", "run"}:
            self.notes.append(f"`{field}` of `{name}` has no unit: `{text}` is taken as {money}/month.")
        self._formulas[place] = formula
        self._factors[place] = factor if bare else 1.0

    def _units_of(self, names: Iterable[str]) -> str:
        told = [f"`{name}` is {unit_text(self._units.get(name, {}))}" for name in sorted(names)]
        return f"Check the units of the names it uses: {', '.join(told)}."

    def _parse(self, text: str, place: str) -> Formula:
        try:
            return parse_formula(text, names=self._names, currency=self.question.currency)
        except QuestionError as error:
            raise QuestionError(error.message, hint=error.hint, at=self._at(place)) from None

    def _unit(self, formula: Formula, place: str) -> Dimensions | None:
        try:
            return formula.unit(self._units)
        except QuestionError as error:
            raise QuestionError(error.message, hint=error.hint, at=self._at(place)) from None

    def _at(self, place: str) -> str:
        return where(self.question, place)

    def expression(self, text: str, place: str, *, names: Mapping[str, Dimensions]) -> tuple[Formula, Dimensions]:
        """Compile a formula of a study, which may use further names of the given units."""
        try:
            formula = parse_formula(text, names=self._names | set(names), currency=self.question.currency)
            return formula, formula.unit({**self._units, **names}) or {}
        except QuestionError as error:
            raise QuestionError(error.message, hint=error.hint, at=self._at(place)) from None

    # using

    def used_by(self, scenario: str) -> frozenset[str]:
        """Return the unknowns a scenario's worth depends on, through formulas and through what it needs."""
        chain = [name for name in self._chain(scenario) if name in self.question.scenarios]
        places = [f"scenarios.{name}.{field}" for name in chain for field in FIELDS]
        waiting = [name for place in places if place in self._formulas for name in self._formulas[place].names]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += self._formulas[name].names if name in self._formulas else ()
        return frozenset(seen & set(self.question.unknowns))

    def names_in(self, dimensions: Dimensions) -> list[str]:
        """Return the quantities and unknowns in this very unit."""
        declared = [*self.question.quantities, *self.question.unknowns]
        return [name for name in declared if dict(self._units[name]) == dict(dimensions)]

    def named(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        """Return every name's value from the unknowns' draws (as written): quantities and formulas included, in base units."""
        values: dict[str, Array] = {HORIZON: np.asarray(self.question.horizon_weeks)}
        for name, unknown in self.question.unknowns.items():
            values[name] = np.asarray(draws[name]) * unknown.scale
        for name, formula in self._formulas.items():
            if "." not in name:
                values[name] = np.asarray(formula.value(values))
        return values

    def flow(self, values: Mapping[str, Array], scenario: str) -> Flow:
        """Return a scenario's own flows."""
        return Flow(*(self._field(values, scenario, field) for field in ("benefit", "run", "build", "ready")))

    def _field(self, values: Mapping[str, Array], scenario: str, field: str) -> Array:
        place = f"scenarios.{scenario}.{field}"
        if place not in self._formulas:
            return np.asarray(0.0)
        found = np.asarray(self._formulas[place].value(values), dtype=float) * self._factors[place]
        if not np.all(np.isfinite(found)):
            share = float(np.mean(~np.isfinite(found)))
            raise QuestionError(
                f"`{field}` of `{scenario}` has no finite value in {share:.1%} of the draws.",
                hint="Look for a division by something that can be 0, or a root or logarithm of a negative number.",
                at=self._at(place),
            )
        return found

    def is_lump(self, scenario: str) -> bool:
        """Whether a scenario gives one sum, without time."""
        return bool(self.question.scenarios[scenario].value)

    def worth(self, values: Mapping[str, Array], scenario: str, *, delay: float = 0.0) -> Worth:
        """Return a scenario's worth, begun `delay` weeks after today while the end of the horizon stays."""
        build = self._field(values, scenario, "build")
        if self.is_lump(scenario):
            value = self._field(values, scenario, "value")
            return Worth(value - build, build + 0.0 * value)
        rate = (1 + self.question.discount) ** (-delay / WEEKS_PER_YEAR)
        net: Array = np.asarray(0.0)
        cost: Array = np.asarray(0.0)
        steps = self._steps(values, scenario, delay)
        for place, (flow, begins) in enumerate(steps):
            ends = self.tail(steps[place + 1][1]) if place + 1 < len(steps) else 0.0
            weeks = self.tail(begins) - ends
            spent = flow.run * weeks + flow.build * rate
            net = net + flow.benefit * weeks - spent
            cost = cost + spent
        return Worth(net, cost)

    def _chain(self, scenario: str) -> list[str]:
        """What goes on before a scenario is ready, then the scenario: baseline, needed ones, itself."""
        chain = [scenario]
        while needed := self.question.scenarios[chain[0]].needs:
            chain.insert(0, needed)
        baseline = next(iter(self.question.scenarios))
        if chain[0] != baseline and _goes_on(self.question.scenarios[baseline]):
            chain.insert(0, baseline)
        return chain

    def _steps(self, values: Mapping[str, Array], scenario: str, delay: float) -> list[tuple[Flow, Array]]:
        """The flows in turn, each with the week it begins; nothing begins before what it is built on."""
        steps: list[tuple[Flow, Array]] = []
        baseline = next(iter(self.question.scenarios))
        for name in self._chain(scenario):
            flow = self.flow(values, name)
            goes_on = name == baseline and _goes_on(self.question.scenarios[name])
            begins = np.asarray(0.0) if goes_on else np.maximum(flow.ready, 0.0) + delay
            if steps:
                begins = np.maximum(begins, steps[-1][1])
            steps.append((flow, begins))
        return steps

    def tail(self, weeks: Array | float) -> Array:
        """Return today's worth of one unit of money per week from `weeks` to the end of the horizon."""
        return np.asarray(np.interp(weeks, self._knots, self._tail), dtype=float)


def value(draws: Mapping[str, Array], scenario: str, *, model: Model, delay: float = 0.0) -> Worth:
    """Return what a scenario is worth in each draw of the unknowns.

    Args:
        draws: One array per unknown, in the unit it is written in.
        scenario: Its name.
        model: The question, compiled.
        delay: Weeks before it is begun.
    """
    return model.worth(model.named(draws), scenario, delay=delay)


def values(
    draws: Mapping[str, Array], scenarios: Sequence[str], *, model: Model, delay: float = 0.0
) -> tuple[Array, Array]:
    """Return net benefit and cost as two arrays (scenarios, draws)."""
    named = model.named(draws)
    size = max((np.size(array) for array in draws.values()), default=1)
    worths = [model.worth(named, scenario, delay=delay) for scenario in scenarios]
    net = np.stack([np.broadcast_to(worth.net, (size,)) for worth in worths])
    cost = np.stack([np.broadcast_to(worth.cost, (size,)) for worth in worths])
    return net, cost


def _goes_on(baseline: Scenario) -> bool:
    """Whether the baseline is what happens today: it has flows, and nothing to build or wait for."""
    return not (baseline.value or baseline.build or baseline.ready or baseline.needs)


def _tail_of(horizon: float, discount: float) -> tuple[Array, Array]:
    months = np.arange(0.0, horizon, WEEKS_PER_MONTH)
    knots = np.append(months[months < horizon - 1e-6], horizon)
    worth = np.diff(knots) * (1 + discount) ** (-knots[1:] / WEEKS_PER_YEAR)
    return knots, np.append(np.cumsum(worth[::-1])[::-1], 0.0)


def question_texts(question: Question) -> dict[str, str]:
    """Return the texts of quantities and formulas by name."""
    return {**question.quantities, **question.formulas}


def where(question: Question, place: str) -> str:
    """Return `file:line` of a key, or of the table around it."""
    name = place
    while name and name not in question.lines:
        name = name.rpartition(".")[0]
    return f"{question.file or 'question.toml'}:{question.lines.get(name, 1)}"


def duration_weeks(text: str, *, currency: str) -> float:
    """Read a fixed duration such as `2 weeks` or `18 mois`.

    >>> duration_weeks("2 weeks", currency="EUR")
    2.0
    """
    formula = parse_formula(text, names=(), currency=currency)
    if dict(formula.unit({}) or {}) != {"week": 1.0}:
        raise QuestionError(f"`{text}` is no duration.", hint="Write something like `24 months` or `6 weeks`.")
    return float(formula.value({}))
