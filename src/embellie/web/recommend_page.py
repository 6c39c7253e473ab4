"""The page of step 2: which articles would each scenario show, to this reader, here, now?"""

from collections.abc import Mapping, Sequence
from typing import Any

from embellie.domain.article import Article
from embellie.domain.rule import Rule
from embellie.domain.site import Placement
from embellie.domain.slate import SlateRequest
from embellie.domain.unavailable import Unavailable
from embellie.web.model_runs import model_runs
from embellie.web.picture import Picture, drawn
from embellie.web.reasons import reason_text
from embellie.web.traffic_pictures import popular_picture
from embellie.web.view import View

CHOICES = 40
"""How many articles the form offers."""

KEEN = """
SELECT reader FROM events
WHERE site = $site AND kind = 'read' AND consent = 'profiling' AND reader <> ''
GROUP BY reader ORDER BY count(*) DESC, reader LIMIT 5
"""


def recommend_page(view: View) -> dict[str, Any]:
    """The scenarios' slates side by side, what is popular, the editors' rules, and the models."""
    newsroom, words = view.newsroom, view.words
    articles = list(newsroom.articles(view.site))
    placements = newsroom.sites[view.site].placements
    chosen = chosen_request(view, articles, placements)
    return {
        "form": form(articles, list(placements), chosen) | {"readers": keen_readers(view)},
        "slates": slates(view, chosen) if not isinstance(chosen, Unavailable) else chosen.document(),
        "models": model_runs(view),
        "rules": [rule_text(view, rule) for rule in newsroom.rules(view.site)],
        "figures": {"popular": drawn(words("popular.title"), popular(view))},
    }


def popular(view: View) -> Picture | Unavailable:
    """What is read most now."""
    return view.ask(lambda: popular_picture(view, view.newsroom.popular_now(view.site, 12)))


def chosen_request(
    view: View, articles: Sequence[Article], placements: Mapping[str, Placement]
) -> SlateRequest | Unavailable:
    """What the form asks: a placement, an article of the site, perhaps a reader."""
    if not articles:
        return view.missing("articles")
    if not placements:
        return view.missing("placements")
    placement = view.query.get("placement", "")
    placement = placement if placement in placements else next(iter(placements))
    known = {each.article for each in articles}
    article = view.query.get("article", "")
    known_readers = keen_readers(view)
    reader = view.query.get("reader", known_readers[0] if known_readers else "")[:128]
    return SlateRequest(
        site=view.site,
        placement=placement,
        n=placements[placement].slots,
        now=view.newsroom.clock(),
        article=article if article in known else _first(view, articles),
        reader=reader,
        consent="profiling" if reader else "none",
    )


def keen_readers(view: View) -> list[str]:
    """A few simulated readers with a history, to try; the readers of a real newsroom are never listed."""
    if not view.newsroom.simulated:
        return []
    rows = view.ask(lambda: view.newsroom.analysis.rows(KEEN, {"site": view.site}))
    return [] if isinstance(rows, Unavailable) else [str(row["reader"]) for row in rows]


def _first(view: View, articles: Sequence[Article]) -> str:
    """What a reader most likely has before them: the most read article, else the newest."""
    found = view.ask(lambda: view.newsroom.popular_now(view.site, 1))
    popular_one = "" if isinstance(found, Unavailable) or not found else found[0][0].article
    return popular_one if any(each.article == popular_one for each in articles) else articles[0].article


def form(articles: Sequence[Article], placements: Sequence[str], chosen: SlateRequest | Unavailable) -> dict[str, Any]:
    """The choices, with what is chosen."""
    article = "" if isinstance(chosen, Unavailable) else chosen.article
    offered = list(articles[:CHOICES])
    offered += [each for each in articles[CHOICES:] if each.article == article]
    return {
        "placements": list(placements),
        "articles": [{"article": each.article, "title": each.title or each.article} for each in offered],
        "placement": "" if isinstance(chosen, Unavailable) else chosen.placement,
        "article": article,
        "reader": "" if isinstance(chosen, Unavailable) else chosen.reader,
    }


def slates(view: View, request: SlateRequest) -> list[dict[str, Any]]:
    """Each scenario's slate for the same request; nothing is put in the log."""
    found = []
    for name, scenario in view.newsroom.config.scenarios.items():
        slate = {"scenario": name, "label": view.scenario(name), "policy": view.words.named("policy", scenario.policy)}
        found.append(slate | slate_items(view, request, name))
    return found


def slate_items(view: View, request: SlateRequest, scenario: str) -> dict[str, Any]:
    """One scenario's articles with their reasons, or why there are none."""
    ranked = view.ask(lambda: view.newsroom.preview(request, scenario))
    if isinstance(ranked, Unavailable):
        return {"items": []} | ranked.document()
    items = []
    for position, each in enumerate(ranked[: request.n], start=1):
        article = view.newsroom.article(view.site, each.article)
        items.append(
            {
                "position": position,
                "article": each.article,
                "title": (article.title if article else "") or each.article,
                "section": view.words.section(article.section) if article else "",
                "reason": reason_text(view.words, each.reason),
                "score": each.score,
                "propensity": each.propensity,
                "features": dict(zip(each.features.names, each.features.values, strict=True)) if each.features else {},
            }
        )
    return {"items": items}


def rule_text(view: View, rule: Rule) -> dict[str, str]:
    """An editorial rule in a sentence."""
    words = view.words
    article = view.newsroom.article(view.site, rule.article) if rule.article else None
    title = (article.title if article else "") or rule.article
    about = "tag" if rule.tag else "section"
    key = f"rule.{rule.action}" + (f"_{about}" if rule.action in ("ban", "boost") and not rule.article else "")
    text = words(
        key,
        article=title,
        section=words.section(rule.section) or words("word.every_section"),
        position=words.number(rule.position),
        limit=words.number(rule.limit),
        factor=words.figure(rule.factor),
        tag=rule.tag,
        placement=rule.placement or words("word.every_placement"),
    )
    until = words("rule.until", at=words.moment(rule.until)) if rule.until else ""
    return {"rule": rule.rule, "action": rule.action, "text": text, "until": until, "by": rule.by}
