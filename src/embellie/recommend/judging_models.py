"""Judging models: a model on lists later than those it learned from, seen all round."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embellie.recommend.popularity import Floats
from embellie.recommend.score_calibration import newton
from embellie.recommend.trainer import Gathered, Lists, Model, Numbers, list_numbers

Integers = NDArray[np.int64]
CANDIDATES = 200
LAST_PLACE = 10
MOST_WEIGHT = 4.0
"""A choice far down counts for at most so many at the top."""


def list_ndcg(scores: Numbers, labels: Numbers, lists: Integers) -> Floats:
    """Return the nDCG of each list (by its number), NaN where nothing was chosen.

        DCG = Σ gain · discount,  gain = 2^label - 1,  discount = 1 / log2(1 + rank),  nDCG = DCG / the best DCG

    (Järvelin & Kekäläinen, TOIS 2002.) Rows with equal scores share their discounts: their order, which is that of the slate,
    must not count for the model.

    >>> list_ndcg(np.array([3.0, 1, 2, 5, 5]), np.array([0, 0, 1, 1, 0]), np.array([0, 0, 0, 1, 1])).round(3).tolist()
    [0.631, 0.815]
    """
    count = int(lists.max(initial=-1)) + 1
    gain = np.exp2(np.asarray(labels, np.float64)) - 1.0
    reached = np.bincount(lists, weights=gain * _discounts(np.asarray(scores, np.float64), lists), minlength=count)
    best = np.bincount(lists, weights=gain * _discounts(gain, lists), minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(best > 0, reached / best, np.nan)


def _discounts(scores: Floats, lists: Integers) -> Floats:
    """The discount of each row in its list, shared among equals."""
    order = np.lexsort((-scores, lists))
    sorted_lists, sorted_scores = lists[order], scores[order]
    begins = np.concatenate([[True], sorted_lists[1:] != sorted_lists[:-1]]) if len(order) else np.zeros(0, np.bool_)
    places = np.arange(len(order))
    rank = places - np.maximum.accumulate(np.where(begins, places, 0))
    block = np.cumsum(begins | np.concatenate([[True], sorted_scores[1:] != sorted_scores[:-1]])) - 1
    discount = 1.0 / np.log2(rank + 2.0)
    shared = np.bincount(block, weights=discount) / np.bincount(block)
    found = np.empty(len(order))
    found[order] = shared[block]
    return found


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over lists with its standard error, readers being the independent units."""

    value: float
    error: float
    readers: int

    def reach(self, z: float = 1.959963984540054) -> tuple[float, float]:
        """Return the interval, so many standard errors to each side."""
        return self.value - z * self.error, self.value + z * self.error


def mean_by_reader(values: Floats, readers: Integers, weights: Floats | None = None) -> Mean:
    """Return the mean over lists and its standard error by the delta method, readers as units (Deng et al., KDD 2018).

        m = Σ w v / Σ w,  var = R / (R - 1) · Σ (S_r - m W_r)² / (Σ w)²

    with S_r the sum of w v and W_r that of w over the lists of reader r, R readers.

    >>> found = mean_by_reader(np.array([0.5, 0.1, -0.2]), np.array([0, 0, 1]))
    >>> round(found.value, 3), round(found.error, 3), found.readers
    (0.133, 0.222, 2)
    """
    weights = np.ones(len(values)) if weights is None else weights
    _, codes = np.unique(readers, return_inverse=True)
    sums, sizes = np.bincount(codes, weights=values * weights), np.bincount(codes, weights=weights)
    count = len(sizes)
    if not count:
        return Mean(math.nan, math.inf, 0)
    mean = float(sums.sum() / sizes.sum())
    if count < 2:
        return Mean(mean, math.inf, count)
    residuals = sums - mean * sizes
    return Mean(mean, math.sqrt(count / (count - 1) * float(residuals @ residuals)) / float(sizes.sum()), count)


