"""The page of step 3: what is served, and whether every event is accounted for."""

import json
from typing import Any

from embellie.domain.unavailable import Unavailable
from embellie.web.picture import Picture, drawn
from embellie.web.traffic_pictures import served_picture, traffic_picture
from embellie.web.view import View

BUCKETS = 72


def serve_page(view: View) -> dict[str, Any]:
    """Traffic, shares really served, the ledger, what was set aside, and the tag to paste."""
    newsroom, words = view.newsroom, view.words
    return {
        "counts": counts(view),
        "ledger": ledger(view),
        "quarantined": quarantined(view),
        "tag": tag(view),
        "figures": {
            "traffic": drawn(
                words("traffic.title"),
                _of(view, lambda: traffic_picture(view, newsroom.traffic(view.site, buckets=BUCKETS))),
            ),
            "served": drawn(
                words("served.title"), _of(view, lambda: served_picture(view, newsroom.served_shares(view.site)))
            ),
        },
    }


def _of(view: View, draw: Any) -> Picture | Unavailable:
    found: Picture | Unavailable = view.ask(draw)
    return found


def counts(view: View) -> list[dict[str, str]]:
    """Events by kind since the log began."""
    found = view.ask(lambda: view.newsroom.counts(view.site))
    if isinstance(found, Unavailable):
        return []
    words = view.words
    kinds = ("article", "served", "exposure", "impression", "click", "read", "conversion")
    return [
        {"kind": kind, "label": words.named("events", kind), "count": words.number(found[kind])}
        for kind in kinds
        if found.get(kind)
    ]


def ledger(view: View) -> dict[str, Any]:
    """What was received and what became of it; both sides must be equal."""
    words = view.words
    rows = [row for row in view.newsroom.ledger() if row.site == view.site]
    if not rows:
        return view.missing("traffic").document()
    sums = {
        name: sum(getattr(row, name) for row in rows) for name in ("received", "accepted", "duplicates", "quarantined")
    }
    balanced = sums["received"] == sums["accepted"] + sums["duplicates"] + sums["quarantined"]
    return {
        "sums": [
            {"name": name, "label": words(f"ledger.{name}"), "count": words.number(count), "value": count}
            for name, count in sums.items()
        ],
        "balanced": balanced,
        "sentence": words("ledger.balanced" if balanced else "ledger.unbalanced"),
    }


def quarantined(view: View) -> list[dict[str, str]]:
    """The last events set aside, the newest first, with the reason and where in them."""
    found = view.ask(lambda: view.newsroom.quarantined(view.site, 10))
    if isinstance(found, Unavailable):
        return []
    return [{"reason": each.reason, "at": each.at, "payload": shortened(each.payload)} for each in found]


def shortened(payload: str, most: int = 240) -> str:
    """The beginning of a payload, on one line."""
    try:
        text = json.dumps(json.loads(payload), ensure_ascii=False)
    except ValueError:
        text = payload
    return text if len(text) <= most else f"{text[:most]}…"


def tag(view: View) -> dict[str, str]:
    """The tag a developer pastes into the article page."""
    site = view.newsroom.sites[view.site]
    placement = next(iter(site.placements), "article-bottom")
    key = view.query.get("public_key", "") or "pk_…"
    return {
        "html": (
            f'<script async src="{view.query.get("origin", "")}/widget/v1.js"\n'
            f'        data-site="{view.site}" data-key="{key}"\n'
            f'        data-placement="{placement}" data-article="…"></script>'
        ),
        "note": view.words("tag.note"),
    }
