"""Model checks: after learning, is this model fit to be shown to readers?

All on lists later than those it learned from. A model that is no better than a heuristic is not refused, but it is said that
the heuristic is enough; one that is worse is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embellie.recommend.popularity import Floats
from embellie.recommend.trainer import Gathered, Lists, Model, Numbers, list_numbers
from embellie.recommend.training_check import CheckState, TrainingCheck, worst

Integers = NDArray[np.int64]

LEAST_LISTS, LEAST_READERS = 30, 10
MOST_BYTES = 64 * 1024 * 1024
MOST_MS = 25.0
"""For the 200 candidates of one slate; a slate is due in 50 ms."""

CANDIDATES = 200
FAR_BELOW = 0.05
"""How much of nDCG a slice may lose against a heuristic, at least, before it counts as far below."""

LAST_PLACE = 10
MOST_WEIGHT = 4.0
"""A choice far down counts for at most so many at the top."""

TOO_GOOD = 0.985
_LEAK = 3.0
"""So many times a heuristic's gain over chance, by one feature alone, is no taste of readers'."""


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
    beta = _newton(np.column_stack([scaled, dummies, np.ones(len(places))]), (labels > 0).astype(np.float64))
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


def check_model(judged: Judged, *, floor: float = 0.0) -> list[TrainingCheck]:
    """Say of a model whether it may be shown to readers.

    Args:
        judged: The model, seen all round.
        floor: The least nDCG on the later part; better than any order by chance is asked anyway.

    Returns:
        One check each: sanity, floor, heuristics, yesterday, slices, calibration, cost.
    """
    return [
        check_sanity(judged), check_floor(judged, floor), check_heuristics(judged), check_yesterday(judged),
        check_slices(judged), check_calibration(judged), check_cost(judged),
    ]  # fmt: skip


def check_sanity(judged: Judged) -> TrainingCheck:
    """Finite scores that tell articles apart, resting on more than one feature, and not too good to be true."""
    scores = judged.scores
    bad = int((~np.isfinite(scores)).sum())
    if bad:
        return TrainingCheck(check="sanity", state="alarm", code="not_finite", figures={"n": bad})
    count = int(judged.lists.max(initial=-1)) + 1
    high, low = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(high, judged.lists, scores)
    np.minimum.at(low, judged.lists, scores)
    several = np.bincount(judged.lists, minlength=count) > 1
    flat = float((high == low)[several].mean()) if several.any() else 1.0
    if flat > 0.5:
        return TrainingCheck(check="sanity", state="alarm", code="constant", figures={"share": flat})
    ndcg = float(np.nanmean(judged.ndcg))
    if ndcg > TOO_GOOD and float(np.nanmean(judged.by_chance)) < TOO_GOOD - 0.1:
        return TrainingCheck(check="sanity", state="alarm", code="too_good", figures={"ndcg": ndcg})
    drops = {name: max(value, 0.0) for name, value in judged.importance.items()}
    total = sum(drops.values())
    if len(drops) > 2 and total > 0.005:
        most = max(drops, key=lambda name: drops[name])
        share = drops[most] / total
        if share > 0.95:
            chance = float(np.nanmean(judged.by_chance))
            best = max((float(np.nanmean(values)) for values in judged.heuristics.values()), default=1.0)
            times = (ndcg - chance) / max(best - chance, 0.01)
            figures: dict[str, float | str] = {"what": most, "share": share, "times": times}
            if times > _LEAK and most not in judged.heuristics:
                return TrainingCheck(check="sanity", state="alarm", code="leak", figures=figures)
            return TrainingCheck(check="sanity", state="watch", code="one_feature", figures=figures)
    return TrainingCheck(check="sanity", state="ok", code="sane", figures={"flat": flat})


def check_floor(judged: Judged, floor: float) -> TrainingCheck:
    """Whether it ranks better than chance, and as well as was asked."""
    known = ~np.isnan(judged.ndcg)
    weights = judged.counts[known]
    mean = mean_by_reader(judged.ndcg[known], judged.readers[known], weights)
    gain = mean_by_reader((judged.ndcg - judged.by_chance)[known], judged.readers[known], weights)
    low, high = mean.reach()
    figures: dict[str, float | str] = {
        "ndcg": mean.value, "low": low, "high": high, "floor": floor, "chance": mean.value - gain.value,
        "lists": int(known.sum()), "readers": mean.readers,
    }  # fmt: skip
    if known.sum() < LEAST_LISTS or mean.readers < LEAST_READERS:
        return TrainingCheck(check="floor", state="alarm", code="too_few", figures=_finite(figures))
    if gain.reach()[0] <= 0:
        return TrainingCheck(check="floor", state="alarm", code="by_chance", figures=_finite(figures))
    if mean.value < floor:
        return TrainingCheck(check="floor", state="alarm", code="below_floor", figures=_finite(figures))
    return TrainingCheck(check="floor", state="ok", code="above_floor", figures=_finite(figures))


def _finite(figures: Mapping[str, float | str]) -> dict[str, float | str]:
    return {name: value for name, value in figures.items() if isinstance(value, str) or math.isfinite(value)}


def check_heuristics(judged: Judged) -> TrainingCheck:
    """Against each heuristic on the same lists, in pairs: worse is an alarm, no better says that the heuristic is enough."""
    if not judged.heuristics:
        return TrainingCheck(check="heuristics", state="watch", code="no_heuristic")
    found = []
    for name, values in judged.heuristics.items():
        low, high, value = paired(judged, values)
        figures: dict[str, float | str] = {"what": name, "difference": value, "low": low, "high": high}
        if high < 0:
            found.append(TrainingCheck(check="heuristics", state="alarm", code="worse", figures=_finite(figures)))
        elif not low > 0:
            found.append(TrainingCheck(check="heuristics", state="watch", code="no_better", figures=_finite(figures)))
        else:
            found.append(TrainingCheck(check="heuristics", state="ok", code="better", figures=_finite(figures)))
    # The best heuristic is the one to tell of: it is what the model must beat.
    return worst(sorted(found, key=lambda check: float(check.figures.get("difference", 0.0))))


def paired(
    judged: Judged, other: Floats, inside: NDArray[np.bool_] | None = None, *, z: float = 1.959963984540054
) -> tuple[float, float, float]:
    """Return the interval of the model's advantage over another ranking of the same lists, and its mean.

    Weighed by how little places are looked at, and not: the first gives the policy that made the order too little credit where
    places are held for worse than they are, the second too much. The interval covers both; the mean is the weighed one.
    """
    known = ~np.isnan(judged.ndcg) & ~np.isnan(other) & (True if inside is None else inside)
    values, readers = (judged.ndcg - other)[known], judged.readers[known]
    weighed = mean_by_reader(values, readers, judged.counts[known])
    both = [weighed.reach(z), mean_by_reader(values, readers).reach(z)]
    return min(low for low, _ in both), max(high for _, high in both), weighed.value


def check_yesterday(judged: Judged) -> TrainingCheck:
    """Against the current model, on lists later than either learned from."""
    if judged.before is None:
        return TrainingCheck(check="yesterday", state="ok", code="first")
    low, high, value = paired(judged, judged.before)
    figures = _finite({"difference": value, "low": low, "high": high})
    if high < -0.01:
        return TrainingCheck(check="yesterday", state="alarm", code="fell_behind", figures=figures)
    state: CheckState = "watch" if high < 0 else "ok"
    return TrainingCheck(
        check="yesterday", state=state, code="fell_behind" if high < 0 else "as_before", figures=figures
    )


def check_slices(judged: Judged) -> TrainingCheck:
    """No section, hour or kind of reader far below the best heuristic; bounds as wide as the number of slices asks."""
    if not judged.heuristics:
        return TrainingCheck(check="slices", state="ok", code="even", figures={"n": 0})
    best = max(judged.heuristics.values(), key=lambda values: float(np.nanmean(values)))
    parts: list[tuple[str, str, NDArray[np.bool_]]] = []
    for dimension, values in judged.slices.items():
        given = np.array(list(values), object)
        for value in sorted(set(values)):
            inside = (given == value) & ~np.isnan(judged.ndcg)
            if inside.sum() >= LEAST_LISTS and len(np.unique(judged.readers[inside])) >= LEAST_READERS:
                parts.append((dimension, value, inside))
    z = _bonferroni(len(parts))
    found = [TrainingCheck(check="slices", state="ok", code="even", figures={"n": len(parts)})]
    for dimension, value, inside in parts:
        _, high, difference = paired(judged, best, inside, z=z)
        figures = _finite(
            {"dimension": dimension, "value": value, "difference": difference, "high": high, "lists": int(inside.sum())}
        )
        if high < -FAR_BELOW:
            found.append(TrainingCheck(check="slices", state="alarm", code="slice_behind", figures=figures))
        elif high < 0:
            found.append(TrainingCheck(check="slices", state="watch", code="slice_behind", figures=figures))
    return worst(found)


def _bonferroni(parts: int) -> float:
    """Standard errors so that one slice in all falls outside one-sided once in forty times.

    A rational approximation of the normal's quantile (Abramowitz & Stegun 26.2.23, error below 4.5e-4).

    >>> round(_bonferroni(1), 2), round(_bonferroni(20), 2)
    (1.96, 3.02)
    """
    t = math.sqrt(-2 * math.log(0.025 / max(parts, 1)))
    top = 2.515517 + 0.802853 * t + 0.010328 * t * t
    return t - top / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t**3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Scores as chances: `1 / (1 + exp(-(slope · score + level)))`; and by tenth of scores what was foretold and came true."""

    slope: float
    level: float
    foretold: tuple[float, ...]
    found: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def error(self) -> float:
        """The mean distance of foretold and found, by rows (expected calibration error)."""
        return sum(n * abs(p - y) for p, y, n in zip(self.foretold, self.found, self.rows, strict=True)) / sum(
            self.rows
        )


