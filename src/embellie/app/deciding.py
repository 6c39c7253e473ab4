"""Deciding: joins frame and decide into one answer, and writes it as CONTRACTS say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from embellie.decide.information import RANKS, Noise, Subject, evpi, evppi, evppi_group, subject
from embellie.decide.judging import (
    Design,
    is_open,
    judge,
    noise_floor,
    scenario_values,
    spread_of,
    value_design,
)
from embellie.decide.updating import Beliefs, update
from embellie.domain.errors import InputError, QuestionError
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question, Study
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Figure, Spread, StudyValue, UnknownValue, Verdict
from embellie.frame.question_file import parse_question, read_question
from embellie.frame.units import Dimensions
from embellie.frame.valuing import Model, duration_weeks, values, where
from embellie.stats.distributions import chance_below, quantile, spread
from embellie.stats.sampling import Draws, normal_scores

Array = npt.NDArray[np.float64]

DRAWS = 16_384
SEED = 7
_DECOYS = 4
_MOST_DRAWS = 2**22
DEFAULT_SD = 1.0
"""Relative sd of one unit in an experiment that does not say: as wide as its mean."""

__all__ = [
    "decide", "frame_document", "net_benefit_draws", "parse_question", "read_evidence", "read_question",
    "unknown_quantiles", "verdict_document",
]  # fmt: skip


def decide(
    question: Question, *, evidence: Sequence[Evidence] = (), draws: int = DRAWS, seed: int | None = None
) -> Verdict:
    """Answer a question: value its scenarios, its unknowns and its studies, and say what to do next.

    Args:
        question: As read from its file; its first scenario is the baseline.
        evidence: What studies found; priors stay as they are, beliefs move.
        draws: A power of two, at least 64.
        seed: The question's own when None, else 7. Same question, evidence, draws and seed: same answer to the last byte.

    Raises:
        QuestionError: A formula without a finite value, or a study whose noise cannot be told.
        InputError: `draws` is no power of two, or evidence is impossible.
    """
    return _Answer(question, evidence, draws, _seed(question, seed)).verdict()


def _seed(question: Question, seed: int | None) -> int:
    return seed if seed is not None else question.seed if question.seed is not None else SEED


def _check_draws(draws: int) -> None:
    if draws < 64 or draws & (draws - 1) or draws > _MOST_DRAWS:
        raise InputError(
            f"`{draws}` draws: expected a power of two from 64 to {_MOST_DRAWS}.", hint="Write 4096, 16384 or 65536."
        )


@dataclass(frozen=True, slots=True)
class _Sample:
    """The draws, and what is needed to value the choices anew."""

    model: Model
    beliefs: Beliefs
    draws: Draws


def _sample(question: Question, evidence: Sequence[Evidence], draws: int, seed: int) -> _Sample:
    _check_draws(draws)
    model = Model(question)
    beliefs = update(question, evidence)
    names = beliefs.names
    independent = normal_scores(draws, len(names) + _DECOYS, seed=seed)
    scores = np.ascontiguousarray(beliefs.scores(independent[:, : len(names)]).T)
    by_name = dict(zip(names, scores, strict=True))
    drawn = {
        name: quantile(question.unknowns[name].prior.family, question.unknowns[name].prior.parameters, by_name[name])
        for name in names
    }
    choices = tuple(question.scenarios)
    drawn_or_fixed = drawn or {"": np.zeros(draws)}
    net, cost = values(drawn_or_fixed, choices, model=model)
    decoys = np.ascontiguousarray(independent[:, len(names) :].T)
    return _Sample(
        model,
        beliefs,
        Draws(choices=choices, scores=by_name, values=drawn, net=net, cost=cost, decoys=decoys),
    )


class _Answer:
    """One answer in the making."""

    def __init__(self, question: Question, evidence: Sequence[Evidence], draws: int, seed: int) -> None:
        self.question = question
        self.size = draws
        self.seed = seed
        self.sample = _sample(question, evidence, draws, seed)
        self.warnings = [*question.warnings, *self.sample.model.notes, *self.sample.beliefs.warnings]
        self._subjects: dict[tuple[str, float], Subject] = {}
        self._later: dict[float, Array] = {0.0: self.sample.draws.net}
        self._named = self.sample.model.named(self.sample.draws.values)

    def verdict(self) -> Verdict:
        """Put the answer together."""
        draws = self.sample.draws
        floor = noise_floor(draws)
        studies = self._studies()
        unknowns = self._unknowns(floor, studies)
        opened = {unknown.name for unknown in unknowns if unknown.open}
        counts = {name: len(opened & self.sample.model.used_by(name)) for name in draws.choices}
        scenarios = scenario_values(draws, counts)
        everything = evpi(draws.net)
        chosen = judge(self.question, draws, scenarios=scenarios, evpi=everything, unknowns=unknowns, studies=studies)
        return Verdict(
            question=self.question.question,
            currency=self.question.currency,
            draws=self.size,
            seed=self.seed,
            scenarios=scenarios,
            best=chosen.scenario,
            evpi=everything,
            unknowns=unknowns,
            studies=studies,
            groups=self._groups(),
            next=chosen,
            noise_floor=floor,
            warnings=tuple(self.warnings),
        )

    # unknowns

    def _unknowns(self, floor: float, studies: Sequence[StudyValue]) -> tuple[UnknownValue, ...]:
        cheapest: dict[str, float] = {}
        for study in studies:
            measured = self.question.studies[study.name].measures
            cheapest[measured] = min(study.cost, cheapest.get(measured, math.inf))
        used = frozenset().union(*(self.sample.model.used_by(name) for name in self.question.scenarios))
        found = [
            self._unknown(name, floor, cheapest.get(name, 0.0), used=name in used) for name in self.question.unknowns
        ]
        return tuple(sorted(found, key=lambda unknown: (-unknown.evppi.value, unknown.name)))

    def _unknown(self, name: str, floor: float, cheapest: float, *, used: bool) -> UnknownValue:
        unknown, draws = self.question.unknowns[name], self.sample.draws
        tied = used or any(name in pair for pair in self.question.correlations)
        worth = (
            evppi(draws.scores[name], draws.net, carrier=draws.values[name]) if tied else Figure(value=0.0, error=0.0)
        )
        prior = _spread(spread(unknown.prior.family, unknown.prior.parameters))
        touched = self.sample.beliefs.touched(name)
        return UnknownValue(
            name=name,
            kind=unknown.kind,
            ask=unknown.ask,
            open=is_open(worth, floor, cheapest),
            prior=prior,
            posterior=spread_of(draws.values[name]) if touched else prior,
            evppi=worth,
        )

    def _groups(self) -> tuple[tuple[str, Figure], ...]:
        draws = self.sample.draws
        found = [
            (name, evppi_group([draws.scores[member] for member in members], draws.net))
            for name, members in self.question.groups.items()
        ]
        return tuple(sorted(found, key=lambda group: (-group[1].value, group[0])))

    # studies

    def _studies(self) -> tuple[StudyValue, ...]:
        found = [
            value_design(design, self.sample.draws.net)
            for study in self.question.studies.values()
            for design in self._designs(study)
        ]
        return tuple(sorted(found, key=lambda s: (-s.enbs.value, s.name, s.weeks, s.share, s.n)))

    def _designs(self, study: Study) -> list[Design]:
        delay = duration_weeks(study.delay, currency=self.question.currency) if study.delay else 0.0
        return [
            self._design(study, weeks, share, n, delay)
            for weeks in study.weeks or (0.0,)
            for share in study.share or ((0.5,) if study.kind == "experiment" and study.weeks else (0.0,))
            for n in study.n or (0,)
        ]

    def _design(self, study: Study, weeks: float, share: float, n: int, delay: float) -> Design:
        noise, size = self._noise(study, weeks, share, n)
        later = weeks + delay
        return Design(
            study=study.name,
            weeks=weeks,
            share=share,
            n=size,
            noise=noise,
            cost=self._cost(study, weeks, share, size),
            earned=self._earned(study, weeks, share),
            now=self._subject(study.measures, 0.0),
            later=self._subject(study.measures, later),
            later_net=self._net_after(later),
        )

    def _net_after(self, weeks: float) -> Array:
        if all(self.sample.model.is_lump(name) for name in self.question.scenarios):
            return self.sample.draws.net
        if weeks not in self._later:
            draws = self.sample.draws
            self._later[weeks] = values(draws.values, draws.choices, model=self.sample.model, delay=weeks)[0]
        return self._later[weeks]

    def _subject(self, name: str, weeks: float) -> Subject:
        net = self._net_after(weeks)
        key = name, weeks if net is not self.sample.draws.net else 0.0
        if key not in self._subjects:
            scores = self.sample.draws.scores[name]
            nodes = self.sample.beliefs.marginal(name, RANKS, scores)
            prior = self.question.unknowns[name].prior
            self._subjects[key] = subject(
                scores,
                net,
                carrier=self.sample.draws.values[name],
                nodes=nodes,
                values=quantile(prior.family, prior.parameters, nodes),
            )
        return self._subjects[key]

    def _wrong(self, study: Study, message: str, hint: str, key: str = "") -> QuestionError:
        place = f"studies.{study.name}" + (f".{key}" if key else "")
        return QuestionError(message, hint=hint, at=where(self.question, place))

    def _noise(self, study: Study, weeks: float, share: float, n: int) -> tuple[Noise, int]:
        """Return how precise a design is, and how many units it takes."""
        if study.kind == "count":
            if not n:
                raise self._wrong(study, f"`{study.name}` counts, yet has no `n`.", "Write `n = 300`, its trials.")
            return Noise(trials=n), n
        if study.se is not None:
            return Noise(se=study.se), n
        two_sided = study.kind == "experiment"
        size = float(n)
        if not size and two_sided and weeks:
            size = self._traffic(study) * weeks * share
        sd = study.sd
        if sd is None and two_sided and size:
            sd = DEFAULT_SD
            note = (
                f"{where(self.question, f'studies.{study.name}')}: `{study.name}` gives no noise; `sd = {sd:g}` is assumed, "
                "one unit as wide as its mean. Write `sd` from your own log."
            )
            if note not in self.warnings:
                self.warnings.append(note)
        if sd is None or not size:
            hint = "Write `se = 0.01`, the standard error of its result, or `sd` of one unit with `n` units"
            more = ', or `weeks`, `share` and `traffic = "350k visit/week"`.' if two_sided else "."
            raise self._wrong(study, f"`{study.name}` does not say how precise it is.", hint + more)
        return Noise(se=sd * (2.0 if two_sided else 1.0) / math.sqrt(size)), round(size)

    def _traffic(self, study: Study) -> float:
        """Return units per week: as the study says, or the one quantity that counts visits or readers per time."""
        model = self.sample.model
        text = study.traffic
        if not text:
            per_time = [
                name
                for unit in ("visit", "reader", "session", "user")
                for name in model.names_in({unit: 1.0, "week": -1.0})
            ]
            if not per_time:
                raise self._wrong(
                    study,
                    f"`{study.name}` does not say how many readers it meets.",
                    'Write `traffic = "350k visit/week"`, or `se`.',
                )
            text = per_time[0]
        formula, unit = model.expression(text, f"studies.{study.name}.traffic", names={})
        if unit.get("week") != -1.0 or self.question.currency in unit:
            raise self._wrong(
                study, f"`traffic` of `{study.name}` is no number per time.", 'Write `"350k visit/week"`.', "traffic"
            )
        return float(np.mean(formula.value(self._named)))

    def _cost(self, study: Study, weeks: float, share: float, n: int) -> float:
        """Return the mean cost: amounts as they are, amounts per time over the study's weeks."""
        if not study.cost:
            return 0.0
        design: dict[str, Dimensions] = {"weeks": {"week": 1.0}, "share": {}, "n": {}}
        money = self.question.currency
        known = {**self._named, "weeks": np.asarray(weeks), "share": np.asarray(share), "n": np.asarray(float(n))}
        total = 0.0
        for sign, term in _terms(study.cost):
            formula, unit = self.sample.model.expression(term, f"studies.{study.name}.cost", names=design)
            amount = float(np.mean(formula.value(known)))
            if dict(unit) == {money: 1.0, "week": -1.0}:
                amount *= weeks
            elif unit and dict(unit) != {money: 1.0}:
                raise self._wrong(
                    study, f"`{term}` in the cost of `{study.name}` is no money.", f"Write `500 {money}/week`.", "cost"
                )
            total += sign * amount
        return total

    def _earned(self, study: Study, weeks: float, share: float) -> float:
        """Return what an experiment brings while it runs: half of its readers see the scenario, which runs throughout."""
        if not study.scenario or study.kind != "experiment" or not weeks:
            return 0.0
        model = self.sample.model
        baseline = self.sample.draws.choices[0]
        if model.is_lump(study.scenario) or model.is_lump(baseline) or study.scenario == baseline:
            return 0.0
        tried, today = (model.flow(self._named, name) for name in (study.scenario, baseline))
        period = float(model.tail(0.0) - model.tail(weeks))
        more = np.mean(tried.benefit - today.benefit) * share / 2 - np.mean(tried.run - today.run)
        return float(more * period)


