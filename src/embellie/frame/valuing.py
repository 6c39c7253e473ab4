"""Value: from draws of the unknowns to the net benefit of a scenario, or of a course through several, over the horizon.

What is said of time: costs of building are paid when one begins; from the day a scenario is ready its own benefit and running
cost replace those of what went on before, which is the scenario it needs, or else the baseline (the first scenario, where it
needs no building). Flows are discounted at the end of each month, PV = Σ c (1+r)^(-months/12). Once live, a benefit grows
linearly from nothing to the whole over its `ramp`, and fades by the factor (1 - obsolescence)^years, both counted from its first
going live. A scenario that is `built` costs nothing to build and is ready. A lump `value` is taken as it is.
"""

import graphlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from embellie.domain.errors import QuestionError
from embellie.domain.question import Question
from embellie.frame.formulas import Formula, parse_formula
from embellie.frame.months import Months
from embellie.frame.timeline import Flow, Stage, Timeline, Worth, built_on, goes_on
from embellie.frame.units import WEEKS_PER_MONTH, WEEKS_PER_YEAR, Dimensions, unit_text

__all__ = [
    "FIELDS", "HORIZON", "Flow", "Model", "Stage", "Worth", "duration_weeks", "question_texts", "value", "values", "where",
]  # fmt: skip

Array = npt.NDArray[np.float64]

