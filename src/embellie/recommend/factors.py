"""Factors: implicit matrix factorisation of who read what, by the library `implicit` (extra `ml`); a baseline."""

import importlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from embellie.domain.errors import InputError
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.recent_reads import Taken
from embellie.recommend.refitted import Refitted, scaled


@dataclass(frozen=True, eq=False)
class ArticleFactors:
    """The factors of some rows, and what folding a reader in needs of them: YᵀY + λ I."""

    rows: Integers
    place: Integers
    factors: Floats
    gram: Floats

    def fold_in(self, known: Integers, confidence: float) -> Floats:
        """Return the factors of someone who read some articles.

            u = (YᵀY + λ I + Σ (c − 1) y yᵀ)⁻¹ Σ c y

        the half-step of alternating least squares for one reader (Hu, Koren & Volinsky, Collaborative filtering for
        implicit feedback datasets, ICDM 2008).

        Args:
            known: Lines of the articles read.
            confidence: c, how much more a read counts than its absence.
        """
        y = self.factors[known]
        found: Floats = np.linalg.solve(self.gram + (confidence - 1.0) * (y.T @ y), confidence * y.sum(axis=0))
        return found


@dataclass(frozen=True)
class Factors(Refitted):
    """Alternating least squares on the reads of the last days, readers folded in when they ask; popularity beneath.

    Memory: factors numbers per article read in those days; 6 MB for 25,000 articles of 32. Fitted by one thread from
    a fixed start, so the same reads give the same factors with the same version of `implicit`.

    Args:
        factors: Numbers per article.
        regularisation: λ, shrinks them.
        confidence: How much more a read counts than its absence.
        iterations: Of alternating least squares.
    """

    name: ClassVar[str] = "factors"

    factors: int = 32
    regularisation: float = 1.0
    confidence: float = 10.0
    iterations: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factors < 1 or self.iterations < 1 or not (self.regularisation > 0.0 and self.confidence >= 1.0):
            raise InputError(
                "A setting of `factors` is out of range.",
                hint="`factors` and `iterations` are at least 1, `regularisation` above 0, `confidence` at least 1.",
                at="settings",
            )
        _library()

    def fit(self, taken: Taken) -> ArticleFactors | None:
        """Factorise the freeze."""
        readers, rows = taken.since(self.days)
        kept = np.unique(rows)
        if len(kept) < 2:
            return None
        place = np.full(int(kept[-1]) + 1, -1, np.int64)
        place[kept] = np.arange(len(kept))
        pairs = np.unique(np.stack([readers, place[rows]]), axis=1)
        shape = (int(readers.max()) + 1, len(kept))
        reads = sparse.csr_matrix((np.ones(pairs.shape[1], np.float32), (pairs[0], pairs[1])), shape=shape)
        als, limited = _library()
        with limited(limits=1):  # more threads add up in another order, and so to other bits
            model = als(
                factors=self.factors,
                regularization=self.regularisation,
                alpha=self.confidence,
                iterations=self.iterations,
                num_threads=1,
                random_state=0,
            )
            model.fit(reads, show_progress=False)
        y = np.asarray(model.item_factors, np.float64)
        return ArticleFactors(kept, place, y, y.T @ y + self.regularisation * np.eye(self.factors))

    def predict(self, model: ArticleFactors, read: Integers, rows: int) -> Floats | None:
        """Fold the reader in, and score every article by its factors."""
        known = model.place[read[read < len(model.place)]]
        known = known[known >= 0]
        if not len(known):
            return None
        found = scaled(model.factors @ model.fold_in(known, self.confidence))
        if found is None:
            return None
        scores = np.zeros(rows)
        scores[model.rows] = found
        return scores


def _library() -> tuple[Any, Any]:
    """Return the library's alternating least squares, and what holds the numerics to one thread."""
    try:
        limited = importlib.import_module("threadpoolctl").threadpool_limits
        with limited(limits=1):
            als = importlib.import_module("implicit.cpu.als").AlternatingLeastSquares
    except ImportError as error:
        raise InputError(
            "`factors` needs the library `implicit`.", hint="Run `pip install 'embellie[ml]'`.", at="settings"
        ) from error
    return als, limited
