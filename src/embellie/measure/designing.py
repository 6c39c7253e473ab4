"""Designing: what was planned of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from embellie.domain.metric import Metric
from embellie.measure.aggregates import Covariate
from embellie.measure.looking import Looking
from embellie.stats.shrinkage import Prior


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What was planned: the variants with their weights, the control, the metrics, and how often results are looked at.

    Attributes:
        covariates: By metric, what is known of units from before, one thing or several. Of a metric's own past (a column or a
            quotient) the adjusted row is left out where nobody has one.
        looking: For all but guardrails, whose intervals always hold at every look.
        watched: Results are looked at while traffic arrives: the split is checked by an e-value, and between planned
            looks an interval holds at every look.
        months: How long it ran; for money per month.
        share: The part of all readers that took part.
        priors: By metric, where relative effects lie, learnt from past experiments.
    """

    control: str
    weights: Mapping[str, float]
    metrics: tuple[Metric, ...]
    unit: str = "reader"
    experiment: str = ""
    covariates: Mapping[str, Covariate | Sequence[Covariate]] = field(default_factory=dict)
    looking: Looking = field(default_factory=Looking)
    watched: bool = False
    months: float | None = None
    share: float = 1.0
    priors: Mapping[str, Prior] = field(default_factory=dict)

    @property
    def others(self) -> tuple[str, ...]:
        """The variants that are compared with the control."""
        return tuple(variant for variant in self.weights if variant != self.control)
