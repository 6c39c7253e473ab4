"""Refitted: the form of a policy whose model is fitted on the recent reads every few hours, popularity beneath it."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from embellie.domain.errors import InputError
from embellie.domain.slate import SlateRequest
from embellie.recommend.policies import Popular, RankedPolicy, Scored
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.recent_reads import RecentReads, Taken
from embellie.recommend.signals import Signal
from embellie.recommend.state import SiteState

_POPULAR = Popular()
_TOLD_FROM = 0.5


@dataclass(frozen=True)
class Refitted(RankedPolicy):
    """A model of what is read together, refitted every six hours of the log's time, above decayed popularity.

        score = model · (1 − beneath) + popularity / max popularity · beneath

    A model of this kind cannot rank what was published since its last fit, and knows nothing of a reader without
    reads: there popularity alone decides. The fit is made when the first request asks for it, so that nobody pays
    for one nobody needs; that request waits for it.

    Args:
        days: The days of reads a fit learns from, at most 90.
        beneath: The share of popularity, above 0 and at most 1.
    """

    signals: ClassVar[tuple[type[Signal], ...]] = (RecentReads,)

    days: float = 30.0
    beneath: float = 0.9
    _fits: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (self.days > 0.0 and 0.0 < self.beneath <= 1.0):
            raise InputError(
                f"`days` = {self.days:g} or `beneath` = {self.beneath:g} of `{self.name}` is out of range.",
                hint="Give `days` above 0, and `beneath` above 0 and at most 1: something must rank what is new.",
                at="settings",
            )

    def fit(self, taken: Taken) -> Any:
        """Fit the model on a freeze; `None` when it is too small for one."""
        raise NotImplementedError

    def predict(self, model: Any, read: Integers, rows: int) -> Floats | None:
        """Score every row from the rows someone read, best 1; `None` when the model knows none of these."""
        raise NotImplementedError

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by the model above popularity; by popularity alone where the model has nothing to say."""
        popular = _POPULAR.score(request, site)
        read = sorted(site.read_rows(request))
        model = self._model(site.signal(RecentReads).taken) if read else None
        found = None if model is None else self.predict(model, np.array(read, np.int64), len(site.shelf))
        if found is None:
            return popular
        above = (1.0 - self.beneath) * found
        beneath = popular.values * (self.beneath / max(float(popular.values.max(initial=0.0)), 1e-300))

        def reason(row: int) -> str:
            return "read_together" if found[row] >= _TOLD_FROM else popular.reason(row)

        return Scored(above + beneath, reason)

    def _model(self, taken: Taken) -> Any:
        """Return the model of a freeze, fitted once."""
        if self._fits.get("taken") is not taken:
            self._fits.update(taken=taken, model=self.fit(taken))
        return self._fits["model"]


def scaled(scores: Floats) -> Floats | None:
    """Scale scores so that the best is 1, nothing below 0; `None` when none is above 0."""
    best = float(scores.max(initial=0.0))
    if not best > 0.0:
        return None
    found: Floats = np.maximum(scores, 0.0) / best
    return found
