"""Picture phrases: everything pictures and reports say, in each language. `{name}` stands for a value."""

import re
from collections.abc import Mapping

_NAMES: dict[str, tuple[str, str]] = {
    "scenario.status_quo": ("Status quo", "Statu quo"),
    "scenario.heuristic": ("Heuristic", "Règle simple"),
    "scenario.ml": ("ML model", "Modèle appris"),
    "the.status_quo": ("the status quo", "le statu quo"),
    "the.heuristic": ("the heuristic", "la règle simple"),
    "the.ml": ("the ML model", "le modèle appris"),
    "ask.value": ("What is {the} worth?", "Que vaut {the} ?"),
    "ask.benefit": ("What does {the} bring?", "Que rapporte {the} ?"),
    "ask.build": ("What does building {the} cost?", "Que coûte {the} à construire ?"),
    "ask.run": ("What does running {the} cost?", "Que coûte {the} à faire tourner ?"),
    "ask.ready": ("When can {the} be ready?", "Quel délai pour {the} ?"),
    "ask.ramp": ("How long until {the} brings all it can?", "Combien de temps avant que {the} donne tout ?"),
    "ask.obsolescence": ("How fast does what {the} brings fade?", "À quelle vitesse s’use ce que rapporte {the} ?"),
    "ask.rollback": ("What does taking {the} back cost?", "Que coûte le retrait de {the} ?"),
    "study.experiment": ("Experiment", "Expérience"),
    "study.measurement": ("Measurement", "Mesure"),
    "study.count": ("Count", "Comptage"),
    "study.offline": ("Offline evaluation", "Évaluation hors ligne"),
    "study.survey": ("Survey", "Sondage"),
    "study.fake_door": ("Fake door", "Fausse porte"),
    "study.expert": ("Expert", "Expert"),
    "kind.reader": ("readers", "lecteurs"),
    "kind.business": ("business", "économie"),
    "kind.software": ("software", "logiciel"),
    "kind.ml": ("models", "modèles"),
    "kind.world": ("the world", "le monde"),
    "kind.none": ("of no named kind", "sans sorte nommée"),
    "action.ship": ("ship {the}", "livrer {the}"),
    "action.hold": ("hold", "attendre"),
    "action.stop": ("stop", "arrêter"),
    "action.learn_more": ("learn more; today, {the}", "apprendre ; aujourd’hui, {the}"),
    "range": ("{low} to {high}", "{low} à {high}"),
    "word.today": ("today", "aujourd’hui"),
    "word.weeks": ("weeks", "semaines"),
    "word.open": ("open", "ouverte"),
    "word.settled": ("settled", "tranchée"),
    "word.of_traffic": ("{share} of the traffic", "{share} du trafic"),
}