def attention(positions: Numbers, controls: Floats, labels: Floats) -> Floats:
    """Tell how much each position is looked at, beside the first: from 1 on, those from `LAST_PLACE` on as one.

    A logistic regression of choices on positions and on what the heuristics thought of the article: what a place does beyond what
    stands there (as in Wang et al., Position bias estimation for unbiased learning to rank, WSDM 2018, with the heuristics for
    relevance). Odds stand for chances, which are small.

    Args:
        positions: From 1 (n).
        controls: Scores (n x any number).
        labels: Above 0 is chosen (n).
    """
    places = np.minimum(np.asarray(positions, np.int64), LAST_PLACE) - 1
    dummies = np.eye(LAST_PLACE)[places][:, 1:]
    spread = controls.std(axis=0)
    scaled = (controls - controls.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    beta = newton(np.column_stack([scaled, dummies, np.ones(len(places))]), (labels > 0).astype(np.float64))
    effects = beta[scaled.shape[1] : -1]
    found: Floats = np.concatenate([[1.0], np.exp(np.clip(effects, math.log(1 / MOST_WEIGHT), 0.0))])
    return found


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A model on lists later than those it learned from, seen all round.

    Attributes:
        ndcg: Of the model, per list; NaN where nothing was chosen.
        by_chance: What lists in any order would have.
        heuristics: The same of each heuristic.
        readers: The reader of each list, numbered.
        slices: A value per list, by dimension.
        scores: One per row; `labels` and `lists` likewise.
        importance: By feature, how much nDCG is lost when it is shuffled.
        bytes: How large the model is.
        milliseconds: To score the candidates of one slate.
        before: The nDCG of the current model, on the same lists, when it can be had.
        weights: How much each list counts: what was chosen where few look counts for more (inverse propensity weighting,
            Joachims, Swaminathan & Schnabel, WSDM 2017), so that the order in which articles stood is not in favour of the policy
            that made it. None where there was no order.
    """

    ndcg: Floats
    by_chance: Floats
    heuristics: Mapping[str, Floats]
    readers: Integers
    slices: Mapping[str, Sequence[str]]
    scores: Floats
    labels: Floats
    lists: Integers
    importance: Mapping[str, float]
    bytes: int
    milliseconds: float
    before: Floats | None = None
    weights: Floats | None = None

    @property
    def counts(self) -> Floats:
        """The weights of the lists; 1 each when there are none."""
        return np.ones(len(self.ndcg)) if self.weights is None else self.weights


def judge_model(
    model: Model, gathered: Gathered, later: NDArray[np.bool_], *, seed: int, timer: Callable[[], float],
    before: Model | None = None,
) -> Judged:  # fmt: skip
    """Look at a model from all sides, on later lists.

    Args:
        model: The model.
        gathered: All lists, with what is known of them.
        later: Which lists to look at.
        seed: Of the shuffles that tell the importance of features.
        timer: Tells seconds.
        before: The current model, for the same features.
    """
    part = gathered.lists.where(later)
    rows = np.repeat(later, np.asarray(gathered.lists.groups))
    lists, own = list_numbers(part), np.flatnonzero(later).tolist()
    labels = np.asarray(part.labels, np.float64)
    scores = np.asarray(model.score(part.features), np.float64)
    names = [gathered.readers[place] or f"{place} of nobody" for place in own]
    return Judged(
        ndcg=list_ndcg(scores, labels, lists),
        by_chance=list_ndcg(np.zeros(len(labels)), labels, lists),
        heuristics={
            name: list_ndcg(np.asarray(values)[rows], labels, lists) for name, values in gathered.heuristics.items()
        },
        readers=np.unique(np.array(names), return_inverse=True)[1].astype(np.int64),
        slices={name: [values[place] for place in own] for name, values in gathered.slices.items()},
        scores=scores,
        labels=labels,
        lists=lists,
        importance=_importance(model, part, lists, seed=seed),
        bytes=len(model.dump()),
        milliseconds=_milliseconds(model, part, timer),
        before=None if before is None else list_ndcg(np.asarray(before.score(part.features)), labels, lists),
        weights=_weights(gathered, rows, labels, lists),
    )


def _plain(values: Numbers) -> Floats:
    return np.asarray(values, np.float64)


def _weights(gathered: Gathered, rows: NDArray[np.bool_], labels: Floats, lists: Integers) -> Floats | None:
    """Weigh each list by how little its chosen articles' places are looked at."""
    if gathered.positions is None or not gathered.heuristics:
        return None
    numbers = list_numbers(gathered.lists)
    sizes = np.bincount(numbers)
    # What differs between lists, such as how much is read at that hour, says nothing of an article among its neighbours.
    controls = np.column_stack(
        [
            one - (np.bincount(numbers, weights=one) / sizes)[numbers]
            for one in map(_plain, gathered.heuristics.values())
        ]
    )
    looked_at = attention(gathered.positions, controls, np.asarray(gathered.lists.labels, np.float64))
    own = 1.0 / looked_at[np.minimum(np.asarray(gathered.positions, np.int64)[rows], LAST_PLACE) - 1]
    chosen = (labels > 0).astype(np.float64)
    count = int(lists.max(initial=-1)) + 1
    sums, clicks = (np.bincount(lists, weights=one, minlength=count) for one in (own * chosen, chosen))
    return np.where(clicks > 0, sums / np.maximum(clicks, 1.0), 1.0)


def _importance(model: Model, part: Lists, lists: Integers, *, seed: int, most: int = 20_000) -> dict[str, float]:
    """Tell how much nDCG is lost when one feature is shuffled over all rows (Breiman, Machine Learning 2001)."""
    rows = slice(0, int(np.searchsorted(lists, lists[min(most, len(lists) - 1)], side="right")))
    matrix, labels, numbers = np.array(part.features[rows]), np.asarray(part.labels)[rows], lists[rows]
    whole = float(np.nanmean(list_ndcg(model.score(matrix), labels, numbers)))
    rng, found = np.random.default_rng(seed), {}
    for column, name in enumerate(part.feature_names):
        kept = matrix[:, column].copy()
        matrix[:, column] = kept[rng.permutation(len(kept))]
        found[name] = whole - float(np.nanmean(list_ndcg(model.score(matrix), labels, numbers)))
        matrix[:, column] = kept
    return found


def _milliseconds(model: Model, part: Lists, timer: Callable[[], float], times: int = 15) -> float:
    matrix = np.resize(part.features, (CANDIDATES, len(part.feature_names))).astype(np.float32)
    seconds = []
    for _ in range(times):
        began = timer()
        model.score(matrix)
        seconds.append(timer() - began)
    return 1000.0 * float(np.median(seconds))
