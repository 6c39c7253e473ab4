"""Phrases of the page of step 4: English, French."""

MEASURE: dict[str, tuple[str, str]] = {
    "measured.better": ("Yes: {metric} went up.", "Oui : {metric} en hausse."),
    "measured.worse": ("It lost: {metric} went down.", "C’est une perte : {metric} en baisse."),
    "measured.open": ("Not clear yet.", "Pas encore clair."),
    "measured.none": ("No answer yet.", "Pas encore de réponse."),
    "measured.harmed": ("A guardrail is harmed.", "Un garde-fou est touché."),
    "measured.alarm": ("Do not use these figures yet.", "N’utilisez pas encore ces chiffres."),
    "measured.onward": ("What to do with it", "Qu’en faire"),
    "measured.rollback": ("Take it back", "Revenir en arrière"),
    "measured.files": ("Take it along", "À emporter"),
    "measured.csv": ("the rows as CSV", "les lignes en CSV"),
    "measured.parquet": ("as Parquet", "en Parquet"),
    "measured.json": ("the scorecard as JSON", "le tableau en JSON"),
    "measured.series": ("the history as JSON", "l’historique en JSON"),
    "measured.choose": ("Shown over time", "Montré dans le temps"),
    "fact.worth": ("Worth a month", "Vaut par mois"),
    "fact.worth_note": ("{range}, if all readers had it", "{range}, si tous les lecteurs l’avaient"),
    "fact.planned_note": ("of {planned} planned", "sur {planned} prévus"),
    "fact.guardrails": ("Guardrails that hold", "Garde-fous qui tiennent"),
    "fact.checks": ("Checks that are fine", "Contrôles bons"),
    "fact.of": ("{n} of {all}", "{n} sur {all}"),
    "roles.0": ("Decides", "Décide"),
    "roles.1": ("Must not be harmed", "À ne pas abîmer"),
    "roles.2": ("Explains", "Explique"),
    "roles.3": ("Foretells", "Annonce"),
    "guard.holds": ("holds", "tient"),
    "guard.harmed": ("harmed", "touché"),
    "guard.open": ("open", "indécis"),
    "effect.planned": ("planned end", "fin prévue"),
    "effect.margin": ("margin of the guardrail", "marge du garde-fou"),
    "effect.plan": ("Planned end: about {at}.", "Fin prévue : vers le {at}."),
    "effect.plan_past": (
        "The planned readers were reached on {at}.",
        "Les lecteurs prévus ont été atteints le {at}.",
    ),
    "effect.looks": ("The short marks are the planned looks.", "Les petits traits sont les consultations prévues."),
    "intervals.ghost": (
        "The thin line below is the unadjusted difference.",
        "Le trait fin en dessous est l’écart sans ajustement.",
    ),
    "intervals.mark": (
        "The dashed mark is a guardrail’s margin: the bar should stay to its right.",
        "Le repère en tirets est la marge d’un garde-fou : la barre doit rester à sa droite.",
    ),
    "money.title": ("What it is worth a month", "Ce que cela vaut par mois"),
    "money.short": ("What it is worth a month", "Ce que cela vaut par mois"),
    "money.sentence": (
        "{metric}: {money} a month if all readers had it; the data fit anything from {range}.",
        "{metric} : {money} par mois si tous les lecteurs l’avaient ; les données admettent de {range}.",
    ),
    "money.note": (
        "Do not add the bars: metrics overlap.",
        "N’additionnez pas les barres : les mesures se recoupent.",
    ),
    "since.title": ("Does it last? By days since exposure", "Est-ce que cela dure ? Par jours depuis l’exposition"),
    "since.sentence": (
        "{metric}: {first} on the first day, {last} on day {day}.",
        "{metric} : {first} le premier jour, {last} au jour {day}.",
    ),
    "since.note": (
        "Each point compares what readers did that day after their first exposure. A slope is novelty or habit.",
        (
            "Chaque point compare ce que les lecteurs ont fait ce jour-là après leur première exposition. Une pente est "
            "de la nouveauté ou de l’habitude."
        ),
    ),
    "since.axis": ("days since first exposure", "jours depuis la première exposition"),
    "segments.title": ("For whom?", "Pour qui ?"),
    "segments.sentence": (
        (
            "{metric}, in {n} parts of the readers: from {low} to {high} as measured, from {shrunk_low} to {shrunk_high} "
            "after shrinkage."
        ),
        (
            "{metric}, dans {n} parties des lecteurs : de {low} à {high} tel que mesuré, de {shrunk_low} à {shrunk_high} "
            "après rétrécissement."
        ),
    ),
    "segments.raw": (
        "{metric}, in {n} parts of the readers: from {low} to {high}.",
        "{metric}, dans {n} parties des lecteurs : de {low} à {high}.",
    ),
    "segments.note": (
        "Thin: as measured. Thick: after shrinkage towards the whole, which is what to believe of a part.",
        "Fin : tel que mesuré. Épais : après rétrécissement vers l’ensemble, ce qu’il faut croire d’une partie.",
    ),
    "segments.raw_note": (
        "Parts are small: the extremes among them are mostly chance.",
        "Les parties sont petites : leurs extrêmes sont surtout du hasard.",
    ),
    "units.title": ("Readers over time", "Lecteurs au fil du temps"),
    "units.sentence": ("{n} readers so far: {parts}.", "{n} lecteurs à ce jour : {parts}."),
    "column.role": ("Role", "Rôle"),
    "column.money": ("Worth a month", "Vaut par mois"),
    "column.part": ("Part", "Partie"),
    "column.day": ("Day", "Jour"),
    "column.shrunk": ("After shrinkage", "Après rétrécissement"),
    "excluded.bots": ("readers who look like bots", "lecteurs qui ressemblent à des robots"),
}