_PLOTS: dict[str, tuple[str, str]] = {
    "net_benefit.title": ("What each scenario may bring", "Ce que chaque scénario peut rapporter"),
    "net_benefit.sentence": (
        "{scenario}: {mean} on average, nine chances in ten from {low} to {high}; the best choice with a chance of {p_best}.",
        "{scenario} : {mean} en moyenne, neuf chances sur dix de {low} à {high} ; le meilleur choix avec {p_best} de chances.",
    ),
    "net_benefit.certain": (
        "{scenario}: {mean}, for certain; the best choice with a chance of {p_best}.",
        "{scenario} : {mean}, à coup sûr ; le meilleur choix avec {p_best} de chances.",
    ),
    "net_benefit.note": (
        "Each dot is one chance in {n}; pale dots lose money. The triangle is the average.",
        "Chaque point est une chance sur {n} ; les points pâles perdent de l’argent. Le triangle est la moyenne.",
    ),
    "net_benefit.row": ("{mean} on average; best with {p_best}", "{mean} en moyenne ; meilleur à {p_best}"),
    "net_benefit.row_certain": ("{mean} for certain; best with {p_best}", "{mean} à coup sûr ; meilleur à {p_best}"),
    "worth.title": ("What each answer is worth, at most", "Ce que vaut chaque réponse, au plus"),
    "worth.sentence": (
        "Knowing the answer to “{ask}” would be worth {worth}; knowing everything, {evpi}.",
        "Répondre à « {ask} » vaudrait {worth} ; tout savoir, {evpi}.",
    ),
    "worth.nothing": (
        "No single answer would change the choice; knowing everything would be worth {evpi}.",
        "Aucune réponse ne changerait à elle seule le choix ; tout savoir vaudrait {evpi}.",
    ),
    "worth.note": (
        "Open: knowing it could change the choice by more than it costs to ask. The whisker is the numerical error.",
        "Ouverte : la réponse peut changer le choix, pour plus que son prix. La moustache est l’erreur numérique.",
    ),
    "worth.settled": ("settled: not worth its price", "tranchée : ne vaut pas son prix"),
    "worth.study": ("{study}, from {cost}", "{study}, dès {cost}"),
    "worth.study_at": ("{study}, {cost}", "{study}, {cost}"),
    "worth.rest": ("and {n} more, worth less", "et {n} autres, de moindre valeur"),
    "worth.rest_one": ("and {n} more, worth less", "et {n} autre, de moindre valeur"),
    "worth.rest_nothing": ("and {n} more, worth about nothing", "et {n} autres, qui ne valent presque rien"),
    "worth.rest_nothing_one": ("and {n} more, worth about nothing", "et {n} autre, qui ne vaut presque rien"),
    "cloud.title": ("Money in, money out", "Ce qu’on met, ce qui revient"),
    "cloud.sentence": (
        "{scenario} costs {cost} on average and brings {benefit}; it pays back with a chance of {p}.",
        "{scenario} : un coût de {cost} en moyenne, pour {benefit} rapportés ; rentable avec {p} de chances.",
    ),
    "cloud.note": (
        "Each point is one of {n} possible outcomes, each large one an average. Above the slope, it brings more than it costs.",
        (
            "Chaque point est l’une de {n} issues possibles, chaque gros point une moyenne. Au-dessus de la pente, cela rapporte plus "
            "que cela ne coûte."
        ),
    ),
    "cloud.pays": ("pays back", "rapporte"),
    "cloud.loses": ("loses", "perd"),
    "cloud.cost_axis": ("all it costs", "tout ce que cela coûte"),
    "cloud.gain_axis": ("all it brings", "tout ce que cela rapporte"),
    "curve.note": (
        (
            "Lines: expected net benefit of each scenario, were the answer this or that. Below: how likely each answer is, in the "
            "colour of what would be best."
        ),
        (
            "Lignes : bénéfice net attendu de chaque scénario, selon la réponse. Dessous : à quel point chaque réponse est "
            "probable, dans la couleur du meilleur choix."
        ),
    ),
    "tipping.sentence": (
        "{above} is better than {below} above {value}; the chance of that is {p}.",
        "{above} l’emporte sur {below} au-dessus de {value}, ce qui a {p} de chances d’arriver.",
    ),
    "tipping.none": (
        "Whatever the answer, {best} stays the best on average.",
        "Quelle que soit la réponse, {best} reste le meilleur choix en moyenne.",
    ),
    "tipping.label": ("{above} wins above {value}", "{above} au-dessus de {value}"),
    "tornado.title": ("What could turn the choice around", "Ce qui peut renverser le choix"),
    "tornado.none": (
        "No unknown taken alone, at either end of its range, puts {rival} ahead of {best}; “{ask}” weighs most.",
        "Aucune inconnue, prise seule à un bout de sa plage, ne fait passer {rival} devant {best} ; « {ask} » pèse le plus.",
    ),
    "tornado.one": (
        "One unknown alone can put {rival} ahead of {best}: “{ask}”",
        "Une inconnue peut, à elle seule, faire passer {rival} devant {best} : « {ask} »",
    ),
    "tornado.several": (
        "{n} unknowns, each alone, can put {rival} ahead of {best}; first: “{ask}”",
        "{n} inconnues peuvent, chacune seule, faire passer {rival} devant {best} ; d’abord : « {ask} »",
    ),
    "tornado.another": ("another scenario", "un autre scénario"),
    "tornado.note": (
        "The lead of {best} on {rival} when the unknown is at its low end (hollow) or at its high end (full). Left of 0 it is behind.",
        "L’avance sur {rival}, si l’on choisit {best}, quand l’inconnue est au bas de sa plage (point creux) ou en haut (point plein). À gauche de 0, c’est un retard.",
    ),
    "tornado.cell": ("{lead} at {value}", "{lead} à {value}"),
    "kinds.title": ("Who could know", "Qui pourrait savoir"),
    "kinds.sentence": (
        "The dearest question is about {kind}: its answer is worth {worth}. Open questions: {n}.",
        "La question la plus chère porte sur : {kind}. Sa réponse vaut {worth}. Questions ouvertes : {n}.",
    ),
    "kinds.note": (
        "Each dot is an unknown, placed by what knowing it is worth; blue ones are open.",
        "Chaque point est une inconnue, placée selon ce que vaut la réponse ; les bleues sont ouvertes.",
    ),
    "kinds.count": ("{n} unknowns, {open} open", "{n} inconnues, ouvertes : {open}"),
    "kinds.count_one": ("{n} unknown, {open} open", "{n} inconnue, ouverte : {open}"),
    "top.title": ("How long to ask", "Combien de temps chercher"),
    "top.sentence": (
        "{study}: {span} are as good as equal; the best is {best}, worth {enbs} net.",
        "{study} : de {span}, c’est pratiquement égal ; le mieux est {best}, pour {enbs} nets.",
    ),
    "top.never": (
        "{study} does not repay its price at any duration; its best is {enbs}.",
        "{study} : aucune durée ne rembourse le prix ; au mieux {enbs}.",
    ),
    "top.weekly": (
        "Ending it any week, as soon as enough is known, is worth {weekly} and takes {weeks} on average.",
        "Pouvoir l’arrêter chaque semaine, dès qu’on en sait assez, vaut {weekly} et prend {weeks} en moyenne.",
    ),
    "top.weekly_key": ("ended any week", "arrêt possible chaque semaine"),
    "top.note": (
        "What the study brings, all costs and delays taken off. Shaded: durations that lose at most 5% of the best.",
        "Ce que l’étude rapporte, coûts et attente déduits. Ombré : les durées qui perdent au plus 5 % du mieux.",
    ),
    "stop.title": ("When to stop asking: {study}", "Quand cesser de chercher : {study}"),
    "stop.sentence": (
        "After {weeks}, go on only while the result so far lies from {low} to {high}. It lasts {expected} on average.",
        "Après {weeks}, ne continuez que si le résultat est entre {low} et {high}. Elle dure {expected} en moyenne.",
    ),
    "stop.gain": (
        "Being free to stop is worth {gain} more than the best fixed duration.",
        "Pouvoir l’arrêter vaut {gain} de plus que la meilleure durée fixée.",
    ),
    "stop.note": (
        "Across: weeks run; upwards: the result so far. Inside the shaded region, going on is worth its price.",
        "En largeur : les semaines écoulées ; en hauteur : le résultat à ce jour. Dans la zone ombrée, continuer vaut son prix.",
    ),
    "stop.go_on": ("go on", "continuer"),
    "stop.ship": ("enough: ship {the}", "assez : livrer {the}"),
    "stop.keep": ("enough: stop, keep {the}", "assez : arrêter, garder {the}"),
    "stop.enough": ("enough is known: act", "on en sait assez : agir"),
    "burn.title": ("How fast doubt shrinks", "À quelle vitesse le doute diminue"),
    "burn.title_next": ("What the next study may leave of doubt", "Ce que la prochaine étude laisserait du doute"),
    "burn.past": (
        "Not knowing cost {first}; after {n} findings it costs {now}.",
        "Ne pas savoir coûtait {first} ; après {n} résultats, cela coûte {now}.",
    ),
    "burn.past_one": (
        "Not knowing cost {first}; after {n} finding it costs {now}.",
        "Ne pas savoir coûtait {first} ; après {n} résultat, cela coûte {now}.",
    ),
    "burn.flat": (
        "Not knowing cost {first}; it costs {now} now. What was found ({n}) has not made the choice safer yet.",
        "Ne pas savoir coûtait {first} ; cela coûte {now} maintenant. Les résultats ({n}) n’ont pas encore rendu le choix plus sûr.",
    ),
    "burn.fan": (
        "{study} would bring it from {now} to {mean} on average.",
        "{study} : de {now} à {mean} en moyenne.",
    ),
    "burn.may_rise": (
        "After a surprise it may also rise, to {high}: that is not a failure, we knew less than we thought.",
        "Une surprise peut aussi l’augmenter, jusqu’à {high} : ce n’est pas un échec, on en savait moins qu’on ne croyait.",
    ),
    "burn.note": (
        (
            "The price of not knowing (EVPI): what choosing today loses on average for want of certainty. The fan holds nine "
            "outcomes in ten."
        ),
        (
            "Le prix de l’ignorance (EVPI) : ce que choisir aujourd’hui fait perdre en moyenne, faute de certitude. L’éventail "
            "contient neuf issues sur dix."
        ),
    ),
    "burn.after": ("after {study}", "après {study}"),
    "burn.expected": ("{mean} on average, {low} to {high}", "{mean} en moyenne, de {low} à {high}"),
    "burn.on_average": ("{mean} on average", "{mean} en moyenne"),
    "plan.title": ("The plan", "Le plan"),
    "plan.sentence": (
        "Followed to its end, it brings {value} on average; it can end in {leaves} ways.",
        "Suivi jusqu’au bout, il rapporte {value} en moyenne ; il peut finir de {leaves} façons.",
    ),
    "plan.at_once": (
        "Nothing is worth asking first: acting at once brings {value} on average.",
        "Rien ne vaut d’être demandé d’abord : agir tout de suite rapporte {value} en moyenne.",
    ),
    "plan.note": (
        "Read it from the top. The stripe is what readers have meanwhile; the amount, what may be expected from there on.",
        "À lire de haut en bas. La bande est ce que voient les lecteurs entre-temps ; le montant, ce qu’on peut en attendre.",
    ),
    "plan.start": ("Put {the} in production", "Mettre en production {the}"),
    "plan.take_back": ("Take it back to {the}", "Revenir en arrière : {the}"),
    "plan.keep": ("Keep {the}", "Garder {the}"),
    "plan.run": ("Run: {design} ({cost})", "Lancer : {design} ({cost})"),
    "plan.run_free": ("Run: {design}", "Lancer : {design}"),
    "plan.below": ("Below {high}", "En dessous de {high}"),
    "plan.above": ("Above {low}", "Au-dessus de {low}"),
    "plan.between": ("From {low} to {high}", "De {low} à {high}"),
    "plan.whatever": ("Whatever it finds", "Quel que soit le résultat"),
    "plan.chance": ("· {p} chance", "· {p} de chances"),
    "stress.title": ("If we are surer than we should be", "Si nous sommes trop sûrs de nous"),
    "stress.holds": (
        "{best} stays best even if every range were {tried} times wider.",
        "{best} reste le meilleur choix même si chaque plage était {tried} fois plus large.",
    ),
    "stress.flips": (
        "{best} stays best until every range is {factor} times wider; then {becomes} would be.",
        "{best} reste le meilleur choix jusqu’à des plages {factor} fois plus larges ; ensuite, ce serait {becomes}.",
    ),
    "stress.fragile": (
        "That is little: people’s ranges are often twice too narrow. Take the verdict as undecided.",
        "C’est peu : nos plages sont souvent deux fois trop étroites. Tenez le verdict pour incertain.",
    ),
    "stress.learns": (
        "From {factor} times on, learning first would pay.",
        "À partir de {factor} fois, il vaudrait mieux apprendre d’abord.",
    ),
    "stress.fat_same": ("Fat tails change nothing.", "Des queues épaisses n’y changent rien."),
    "stress.fat_other": ("With fat tails: {said}.", "Avec des queues épaisses : {said}."),
    "stress.note": (
        "Expected net benefit of each scenario, were the ranges wider than written. A triangle points to what lies farther out.",
        "Bénéfice net attendu de chaque scénario, si les plages étaient plus larges qu’écrites. Un triangle montre ce qui est plus loin.",
    ),
    "stress.base": ("as written", "tel qu’écrit"),
    "stress.widened": ("every range × {factor}", "chaque plage × {factor}"),
    "stress.fat": ("every tail fat", "toutes les queues épaisses"),
    "case.title": ("What if", "Et si"),
    "case.all": (
        "In every case of {total}, {best} stays the best.",
        "Dans chacun des {total} cas, {best} reste le meilleur choix.",
    ),
    "case.one": (
        "One case of {total} changes the best scenario: {case}; there, {other} is.",
        "Un cas sur {total} change le meilleur scénario : {case} ; ce serait {other}.",
    ),
    "case.several": (
        "{n} cases of {total} change the best scenario; the first: {case}, where {other} is.",
        "{n} cas sur {total} changent le meilleur scénario ; le premier : {case}, où ce serait {other}.",
    ),
    "case.note": (
        "Dot: expected net benefit; line: nine chances in ten.",
        "Point : bénéfice net attendu ; ligne : neuf chances sur dix.",
    ),
    "case.base": ("as written", "tel qu’écrit"),
}

