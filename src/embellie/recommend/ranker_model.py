"""The learned ranker's model, whatever its kind: read from bytes, and how well it orders lists."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embellie.domain.errors import InputError
from embellie.recommend.features import Matrix
from embellie.recommend.learning import TrainingSet, bounds_of
from embellie.recommend.popularity import Floats
from embellie.recommend.ranker_file import NEURAL, TREES, head_of
from embellie.recommend.ranker_network import RankerNetwork
from embellie.recommend.ranker_trees import RankerTrees


class RankerModel(Protocol):
    """A fitted ranker: scores articles by their features, more is better, and is bytes.

    `feature_names` are the columns that `score` expects, in order; `about` says how it was fitted.
    """

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns it expects."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """How it was fitted."""
        ...

    def score(self, matrix: Matrix) -> Floats:
        """Score articles (articles × features), each as if it stood first."""
        ...

    def dump(self) -> bytes:
        """Write it down: the same model, the same bytes."""
        ...


_KINDS: Mapping[str, Callable[[bytes], RankerModel]] = {TREES: RankerTrees.load, NEURAL: RankerNetwork.load}


def load_ranker(data: bytes) -> RankerModel:
    """Read a model of any kind; its first line says which.

    Raises:
        InputError: It is something else, damaged, of a kind this version does not know, or its extra is not installed.
    """
    kind = head_of(data)[0]["kind"]
    if kind not in _KINDS:
        raise InputError(
            f"The model is of the kind `{kind}`, which this version does not know: it knows {' and '.join(_KINDS)}.",
            hint="Upgrade embellie, or train one here with `embellie recommend train`.",
        )
    return _KINDS[kind](data)


def list_auc(scores: NDArray[np.floating[Any]], training: TrainingSet) -> float:
    """Return the chance that, in a list, a clicked article is scored above one passed over; ties count half. NaN without pairs."""
    wins = pairs = 0.0
    for first, last in bounds_of(training.groups):
        clicked = training.labels[first:last] > 0
        ahead = scores[first:last][clicked][:, None] - scores[first:last][~clicked][None, :]
        wins += float((ahead > 0).sum()) + 0.5 * float((ahead == 0).sum())
        pairs += ahead.size
    return wins / pairs if pairs else float("nan")
