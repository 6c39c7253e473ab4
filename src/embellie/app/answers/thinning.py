"""Thinning: a question's draws, fewer of them, and without the noise of unknowns of which only the mean matters."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from embellie.app.answers.drawn import Sample
from embellie.frame.valuing import question_texts
from embellie.stats.sampling import SCRAMBLES, Draws

_WORD = re.compile(r"[^\W\d][\w.]*")


def thinned(sample: Sample, *, draws: int) -> Sample:
    """Return the first draws of each scramble, with one value instead of many for what only its mean matters of.

    Such are unknowns that no study shows, tied to no other, in which every net benefit is linear: what they would add is
    noise. Those that only times hang on (how long a scenario takes to be ready) are taken at their mean as well.
    """
    whole = sample.draws
    size = whole.net.shape[1]
    rows = (np.arange(SCRAMBLES)[:, None] * (size // SCRAMBLES) + np.arange(min(draws, size) // SCRAMBLES)).ravel()
    fixed = _fixed(sample)
    first = Draws(
        choices=whole.choices,
        scores={name: score[rows] for name, score in whole.scores.items()},
        values={name: np.asarray(each.mean()) if name in fixed else each[rows] for name, each in whole.values.items()},
        net=whole.net[:, rows],
        cost=whole.cost[:, rows],
        decoys=whole.decoys[:, rows],
    )
    return replace(sample, draws=first, named=sample.model.named(first.values), _later={}, _from={})


def _fixed(sample: Sample) -> set[str]:
    """Return the unknowns that may stand at their mean."""
    question, texts = sample.question, question_texts(sample.question)
    told = {name for study in question.studies.values() for name in (study.measures, study.transfer) if name}
    kept = unknowns_behind(told, texts) | {name for pair in question.correlations for name in pair}
    kept |= {sample.beliefs.names[at] for at in sample.beliefs.moved}
    money = {
        word
        for scenario in question.scenarios.values()
        for field in ("value", "benefit", "build", "run", "rollback")
        for word in _WORD.findall(getattr(scenario, field))
    }
    return set(sample.model.averaged() | (set(question.unknowns) - unknowns_behind(money, texts))) - kept


def unknowns_behind(names: Iterable[str], texts: Mapping[str, str]) -> set[str]:
    """Return the names that stand behind others, through formulas, and themselves."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _WORD.findall(texts.get(name, ""))
    return seen
