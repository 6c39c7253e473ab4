"""Programme: what many past experiments together teach, how large effects are, and how much of what was found is left."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from embellie.app.measuring import evidence_from, scorecard
from embellie.app.number_columns import read_columns
from embellie.domain.errors import InputError, TableError
from embellie.domain.experiment import Experiment
from embellie.domain.metric import Metric
from embellie.domain.rollout import Rollout
from embellie.domain.unavailable import Unavailable
from embellie.measure.phrasing import Phrases, phrase, unavailable, unavailable_text
from embellie.measure.plotting import Line, interval_lines
from embellie.measure.telling_numbers import localised, metric_name, percent_text, share_text
from embellie.ports import AggregateReader
from embellie.stats.shrinkage import FATTEST_DF, FEWEST, FEWEST_FOR_TAILS, Prior, believed, learnt_prior

SCHEMA = "embellie/programme/1"

MOST_DRAWN = 20
"""Experiments in the picture: those with the largest estimates."""

Z90 = 1.6448536269514722

_YES, _NO = frozenset({"true", "yes", "1", "oui", "1.0"}), frozenset({"false", "no", "0", "non", "0.0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEffect:
    """What a finished experiment found: an effect as a share of the control's value, and its standard error."""

    name: str
    estimate: float
    se: float
    shipped: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A past effect, and what is believed of it after all of them: mean, 90 % range, the chance that it is above 0."""

    past: PastEffect
    effect: float
    sd: float
    low: float
    high: float
    above_zero: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """Past effects on one metric, the prior they teach, each of them judged by it, and what was shipped.

    `assumed`: the list does not say what was shipped, so those count whose 95 % interval lay above 0.
    """

    metric: str
    effects: tuple[PastEffect, ...]
    prior: Prior | Unavailable
    judged: tuple[Judged, ...] = ()
    assumed: bool = False
    left_out: int = 0

    @property
    def shipped(self) -> tuple[Judged, ...]:
        """Those that readers have now."""
        if self.assumed:
            return tuple(each for each in self.judged if each.past.estimate > 1.959963984540054 * each.past.se)
        return tuple(each for each in self.judged if each.past.shipped)


def programme(metric: str, effects: Sequence[PastEffect], *, left_out: int = 0) -> Programme:
    """Learn where effects on a metric lie, and judge each past one by it.

    Evidence that goes to `decide` stays as it was measured: the question's prior draws it in there, and twice would be too much. What
    is learnt here is for that prior, for reading past results, and for sums over experiments.

    Args:
        metric: What to call the metric.
        effects: From experiments that are over; fewer than 8 teach no prior.
        left_out: Experiments that gave no effect.
    """
    if len(effects) < FEWEST:
        missing = unavailable(_PHRASES, "few_experiments", n=len(effects), needed=FEWEST, more=FEWEST - len(effects))
        return Programme(metric=metric, effects=tuple(effects), prior=missing, left_out=left_out)
    prior = learnt_prior([each.estimate for each in effects], [each.se for each in effects])
    return Programme(
        metric=metric,
        effects=tuple(effects),
        prior=prior,
        judged=tuple(_judged(each, prior) for each in effects),
        assumed=all(each.shipped is None for each in effects),
        left_out=left_out,
    )


def _judged(past: PastEffect, prior: Prior) -> Judged:
    belief = believed(past.estimate, past.se, prior)
    return Judged(
        past=past,
        effect=belief.mean,
        sd=belief.sd,
        low=belief.quantile(0.05),
        high=belief.quantile(0.95),
        above_zero=belief.chance_above(0.0),
    )


def programme_from_file(source: str, *, metric: str = "effect") -> Programme:
    """Read past effects from CSV, Parquet or JSON lines: `estimate`, `se`, and where known `name` and `shipped` (yes or no).

    Raises:
        TableError: A column is missing, or a cell cannot be read; says which row.
    """
    rows = _json_rows(Path(source)) if Path(source).suffix in {".jsonl", ".ndjson"} else _table_rows(source)
    name = Path(source).name
    effects = []
    for number, row in enumerate(rows, start=1):
        if not row.se > 0 or not math.isfinite(row.estimate + row.se):
            raise TableError(
                f"`estimate` or `se` of row {number} is out of range.",
                hint="`se` is above 0, both are finite.",
                at=name,
            )
        effects.append(
            PastEffect(
                name=row.name or str(number),
                estimate=row.estimate,
                se=row.se,
                shipped=_yes_or_no(row.shipped, number=number, at=name),
            )
        )
    return programme(metric, effects)


class _Row(msgspec.Struct, frozen=True):
    estimate: float
    se: float
    name: str = ""
    shipped: bool | str | None = None


def _table_rows(source: str) -> list[_Row]:
    found = read_columns(
        source, numbers=["estimate", "se"], texts=["name", "shipped"], optional=["name", "shipped"]
    )  # fmt: skip
    blank = [""] * len(found)
    columns = (found.numbers["estimate"], found.numbers["se"], found.texts.get("name", blank))
    return [
        _Row(estimate, se, name, shipped or None)
        for estimate, se, name, shipped in zip(*columns, found.texts.get("shipped", blank), strict=True)
    ]


def _json_rows(path: Path) -> list[_Row]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"`{path.name}` cannot be read.", hint="Give a file of JSON lines, one effect each.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=_Row))
            except msgspec.MsgspecError as error:
                raise TableError(
                    f"{error}.", hint='Write {"name": "a", "estimate": 0.012, "se": 0.006}.', at=f"{path.name}:{number}"
                ) from None
    return found


def _yes_or_no(value: bool | str | None, *, number: int, at: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    word = value.strip().lower()
    if word not in _YES | _NO:
        raise TableError(f"`shipped` of row {number} is `{value}`.", hint="Write yes or no.", at=at)
    return word in _YES


def programme_from_log(
    reader: AggregateReader,
    experiments: Mapping[str, Sequence[Experiment]],
    metric: Metric,
    *,
    read_seconds: float,
    rollouts: Sequence[Rollout] = (),
) -> Programme:
    """Take the past effects from a project's log: every stopped experiment, each variant against its control.

    An experiment whose split was broken, or that cannot give a relative effect, is left out and counted. Shipped is a variant whose
    release a completed rollout has put before all readers.

    Args:
        reader: Runs SQL over the log.
        experiments: By site.
        metric: Whose effects.
        read_seconds: Engaged seconds from which an article counts as read.
        rollouts: Those of all sites.
    """
    live = {rollout.canary for rollout in rollouts if rollout.state == "completed"}
    effects, left_out = [], 0
    for site, tests in experiments.items():
        for test in tests:
            if test.state != "stopped" or test.holdout:
                continue
            card = scorecard(
                reader, test, [metric], read_seconds=read_seconds, site=site, now=test.stopped_at, dimensions=()
            )
            others = [variant for variant in test.variants if variant.name != test.control]
            for variant in others:
                found = evidence_from(
                    card, study=test.experiment, measures=metric.metric, metric=metric.metric, variant=variant.name
                )
                if isinstance(found, Unavailable) or found.estimate is None or found.se is None:
                    left_out += 1
                    continue
                name = test.experiment if len(others) == 1 else f"{test.experiment} {variant.name}"
                effects.append(
                    PastEffect(name=name, estimate=found.estimate, se=found.se, shipped=variant.release in live)
                )
    return programme(metric.metric, effects, left_out=left_out)


def programme_document(found: Programme) -> dict[str, Any]:
    """Return the JSON form, `embellie/programme/1`."""
    head: dict[str, Any] = {
        "schema": SCHEMA, "metric": found.metric, "experiments": len(found.effects), "left_out": found.left_out,
    }  # fmt: skip
    if isinstance(found.prior, Unavailable):
        return head | {"prior": found.prior.document(), "effects": [_past_document(each) for each in found.effects]}
    prior = found.prior
    return head | {
        "prior": {
            "family": "t",
            "df": prior.df,
            "location": prior.location,
            "scale": prior.scale,
            "range": prior.text,
            "tails_learnt": len(found.effects) >= FEWEST_FOR_TAILS,
        },
        "effects": [
            _past_document(each.past)
            | {"shrunk": {"effect": each.effect, "low": each.low, "high": each.high}, "above_zero": each.above_zero}
            for each in found.judged
        ],
        "shipped": _shipped_document(found),
    }


def _past_document(past: PastEffect) -> dict[str, Any]:
    document: dict[str, Any] = {"name": past.name, "estimate": past.estimate, "se": past.se}
    return document if past.shipped is None else document | {"shipped": past.shipped}


@dataclass(frozen=True, slots=True)
class _Sum:
    raw: float
    shrunk: float
    low: float
    high: float


def _sum(judged: Sequence[Judged]) -> _Sum:
    shrunk = sum(each.effect for each in judged)
    half = Z90 * math.sqrt(sum(each.sd**2 for each in judged))
    return _Sum(sum(each.past.estimate for each in judged), shrunk, shrunk - half, shrunk + half)


def _shipped_document(found: Programme) -> dict[str, Any]:
    total = _sum(found.shipped)
    return {
        "count": len(found.shipped),
        "assumed": found.assumed,
        "raw": total.raw,
        "shrunk": {"effect": total.shrunk, "low": total.low, "high": total.high},
    }


def programme_sentences(found: Programme, language: str = "en") -> list[str]:
    """Say what past experiments teach, in a few sentences."""

    def say(key: str, /, **values: object) -> str:
        return phrase(_PHRASES, key, language, **values)

    if isinstance(found.prior, Unavailable):
        return [unavailable_text(_PHRASES, found.prior, language)]
    prior, step = found.prior, found.prior.scale
    told = [
        say(
            "learnt",
            n=len(found.effects),
            metric=metric_name(found.metric, language),
            location=_percent(prior.location, step, language),
            half=share_text(prior.half, language),
            df=f"{prior.df:.1f}".replace(".", "," if language == "fr" else "."),
        ),
        say("write", range=prior.text),
        say(_tails(found, prior)),
    ]
    if found.left_out:
        told.append(say("left_out", n=found.left_out))
    told.append(_shipped_sentence(found, language))
    told.append(say("raw_for_decide"))
    told.append(say("odds"))
    return told


def _tails(found: Programme, prior: Prior) -> str:
    if len(found.effects) < FEWEST_FOR_TAILS:
        return "tails_given"
    return "tails_fattest" if prior.df <= FATTEST_DF * (1 + 1e-6) else "tails_learnt"


def _chance_text(chance: float, language: str) -> str:
    if 0.001 <= chance <= 0.999:
        return share_text(chance, language)
    sign, bound = (">", 99.9) if chance > 0.5 else ("<", 0.1)
    return localised(f"{sign} {bound} %", language)


def _shipped_sentence(found: Programme, language: str) -> str:
    chosen = found.shipped
    if not chosen:
        return phrase(_PHRASES, "assumed_none" if found.assumed else "shipped_none", language)
    total = _sum(chosen)
    step = (total.high - total.low) / 2
    return phrase(
        _PHRASES,
        "assumed" if found.assumed else "shipped",
        language,
        n=len(chosen),
        raw=_percent(total.raw, step, language),
        shrunk=_percent(total.shrunk, step, language),
        low=_percent(total.low, step, language),
        high=_percent(total.high, step, language),
    )


def programme_picture(found: Programme, language: str = "en") -> list[str]:
    """Draw what is left of the largest estimates: the range after shrinkage, and the raw estimate as `╎`."""
    chosen = sorted(found.judged, key=lambda each: -abs(each.past.estimate))[:MOST_DRAWN]
    lines = [
        Line(
            label=each.past.name,
            effect=each.effect,
            low=each.low,
            high=each.high,
            mark=each.past.estimate,
            note=phrase(_PHRASES, "chance", language, chance=_chance_text(each.above_zero, language)),
        )
        for each in sorted(chosen, key=lambda each: -each.past.estimate)
    ]
    return interval_lines(lines, language)


def _percent(value: float, step: float, language: str) -> str:
    return percent_text(100 * value, 100 * step, language)


_PHRASES: Phrases = {
    "few_experiments": (
        "There are {n} past effects; a prior needs {needed}.",
        "Il y a {n} effets passés ; il en faut {needed} pour apprendre où se trouvent les effets.",
    ),
    "few_experiments!": (
        "After {more} more experiments it can be learnt; until then read estimates as they are, knowing that the largest are too large.",
        (
            "Après {more} expériences de plus ce sera possible ; d’ici là, lisez les estimations telles quelles, les plus grandes "
            "étant trop grandes."
        ),
    ),
    "learnt": (
        "{n} past effects on {metric}: true effects lie around {location}, half of them within {half} of it, tails of {df} degrees of freedom.",
        (
            "{n} effets passés sur {metric} : les vrais effets se situent autour de {location}, la moitié à {half} près, "
            "avec des queues à {df} degrés de liberté."
        ),
    ),
    "write": (
        "As a range for the next question: `{range}`.",
        "Comme fourchette pour la prochaine question : `{range}`.",
    ),
    "tails_learnt": (
        "The tails were learnt too; from this many effects they are rough.",
        "Les queues ont été apprises aussi ; sur si peu d’effets elles restent approximatives.",
    ),
    "tails_fattest": (
        "Tails are as fat as is let through: most effects are tiny, a few are large, and fatter tails would let the unseen decide.",
        (
            "Les queues sont les plus épaisses permises : la plupart des effets sont minuscules, quelques-uns grands ; plus épaisses, "
            "elles laisseraient décider ce que personne n’a vu."
        ),
    ),
    "tails_given": (
        "The tails were taken, not learnt: that needs 30 effects.",
        "Les queues ont été choisies, non apprises : il faudrait 30 effets.",
    ),
    "left_out": (
        "{n} comparisons gave no usable effect and were left out.",
        "{n} comparaisons sans effet utilisable ont été écartées.",
    ),
    "shipped": (
        "The {n} shipped promised {raw} in sum; after shrinkage {shrunk} is left (90 % range {low} to {high}).",
        "Les {n} mis en ligne promettaient {raw} en tout ; après rétrécissement il en reste {shrunk} (à 90 % entre {low} et {high}).",
    ),
    "shipped_none": ("None of them was shipped.", "Aucun n’a été mis en ligne."),
    "assumed": (
        (
            "What was shipped is not told. The {n} whose 95 % interval lay above 0 promised {raw} in sum; after shrinkage {shrunk} is left "
            "(90 % range {low} to {high})."
        ),
        (
            "Ce qui a été mis en ligne n’est pas dit. Les {n} dont l’intervalle à 95 % était au-dessus de 0 promettaient {raw} en tout ; "
            "après rétrécissement il en reste {shrunk} (à 90 % entre {low} et {high})."
        ),
    ),
    "assumed_none": (
        "What was shipped is not told, and no 95 % interval lay above 0.",
        "Ce qui a été mis en ligne n’est pas dit, et aucun intervalle à 95 % n’était au-dessus de 0.",
    ),
    "raw_for_decide": (
        "Evidence for a verdict stays as measured: the question's prior draws it in, and twice would be too much.",
        "Pour un verdict, les résultats restent tels que mesurés : l’a priori de la question les rétrécit déjà, deux fois serait trop.",
    ),
    "odds": (
        "Chances hold for this prior: of all stops at odds of K to 1, at most one in 1 + K is wrong, whenever one looks.",
        (
            "Les chances valent pour cet a priori : de tous les arrêts à K contre 1, au plus un sur 1 + K est une erreur, quel que soit "
            "le moment où l’on regarde."
        ),
    ),
    "chance": ("above 0: {chance}", "au-dessus de 0 : {chance}"),
}