def _terms(text: str) -> list[tuple[float, str]]:
    """Split a sum into its terms, outside brackets: `1k EUR + 500 EUR/week`."""
    found: list[tuple[float, str]] = []
    depth, start, sign = 0, 0, 1.0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter in "+-" and text[start:at].strip() and text[at - 1] not in "eE*/":
            found.append((sign, text[start:at].strip()))
            start, sign = at + 1, 1.0 if letter == "+" else -1.0
    return [*found, (sign, text[start:].strip())]


def _spread(four: tuple[float, float, float, float]) -> Spread:
    mean, p05, p50, p95 = four
    return Spread(mean=mean, p05=p05, p50=p50, p95=p95)


def net_benefit_draws(
    question: Question,
    *,
    evidence: Sequence[Evidence] = (),
    draws: int = DRAWS,
    seed: int | None = None,
    points: int = 101,
) -> dict[str, list[float]]:
    """Return each scenario's net benefit as sorted quantiles at evenly spaced probabilities, for drawing.

    The first and last are the quantiles at half a step from the ends, so that no picture hangs on the most extreme draw.
    """
    sample = _sample(question, evidence, draws, _seed(question, seed))
    chances = (np.arange(points) + 0.5) / points
    return {
        name: np.quantile(net, chances).tolist()
        for name, net in zip(sample.draws.choices, sample.draws.net, strict=True)
    }