_COLUMNS: dict[str, tuple[str, str]] = {
    "column.scenario": ("Scenario", "Scénario"),
    "column.mean": ("Average", "Moyenne"),
    "column.range": ("Nine chances in ten", "Neuf chances sur dix"),
    "column.cost": ("Cost", "Coût"),
    "column.benefit": ("Brings", "Rapporte"),
    "column.p_best": ("Best with a chance of", "Le meilleur avec"),
    "column.p_loss": ("Loses with a chance of", "Perd avec"),
    "column.p_back": ("Pays back with a chance of", "Rentable avec"),
    "column.regret": ("Expected loss if chosen", "Perte attendue si choisi"),
    "column.unknown": ("Unknown", "Inconnue"),
    "column.unknowns": ("Unknowns", "Inconnues"),
    "column.kind": ("About", "Sur"),
    "column.worth": ("Worth, at most", "Vaut, au plus"),
    "column.error": ("Numerical error", "Erreur numérique"),
    "column.open": ("Open", "Ouverte"),
    "column.dearest": ("Dearest question", "Question la plus chère"),
    "column.who": ("Who could answer", "Qui peut répondre"),
    "column.if_it_is": ("If it is", "Si c’est"),
    "column.chance_below": ("Chance of less", "Chances de moins"),
    "column.at_low": ("At its low end", "Au bas de la plage"),
    "column.at_high": ("At its high end", "En haut de la plage"),
    "column.study": ("Study", "Étude"),
    "column.weeks": ("Weeks", "Semaines"),
    "column.share": ("Share", "Part"),
    "column.best_weeks": ("Best duration", "Meilleure durée"),
    "column.flat": ("As good as equal", "Pratiquement égal"),
    "column.enbs": ("Net worth", "Valeur nette"),
    "column.after": ("After", "Après"),
    "column.stop_below": ("Stop below", "Arrêter sous"),
    "column.stop_above": ("Stop above", "Arrêter au-dessus de"),
    "column.known": ("Once known", "Une fois connu"),
    "column.evpi": ("Price of not knowing", "Prix de l’ignorance"),
    "column.when": ("If the result is", "Si le résultat est"),
    "column.chance": ("Chance of getting there", "Chances d’y arriver"),
    "column.then": ("Do this", "Faire ceci"),
    "column.worth_then": ("Expected then", "Attendu alors"),
    "column.supposing": ("Supposing", "En supposant"),
    "column.verdict": ("Verdict", "Verdict"),
    "column.case": ("Case", "Cas"),
    "column.result": ("Result", "Résultat"),
    "column.source": ("Source", "Source"),
    "column.at": ("When", "Quand"),
}