def calibrate(scores: Floats, labels: Floats, lists: Integers) -> Calibration | None:
    """Scale scores to chances by logistic regression on every other list (Platt, 1999); judge it on the others.

    Returns:
        None when scores or outcomes do not vary.
    """
    chosen = (labels > 0).astype(np.float64)
    fit, held = lists % 2 == 0, lists % 2 == 1
    spread = float(scores[fit].std()) if fit.any() else 0.0
    if not (spread > 0 and 0 < chosen[fit].mean() < 1 and held.sum() >= 100):
        return None
    middle = float(scores[fit].mean())
    slope, level = _logistic((scores[fit] - middle) / spread, chosen[fit])
    slope, level = slope / spread, level - slope * middle / spread
    chance = 1.0 / (1.0 + np.exp(-np.clip(slope * scores[held] + level, -30, 30)))
    order = np.argsort(scores[held], kind="stable")
    tenths = [part for part in np.array_split(order, 10) if len(part)]
    return Calibration(
        slope=slope,
        level=level,
        foretold=tuple(float(chance[part].mean()) for part in tenths),
        found=tuple(float(chosen[held][part].mean()) for part in tenths),
        rows=tuple(len(part) for part in tenths),
    )


def _logistic(x: Floats, y: Floats) -> tuple[float, float]:
    """Fit slope and level."""
    slope, level = _newton(np.column_stack([x, np.ones(len(x))]), y).tolist()
    return float(slope), float(level)


