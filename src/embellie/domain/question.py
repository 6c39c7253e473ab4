"""Question: what is being decided. Its scenarios, its unknowns, and the studies that could answer them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Literal

UnknownKind = Literal["reader", "business", "software", "ml", "world", ""]
StudyKind = Literal["experiment", "measurement", "count", "offline", "survey", "fake_door", "expert"]
Family = Literal["normal", "lognormal", "beta", "uniform", "t", "logitnormal", "metalog", "discrete"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is believed about an unknown: a named family and its parameters, in the unit the unknown is written in."""

    family: Family
    parameters: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """An uncertain quantity that matters, with its prior as it was written.

    `label` is its unit as written (`article/visit`), `unit` the exponents of that unit's base units, and `scale` how many
    base units it holds (time counts in weeks): formulas see the value times `scale`.
    """

    name: str
    prior: Distribution
    written: str
    unit: Mapping[str, float] = field(default_factory=dict)
    scale: float = 1.0
    label: str = ""
    kind: UnknownKind = ""
    ask: str = ""
    source: str = ""
    asked: str = ""
    on: date | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Something that can be chosen: formulas for its value, or for benefit, build, run and ready.

    `ramp` is the time its benefit takes to grow from nothing to the whole once ready, `obsolescence` the yearly rate at which
    it then fades, `rollback` what taking it back costs; one that is `built` costs nothing more to build and is ready.
    """

    name: str
    value: str = ""
    benefit: str = ""
    build: str = ""
    run: str = ""
    ready: str = ""
    ramp: str = ""
    obsolescence: str = ""
    rollback: str = ""
    needs: str = ""
    built: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A way to learn about an unknown, with the designs (weeks × share × n) it could take.

    Its noise is `se`, or `sd` of one unit with `n` units, or with `traffic` (a formula in units per time). `measures` is an
    unknown or a formula. `bias` is the sd of an error that no number of units takes away; `transfer` the name of the unknown k
    in truth = k × what the study shows. For a discrete unknown `signals` gives, by signal, its chance under each of the unknown's
    values. A study that `needs` a scenario pays for building it and waits until it is ready.
    """

    name: str
    kind: StudyKind
    measures: str
    scenario: str = ""
    needs: str = ""
    bias: float = 0.0
    transfer: str = ""
    signals: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    metric: str = ""
    weeks: tuple[float, ...] = ()
    share: tuple[float, ...] = ()
    n: tuple[int, ...] = ()
    se: float | None = None
    sd: float | None = None
    traffic: str = ""
    cost: str = ""
    delay: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as written, checked and ready to be drawn. `discount` is effective per year.

    The first scenario is the baseline: what happens if nothing is decided. `lines` says where a key such as
    `formulas.base` stands in the file.
    """

    question: str
    currency: str
    scenarios: Mapping[str, Scenario]
    unknowns: Mapping[str, Unknown] = field(default_factory=dict)
    quantities: Mapping[str, str] = field(default_factory=dict)
    formulas: Mapping[str, str] = field(default_factory=dict)
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)
    studies: Mapping[str, Study] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cases: Mapping[str, Case] = field(default_factory=dict)
    horizon_weeks: float = 104.355
    discount: float = 0.0
    seed: int | None = None
    file: str = ""
    warnings: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A what-if: the same question with some of its texts set otherwise. `sets` is by name, `question` is whole."""

    name: str
    sets: Mapping[str, str]
    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionFiled:
    """The question was written or changed; an event of kind `question` carries its text whole."""

    kind: ClassVar[str] = "question"

    question: str
    text: str


def in_percent(written: str) -> bool:
    """Whether the values of a range are written in percent; its level and the chances of its values are no values.

    >>> [in_percent(x) for x in ("0 % to 3 %", "80%: 3 to 7", "discrete(1: 50 %, 2: 50 %)", "chance(30 %)")]
    [True, False, False, False]
    """
    values = re.sub(r":\s*[\d.,]+\s*%|^\s*\d+\s*%\s*:|chance\([^)]*\)", "", written)
    return "%" in values