_REPORT: dict[str, tuple[str, str]] = {
    "report.ship": ("Ship {the}", "Livrez {the}"),
    "report.hold": ("Hold: leave things as they are", "Attendez : laissez les choses en l’état"),
    "report.stop": ("Stop: keep {the}", "Arrêtez : gardez {the}"),
    "report.learn_more": ("Learn more first", "Apprenez d’abord"),
    "report.kind": ("A decision, and what it rests on", "Une décision, et ce sur quoi elle repose"),
    "report.frame_kind": ("A question, and what it hangs on", "Une question, et ce dont elle dépend"),
    "report.horizon": ("over {horizon}", "sur {horizon}"),
    "report.horizon_months": ("{n} months", "{n} mois"),
    "report.discount": ("discounted at {rate} a year", "actualisé à {rate} par an"),
    "fact.best": ("Best choice today", "Meilleur choix aujourd’hui"),
    "fact.best_note": ("the right one with a chance of {p}", "le bon avec {p} de chances"),
    "fact.mean": ("What it should bring", "Ce qu’il devrait rapporter"),
    "fact.mean_note": ("nine chances in ten: {low} to {high}", "neuf chances sur dix : {low} à {high}"),
    "fact.evpi": ("Price of not knowing", "Prix de l’ignorance"),
    "fact.evpi_note": ("the most worth paying to know everything", "le plus qu’on paierait pour tout savoir"),
    "fact.open": ("Open questions", "Questions ouvertes"),
    "fact.open_note": ("whose answer could change the choice", "dont la réponse peut changer le choix"),
    "report.plan": ("What to do, step by step", "Que faire, étape par étape"),
    "report.rivals": ("Other ways to begin", "Autres façons de commencer"),
    "report.rival": ("Meanwhile", "Entre-temps"),
    "report.rival_gain": ("Gain over acting at once", "Gain sur agir tout de suite"),
    "report.rival_none": ("no study: act at once", "sans étude : agir tout de suite"),
    "report.answer": ("What it rests on", "Ce sur quoi il repose"),
    "report.studies": (
        "What each study brings, net of all it costs",
        "Ce que rapporte chaque étude, tous coûts déduits",
    ),
    "report.studies_more": ("and {n} more designs", "et {n} autres dispositifs"),
    "report.scenarios": ("The scenarios", "Les scénarios"),
    "report.unknowns": ("What is not known, as it was understood", "Ce qu’on ne sait pas, tel que compris"),
    "report.ranges": ("Written", "Écrit"),
    "report.posterior": ("Believed now", "Cru maintenant"),
    "report.evidence": ("What has been found so far", "Ce qu’on a trouvé jusqu’ici"),
    "report.no_evidence": ("Nothing yet: all of this is judgement.", "Rien encore : tout ceci est jugement."),
    "report.estimate": ("{estimate}, give or take {se}", "{estimate}, à {se} près"),
    "report.trials": ("{successes} of {trials}", "{successes} sur {trials}"),
    "report.warnings": ("Worth a second look", "À regarder de plus près"),
    "report.how": ("How it was computed", "Comment c’est calculé"),
    "report.draws": (
        (
            "embellie {version}, {draws} draws, seed {seed}: the same question, evidence, draws and seed give the same report, to "
            "the byte."
        ),
        (
            "embellie {version}, {draws} tirages, graine {seed} : mêmes question, résultats, tirages et graine donnent le même "
            "rapport, à l’octet près."
        ),
    ),
    "report.errors": (
        (
            "Numerical error (half a 95% interval): {mean} on the mean of {best}, {evpi} on the price of not knowing. These draws "
            "would find an unknown that matters nothing worth {floor}."
        ),
        (
            "Erreur numérique (demi-intervalle à 95 %) : {mean} sur la moyenne de {best}, {evpi} sur le prix de l’ignorance. Ces "
            "tirages donneraient {floor} à une inconnue sans importance."
        ),
    ),
    "report.errors_are": (
        "That error says how well the figures were computed, not how uncertain the world is.",
        "Cette erreur dit si le calcul est précis, non si le monde est incertain.",
    ),
    "report.words": (
        (
            "Net benefit: money over the horizon, all costs taken off. What an answer is worth: EVPPI; all answers, EVPI. "
            "What a study is worth: EVSI; net of its price and of the wait, ENBS."
        ),
        (
            "Bénéfice net : l’argent gagné sur l’horizon, tous coûts déduits. Ce que vaut une réponse : EVPPI ; toutes, EVPI. "
            "Ce que vaut une étude : EVSI ; prix et attente déduits, ENBS."
        ),
    ),
    "report.figures": ("The figures", "Les chiffres"),
    "aspect.value": ("Worth", "Valeur"),
    "aspect.benefit": ("Brings", "Rapporte"),
    "aspect.build": ("To build", "À construire"),
    "aspect.run": ("To run", "À faire tourner"),
    "aspect.ready": ("Ready in", "Prêt en"),
    "aspect.ramp": ("Grows over", "Monte en"),
    "aspect.obsolescence": ("Fades by", "S’use de"),
    "aspect.rollback": ("To take back", "À retirer"),
    "aspect.needs": ("Built on", "S’appuie sur"),
}


def _french(text: str) -> str:
    """Put the narrow space French wants before high punctuation and inside quotation marks."""
    return re.sub(r"« ", "«\u202f", re.sub(r" ([:;?!»%])", "\u202f\\1", text))


PHRASES: Mapping[str, Mapping[str, str]] = {
    key: {"en": english, "fr": _french(french)}
    for family in (_NAMES, _PLOTS, _COLUMNS, _REPORT)
    for key, (english, french) in family.items()
}
"""Each phrase by key, then by language."""
