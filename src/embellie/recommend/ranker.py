"""The learned ranker: a shortlist by cheap scores, ordered by a model; the heuristic behind it, and instead of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol

import numpy as np

from embellie.domain.errors import EmbellieError, InputError
from embellie.domain.slate import Features, SlateRequest
from embellie.recommend.features import FEATURES, Asked, Matrix, matrix_of, names_of, signals_of_features, written
from embellie.recommend.leading import Foremost
from embellie.recommend.policies import RankedPolicy, Scored, lifted_reason, popular_reason
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.ranking import Narrowing, Ranking
from embellie.recommend.shortlist import quick_shortlist, shortlist
from embellie.recommend.signals import Signal
from embellie.recommend.state import SiteState, State

_LOG = logging.getLogger("embellie.recommend")


class Scorer(Protocol):
    """A fitted model: from features, in the order of its names, to one score per article."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns it expects."""
        ...

    def score(self, matrix: Matrix) -> Floats:
        """Score articles (articles × features); more is better."""
        ...


Loader = Callable[[str], Scorer]
"""From the setting `model` (an address in the registry, a path) to the model; raises an `EmbellieError` if there is none."""


def _no_models(model: str) -> Scorer:
    raise InputError(f"Nothing here can load model `{model}`.", hint="Open a project: its registry holds the models.")


class _Models:
    """How models are found; one per process, set by the application."""

    loader: ClassVar[Loader] = staticmethod(_no_models)


def load_models_with(loader: Loader | None) -> None:
    """Say how models are found, for all rankers built from now on; `None` forgets it. The application does, once.

    An address names content, so what it loads never changes and is kept.
    """
    _Models.loader = staticmethod(loader or _no_models)
    _loaded.cache_clear()


@lru_cache(maxsize=8)
def _loaded(model: str) -> Scorer:
    return _Models.loader(model)


@dataclass(frozen=True)
class Ranker(RankedPolicy):
    """Two stages: a shortlist by cheap scores, then a model's order of it; the rest follows by the default heuristic.

    Without a model (none named, or none that loads) it ranks as `affinity`, and `missing` says why. Either way its slates
    carry features, so a model can be trained on them. A reason says what is true of an article, as `affinity` does.

    Args:
        model: What the registry calls the model; none when empty.
        candidates: How many articles the model looks at, at most.
    """

    name: ClassVar[str] = "ranker"
    signals: ClassVar[tuple[type[Signal], ...]] = signals_of_features()
    logs_features: ClassVar[bool] = True

    model: str = ""
    candidates: int = 300

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise InputError(
                f"`candidates` is {self.candidates}.", hint="Give 1 or more, best 100 to 500.", at="settings.candidates"
            )
        scorer, missing = None, "It names no model."
        if self.model:
            try:
                scorer, missing = _loaded(self.model), ""
            except EmbellieError as error:
                missing = f"{error.message} {error.hint}".strip()
            columns = names_of()
            unknown = [name for name in (scorer.feature_names if scorer else ()) if name not in columns]
            if unknown:
                scorer, missing = None, f"The model looks at features this version lacks: {', '.join(unknown)}."
            if missing:
                _LOG.warning("Policy `ranker` ranks as `affinity`: %s", missing)
        order = [names_of().index(name) for name in scorer.feature_names] if scorer else []
        object.__setattr__(self, "_scorer", scorer)
        object.__setattr__(self, "_missing", missing)
        object.__setattr__(self, "_columns", np.array(order, np.int64))

    @property
    def missing(self) -> str:
        """Why there is no model; empty when there is one."""
        found: str = getattr(self, "_missing")  # noqa: B009 - set on a frozen class
        return found

    @property
    def needs_sections(self) -> bool:
        """Whether it ranks as `popular` where no section is known: only as long as it has no model."""
        return bool(self.missing)

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score the shortlist by the model, all others below it by the default heuristic."""
        asked = Asked(request, site)
        return self._whole(asked, self._judged(asked))

    def __call__(self, request: SlateRequest, view: State) -> Narrowing:
        """Rank every article that may be shown, the shortlist first, and note what the model looked at of each of it."""
        site = view.site(request.site)
        asked = Asked(request, site)
        judged = self._judged(asked)
        place = {row: number for number, row in enumerate(judged.rows.tolist())}
        names, as_of = names_of(), site.heard

        def features(row: int) -> Features | None:
            # What the model never looked at is noted with the slate (`with_features`), not article by article.
            known = place.get(row)
            return None if known is None else written(judged.matrix[known], names, as_of=as_of)

        def ranking(rows: Integers, scores: Floats, reason: Callable[[int], str]) -> Ranking:
            return Ranking(rows, scores, site.shelf.published[rows], site.shelf.ids, reason=reason, features=features)

        def all_of_it() -> Ranking:
            rows = site.candidates(request)
            scored = self._whole(asked, judged)
            return ranking(rows, scored.values[rows], scored.reason)

        if not len(judged.rows):
            return all_of_it()
        gone = site.left_out(request)
        here = np.array([number for row, number in place.items() if row not in gone], np.int64)
        demand, lift = asked.measure.of(judged.rows), asked.section_lift
        said = popular_reason if lift is None else lifted_reason(lift, site.shelf, popular_reason)

        def reason(row: int) -> str:
            known = place[row]
            return said(row, demand.reads[known], demand.lent[known], demand.ages[known])

        first = ranking(judged.rows[here], judged.scores[here], reason)
        return Foremost(iter(first), all_of_it)

    def _judged(self, asked: Asked) -> "_Judged":
        """Return the shortlist, its features and scores; an empty one without a model."""
        scorer: Scorer | None = getattr(self, "_scorer")  # noqa: B009 - set on a frozen class
        chosen: Integers | None = np.zeros(0, np.int64)
        if scorer is not None:
            chosen = quick_shortlist(asked, most=self.candidates)
            if chosen is None:
                chosen = shortlist(asked, np.flatnonzero(asked.site.suitable(asked.request)), most=self.candidates)
        if scorer is None or chosen is None or not len(chosen):
            return _Judged(np.zeros(0, np.int64), np.zeros((0, len(FEATURES)), np.float32), np.zeros(0))
        matrix = matrix_of(asked, chosen)
        columns: Integers = getattr(self, "_columns")  # noqa: B009 - set on a frozen class
        return _Judged(chosen, matrix, scorer.score(matrix[:, columns]))

    def _whole(self, asked: Asked, judged: "_Judged") -> Scored:
        """Score every article, those that were not judged below those that were."""
        heuristic = asked.affinity
        if not len(judged.rows):
            return heuristic
        values = heuristic.values - heuristic.values.max() + float(judged.scores.min()) - 1.0
        values[judged.rows] = judged.scores
        return Scored(values, heuristic.reason)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the model looked at: rows, their features and their scores."""

    rows: Integers
    matrix: Matrix
    scores: Floats