FIELDS = ("value", "benefit", "build", "run", "ready", "ramp", "obsolescence", "rollback")
HORIZON = "horizon"


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
        self._months = Months(question.horizon_weeks, question.discount)

    # compiling

    def _compile_names(self) -> None:
        texts = question_texts(self.question)
        parsed = {name: self._parse(text, self._place(name), own=name) for name, text in texts.items()}
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
        wanted: tuple[Dimensions, str] = {money: 1.0}, money
        factor, plain = 1.0, 1.0  # how much of the field's own unit a base unit is, and a bare number
        if field in {"benefit", "run"}:
            wanted = {money: 1.0, "week": -1.0}, f"{money}/month"
            plain = 1 / WEEKS_PER_MONTH
        elif field == "obsolescence":
            wanted = {"week": -1.0}, "a share per year"
            factor = WEEKS_PER_YEAR
        elif field in {"ready", "ramp"}:
            wanted = {"week": 1.0}, "a duration such as weeks"
        bare = unit == {} and field not in {"ready", "ramp"}
        if unit is not None and not bare and dict(unit) != dict(wanted[0]):
            unit_wanted = {"obsolescence": "%/year", "ready": "weeks", "ramp": "weeks"}.get(field, wanted[1])
            raise QuestionError(
                f"`{field}` of `{name}` comes out in {unit_text(unit)}, where {wanted[1]} is expected: `{text}`.",
                hint=self._units_of(formula.names)
                if formula.names
                else f"Write `{text} {unit_wanted}`."
                if not unit
                else f"Write it in {unit_wanted}.",
                at=self._at(place),
            )
        if bare and formula.names and field in {"benefit", "run"}:
            self.notes.append(f"`{field}` of `{name}` has no unit: `{text}` is taken as {money}/month.")
        self._factors[place] = plain if bare else factor
        self._formulas[place] = formula

    def _units_of(self, names: Iterable[str]) -> str:
        told = [f"`{name}` is {unit_text(self._units.get(name, {}))}" for name in sorted(names)]
        return f"Check the units of the names it uses: {', '.join(told)}."

    def _parse(self, text: str, place: str, *, own: str = "") -> Formula:
        try:
            return parse_formula(text, names=self._names, currency=self.question.currency, own=own)
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
        places = [place for name in self._chain(scenario) for place in self._places(name)]
        waiting = [name for place in places for name in self._formulas[place].names]
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

    def _places(self, scenario: str) -> list[str]:
        """Return the fields of a scenario that count, as the places of their formulas."""
        ignored = {"build", "ready"} if self.question.scenarios[scenario].built else set()
        places = (f"scenarios.{scenario}.{field}" for field in FIELDS if field not in ignored)
        return [place for place in places if place in self._formulas]

    def flow(self, values: Mapping[str, Array], scenario: str) -> Flow:
        """Return a scenario's own flows."""
        fields = ("benefit", "run", "build", "ready", "ramp", "obsolescence", "rollback")
        return Flow(*(self._field(values, scenario, field) for field in fields))

    def _field(self, values: Mapping[str, Array], scenario: str, field: str) -> Array:
        place = f"scenarios.{scenario}.{field}"
        if place not in self._places(scenario):
            return np.asarray(0.0)
        found = np.asarray(self._formulas[place].value(values), dtype=float) * self._factors[place]
        if not np.all(np.isfinite(found)):
            share = float(np.mean(~np.isfinite(found)))
            raise QuestionError(
                f"`{field}` of `{scenario}` has no finite value in {share:.1%} of the draws.",
                hint="Look for a division by something that can be 0, or a root or logarithm of a negative number.",
                at=self._at(place),
            )
        if field == "obsolescence" and np.any(found >= 1):
            share = float(np.mean(found >= 1))
            raise QuestionError(
                f"`obsolescence` of `{scenario}` is 100 % a year or more in {share:.1%} of the draws.",
                hint="It is the share of the benefit lost in a year: write something like `20 %/year`.",
                at=self._at(place),
            )
        return found

    def is_lump(self, scenario: str) -> bool:
        """Whether a scenario gives one sum, without time."""
        return bool(self.question.scenarios[scenario].value)

    def worth(self, values: Mapping[str, Array], scenario: str, *, delay: float = 0.0) -> Worth:
        """Return a scenario's worth, begun `delay` weeks after today while the end of the horizon stays."""
        return self.course(values, [Stage(scenario, delay)])

    def course(
        self, values: Mapping[str, Array], stages: Sequence[Stage], *, built: frozenset[str] = frozenset()
    ) -> Worth:
        """Return today's worth of living through stages, all of which end at the horizon.

        From the week a stage begins, one works on its scenario: its build, and that of what it needs, is paid then unless it was
        built before; until it is ready, what went before goes on; from then on it replaces it. What it needs goes live as soon
        as it is ready itself, unless an earlier stage had begun it. What was built in an earlier stage goes live at once, or when it is ready
        if that is later. Going back to the baseline, or to what the present scenario was built on, takes effect at once and
        costs the `rollback` of each scenario taken back that is live by then. Growth and fading of a benefit are counted
        from its first going live. A lump `value` has no time: that of the last stage counts, undiscounted.

        Args:
            values: Every name's value in each draw, as `named` returns it.
            stages: In the order of their weeks; at least one.
            built: Scenarios that stand ready, paid for elsewhere.
        """
        flows: dict[str, Flow] = {}

        def flow(scenario: str) -> Flow:
            if scenario not in flows:
                flows[scenario] = self.flow(values, scenario)
            return flows[scenario]

        lumps = [stage.scenario for stage in stages if self.is_lump(stage.scenario)]
        line = Timeline(self.question, months=self._months, flow=flow, built=built | frozenset(lumps))
        for stage in stages:
            line.begin(stage)
        baseline = next(iter(self.question.scenarios))
        timed = any(stage.scenario != baseline and not self.is_lump(stage.scenario) for stage in stages)
        worth = line.worth() if timed or not lumps else Worth(np.asarray(0.0), np.asarray(0.0))
        return self._with_lumps(values, worth, lumps, built, counted=self.is_lump(stages[-1].scenario))

    def _with_lumps(
        self, values: Mapping[str, Array], worth: Worth, lumps: Sequence[str], built: frozenset[str], *, counted: bool
    ) -> Worth:
        """Add what lumps cost to build, and the value of the last one where it counts; neither has time."""
        net, cost = worth.net, worth.cost
        for name in dict.fromkeys(lumps):
            if name not in built:
                build = self._field(values, name, "build")
                net, cost = net - build, cost + build
        if counted:
            value = self._field(values, lumps[-1], "value")
            net, cost = net + value, cost + 0.0 * value
        return Worth(net, cost)

    def _chain(self, scenario: str) -> list[str]:
        """What goes on before a scenario is ready, then the scenario: baseline, needed ones, itself."""
        chain = built_on(self.question, scenario)
        baseline = next(iter(self.question.scenarios))
        if chain[0] != baseline and goes_on(self.question.scenarios[baseline]):
            chain.insert(0, baseline)
        return chain

    def averaged(self) -> frozenset[str]:
        """Return the unknowns in which every scenario's net benefit is affine, each with all others held fixed.

        It is affine in several of them at once only up to their products; those that are independent of all others may
        therefore be replaced by their means where only mean net benefits count. Told from the formulas alone: an unknown is left
        out where it is multiplied by itself, divided by, compared, raised to a power or given to a function, and where a
        `ready`, `ramp` or `obsolescence` depends on it.
        """
        degrees: dict[str, Mapping[str, int]] = {name: {name: 1} for name in self.question.unknowns}
        for name, formula in self._formulas.items():
            if "." not in name:
                degrees[name] = formula.degrees(degrees)
        curved: set[str] = set()
        for scenario in self.question.scenarios:
            for place in self._places(scenario):
                most = 0 if place.rpartition(".")[2] in {"ready", "ramp", "obsolescence"} else 1
                found = self._formulas[place].degrees(degrees)
                curved |= {name for name, degree in found.items() if degree > most}
        return frozenset(self.question.unknowns) - curved

    def tail(self, weeks: Array | float) -> Array:
        """Return today's worth of one unit of money per week from `weeks` to the end of the horizon."""
        return self._months.tail(weeks)


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


def question_texts(question: Question) -> dict[str, str]:
    """Return the texts of quantities and formulas by name."""
    return {**question.quantities, **question.formulas}


def where(question: Question, place: str) -> str:
    """Return `file:line` of a key, or of the table around it; the key itself where no file has lines."""
    if not question.lines:
        return f"{question.file or 'question'}.{place}"
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
