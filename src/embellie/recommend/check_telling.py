"""What the checks of a training say: what was found, what was expected, what to do; in English and in French."""

from collections.abc import Callable, Mapping

from embellie.recommend.training_check import TrainingCheck

SENTENCES: Mapping[str, tuple[str, str]] = {
    # volumes
    "usual": ("Each day is like those before.", "Chaque jour ressemble aux précédents."),
    "too_short": (
        "Too few days to say what is usual: five before the last are needed.",
        "Trop peu de jours pour dire ce qui est habituel : il en faut cinq avant le dernier.",
    ),
    "fell": (
        "{what} fell to {found} {day}; {low} to {high} were expected. Look whether the pages still send them, and train again.",
        "{what} : {found} {day}, en baisse ; {low} à {high} étaient attendus. Voyez si les pages les envoient encore, puis réentraînez.",
    ),
    "rose": (
        (
            "{what} rose to {found} {day}; {low} to {high} were expected. Look for bots and for events sent twice; if it is real "
            "news, add `--despite {check}`."
        ),
        (
            "{what} : {found} {day}, en hausse ; {low} à {high} étaient attendus. Cherchez des robots et des événements envoyés deux "
            "fois ; si l’actualité l’explique, ajoutez `--despite {check}`."
        ),
    ),
    # schema
    "whole": ("Events have the fields they need.", "Les événements ont les champs qu’il faut."),
    "lacking": (
        (
            "{share} of {what} {day} lack an article, a slate, a visit or a reader; {before} did before. Look at what the widget "
            "or the import sends."
        ),
        (
            "{share} de {what} {day} n’ont pas d’article, de liste, de visite ou de lecteur ; {before} auparavant. Regardez ce "
            "qu’envoie le widget ou l’import."
        ),
    ),
    "unknown_articles": (
        (
            "{share} of {what} {day} are about articles the catalogue does not know; {before} were before. Run `embellie "
            "catalogue sync`, and compare the ids of the feed with those of the pages."
        ),
        (
            "{share} de {what} {day} portent sur des articles absents du catalogue ; {before} auparavant. Lancez `embellie "
            "catalogue sync` et comparez les identifiants du flux et ceux des pages."
        ),
    ),
    # freshness
    "fresh": ("Reads and new articles arrive.", "Lectures et nouveaux articles arrivent."),
    "silent": (
        "No read for {hours} h. Look whether the widget is on the pages and the server can be reached.",
        "Aucune lecture depuis {hours} h. Voyez si le widget est sur les pages et si le serveur répond.",
    ),
    "feed_silent": (
        (
            "No new article for {hours} h, while {reads} reads went on; {usual} at most is usual. The feed is down or has "
            "changed: `embellie catalogue sync` says why."
        ),
        (
            "Aucun nouvel article depuis {hours} h, alors que {reads} lectures ont eu lieu ; {usual} au plus est habituel. Le "
            "flux est en panne ou a changé : `embellie catalogue sync` dit pourquoi."
        ),
    ),
    "feed_was_silent": (
        "For {hours} h no article was new, while {reads} reads went on ({usual} at most is usual); it is over since.",
        "Pendant {hours} h, aucun nouvel article, alors que {reads} lectures ont eu lieu ({usual} au plus est habituel) ; c’est fini.",
    ),
    # labels
    "usual_rate": ("Readers choose and read as before.", "Les lecteurs choisissent et lisent comme avant."),
    "rate_fell": (
        (
            "{what} fell to {found} {day}; {low} to {high} were expected. Look whether clicks and impressions are still sent, "
            "and what was shown."
        ),
        (
            "{what} : {found} {day}, en baisse ; {low} à {high} étaient attendus. Voyez si clics et impressions sont encore "
            "envoyés, et ce qui a été montré."
        ),
    ),
    "rate_rose": (
        (
            "{what} rose to {found} {day}; {low} to {high} were expected. Look for clicks sent twice, impressions lost, and "
            "bots; if a release explains it, add `--despite {check}`."
        ),
        (
            "{what} : {found} {day}, en hausse ; {low} à {high} étaient attendus. Cherchez des clics envoyés deux fois, des "
            "impressions perdues, des robots ; si une mise en ligne l’explique, ajoutez `--despite {check}`."
        ),
    ),
    # duplicates
    "few": ("Nothing is told twice.", "Rien n’est dit deux fois."),
    "repeated": (
        (
            "{share} of {what} {day} were told before under another id; {before} in the past. Look whether the widget is on the "
            "page twice: an event sent again must keep its id."
        ),
        (
            "{share} de {what} {day} avaient déjà été dits sous un autre identifiant ; {before} auparavant. Voyez si le widget "
            "est deux fois sur la page : un événement renvoyé doit garder son identifiant."
        ),
    ),
    # bots
    "people": (
        "Readers look like people; {share} of reads are of tagged bots, left out.",
        "Les lecteurs ressemblent à des personnes ; {share} des lectures viennent de robots signalés, écartés.",
    ),
    "one_reader": (
        "One reader made {share} of the clicks {day} ({clicks}); {before} at most before. Find out who, and tag or erase them.",
        "Un lecteur a fait {share} des clics {day} ({clicks}) ; {before} au plus auparavant. Cherchez qui, et signalez-le ou effacez-le.",
    ),
    "heavy": (
        "{share} of the reads {day} are of readers with more than 150 articles in the day; {before} before. These are no people.",
        "{share} des lectures {day} viennent de lecteurs à plus de 150 articles ce jour-là ; {before} auparavant. Ce ne sont pas des personnes.",
    ),
    "tagged": (
        "{share} of the reads are of tagged bots. They are left out; but who lets them in?",
        "{share} des lectures viennent de robots signalés. Ils sont écartés ; mais qui les laisse entrer ?",
    ),
    # sections
    "all_there": ("All {n} sections bring articles.", "Les {n} rubriques apportent des articles."),
    "vanished": (
        (
            "Section `{section}` brought {found} new articles in the last {days} × 24 h; about {usual} were expected. Was it renamed, or "
            "its feed dropped? If it is meant, add `--despite {check}`."
        ),
        (
            "La rubrique `{section}` a apporté {found} nouveaux articles en {days} × 24 h ; environ {usual} étaient attendus. "
            "A-t-elle changé de nom, ou perdu son flux ? Si c’est voulu, ajoutez `--despite {check}`."
        ),
    ),
    "appeared": (
        "Section `{section}` is new: {articles} articles, {share} of all. Nothing to do, unless another was renamed.",
        "La rubrique `{section}` est nouvelle : {articles} articles, {share} du tout. Rien à faire, sauf si une autre a changé de nom.",
    ),
    # drift
    "stable": (
        "Features are spread as at the last run.",
        "Les variables sont réparties comme au dernier entraînement.",
    ),
    "nothing_to_compare": (
        "No earlier run, or too few lists since, to compare features with.",
        "Pas d’entraînement antérieur, ou trop peu de listes depuis, pour comparer les variables.",
    ),
    "other_features": (
        "The features are not those of the last run (`{what}`): nothing to compare there.",
        "Les variables ne sont pas celles du dernier entraînement (`{what}`) : rien à comparer là.",
    ),
    "drifted": (
        "`{what}` is spread otherwise than at the last run: stability index {index}, chance alone gives {chance}. Look at what feeds it.",
        "`{what}` est réparti autrement qu’au dernier entraînement : indice de stabilité {index}, le hasard seul donne {chance}. Voyez ce qui l’alimente.",
    ),
    # sanity
    "sane": ("Scores are finite and tell articles apart.", "Les scores sont finis et distinguent les articles."),
    "not_finite": (
        "{n} scores are no numbers. A feature is not finite: look at the run's features.",
        "{n} scores ne sont pas des nombres. Une variable n’est pas finie : regardez les variables.",
    ),
    "constant": (
        "In {share} of the lists every article scores the same: nothing was learned. Are there clicks at all?",
        "Dans {share} des listes, tous les articles ont le même score : rien n’a été appris. Y a-t-il des clics ?",
    ),
    "too_good": (
        "An nDCG of {ndcg} is too good to be true: a feature knows the future. Look at the one that counts most.",
        "Un nDCG de {ndcg} est trop beau pour être vrai : une variable connaît l’avenir. Regardez celle qui compte le plus.",
    ),
    "one_feature": (
        "The model rests on `{what}` alone ({share} of what it gains): a rule would do.",
        "Le modèle repose sur `{what}` seul ({share} de son gain) : une règle suffirait.",
    ),
    "leak": (
        (
            "The model rests on `{what}` alone ({share} of what it gains), and gains {times} times what a heuristic does: that feature "
            "knows the future. See how it is computed."
        ),
        (
            "Le modèle repose sur `{what}` seul ({share} de son gain) et gagne {times} fois ce que gagne une heuristique : cette "
            "variable connaît l’avenir. Voyez comment elle est calculée."
        ),
    ),
    # floor
    "above_floor": (
        "An nDCG of {ndcg} [{low}, {high}] on {lists} later lists; {chance} by chance.",
        "Un nDCG de {ndcg} [{low} ; {high}] sur {lists} listes ultérieures ; {chance} au hasard.",
    ),
    "below_floor": (
        "An nDCG of {ndcg} is below the floor of {floor}. Look at what changed, or set `floor` in `[training]`.",
        "Un nDCG de {ndcg}, sous le plancher de {floor}. Voyez ce qui a changé, ou réglez `floor` dans `[training]`.",
    ),
    "by_chance": (
        "An nDCG of {ndcg} on later lists; any order has {chance}. Nothing was learned that lasts: a longer log is needed.",
        "Un nDCG de {ndcg} sur les listes ultérieures ; n’importe quel ordre donne {chance}. Rien de durable n’a été appris : il faut un journal plus long.",
    ),
    "too_few": (
        "Only {lists} later lists with a choice, of {readers} readers: too few to judge by. Log longer.",
        "Seulement {lists} listes ultérieures avec un choix, de {readers} lecteurs : trop peu pour juger. Enregistrez plus longtemps.",
    ),
    # heuristics
    "better": (
        "Better than `{what}` by {difference} [{low}, {high}] in nDCG, on the same lists. Only an experiment says whether it pays.",
        "Mieux que `{what}` de {difference} [{low} ; {high}] en nDCG, sur les mêmes listes. Seule une expérience dit si cela paie.",
    ),
    "no_better": (
        "No better than `{what}`: {difference} [{low}, {high}] in nDCG. The heuristic is enough so far.",
        "Pas mieux que `{what}` : {difference} [{low} ; {high}] en nDCG. L’heuristique suffit jusqu’ici.",
    ),
    "worse": (
        "Worse than `{what}`: {difference} [{low}, {high}] in nDCG. Serve the heuristic.",
        "Moins bien que `{what}` : {difference} [{low} ; {high}] en nDCG. Servez l’heuristique.",
    ),
    "no_heuristic": (
        "There was no heuristic to compare with.",
        "Il n’y avait pas d’heuristique à laquelle se comparer.",
    ),
    # yesterday
    "first": ("No model before it to compare with.", "Pas de modèle antérieur auquel se comparer."),
    "as_before": (
        "{difference} [{low}, {high}] in nDCG against the current model.",
        "{difference} [{low} ; {high}] en nDCG face au modèle courant.",
    ),
    "fell_behind": (
        "Behind the current model: {difference} [{low}, {high}] in nDCG.",
        "En retrait du modèle courant : {difference} [{low} ; {high}] en nDCG.",
    ),
    # slices
    "even": (
        "None of {n} slices is far below the heuristic.",
        "Aucune des {n} tranches n’est loin sous l’heuristique.",
    ),
    "slice_behind": (
        "{dimension} `{value}` is behind the heuristic by {difference} in nDCG on {lists} lists (at best {high}).",
        "{dimension} `{value}` : en retrait de l’heuristique de {difference} en nDCG sur {lists} listes (au mieux {high}).",
    ),
    # calibration
    "calibrated": (
        "Scaled scores can be read as chances (mean error {error}).",
        "Les scores mis à l’échelle se lisent comme des chances (erreur moyenne {error}).",
    ),
    "off": (
        "In {n} tenths of scores chances are far from what was found (mean error {error}): good for order, not as chances.",
        "Dans {n} dixièmes des scores, les chances sont loin de ce qui fut trouvé (erreur moyenne {error}) : bon pour l’ordre, pas comme chances.",
    ),
    "upside_down": (
        "The highest scores are chosen less ({top}) than the lowest ({bottom}): the order is upside down.",
        "Les scores les plus hauts sont moins choisis ({top}) que les plus bas ({bottom}) : l’ordre est à l’envers.",
    ),
    "uncalibrated": (
        "Too little varies, or too few lists, to scale scores to chances.",
        "Trop peu de variation, ou trop peu de listes, pour mettre les scores à l’échelle.",
    ),
    # cost
    "light": (
        "{bytes}; {milliseconds} ms for 200 candidates.",
        "{bytes} ; {milliseconds} ms pour 200 candidats.",
    ),
    "too_slow": (
        "{bytes} and {milliseconds} ms for 200 candidates: too heavy to answer in time. Fewer trees or leaves.",
        "{bytes} et {milliseconds} ms pour 200 candidats : trop lourd pour répondre à temps. Moins d’arbres ou de feuilles.",
    ),
}
"""What each code says: English, French; `{…}` are the check's figures."""