def unknown_quantiles(
    question: Question, *, evidence: Sequence[Evidence] = (), points: int = 101, seed: int | None = None
) -> dict[str, dict[str, list[float]]]:
    """Return `prior` and `posterior` quantiles of each unknown, in its unit as written, for drawing."""
    beliefs = update(question, evidence)
    chances = (np.arange(points) + 0.5) / points
    independent = normal_scores(4096, len(beliefs.names), seed=_seed(question, seed))
    scores = beliefs.scores(independent)
    standard = np.quantile(normal_scores(4096, 1, seed=0)[:, 0], chances)
    found = {}
    for at, name in enumerate(beliefs.names):
        prior = question.unknowns[name].prior
        now = np.quantile(scores[:, at], chances) if beliefs.touched(name) else standard
        found[name] = {
            "prior": quantile(prior.family, prior.parameters, standard).tolist(),
            "posterior": quantile(prior.family, prior.parameters, now).tolist(),
        }
    return found


def _figure(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "error": figure.error}


def _belief(spread_: Spread) -> dict[str, float]:
    return {"mean": spread_.mean, "p05": spread_.p05, "p50": spread_.p50, "p95": spread_.p95}


def verdict_document(verdict: Verdict, *, language: str = "en") -> dict[str, Any]:
    """Return the JSON document `embellie/verdict/1`; `because` in the language asked, both under `reasons`."""
    document: dict[str, Any] = {
        "schema": "embellie/verdict/1",
        "question": verdict.question,
        "currency": verdict.currency,
        "draws": verdict.draws,
        "seed": verdict.seed,
        "scenarios": {
            value.scenario: {
                "net_benefit": {**_belief(value.net_benefit), "error": value.net_benefit.error},
                "cost": {"mean": value.cost},
                "roi": value.roi.document() if isinstance(value.roi, Unavailable) else _belief(value.roi),
                "p_best": value.p_best,
                "p_loss": value.p_loss,
                "expected_loss": value.expected_loss,
                "open_questions": value.open_questions,
            }
            for value in verdict.scenarios
        },
        "best": verdict.best,
        "evpi": _figure(verdict.evpi),
        "noise_floor": verdict.noise_floor,
        "unknowns": [
            {
                "name": unknown.name,
                "kind": unknown.kind,
                "ask": unknown.ask,
                "open": unknown.open,
                "prior": _belief(unknown.prior),
                "posterior": _belief(unknown.posterior),
                "evppi": _figure(unknown.evppi),
            }
            for unknown in verdict.unknowns
        ],
        "studies": [
            {
                "name": study.name,
                "weeks": study.weeks,
                "share": study.share,
                "n": study.n,
                "evsi": _figure(study.evsi),
                "cost": study.cost,
                "enbs": _figure(study.enbs),
            }
            for study in verdict.studies
        ],
    }
    if verdict.groups:
        document["groups"] = [{"name": name, "evppi": _figure(figure)} for name, figure in verdict.groups]
    document["next"] = {
        "action": verdict.next.action,
        "scenario": verdict.next.scenario,
        "study": verdict.next.study or None,
        "weeks": verdict.next.weeks or None,
        "share": verdict.next.share or None,
        "because": verdict.next.because[language],
        "reasons": dict(verdict.next.because),
    }
    document["verdict"] = verdict.verdict
    document["warnings"] = list(verdict.warnings)
    return document


