"""Proxies: how well effects on a stand-in have foretold those on what counts, over past experiments."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embellie.domain.unavailable import Unavailable
from embellie.measure.phrasing import Phrases, phrase, range_text, share_text, unavailable, unavailable_text
from embellie.measure.telling import metric_name, number_text
from embellie.stats.covariance_of_effects import (
    CLEAR,
    Bootstrapped,
    agreement_by_noise,
    effects_together,
    wilson_interval,
)
from embellie.stats.estimators import mean_is_clear_of_zero, ratio_of_means
from embellie.stats.moments import Form, Moments

FEWEST = 30
"""Experiments below which nothing is said: below, the intervals of the slope cover too seldom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPair:
    """What one comparison did to a proxy and to a metric, in any unit, and how the two errors go together."""

    experiment: str
    proxy_effect: float
    proxy_se: float
    metric_effect: float
    metric_se: float
    covariance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignAgreement:
    """How often both effects had the same sign, with Wilson's interval; `by_noise` is what no effects at all would give."""

    share: float
    low: float
    high: float
    by_noise: float


Verdict = Literal["foretells", "against", "not_shown", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyValidity:
    """What a proxy has been worth so far.

    Attributes:
        slope: What a true effect of 1 on the proxy has meant for the metric.
        correlation: Of the true effects, between −1 and 1.
        naive_slope: The regression on estimates, for comparison: the noise both share bends it.
        reliability: The part of the proxy estimates' variance that is true.
        support: How far that true variance stands out from what noise alone would show, in standard errors.
        eigenvalues: Of the covariance of true effects in units of the noise, smallest first.
        skipped: Comparisons without an effect on one of the two.
    """

    proxy: str
    metric: str
    experiments: int
    pairs: tuple[EffectPair, ...]
    slope: Bootstrapped | Unavailable
    correlation: Bootstrapped | Unavailable
    agreement: SignAgreement | Unavailable
    naive_slope: float | None = None
    reliability: float | None = None
    support: float | None = None
    eigenvalues: tuple[float, float] | None = None
    skipped: int = 0

    @property
    def verdict(self) -> Verdict:
        """Whether the slope's interval lies above zero, below, on both sides, or is not known."""
        if isinstance(self.slope, Unavailable):
            return "unknown"
        return "foretells" if self.slope.low > 0 else "against" if self.slope.high < 0 else "not_shown"


def proxy_validity(
    pairs: Sequence[EffectPair], *, proxy: str = "proxy", metric: str = "metric", seed: int = 0, skipped: int = 0
) -> ProxyValidity:
    """Tell how a proxy has foretold a metric over past experiments.

    Sampling noise that both estimates share (the same readers) is taken out first: `effects_together`. Refused below
    30 experiments, or when the proxy's effects hardly stand out from their noise.

    Args:
        pairs: One per comparison of a variant with its control.
        proxy: Its name.
        metric: Its name.
        seed: Of the bootstrap over experiments.
        skipped: Comparisons that had no effect to give.
    """
    experiments = len({pair.experiment for pair in pairs})
    if experiments < FEWEST:
        few = unavailable(PHRASES, "few_experiments", needed=FEWEST, experiments=experiments, more=FEWEST - experiments)
        return ProxyValidity(
            proxy=proxy, metric=metric, experiments=experiments, pairs=tuple(pairs), slope=few, correlation=few,
            agreement=few, skipped=skipped,
        )  # fmt: skip
    noise = [[[pair.proxy_se**2, pair.covariance], [pair.covariance, pair.metric_se**2]] for pair in pairs]
    found = effects_together(
        [[pair.proxy_effect, pair.metric_effect] for pair in pairs],
        noise,
        experiments=[pair.experiment for pair in pairs],
        seed=seed,
    )
    little = unavailable(
        PHRASES, "little_signal", support=f"{max(0.0, found.support):.1f}", needed=f"{CLEAR:g}", pairs=len(pairs)
    )
    return ProxyValidity(
        proxy=proxy,
        metric=metric,
        experiments=experiments,
        pairs=tuple(pairs),
        slope=found.slope or little,
        correlation=found.correlation or (unavailable(PHRASES, "no_correlation") if found.slope else little),
        agreement=_agreement(pairs),
        naive_slope=found.naive_slope,
        reliability=found.reliability,
        support=found.support,
        eigenvalues=found.eigenvalues,
        skipped=skipped,
    )


def _agreement(pairs: Sequence[EffectPair]) -> SignAgreement | Unavailable:
    told = [pair for pair in pairs if pair.proxy_effect != 0 and pair.metric_effect != 0]
    if not told:
        return unavailable(PHRASES, "no_signs")
    same = sum((pair.proxy_effect > 0) == (pair.metric_effect > 0) for pair in told)
    low, high = wilson_interval(same, len(told))
    shared = [pair.covariance / (pair.proxy_se * pair.metric_se) for pair in told if pair.proxy_se * pair.metric_se > 0]
    return SignAgreement(
        share=same / len(told), low=low, high=high, by_noise=agreement_by_noise(shared) if shared else 0.5
    )


@dataclass(frozen=True, slots=True)
class Ratio:
    """The columns of a metric: what is summed, and what that is divided by (empty: per unit)."""

    top: str
    bottom: str = ""


def pair_from_moments(
    control: Moments, treatment: Moments, *, proxy: Ratio, metric: Ratio, experiment: str
) -> EffectPair | None:
    """Form the relative effects on two metrics of the same units, with the covariance of their errors.

    With influence values φ of each metric and effects r = R_T / R_C − 1 relative to control:
    `Cov(r, r') = [ Cov_T(φ, φ') / n_T + (1 + r)(1 + r') Cov_C(φ, φ') / n_C ] / (R_C R'_C)` (delta method).
    None where a control's value is not clear of zero.

    Args:
        control: Moments with the columns of both metrics, and every pair of them.
        treatment: The same of the variant.
        proxy: The proxy's columns.
        metric: The metric's.
        experiment: The name to keep.
    """
    sides = [_sides(control, treatment, ratio) for ratio in (proxy, metric)]
    if any(side is None for side in sides):
        return None
    (one, own), (two, other) = (side for side in sides if side is not None)

    def covariance(a: float, left: tuple[Form, Form], b: float, right: tuple[Form, Form]) -> float:
        return (
            treatment.form_covariance(left[1], right[1]) / treatment.n
            + (1 + a) * (1 + b) * control.form_covariance(left[0], right[0]) / control.n
        )

    return EffectPair(
        experiment=experiment,
        proxy_effect=one,
        proxy_se=math.sqrt(max(0.0, covariance(one, own, one, own))),
        metric_effect=two,
        metric_se=math.sqrt(max(0.0, covariance(two, other, two, other))),
        covariance=covariance(one, own, two, other),
    )


def _sides(control: Moments, treatment: Moments, ratio: Ratio) -> tuple[float, tuple[Form, Form]] | None:
    """Return the relative effect, and each side's influence values over the control's value."""
    for sample in (control, treatment):
        if sample.n < 2 or (ratio.bottom and not mean_is_clear_of_zero(sample, ratio.bottom)):
            return None
    if not mean_is_clear_of_zero(control, ratio.top):
        return None
    base, changed = (ratio_of_means(sample, ratio.top, ratio.bottom) for sample in (control, treatment))
    own = {name: coefficient / base.value for name, coefficient in base.form.items()}
    theirs = {name: coefficient / base.value for name, coefficient in changed.form.items()}
    return changed.value / base.value - 1.0, (own, theirs)


def validity_sentences(found: ProxyValidity, language: str = "en") -> list[str]:
    """Say what a proxy has been worth so far."""
    names = {"proxy": metric_name(found.proxy, language), "metric": metric_name(found.metric, language)}
    said = []
    if isinstance(found.slope, Unavailable):
        reason = unavailable_text(PHRASES, found.slope, language)
        said.append(phrase(PHRASES, "unknown", language, **names, reason=reason))
        if found.experiments >= FEWEST and found.naive_slope is not None:
            said.append(phrase(PHRASES, "naive_only", language, naive=number_text(found.naive_slope, 0.1, language)))
    else:
        width = (found.slope.high - found.slope.low) / 2
        said.append(
            phrase(
                PHRASES,
                found.verdict,
                language,
                **names,
                experiments=found.experiments,
                slope=number_text(found.slope.value, width, language, signed=True),
                interval=range_text(found.slope.low, found.slope.high, language),
            )
        )
        said.append(
            phrase(
                PHRASES, "bent", language,
                naive=number_text(found.naive_slope or 0.0, width, language, signed=True),
                reliable=share_text(found.reliability or 0.0, language),
            )
        )  # fmt: skip
        if isinstance(found.correlation, Unavailable):
            said.append(unavailable_text(PHRASES, found.correlation, language))
        else:
            said.append(
                phrase(
                    PHRASES, "correlation", language,
                    value=number_text(found.correlation.value, 0.1, language, signed=True),
                    interval=range_text(found.correlation.low, found.correlation.high, language),
                )
            )  # fmt: skip
    if isinstance(found.agreement, SignAgreement):
        limits = [share_text(limit, language) for limit in (found.agreement.low, found.agreement.high)]
        said.append(
            phrase(
                PHRASES, "agreement", language, share=share_text(found.agreement.share, language),
                low=limits[0], high=limits[1], noise=share_text(found.agreement.by_noise, language),
            )
        )  # fmt: skip
    if found.skipped:
        said.append(phrase(PHRASES, "skipped", language, n=found.skipped))
    return said


WIDTH, HEIGHT = 49, 13
_MARKS = "·•●"


def effects_picture(found: ProxyValidity, language: str = "en") -> list[str]:
    """Draw past effects: the proxy's to the right, the metric's upwards; one mark per place, heavier where several are."""
    if len(found.pairs) < 2:
        return []
    right = max(abs(pair.proxy_effect) for pair in found.pairs) or 1.0
    up = max(abs(pair.metric_effect) for pair in found.pairs) or 1.0
    counts: dict[tuple[int, int], int] = {}
    for pair in found.pairs:
        column = round((pair.proxy_effect / right + 1) / 2 * (WIDTH - 1))
        row = round((1 - pair.metric_effect / up) / 2 * (HEIGHT - 1))
        counts[row, column] = counts.get((row, column), 0) + 1
    lines = []
    for row in range(HEIGHT):
        empty = "─" if row == HEIGHT // 2 else " "
        cells = [
            _MARKS[min(len(_MARKS), counts[row, column]) - 1] if (row, column) in counts
            else "┼" if (row, column) == (HEIGHT // 2, WIDTH // 2)
            else "│" if column == WIDTH // 2 else empty
            for column in range(WIDTH)
        ]  # fmt: skip
        lines.append("".join(cells).rstrip())
    below, beyond = (number_text(end, right / 10, language, signed=True) for end in (-right, right))
    labels = phrase(
        PHRASES, "axes", language, proxy=metric_name(found.proxy, language), metric=metric_name(found.metric, language),
        up=number_text(up, up / 10, language, signed=True),
    )  # fmt: skip
    return [*lines, f"{below}{beyond:>{WIDTH - len(below)}}", labels]


PHRASES: Phrases = {
    "foretells": (
        "Over {experiments} experiments, an effect of 1 on {proxy} has meant {slope} on {metric} (95 % interval {interval}): it has foretold it so far.",
        "Sur {experiments} expériences, un effet de 1 sur « {proxy} » a valu {slope} sur « {metric} » (intervalle à 95 % {interval}) : il l’a annoncé jusqu’ici.",
    ),
    "against": (
        "Over {experiments} experiments, an effect of 1 on {proxy} has meant {slope} on {metric} (95 % interval {interval}): it has pointed the WRONG way.",
        "Sur {experiments} expériences, un effet de 1 sur « {proxy} » a valu {slope} sur « {metric} » (intervalle à 95 % {interval}) : il a indiqué le MAUVAIS sens.",
    ),
    "not_shown": (
        "Over {experiments} experiments, an effect of 1 on {proxy} has meant {slope} on {metric} (95 % interval {interval}): not shown to foretell it.",
        "Sur {experiments} expériences, un effet de 1 sur « {proxy} » a valu {slope} sur « {metric} » (intervalle à 95 % {interval}) : rien ne montre qu’il l’annonce.",
    ),
    "unknown": (
        "Not known what {proxy} foretells of {metric}. {reason}",
        "On ne sait pas ce que « {proxy} » annonce de « {metric} ». {reason}",
    ),
    "bent": (
        "Estimates against estimates give {naive}, bent by the noise they share; {reliable} of the spread of the proxy’s effects is true.",
        "Les estimations l’une contre l’autre donnent {naive}, faussé par leur bruit commun ; {reliable} de la dispersion des effets de l’indice est vraie.",
    ),
    "naive_only": (
        "(Estimates against estimates give {naive}; the noise they share can make that up by itself.)",
        "(Les estimations l’une contre l’autre donnent {naive} ; leur bruit commun peut à lui seul le produire.)",
    ),
    "correlation": (
        "Correlation of true effects: {value} ({interval}).",
        "Corrélation des vrais effets : {value} ({interval}).",
    ),
    "agreement": (
        "Same sign in {share} of comparisons ({low} to {high}); noise alone would give {noise}.",
        "Même signe dans {share} des comparaisons ({low} à {high}) ; le bruit seul en donnerait {noise}.",
    ),
    "skipped": (
        "{n} comparisons had no effect to give on one of the two, and were left out.",
        "{n} comparaisons sans effet mesurable sur l’un des deux ont été écartées.",
    ),
    "few_experiments": (
        "{experiments} past experiments; {needed} are needed.",
        "{experiments} expériences passées ; il en faut {needed}.",
    ),
    "few_experiments!": (
        "Run {more} more that measure both, or give those of elsewhere as a file.",
        "Menez-en {more} de plus qui mesurent les deux, ou donnez celles d’ailleurs dans un fichier.",
    ),
    "little_signal": (
        "The proxy’s effects stand {support} standard errors out from what noise alone would show; {needed} are needed.",
        "Les effets sur l’indice ne dépassent que de {support} erreurs types ce que le bruit seul montrerait ; il en faut {needed}.",
    ),
    "little_signal!": (
        "Add larger experiments, or bolder ones: {pairs} comparisons of this size cannot tell.",
        "Ajoutez des expériences plus grandes ou plus hardies : {pairs} comparaisons de cette taille ne suffisent pas.",
    ),
    "no_correlation": (
        "The correlation of true effects cannot be told: noise explains all of the metric’s spread that the proxy does not.",
        "La corrélation des vrais effets ne peut être donnée : le bruit explique tout ce que l’indice n’explique pas.",
    ),
    "no_correlation!": ("Read the slope.", "Lisez la pente."),
    "no_signs": ("No comparison has an effect of either sign.", "Aucune comparaison n’a d’effet."),
    "no_signs!": ("Check the file.", "Vérifiez le fichier."),
    "axes": ("→ {proxy}; ↑ {metric}, up to {up}", "→ {proxy} ; ↑ {metric}, jusqu’à {up}"),
}
"""What is said about proxies, in English and French."""
