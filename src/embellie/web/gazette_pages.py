"""The demo's newspaper: a front page and article pages that carry the real widget, for a reader who is not simulated."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from embellie.app.demo import NAMES, PLACEMENT, SECTIONS, SITE, article_text
from embellie.domain.article import Article
from embellie.web.language import Language, Words, language_of

TEMPLATES = Path(__file__).parent / "templates" / "newspaper"
PER_SECTION = 5

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "simulated": "A demo: this newspaper is invented, and so are its other readers.",
        "dashboard": "See what embellie makes of it",
        "front": "Front page",
        "by": "By",
        "updated": "Published",
        "gone": "This article is no longer on the site.",
        "gone_hint": "Articles of the Gazette stay for four days. The front page has today's.",
        "other": "Lire en français",
        "consent": "May this newspaper recommend articles from what you read here? Nothing is stored before you choose.",
        "profiling": "Yes",
        "measurement": "Only count my visit",
        "none": "No",
        "consent_again": "Privacy",
        "region": "News of Valbrune, Port-Azeline, Montelys and the moor",
    },
    "fr": {
        "simulated": "Une démonstration : ce journal est inventé, et ses autres lecteurs aussi.",
        "dashboard": "Voir ce qu'embellie en fait",
        "front": "La une",
        "by": "Par",
        "updated": "Publié",
        "gone": "Cet article n'est plus sur le site.",
        "gone_hint": "Les articles de la Gazette restent quatre jours. La une donne ceux d'aujourd'hui.",
        "other": "Read in English",
        "consent": "Ce journal peut-il recommander des articles d'après vos lectures ? Rien n'est gardé avant votre choix.",
        "profiling": "Oui",
        "measurement": "Compter ma visite seulement",
        "none": "Non",
        "consent_again": "Vie privée",
        "region": "Les nouvelles de Valbrune, Port-Azeline, Montelys et de la lande",
    },
}


def routes() -> list[BaseRoute]:
    """The newspaper's pages; to be mounted when the newsroom is simulated and holds the Gazette."""
    return [
        Route("/gazette", lambda _: RedirectResponse("/gazette/"), methods=["GET"]),
        Route("/gazette/", front, methods=["GET"], name="gazette"),
        Route("/gazette/{article}", article, methods=["GET"], name="gazette-article"),
    ]


def front(request: Request) -> Response:
    """Show the newest articles of each section, in one language."""
    newsroom = request.app.state.newsroom
    language = _language(request)
    own = [one for one in newsroom.articles(SITE) if one.language == language]
    desks = [
        {
            "name": names[language],
            "articles": [_line(one, language) for one in own if one.section == section][:PER_SECTION],
        }
        for section, names in SECTIONS.items()
    ]
    newest = [_line(one, language) for one in own[:4]]
    return _answer("front.html", language, desks=desks, newest=newest)


def article(request: Request) -> Response:
    """Show one article, with the widget below it."""
    newsroom = request.app.state.newsroom
    found = newsroom.article(SITE, request.path_params["article"])
    if found is None or not found.showable(newsroom.clock()):
        return _answer("gone.html", _language(request), status=404)
    language = language_of(found.language)
    return _answer(
        "article.html",
        language,
        article=_line(found, language),
        section=_section(found.section, language),
        body=article_text(found.article),
        site=SITE,
        placement=PLACEMENT,
        key=public_key(request),
    )


def public_key(request: Request) -> str:
    """The key of the site's pages, as the server keeps it; `""` where there is none."""
    keys = getattr(request.app.state, "keys", None)
    return str(keys.public.get(SITE, "")) if keys is not None else ""


def _language(request: Request) -> Language:
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return language_of(wanted, default=request.app.state.newsroom.config.language)


def _line(one: Article, language: Language) -> dict[str, Any]:
    return {
        "id": one.article,
        "url": one.url,
        "title": one.title,
        "summary": one.summary,
        "author": ", ".join(one.authors),
        "tags": one.tags,
        "published": _when(one.published_at, language) if one.published_at else "",
        "section": _section(one.section, language),
    }


def _section(section: str, language: Language) -> str:
    return SECTIONS.get(section, {}).get(language, section)


def _when(moment: datetime, language: Language) -> str:
    return Words(language).moment(moment)


def _answer(template: str, language: Language, *, status: int = 200, **values: Any) -> Response:
    words = WORDS[language]
    page = _environment().get_template(template)
    other: Language = "fr" if language == "en" else "en"
    html = page.render(t=words, language=language, other=other, paper=NAMES[language], **values)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