def frame_document(question: Question, verdict: Verdict) -> dict[str, Any]:
    """Return the JSON document `embellie/frame/1`: the question as understood, and each scenario's uncertainty."""
    whole = verdict_document(verdict)
    kept = ("question", "currency", "draws", "seed", "scenarios", "evpi")
    return {
        "schema": "embellie/frame/1",
        **{key: whole[key] for key in kept},
        "horizon_weeks": question.horizon_weeks,
        "discount": question.discount,
        "unknowns": [_understood(question, unknown) for unknown in verdict.unknowns],
        "quantities": dict(question.quantities),
        "formulas": dict(question.formulas),
        "warnings": whole["warnings"],
    }


def _understood(question: Question, found: UnknownValue) -> dict[str, Any]:
    unknown = question.unknowns[found.name]
    return {
        "name": found.name,
        "written": unknown.written,
        "family": unknown.prior.family,
        "parameters": list(unknown.prior.parameters),
        "unit": unknown.label,
        "p_negative": chance_below(unknown.prior.family, unknown.prior.parameters, 0.0),
        **_belief(found.prior),
        "kind": found.kind,
        "ask": found.ask,
        "open": found.open,
        "evppi": _figure(found.evppi),
    }


def read_evidence(path: Path) -> list[Evidence]:
    """Read evidence from JSON lines.

    Raises:
        InputError: With the line that is wrong and what was expected.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a text may hold a line separator of its own
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"`{path.name}` cannot be read.", hint="Give a file of JSON lines, one result each.", at=str(path)
        ) from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Evidence))
        except (msgspec.MsgspecError, InputError) as error:
            what = error.message if isinstance(error, InputError) else f"{error}."
            raise InputError(
                what,
                hint='Write {"measures": "interest", "estimate": 0.012, "se": 0.006}.',
                at=f"{path.name}:{number}",
            ) from None
    return found
