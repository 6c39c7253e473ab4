"""Shrinkage: what is left of an estimate after what many estimates together teach.

The largest of many noisy estimates is too large: the winner's curse. An estimate x of a true effect D, `x ~ N(D, s²)`, is drawn
towards where effects have been found to lie, the less the better it was measured.

Two settings. Past experiments: `D ~ location + scale · t_df`, learnt once by maximum marginal likelihood; tails are fat, so that
a rare large success, well measured, is kept. Segments of one experiment: `D_i ~ N(μ, τ²)`, all of it from these segments,
averaged over τ, so that two segments are enough.

Sources: Azevedo, Deng, Montiel Olea, Rao and Weyl, Journal of Political Economy 2020 (fat tails); Robbins 1956 and Efron 2011
(`E[D | x] = x + s² d/dx ln m(x)`, Tweedie's formula); Daniels 1999 (the uniform shrinkage prior).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

FEWEST = 8
"""Fewer past experiments than this teach no prior."""

FEWEST_FOR_TAILS = 30
"""Fewer than this say nothing of tails: the degrees of freedom are then `USUAL_DF`."""

USUAL_DF = 4.0

NORMAL_DF = 1000.0
"""Degrees of freedom from which Student's t is taken as normal."""

FATTEST_DF = 2.0
"""Tails are learnt no fatter than this: below, effects larger than any that was ever seen would decide what learning is worth."""

_THINNEST = 100.0
_NODES = 161


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Where true effects lie: `location + scale · t_df`.

    >>> Prior(df=4.0, location=0.001, scale=0.0123456).text
    't(4, 0.001, 0.01235)'
    """

    df: float
    location: float
    scale: float

    @property
    def text(self) -> str:
        """As it is written in a question."""
        return f"t({self.df:.3g}, {self.location:.4g}, {self.scale:.4g})"

    @property
    def half(self) -> float:
        """Half of all true effects lie so near to the location."""
        return self.scale * float(special.stdtrit(self.df, 0.75))


@dataclass(frozen=True, slots=True)
class Belief:
    """A mixture of normals: what is believed of a true effect."""

    weights: Array
    means: Array
    sds: Array

    @property
    def mean(self) -> float:
        """Its mean."""
        return float(self.weights @ self.means)

    @property
    def sd(self) -> float:
        """Its standard deviation."""
        return math.sqrt(float(self.weights @ (self.sds**2 + (self.means - self.mean) ** 2)))

    def chance_above(self, value: float) -> float:
        """Return the chance that the true effect lies above a value."""
        return float(self.weights @ special.ndtr((self.means - value) / self.sds))

    def quantile(self, share: float) -> float:
        """Return the value below which this share of belief lies, by Newton's steps inside a bracket."""
        low = float(np.min(self.means - 40.0 * self.sds))
        high = float(np.max(self.means + 40.0 * self.sds))
        found = self.mean + float(special.ndtri(share)) * self.sd
        for _ in range(200):
            scores = (found - self.means) / self.sds
            excess = float(self.weights @ special.ndtr(scores)) - share
            low, high = (low, found) if excess > 0 else (found, high)
            slope = float(self.weights @ (np.exp(-0.5 * scores**2) / self.sds)) / math.sqrt(2.0 * math.pi)
            step = found - excess / slope if slope > 0 else math.inf
            before, found = found, step if low < step < high else 0.5 * (low + high)
            if abs(found - before) <= 1e-12 * (high - low + self.sd):
                break
        return found


def believed(estimate: float, se: float, prior: Prior) -> Belief:
    """Return what is believed of an effect after its estimate, under a prior learnt from others.

    A t is a normal whose precision λ is drawn from a gamma, so given λ all is normal: with `τ² = scale²/λ` the belief is
    `N(location + τ²/(τ² + s²)·(x − location), τ²s²/(τ² + s²))`; these are weighed by how well each foretells x.

    >>> belief = believed(0.02, 0.01, Prior(df=2000.0, location=0.0, scale=0.01))
    >>> round(belief.mean, 9), round(belief.sd, 9)  # halfway, and √½ of the standard error
    (0.01, 0.007071068)
    """
    log_weights, spread = _mixture(prior.df)
    variance = prior.scale**2 * spread
    total = variance + se**2
    logs = log_weights - 0.5 * (np.log(total) + (estimate - prior.location) ** 2 / total)
    weights = np.exp(logs - special.logsumexp(logs))
    kept = variance / total
    return Belief(weights, prior.location + kept * (estimate - prior.location), np.sqrt(kept) * se)


def log_marginal(estimates: Array, ses: Array, prior: Prior) -> Array:
    """Return the log density of estimates under a prior, `∫ N(x; D, s²) t(D) dD`, by quadrature over log λ.

    >>> found = log_marginal(np.array([0.0]), np.array([0.6]), Prior(df=2000.0, location=0.0, scale=0.8))
    >>> round(float(found[0]), 6)  # the standard normal's at 0
    -0.918939
    """
    log_weights, spread = _mixture(prior.df)
    total = prior.scale**2 * spread[None, :] + ses[:, None] ** 2
    logs = log_weights[None, :] - 0.5 * (
        np.log(2.0 * math.pi * total) + (estimates[:, None] - prior.location) ** 2 / total
    )
    return np.asarray(special.logsumexp(logs, axis=1))


