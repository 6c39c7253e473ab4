"""Readers page: what is recommended and on what grounds, and how to change or refuse it. Public, in two languages, no script.

Online platforms that recommend must set out the main parameters in plain language, and how to change them (Regulation
(EU) 2022/2065, article 27).
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from embellie.app.retaining import KEEP
from embellie.domain.errors import unknown_name
from embellie.web.language import LANGUAGES, Language, Words, language_of

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

PATH = "/readers"

_STYLE = (
    "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "nav{text-align:right}dt{font-weight:600;margin-top:.8rem}dd{margin:0}li{margin:.3rem 0}"
)
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "public, max-age=300",
}

GROUNDS: Mapping[str, tuple[str, str]] = {
    "status_quo": ("Nothing is recommended, or the editors’ own list is shown.",
                   "Rien n’est recommandé, ou la liste de la rédaction est montrée."),
    "latest": ("The newest articles come first.", "Les articles les plus récents viennent d’abord."),
    "popular": ("What is read most just now comes first; a read counts half as much after some hours.",
                "Ce qui est le plus lu en ce moment vient d’abord ; une lecture compte moitié moins après quelques heures."),
    "trending": ("What is read more and more comes first.", "Ce qui est de plus en plus lu vient d’abord."),
    "evergreen": ("What is read most just now, with some places for what has been read for weeks.",
                  "Ce qui est le plus lu en ce moment, avec quelques places pour ce qui est lu depuis des semaines."),
    "same_section": ("Articles of the section you are reading come first, then what is read most.",
                     "Les articles de la rubrique que vous lisez viennent d’abord, puis ce qui est le plus lu."),
    "affinity": ("What is read most just now; with your agreement to profiling, sections you have read more often count more.",
                 "Ce qui est le plus lu en ce moment ; avec votre accord au profilage, les rubriques que vous lisez souvent comptent davantage."),
    "covisitation": ("Articles that others read in the same visits as the ones you opened in this visit.",
                     "Les articles que d’autres ont lus lors des mêmes visites que ceux que vous avez ouverts pendant celle-ci."),
    "sessions": ("Articles read in the visits most similar to this one.",
                 "Les articles lus lors des visites les plus semblables à celle-ci."),
    "content": ("Articles about the same subject as this page; with your agreement, about what you have read.",
                "Les articles sur le même sujet que cette page ; avec votre accord, sur ce que vous avez lu."),
    "factors": ("A model of who reads what: with your agreement, it compares what you have read with what others have.",
                "Un modèle de qui lit quoi : avec votre accord, il compare vos lectures à celles des autres."),
    "ease": ("A model of which articles are read together with those you have read, with your agreement, or opened in this visit.",
             "Un modèle des articles lus avec ceux que vous avez lus, avec votre accord, ou ouverts pendant cette visite."),
    "ranker": ("A model learned from clicks weighs how much an article is read, its age, section and subject, this visit and, with your agreement, what you have read.",
               "Un modèle appris sur des clics pèse combien un article est lu, son âge, sa rubrique et son sujet, cette visite et, avec votre accord, vos lectures."),
    "diverse": ("The list of another method, varied so that its articles differ.",
                "La liste d’une autre méthode, variée pour que ses articles diffèrent."),
    "interleaved": ("Two methods put one list together, taking turns; it is noted which of them you side with.",
                    "Deux méthodes composent une liste à tour de rôle ; on note de quel côté vous penchez."),
    "exploring": ("The list of another method; now and then its best articles are drawn by chance.",
                  "La liste d’une autre méthode ; de temps à autre, ses meilleurs articles sont tirés au sort."),
    "thompson": ("The list of another method, in which articles move up and down by chance, the more so the less is known of how often they are opened.",
                 "La liste d’une autre méthode, où les articles montent et descendent au hasard, d’autant plus qu’on sait peu combien ils sont ouverts."),
}  # fmt: skip
"""What each policy goes by, for a reader: its main parameters, the weightiest first."""

_TEXT: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "Why you are shown these articles",
        "other": "Lire en français",
        "intro": "On pages of {site}, articles are recommended by a program. This page says what it goes by, and how you change or refuse it.",
        "what": "What decides",
        "none": "Nothing is recommended at the moment.",
        "several": "Several ways are being compared: which one you get is decided by chance, once, and stays the same.",
        "rules": "Whatever the way: the editors may put articles first, or keep them out. An article is never shown on its own page, nor again once you have opened it in a visit. Nobody can pay to be recommended, and no detail about you from elsewhere is used.",
        "choice": "Your choice",
        "choose": "You choose on the newspaper’s own pages, where it asks about privacy, and may choose again at any time:",
        "profiling": "<b>Profiling</b>: what you read on this site may also decide what you are shown.",
        "measurement": "<b>Measurement</b>: your visits are counted, under a random word in the place of a name; what you are shown does not depend on what you read on other days.",
        "nothing": "<b>None</b>: nothing is stored on your device and no word stands for you; you are shown what anyone would be.",
        "before": "Before you choose, it is as with “none”. Whoever withdraws is forgotten by the recommendations at once.",
        "rights": "Your data",
        "data": "Ask the newspaper, and you get all that is kept under your word, or have it erased everywhere at once. It needs the word, which your browser keeps for the newspaper’s site.",
        "kept": "Kept with your word: {kept}.",
        "profiling_word": "with profiling",
        "measurement_word": "with measurement",
        "for_good": "as long as the newspaper’s log",
    },
    "fr": {
        "title": "Pourquoi ces articles vous sont montrés",
        "other": "Read in English",
        "intro": "Sur les pages de {site}, un programme recommande des articles. Cette page dit d’après quoi, et comment le changer ou le refuser.",
        "what": "Ce qui décide",
        "none": "Rien n’est recommandé en ce moment.",
        "several": "Plusieurs façons de faire sont comparées : la vôtre est tirée au sort, une fois, et reste la même.",
        "rules": "Dans tous les cas : la rédaction peut mettre des articles en avant ou les écarter. Un article n’est jamais montré sur sa propre page, ni de nouveau une fois ouvert pendant une visite. Personne ne peut payer pour être recommandé, et rien de ce qu’on saurait de vous par ailleurs n’est utilisé.",
        "choice": "Votre choix",
        "choose": "Vous choisissez sur les pages du journal, là où il vous parle de vie privée, et pouvez changer d’avis à tout moment :",
        "profiling": "<b>Profilage</b> : ce que vous lisez sur ce site peut aussi décider de ce qui vous est montré.",
        "measurement": "<b>Mesure</b> : vos visites sont comptées, sous un mot tiré au hasard à la place d’un nom ; ce qui vous est montré ne dépend pas de vos lectures d’autres jours.",
        "nothing": "<b>Aucun</b> : rien n’est gardé sur votre appareil et aucun mot ne vous désigne ; on vous montre ce que verrait n’importe qui.",
        "before": "Avant votre choix, il en va comme avec « aucun ». Qui retire son accord est aussitôt oublié par les recommandations.",
        "rights": "Vos données",
        "data": "Demandez au journal : vous recevez tout ce qui est gardé sous votre mot, ou le faites effacer partout d’un coup. Il faut pour cela le mot, que votre navigateur garde pour le site du journal.",
        "kept": "Gardé avec votre mot : {kept}.",
        "profiling_word": "avec le profilage",
        "measurement_word": "avec la mesure",
        "for_good": "aussi longtemps que le journal des événements",
    },
}


class ReadersPage:
    """The page of every site for its readers."""

    def __init__(self, newsroom: "Newsroom") -> None:
        self._newsroom = newsroom

    def routes(self) -> list[Route]:
        """Return the page's route; it needs no key."""
        return [Route(PATH, self.show, methods=["GET"], name="readers")]

    def show(self, request: Request) -> Response:
        """Write the page of a site: of the only one, or of the first, when none is named."""
        newsroom = self._newsroom
        site = request.query_params.get("site", "") or next(iter(newsroom.sites))
        if site not in newsroom.sites:
            raise unknown_name("site", site[:80], newsroom.sites, at="?site")
        wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
        language = language_of(wanted, default=newsroom.config.language)
        page = _page(newsroom, site, language)
        return HTMLResponse(page, headers=_HEADERS | {"content-language": language, "vary": "accept-language"})


