"""EASE: linear weights between articles that are read together, in closed form; an honest baseline for what is learned."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from embellie.domain.errors import InputError
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.recent_reads import Taken
from embellie.recommend.refitted import Refitted, scaled


def ease_weights(gram: Floats, ridge: float) -> Floats:
    """Return the weights B that best tell each column of X from the others, 0 on the diagonal.

        P = (XᵀX + λ I)⁻¹        B_ij = − P_ij / P_jj,  B_jj = 0

    minimises ‖X − X B‖² + λ ‖B‖² with a zero diagonal (Steck, Embarrassingly Shallow Autoencoders for Sparse Data,
    WWW 2019).

    Args:
        gram: XᵀX, how often each pair was read by the same reader; the diagonal, by how many each was.
        ridge: λ, above 0: so many readers more who read just one article each.

    >>> ease_weights(np.array([[2.0, 1.0], [1.0, 2.0]]), 1.0).round(3).tolist()
    [[0.0, 0.333], [0.333, 0.0]]
    """
    inverse = np.linalg.inv(gram + ridge * np.eye(len(gram)))
    weights: Floats = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@dataclass(frozen=True, eq=False)
class Weights:
    """EASE weights between some rows: `place` finds a row's line, -1 where it has none."""

    rows: Integers
    place: Integers
    between: Floats


@dataclass(frozen=True)
class Ease(Refitted):
    """EASE on the most read articles of the last days, above decayed popularity.

    Memory: articles² numbers, 2 MB for 500; fitting takes some 30 ms for 500 and grows with the cube.

    Args:
        articles: The most read articles that get weights.
        ridge: Shrinks weights; the larger, the surer a pair must be.
    """

    name: ClassVar[str] = "ease"

    articles: int = 500
    ridge: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.articles < 2 or not self.ridge > 0.0:
            raise InputError(
                f"`articles` = {self.articles} or `ridge` = {self.ridge:g} of `ease` is out of range.",
                hint="Give at least 2 articles, and a `ridge` above 0.",
                at="settings",
            )

    def fit(self, taken: Taken) -> Weights | None:
        """Weigh the most read articles of the freeze, ties by the older row."""
        readers, rows = taken.since(self.days)
        if not len(rows):
            return None
        reads = np.bincount(rows)
        most = np.sort(np.argsort(-reads, kind="stable")[: min(self.articles, int(np.count_nonzero(reads)))])
        place = np.full(len(reads), -1, np.int64)
        place[most] = np.arange(len(most))
        columns = place[rows]
        inside = columns >= 0
        pairs = np.unique(np.stack([readers[inside], columns[inside]]), axis=1)
        shape = (int(readers.max()) + 1, len(most))
        x = sparse.csr_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), shape=shape)
        return Weights(most, place, ease_weights((x.T @ x).toarray(), self.ridge))

    def predict(self, model: Weights, read: Integers, rows: int) -> Floats | None:
        """Sum the weights from what was read."""
        known = model.place[read[read < len(model.place)]]
        known = known[known >= 0]
        if not len(known):
            return None
        found = scaled(model.between[known].sum(axis=0))
        if found is None:
            return None
        scores = np.zeros(rows)
        scores[model.rows] = found
        return scores
