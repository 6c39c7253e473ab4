"""Telling reasons: why a value cannot be given, and what to do, in English and in French."""

from embellie.domain.unavailable import Unavailable
from embellie.measure.telling_numbers import spoken

_LOOK_AGAIN_FR = "Attendez du trafic, puis regardez à nouveau."
_WAIT_MORE_FR = "Attendez davantage de données, puis regardez à nouveau."

REASONS_FR = {
    "nobody_exposed": ("Personne n’a encore été exposé.", _LOOK_AGAIN_FR),
    "nothing_to_compare": ("Il n’y a rien à comparer.", "Attendez du trafic."),
    "few_units": ("`{variant}` n’a pas encore assez de lecteurs.", _LOOK_AGAIN_FR),
    "no_denominator": (
        "`{variant}` n’a aucun « {counted} » : `{metric}` n’y a pas de valeur.",
        "Comparez une métrique que les deux variantes possèdent ; par lecteur convient toujours.",
    ),
    "few_denominator": ("`{variant}` a trop peu de « {counted} » pour diviser.", _WAIT_MORE_FR),
    "same_value": (
        "Tous les lecteurs ont la même valeur.",
        "Attendez davantage de données, ou vérifiez la métrique.",
    ),
    "early_interval": (
        "Un intervalle toujours valable commence à {needed} unités par variante ; il y en a {units}.",
        _LOOK_AGAIN_FR,
    ),
    "few_events": (
        "L’intervalle toujours valable d’une part commence à {needed} oui et {needed} non par variante ; il y en a {units}.",
        _LOOK_AGAIN_FR,
    ),
    "heavy_units": (
        (
            "De deux variantes inégales, peu de gros lecteurs décident : l’intervalle toujours valable commence à un poids de {needed}"
            " lecteurs égaux dans la plus petite ; elle pèse {units}."
        ),
        "Attendez du trafic, plafonnez la métrique, ou donnez la même part aux deux variantes.",
    ),
    "nobody_due": (
        "Personne de `{variant}` n’a été exposé il y a {days} jours.",
        "Attendez {days} jours après les premières expositions.",
    ),
    "no_quantile": (
        "`{metric}` est un quantile, et n’a pas été calculé pour cette partie.",
        "Lisez-le pour l’ensemble.",
    ),
    "few_for_quantile": (
        "Moins de {needed} lecteurs par variante se trouvent au-delà de ce quantile.",
        "Attendez davantage de données, ou choisissez un quantile plus près du milieu.",
    ),
    "quantile_tied": (
        "Trop de lecteurs ont exactement la valeur de ce quantile.",
        "Comparez plutôt une moyenne ou une part.",
    ),
    "few_for_covariates": (
        "{covariates} covariables demandent {needed} unités par variante.",
        "Nommez moins de covariables, ou attendez davantage de données.",
    ),
    "control_near_zero": (
        "La valeur du témoin ne se distingue pas de zéro.",
        "Lisez l’écart lui-même, ou attendez davantage de données.",
    ),
    "no_variance": (
        "Ce relevé ne donne pas de variance.",
        "Demandez-la : sans elle, il n’y a pas d’intervalle.",
    ),
}
"""Why a value cannot be given, and what to do, by code."""


def reason_and_remedy(because: Unavailable, language: str = "en") -> tuple[str, str]:
    """Say why a value cannot be given, and what to do.

    >>> reason_and_remedy(Unavailable("There is nothing to compare.", "Wait.", code="nothing_to_compare"), "fr")
    ('Il n’y a rien à comparer.', 'Attendez du trafic.')
    """
    if spoken(language) == "en" or because.code not in REASONS_FR:
        return because.reason, because.remedy
    reason, remedy = (text.format(**because.values) for text in REASONS_FR[because.code])
    return reason, remedy