def _mixture(df: float) -> tuple[Array, Array]:
    """Return the log weights of λ ~ Gamma(df/2, df/2), and 1/λ, at points even in log λ."""
    if df >= NORMAL_DF:
        return np.zeros(1), np.ones(1)
    half = 0.5 * df
    # Far out to the fat end: an estimate that no other explains is explained from there.
    low = max(math.log(special.gammaincinv(half, 1e-60) / half), -50.0)
    high = math.log(special.gammainccinv(half, 1e-14) / half)
    logs = np.linspace(low, high, _NODES)
    weights = half * logs - half * np.exp(logs)
    return weights - special.logsumexp(weights), np.exp(-logs)


def learnt_prior(estimates: Sequence[float], ses: Sequence[float], *, df: float | None = None) -> Prior:
    """Learn where true effects lie from past experiments, by maximum marginal likelihood.

    With fewer than 30 the degrees of freedom are 4, for tails show in what is rare; with more they are found between 2 and 100.
    The scale is not let fall below a thousandth of the smallest standard error: few past effects can look as if there were none.

    Args:
        estimates: The estimated effects, all in one unit, such as shares of the control's value.
        ses: Their standard errors.
        df: Degrees of freedom, when they are known.

    Raises:
        ValueError: Fewer than 8, or a standard error that is not above 0.
    """
    from scipy import optimize

    x, s = np.asarray(estimates, dtype=np.float64), np.asarray(ses, dtype=np.float64)
    if len(x) < FEWEST or len(x) != len(s) or not np.all(s > 0) or not np.all(np.isfinite(x)):
        raise ValueError(f"A prior needs {FEWEST} past effects or more, each with a standard error above 0.")
    unit = float(np.sqrt(np.median(x**2) + np.median(s) ** 2))
    x, s = x / unit, s / unit
    given = df if df is not None else USUAL_DF if len(x) < FEWEST_FOR_TAILS else None
    lowest = math.log(1e-3 * float(s.min()))

    def cost(guess: Array) -> float:
        tails = given if given is not None else math.exp(guess[2])
        prior = Prior(df=tails, location=float(guess[0]), scale=math.exp(guess[1]))
        return -float(log_marginal(x, s, prior).sum())

    spread = max(float(np.median(np.abs(x - np.median(x)))), 1e-3 * float(s.min()))
    bounds = [(float(x.min()), float(x.max())), (lowest, math.log(10.0 * float(np.abs(x).max()) + 10.0))]
    tails = [] if given is not None else [(math.log(FATTEST_DF), math.log(_THINNEST))]
    starts = [
        [float(np.median(x)), max(math.log(factor * spread), lowest), *([math.log(start)] if tails else [])]
        for factor, start in ((1.0, 3.0), (0.2, 5.0), (1.0, 20.0))
    ]
    found = [optimize.minimize(cost, start, method="L-BFGS-B", bounds=bounds + tails) for start in starts]
    best = min(found, key=lambda each: float(each.fun)).x
    return Prior(
        df=given if given is not None else math.exp(best[2]),
        location=float(best[0]) * unit,
        scale=math.exp(best[1]) * unit,
    )


def shrunk_together(estimates: Sequence[float], ses: Sequence[float]) -> list[Belief]:
    """Return what is believed of each segment's effect after all of them: `D_i ~ N(μ, τ²)`, μ flat.

    τ is not guessed: belief is averaged over it, with the share `s₀²/(s₀² + τ²)` uniform between 0 and 1, s₀² the harmonic mean
    of the s². So it works from two segments on; one alone keeps its estimate.

    >>> [round(belief.mean, 3) for belief in shrunk_together([0.0, 1.0], [1.0, 1.0])]
    [0.291, 0.709]
    """
    x, s = np.asarray(estimates, dtype=np.float64), np.asarray(ses, dtype=np.float64)
    if len(x) == 1:
        return [Belief(np.ones(1), x, s)]
    shares = (np.arange(200) + 0.5) / 200
    between = (1.0 - shares) / shares / float(np.mean(s**-2.0))
    total = between[:, None] + s[None, :] ** 2
    precision = 1.0 / total
    summed = precision.sum(axis=1)
    centre = (precision @ x) / summed
    misfit = (precision * (x[None, :] - centre[:, None]) ** 2).sum(axis=1)
    logs = -0.5 * (np.log(total).sum(axis=1) + np.log(summed) + misfit)
    weights = np.exp(logs - special.logsumexp(logs))
    kept = between[:, None] / total
    means = centre[:, None] + kept * (x[None, :] - centre[:, None])
    variances = kept * s[None, :] ** 2 + (1.0 - kept) ** 2 / summed[:, None]
    return [Belief(weights, means[:, place], np.sqrt(variances[:, place])) for place in range(len(x))]
