"""A real Chromium, when the machine has one."""

import shutil
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from embellie.domain.article import Article

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium():
    """Start the browser once per file, so that its event loop ends with it; every test has its own fresh profile."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: make test-all installs it")
    path = _path()
    if path is None:
        pytest.skip("needs a Chromium on the path: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def remembering(chromium):
    """A browser that keeps pages for its back button, which playwright turns off elsewhere."""
    browser = chromium.browser_type.launch(
        executable_path=_path(), headless=True, args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
    )
    yield browser
    browser.close()


def _path() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def page(chromium):
    """Open a fresh profile; whatever a page throws or logs as an error is in `page.troubles`."""
    context = chromium.new_context(viewport={"width": 900, "height": 700}, locale="fr-FR")
    opened = context.new_page()
    opened.troubles = []
    opened.on("pageerror", lambda error: opened.troubles.append(str(error)))
    yield opened
    context.close()


CONFIG = """
question = "question.toml"
read_seconds = 1.0
[sites.gazette]
name = "La Gazette"
origins = ["{origin}"]
[sites.gazette.placements.article-bottom]
slots = 3
{scenarios}
"""

SCENARIOS = """
[scenarios.status_quo]
policy = "status_quo"
[scenarios.heuristic]
policy = "latest"
[experiments.first-light]
variants = { status_quo = 1, heuristic = 1 }
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

TAGGED = """<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>{name}</title></head><body>
<h1>{name}</h1><div style="height:1600px">Texte</div>
<script async src="{host}/widget/v1.js" data-site="gazette" data-key="{key}" data-placement="article-bottom"
 data-article="{name}" data-consent="profiling"></script></body></html>"""

NAMES = [f"article-{number}" for number in range(12)]


@pytest.fixture
def pages():
    """The newspaper's own server, on an origin of its own; `told["page"]` may hold another page and its headers."""
    told = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if told.get("away"):
                self.connection.close()
                return
            template, headers = told.get("page", (TAGGED, {}))
            body = template.format(name=self.path.strip("/"), host=told["host"], key=told["key"]).encode()
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value.format(**told))
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
def scenarios() -> str:
    """What the installation chooses between; a file may say otherwise."""
    return SCENARIOS


@pytest.fixture
def newsroom(pages, tmp_path, scenarios):
    """A real installation, serving: the API, the widget, the log."""
    import uvicorn

    from embellie.app.newsroom import Newsroom
    from embellie.web.server import create_app, open_keys

    origin, told = pages
    (tmp_path / "embellie.toml").write_text(CONFIG.format(origin=origin, scenarios=scenarios), encoding="utf-8")
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
