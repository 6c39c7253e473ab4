"""Off-policy: what another policy would have earned, from what one policy showed and how likely it was to show it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.stats.estimators import critical_value

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredMean:
    """A mean with its standard error and interval, whole clusters being the independent units."""

    value: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicyValue:
    """A policy's value by three estimators, and how far the log supports them.

    Attributes:
        logged: The mean reward as it was earned.
        ips: `mean(w r)`, with w the chance under the policy over the chance under the log's.
        snips: `Σ w r / Σ w`.
        dr: `mean( q(π) + w (r − q) )`, None without a model of the reward.
        gain: `dr` (else `snips`) less `logged`, on the same decisions.
        weight: The mean weight; 1 where the log supports the policy and propensities are true.
        decisions: How many.
        clusters: How many readers.
        effective: `(Σ w)² / Σ w²`, in decisions.
        effective_clusters: The same of the clusters' sums of weights.
        clipped: The share of decisions whose weight was cut.
        clip_bias: What cutting took off `ips`.
        largest: The largest weight before cutting.
    """

    logged: ClusteredMean
    ips: ClusteredMean
    snips: ClusteredMean
    dr: ClusteredMean | None
    gain: ClusteredMean
    weight: ClusteredMean
    decisions: int
    clusters: int
    effective: float
    effective_clusters: float
    clipped: float
    clip_bias: float
    largest: float


def off_policy_value(
    reward: npt.ArrayLike,
    *,
    propensity: npt.ArrayLike,
    target: npt.ArrayLike,
    cluster: npt.ArrayLike,
    modelled: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    clip: float = math.inf,
    level: float = 0.95,
) -> OffPolicyValue:
    """Estimate the mean reward per decision had another policy decided.

    Weights `w = π(a|x) / p(a|x)`, cut at `clip`. Standard errors take clusters as independent, by the delta method:
    `se² = G/(G − 1) Σ_g (Σ_{i∈g} e_i)² / D²` with the estimator's residuals e and divisor D (the number of decisions;
    `Σ w` for SNIPS). Intervals: Student's t at the effective number of clusters less one. Sources: Horvitz and Thompson
    1952; Swaminathan and Joachims, NIPS 2015 (self-normalised); Dudík, Langford and Li, ICML 2011 (doubly robust).

    Args:
        reward: What each decision earned.
        propensity: The logging policy's chance of what it showed, above 0.
        target: The other policy's chance of the same.
        cluster: The reader of each decision, numbered from 0.
        modelled: The reward a model expects of what was shown, and of what the other policy would show; made without
            the decision's own cluster (`modelled_rewards`).
        clip: The largest weight.
        level: Of the intervals.

    >>> found = off_policy_value([1, 0, 1, 0], propensity=[0.5] * 4, target=[1, 0, 1, 0], cluster=[0, 1, 2, 3])
    >>> found.ips.value, found.snips.value, found.logged.value, found.effective
    (1.0, 1.0, 0.5, 2.0)
    """
    r, p = np.asarray(reward, np.float64), np.asarray(propensity, np.float64)
    members = np.asarray(cluster, np.int64)
    whole = np.asarray(target, np.float64) / p
    w = np.minimum(whole, clip)
    sums = np.bincount(members, weights=w)
    effective_clusters = float(w.sum() ** 2 / max((sums**2).sum(), 1e-300))

    def mean(values: Floats, divisor: Floats, readers: float) -> ClusteredMean:
        return _clustered(values, divisor, members, level=level, df=max(1.0, readers - 1.0))

    ones, clusters = np.ones_like(r), float(len(sums))
    snips = mean(w * r, w, effective_clusters)
    dr, gain = (
        None,
        mean(w * (r - snips.value) * len(w) / max(w.sum(), 1e-300) - r + snips.value, ones, effective_clusters),
    )
    if modelled is not None:
        shown, would = (np.asarray(each, np.float64) for each in modelled)
        values = would + w * (r - shown)
        dr, gain = mean(values, ones, effective_clusters), mean(values - r, ones, effective_clusters)
    return OffPolicyValue(
        logged=mean(r, ones, clusters),
        ips=mean(w * r, ones, effective_clusters),
        snips=snips,
        dr=dr,
        gain=gain,
        weight=mean(whole, ones, clusters),
        decisions=len(r),
        clusters=len(sums),
        effective=float(w.sum() ** 2 / max((w**2).sum(), 1e-300)),
        effective_clusters=effective_clusters,
        clipped=float(np.mean(whole > clip)),
        clip_bias=float(np.mean((whole - w) * r)),
        largest=float(whole.max(initial=0.0)),
    )


def _clustered(values: Floats, divisor: Floats, members: Integers, *, level: float, df: float) -> ClusteredMean:
    total = float(divisor.sum())
    if total <= 0:
        return ClusteredMean(value=math.nan, se=math.nan, low=math.nan, high=math.nan)
    mean = float(values.sum()) / total
    residuals = np.bincount(members, weights=values - mean * divisor)
    groups = len(residuals)
    se = math.sqrt(groups / max(groups - 1, 1) * float(residuals @ residuals)) / total
    reach = critical_value(level, df) * se
    return ClusteredMean(value=mean, se=se, low=mean - reach, high=mean + reach)


def modelled_rewards(
    reward: npt.ArrayLike,
    *,
    shown: Sequence[npt.ArrayLike],
    would: Sequence[npt.ArrayLike],
    cluster: npt.ArrayLike,
    folds: int = 5,
    prior: float = 20.0,
) -> tuple[Floats, Floats]:
    """Expect the reward of what was shown, and of what would be, from other readers' rewards of the same.

    A mean per cell, from the coarsest to the finest (article; article and position; …), each shrunk to the one before:
    `q = (Σ r + prior · q_coarser) / (n + prior)`; the coarsest towards the mean of all. Clusters are dealt to folds, and
    each is told by the others' folds only, so that errors of the model do not follow the reward.

    Args:
        reward: What each decision earned.
        shown: For each level, the cell of what was shown, numbered from 0; coarsest first.
        would: The same of what would be shown; −1 where that cell was never shown.
        cluster: The reader of each decision.
        folds: How many.
        prior: Decisions that a cell must outweigh.

    >>> shown = (np.array([0, 0, 1, 1]),)
    >>> one, other = modelled_rewards([1, 1, 0, 0], shown=shown, would=shown, cluster=[0, 1, 2, 3], folds=2, prior=0.0)
    >>> one.tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    r, members = np.asarray(reward, np.float64), np.asarray(cluster, np.int64)
    cells_shown = [np.asarray(each, np.int64) for each in shown]
    cells_would = [np.asarray(each, np.int64) for each in would]
    part = members % folds
    told, wanted = np.zeros_like(r), np.zeros_like(r)
    for fold in range(folds):
        inside = part == fold
        if not inside.any():
            continue
        others = ~inside
        overall = float(r[others].mean()) if others.any() else float(r.mean())
        one, two = np.full(int(inside.sum()), overall), np.full(int(inside.sum()), overall)
        coarser: Floats | None = None
        for level, cells in enumerate(cells_shown):
            size = int(max(cells.max(initial=-1), cells_would[level].max(initial=-1))) + 1
            counts = np.bincount(cells[others], minlength=size).astype(np.float64)
            sums = np.bincount(cells[others], weights=r[others], minlength=size)
            base = np.full(size, overall)
            if coarser is not None:  # a cell's parent: that of any decision in it
                base[cells] = coarser[cells_shown[level - 1]]
            with np.errstate(invalid="ignore", divide="ignore"):
                q = np.where(counts + prior > 0, (sums + prior * base) / (counts + prior), base)
            one = q[cells[inside]]
            known = cells_would[level][inside] >= 0
            two = np.where(known, q[np.maximum(cells_would[level][inside], 0)], two)
            coarser = q
        told[inside], wanted[inside] = one, two
    return told, wanted