NAMES: Mapping[str, tuple[str, str]] = {
    "volumes": ("volumes", "volumes"),
    "schema": ("schema", "schéma"),
    "freshness": ("freshness", "fraîcheur"),
    "labels": ("labels", "étiquettes"),
    "duplicates": ("duplicates", "doublons"),
    "bots": ("bots", "robots"),
    "sections": ("sections", "rubriques"),
    "drift": ("drift", "dérive"),
    "sanity": ("sanity", "bon sens"),
    "floor": ("floor", "plancher"),
    "heuristics": ("heuristics", "heuristiques"),
    "yesterday": ("yesterday", "hier"),
    "slices": ("slices", "tranches"),
    "calibration": ("calibration", "calibrage"),
    "cost": ("cost", "coût"),
}
"""What each check is called."""

STATES: Mapping[str, tuple[str, str]] = {
    "ok": ("ok", "bon"),
    "watch": ("watch", "à suivre"),
    "alarm": ("alarm", "alarme"),
}

_WHATS: Mapping[str, tuple[str, str]] = {
    "reads": ("reads", "lectures"),
    "visits": ("visits", "visites"),
    "served": ("slates", "listes servies"),
    "impressions": ("impressions", "impressions"),
    "clicks": ("clicks", "clics"),
    "articles": ("new articles", "nouveaux articles"),
    "clicks_per_impression": ("clicks per impression", "clics par impression"),
    "reads_per_visit": ("reads per visit", "lectures par visite"),
    "section": ("section", "rubrique"),
    "reader": ("reader", "lecteur"),
    "hour": ("hour", "heure"),
    "device": ("device", "appareil"),
}


