"""Simulated results: what a study would find in each draw.

A result is y = s + se e, with s what the study would show without noise and e a normal score of its own, drawn along with the
unknowns; a count is a binomial quantile, a signal a step of its cumulative likelihood.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.decide.preposterior import Noise

Array = npt.NDArray[np.float64]

Kind = Literal["normal", "count", "signal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """One design of a study: what it would find in each draw.

    `subject` names what it measures: results of one kind on one subject add up. `shown` is the truth it measures, `result` what
    it finds: a number as the unknown is written, a share for a count, or which of `signals` signals. `ties` are the unknowns that
    tell something of the subject: subjects without a tie in common are independent. `law`, where it is known better than from
    these draws, gives the values of what is shown at `RANKS`. What is `normal` rises with the normal score of one unknown, which
    is jointly normal with those of other such clues.
    """

    study: str
    subject: str
    kind: Kind
    shown: Array
    result: Array
    noise: Noise = field(default_factory=Noise)
    likelihood: Array | None = None
    ties: frozenset[str] = frozenset()
    law: Array | None = None
    normal: bool = False

    @property
    def signals(self) -> int:
        """How many signals there are; 0 for a number."""
        return 0 if self.likelihood is None else len(self.likelihood)


def clue(
    study: str,
    subject: str,
    *,
    shown: Array,
    noise: Noise,
    scores: Array,
    ties: Iterable[str] = (),
    law: Array | None = None,
    normal: bool = False,
) -> Clue:
    """Return what a study finds whose result is normal around what it shows, or a count of trials.

    Args:
        study: Its name.
        subject: What it measures.
        shown: What it would show without noise (draws,).
        noise: How precise it is.
        scores: Normal scores of nothing else (draws,).
        ties: The unknowns that tell something of the subject.
        law: Its values at `RANKS`, where they are known better than from the draws.
        normal: Whether it rises with the normal score of one unknown, jointly normal with those of others.
    """
    kind: Kind = "normal"
    found = shown + noise.around(shown) * scores
    if noise.trials and not noise.bias:
        kind = "count"
        from scipy.stats import binom

        counts = binom.ppf(special.ndtr(scores), noise.trials, np.clip(shown, 0.0, 1.0))
        found = np.clip(np.asarray(counts, dtype=float), 0.0, noise.trials) / noise.trials
    return Clue(
        study=study,
        subject=subject,
        kind=kind,
        shown=shown,
        result=found,
        noise=noise,
        ties=frozenset([subject, *ties]),
        law=law,
        normal=normal,
    )


def signal_clue(
    study: str,
    subject: str,
    *,
    state: npt.NDArray[np.intp],
    likelihood: Array,
    scores: Array,
    ties: Iterable[str] = (),
) -> Clue:
    """Return one of several signals.

    Args:
        study: Its name.
        subject: What it measures.
        state: Which of the unknown's values holds, by number (draws,).
        likelihood: (signals, values); each column sums to 1.
        scores: Normal scores of nothing else (draws,).
        ties: The unknowns that tell something of the subject.
    """
    below = np.cumsum(likelihood, axis=0)[:-1, state]
    found = (special.ndtr(scores) > below).sum(axis=0).astype(float)
    return Clue(
        study=study,
        subject=subject,
        kind="signal",
        shown=state.astype(float),
        result=found,
        likelihood=likelihood,
        ties=frozenset([subject, *ties]),
    )
