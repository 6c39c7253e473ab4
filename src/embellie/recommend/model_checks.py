"""Model checks: after learning, is this model fit to be shown to readers?

All on lists later than those it learned from. A model that is no better than a heuristic is not refused, but it is said that
the heuristic is enough; one that is worse is.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from embellie.recommend.judging_models import Judged, mean_by_reader
from embellie.recommend.popularity import Floats
from embellie.recommend.score_calibration import calibrate
from embellie.recommend.training_check import CheckState, TrainingCheck, worst

LEAST_LISTS, LEAST_READERS = 30, 10
MOST_BYTES = 64 * 1024 * 1024
MOST_MS = 25.0
"""For the 200 candidates of one slate; a slate is due in 50 ms."""

FAR_BELOW = 0.05
"""How much of nDCG a slice may lose against a heuristic, at least, before it counts as far below."""

TOO_GOOD = 0.985
_LEAK = 3.0
"""So many times a heuristic's gain over chance, by one feature alone, is no taste of readers'."""


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