def training_sentence(check: TrainingCheck, language: str = "en") -> str:
    """Say what a check found, what was expected, and what to do.

    >>> print(training_sentence(TrainingCheck(check="sections", state="ok", code="all_there", figures={"n": 10})))
    All 10 sections bring articles.
    """
    place = int(language == "fr")
    words = _Words({name: _told(name, value, place) for name, value in check.figures.items()} | {"check": check.check})
    said = SENTENCES[check.code][place].format_map(words)
    return said[:1].upper() + said[1:]


def training_check_name(check: str, language: str = "en") -> str:
    """Return what a check is called."""
    return NAMES[check][int(language == "fr")] if check in NAMES else check


def training_state(state: str, language: str = "en") -> str:
    """Return the word for a state."""
    return STATES[state][int(language == "fr")]


class _Words(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "–"


def _told(name: str, value: float | str, place: int) -> str:
    if isinstance(value, str):
        known = name in {"what", "dimension"} and value in _WHATS
        return _WHATS[value][place] if known else value
    form = _FORMS.get(name, _figure)
    return form(float(value), place)


def _figure(value: float, place: int) -> str:
    if value.is_integer() or abs(value) >= 100:
        return f"{value:,.0f}".replace(",", "\u202f" if place else ",")
    return _comma(f"{value:.3g}", place)


def _share(value: float, place: int) -> str:
    return _comma(f"{100 * value:.3g}" + ("%", " %")[place], place)


def _day(value: float, place: int) -> str:
    day = int(value)
    if day == 0:
        return ("in the last 24 hours", "ces dernières 24 heures")[place]
    return (f"{day} days before the last" if day > 1 else "the day before the last", f"{day} j avant le dernier")[place]


def _size(value: float, place: int) -> str:
    unit, letters = next((one for one in ((1e6, "MMo"), (1e3, "kko")) if value >= one[0]), (1.0, ""))
    word = ("B", "o")[place] if not letters else (letters[0] + "B", letters[1:])[place]
    return _comma(f"{value / unit:.3g} {word}", place)


def _comma(text: str, place: int) -> str:
    return text.replace(".", ",") if place else text


_FORMS: Mapping[str, Callable[[float, int], str]] = {
    **dict.fromkeys(("share", "before", "top", "bottom", "error"), _share),
    "day": _day,
    "bytes": _size,
    "milliseconds": lambda value, place: _comma(f"{value:.2g}", place),
    "difference": lambda value, place: _comma(f"{value:+.3f}", place),
}
"""How figures are written, by name; others as plain numbers."""