def live_policies(newsroom: "Newsroom", site: str) -> list[str]:
    """Name the policies that readers of a site may meet now, each once: the stable ones, those compared and those rolled out."""
    names = [*newsroom.stable(site).values()]
    for experiment in newsroom.experiments(site):
        if experiment.state == "running":
            names += [variant.release for variant in experiment.variants]
    for rollout in newsroom.rollouts(site):
        if rollout.state in ("running", "held"):
            names += [rollout.stable, rollout.canary]
    releases = {one.release: one for one in newsroom.releases(site)}
    return list(dict.fromkeys(releases[name].policy for name in names if name in releases))


def _page(newsroom: "Newsroom", site: str, language: Language) -> str:
    text, words = _TEXT[language], Words(language)
    name = html.escape(newsroom.sites[site].name)
    policies = live_policies(newsroom, site)
    grounds = "".join(_ground(words, policy) for policy in policies) or f"<dd>{text['none']}</dd>"
    several = f"<p>{text['several']}</p>" if len(policies) > 1 else ""
    other = next(one for one in LANGUAGES if one != language)
    link = html.escape(f"{PATH}?site={site}&lang={other}")
    choices = "".join(f"<li>{text[choice]}</li>" for choice in ("profiling", "measurement", "nothing"))
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text['title']} · {name}</title><style>{_STYLE}</style>"
        f'<nav><a href="{link}" hreflang="{other}" lang="{other}">{text["other"]}</a></nav>'
        f"<main><h1>{text['title']}</h1><p>{text['intro'].format(site=name)}</p>"
        f"<h2>{text['what']}</h2><dl>{grounds}</dl>{several}<p>{text['rules']}</p>"
        f"<h2>{text['choice']}</h2><p>{text['choose']}</p><ul>{choices}</ul><p>{text['before']}</p>"
        f"<h2>{text['rights']}</h2><p>{text['data']}</p><p>{text['kept'].format(kept=_kept(newsroom, words))}</p></main></html>"
    )


def _ground(words: Words, policy: str) -> str:
    own = GROUNDS.get(policy)
    said = own[LANGUAGES.index(words.language)] if own else html.escape(policy)
    return f"<dt>{html.escape(words.named('policy', policy))}</dt><dd>{said}</dd>"


def _kept(newsroom: "Newsroom", words: Words) -> str:
    retention = newsroom.config.retention
    text = _TEXT[words.language]
    times: Iterable[tuple[str, str]] = (("profiling", retention.profiling), ("measurement", retention.measurement))
    return "; ".join(
        f"{text[f'{name}_word']}, {text['for_good'] if value == KEEP else html.escape(_time(value, words))}"
        for name, value in times
    )


def _time(value: str, words: Words) -> str:
    """Write a time of [retention] in a language."""
    count = "".join(letter for letter in value if letter.isdigit())
    unit = value.strip().removeprefix(count).strip()[:1]
    names = {"d": ("days", "jours"), "w": ("weeks", "semaines"), "m": ("months", "mois"), "y": ("years", "ans")}
    return f"{count} {names[unit][LANGUAGES.index(words.language)]}" if unit in names else value
