"""The loop in a real browser: a page of another origin carries the widget, and what readers do is found in the log."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from embellie.domain.article import Article

pytestmark = pytest.mark.chromium

CONFIG = """
question = "question.toml"
read_seconds = 1.0
[sites.gazette]
name = "La Gazette"
origins = ["{origin}"]
[sites.gazette.placements.article-bottom]
slots = 3
[scenarios.status_quo]
policy = "status_quo"
[scenarios.heuristic]
policy = "latest"
[experiments.first-light]
variants = {{ status_quo = 1, heuristic = 1 }}
"""

QUESTION = """
question = "Should we recommend articles?"
currency = "EUR"
horizon = "12 months"
[unknowns]
interest = "-0.5 % to 3 %"
[scenarios.status_quo]
value = "0 EUR"
[scenarios.heuristic]
value = "interest * 100000 EUR"
"""

PAGE = """<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>{name}</title></head><body>
<h1>{name}</h1><div style="height:1600px">Texte</div>
<script async src="{host}/widget/v1.js" data-site="gazette" data-key="{key}" data-placement="article-bottom"
 data-article="{name}" data-consent="profiling"></script></body></html>"""

NAMES = [f"article-{number}" for number in range(6)]


@pytest.fixture
def pages():
    """The newspaper's own server, on an origin of its own."""
    told = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = PAGE.format(name=self.path.strip("/"), **told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # noqa: A002 -- the library's own name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", told
    server.shutdown()
    server.server_close()


@pytest.fixture
def newsroom(pages, tmp_path):
    """A real installation, serving: the API, the widget, the log."""
    import uvicorn

    from embellie.app.newsroom import Newsroom
    from embellie.web.server import create_app, open_keys

    origin, told = pages
    (tmp_path / "embellie.toml").write_text(CONFIG.format(origin=origin), encoding="utf-8")
    (tmp_path / "question.toml").write_text(QUESTION, encoding="utf-8")
    opened = Newsroom.open(tmp_path)
    then = datetime.now(UTC) - timedelta(hours=6)
    opened.publish(
        "gazette",
        [
            Article(article=name, url=f"{origin}/{name}", title=f"Le titre de {name}", section=name, language="fr",
                    published_at=then + timedelta(minutes=number))
            for number, name in enumerate(NAMES)
        ],
    ).result()  # fmt: skip
    keys = open_keys(opened)
    listening = socket.create_server(("127.0.0.1", 0))
    told |= {"host": f"http://127.0.0.1:{listening.getsockname()[1]}", "key": keys.public["gazette"]}
    config = uvicorn.Config(create_app(opened, keys=keys), log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield opened
    server.should_exit = True
    thread.join(10)
    listening.close()
    opened.close()


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
