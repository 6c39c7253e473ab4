"""The loop in a real browser: a page of another origin carries the widget, and what readers do is found in the log."""

import time

import pytest

pytestmark = pytest.mark.chromium

NAMES = [f"article-{number}" for number in range(6)]

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def visit(chromium, origin) -> str:
    """Open an article, scroll, choose a recommendation if there is one, read it, leave; returns what was chosen."""
    # Headless Chromium says that it is no person, and is then tagged as a bot; here it stands for one.
    context = chromium.new_context(viewport={"width": 900, "height": 700}, user_agent=PERSON)
    page = context.new_page()
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    with page.expect_response("**/v1/slate?*"):
        page.goto(f"{origin}/{NAMES[0]}")
    for _ in range(6):
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(250)
    link, chosen = page.get_by_role("navigation").get_by_role("link").first, ""
    if link.count():
        link.scroll_into_view_if_needed()
        page.wait_for_timeout(1200)
        chosen = link.inner_text()
        link.click()
        page.wait_for_url(lambda url: not url.endswith(NAMES[0]))
        page.wait_for_timeout(1500)
    page.goto("about:blank")
    page.wait_for_timeout(200)
    context.close()
    assert troubles == []
    return chosen


def test_what_a_reader_does_is_found_in_the_log_and_the_scorecard(chromium, pages, newsroom):
    """Readers in both variants: served, exposed, seen, clicked, read; then each counts once in the scorecard."""
    origin, _ = pages
    chosen: list[str] = []
    while len(chosen) < 12 and not (any(chosen) and not all(chosen) and len(chosen) >= 3):
        chosen.append(visit(chromium, origin))
    time.sleep(0.5)
    events = [event for _, event in newsroom.log.scan()]
    bodies = {kind: [event.body for event in events if event.kind == kind] for kind in {event.kind for event in events}}
    readers = {event.body.reader for event in events if event.kind == "served"}
    clickers = [one for one in chosen if one]
    assert len(readers) == len(chosen)
    assert {one.unit for one in bodies["exposure"]} == readers
    assert len(bodies["consent"]) == len(readers)

    slates = {one.slate_id: one for one in bodies["served"]}
    assert len(bodies["click"]) == len(clickers) > 0
    for click in bodies["click"]:
        slate = slates[click.slate_id]
        item = slate.items[click.position - 1]
        assert (item.article, slate.reader, slate.visit) == (click.article, click.reader, click.visit)
    seen = {(one.slate_id, one.position) for one in bodies["impression"]}
    assert {(one.slate_id, one.position) for one in bodies["click"]} <= seen
    assert len(seen) == len(bodies["impression"])
    assert all(
        one.share >= one.threshold_share and one.seconds >= one.threshold_seconds for one in bodies["impression"]
    )

    reads = bodies["read"]
    assert len(reads) == len(chosen) + len(clickers)
    assert all(one.engaged_seconds >= 1.0 for one in reads)
    after = [one for one in reads if one.article != NAMES[0]]
    assert {(one.reader, one.article, one.referrer) for one in after} == {
        (one.reader, one.article, "recommendation") for one in bodies["click"]
    }
    assert len({(one.reader, one.visit) for one in reads}) == len(chosen)
    assert {event.consent for event in events if event.kind in {"read", "click", "impression", "served"}} == {
        "profiling"
    }

    ledger = newsroom.ledger()
    assert sum(row.quarantined for row in ledger) == 0
    card = newsroom.scorecard("first-light")
    assert card.units == {"status_quo": chosen.count(""), "heuristic": len(clickers)}
    (effect,) = [one for one in card.effects if one.metric == "reads_per_reader"]
    if len(clickers) > 1 and chosen.count("") > 1:
        assert (effect.control_value, effect.variant_value) == (1.0, 2.0)
