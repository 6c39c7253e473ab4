"""Planning experiments: what a plan finds, as a document and as sentences."""

from typing import Any

from embellie.measure.planning import ExperimentPlan, plan_experiment

__all__ = ["ExperimentPlan", "plan_document", "plan_sentences"]


def plan_document(plan: ExperimentPlan) -> dict[str, Any]:
    """Return the JSON form of a plan, `embellie/plan/1`; what was not asked for is left out."""
    found = plan_experiment(plan)
    document: dict[str, Any] = {
        "schema": "embellie/plan/1",
        "baseline": plan.baseline,
        "sd": plan.sd,
        "effect": plan.effect or None,
        "units_per_variant": found.units_per_variant,
        "rule_of_thumb": found.rule_of_thumb,
        "units": found.units,
        "weeks": found.weeks,
        "smallest_effects": [
            {
                "weeks": each.weeks,
                "units_per_variant": each.units_per_variant,
                "effect": each.effect,
                "relative": each.relative,
            }
            for each in found.detectable
        ],
    }
    return {name: value for name, value in document.items() if value not in (None, [])}


def plan_sentences(plan: ExperimentPlan) -> list[str]:
    """Say a plan in words."""
    found, said = plan_experiment(plan), []
    if found.units_per_variant is not None:
        said.append(
            f"To see an effect of {plan.effect:g} ({plan.power:.0%} power, {1 - plan.alpha:.0%} level): "
            f"{found.units_per_variant:,} units per variant, {found.units:,} in all "
            f"(rule of thumb: {found.rule_of_thumb:,} per variant)."
        )
    if found.weeks is not None:
        said.append(f"At {plan.traffic:,.0f} new units a week that takes {found.weeks:.1f} weeks.")
    for each in found.detectable:
        relative = f" ({each.relative:.2%} of the baseline)" if each.relative is not None else ""
        said.append(f"{each.weeks:>4g} weeks show effects from {each.effect:.4g}{relative} on.")
    return said