def _newton(design: Floats, y: Floats, *, steps: int = 30) -> Floats:
    """Fit a logistic regression by Newton's method, a little held back so that a perfect separation has an answer.

    The last column is the level.
    """
    beta = np.zeros(design.shape[1])
    ridge = np.diag([1e-5] * (len(beta) - 1) + [1e-6]) * len(design)
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (y - p) - ridge @ beta
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design + ridge, gradient)
        beta = beta + step
        if float(np.abs(step).max()) < 1e-9:
            break
    return beta


def check_calibration(judged: Judged) -> TrainingCheck:
    """Whether higher scores are chosen more often, and scaled scores can be read as chances."""
    if not np.isfinite(judged.scores).all():
        return TrainingCheck(check="calibration", state="alarm", code="uncalibrated")
    found = calibrate(judged.scores, judged.labels, judged.lists)
    if found is None:
        return TrainingCheck(check="calibration", state="watch", code="uncalibrated")
    top, bottom = found.found[-1], found.found[0]
    noise = math.sqrt(max(top * (1 - top), 1e-9) / found.rows[-1] + max(bottom * (1 - bottom), 1e-9) / found.rows[0])
    figures = {"top": top, "bottom": bottom, "error": found.error, "slope": found.slope}
    if found.slope <= 0 and top < bottom - 3 * noise:
        return TrainingCheck(check="calibration", state="alarm", code="upside_down", figures=figures)
    far = [
        abs(p - y) > max(4 * math.sqrt(max(p * (1 - p), 1e-9) / n), 0.2 * p, 0.01)
        for p, y, n in zip(found.foretold, found.found, found.rows, strict=True)
    ]
    if sum(far) > 1:
        return TrainingCheck(check="calibration", state="watch", code="off", figures=figures | {"n": sum(far)})
    return TrainingCheck(check="calibration", state="ok", code="calibrated", figures=figures)


def check_cost(judged: Judged) -> TrainingCheck:
    """Whether it is small and quick enough to answer readers."""
    figures = {"bytes": judged.bytes, "milliseconds": judged.milliseconds}
    if judged.bytes > MOST_BYTES or judged.milliseconds > MOST_MS:
        return TrainingCheck(check="cost", state="alarm", code="too_slow", figures=figures)
    state: CheckState = "watch" if judged.milliseconds > MOST_MS / 2 else "ok"
    return TrainingCheck(check="cost", state=state, code="too_slow" if state == "watch" else "light", figures=figures)
