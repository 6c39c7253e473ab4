"""A small newspaper for browser tests: pages, the widget, slates and events on one port; it writes down what it is sent."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from embellie.store.wire import event_from_wire

WIDGET = Path(__file__).parents[2] / "src/embellie/web/static/widget.v1.js"

TAG = '<script async src="{host}/widget/v1.js" data-site="gazette" data-key="pk_test" data-placement="article-bottom" data-article="{article}" {more}></script>'
PAGE = """<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8"><title>{article}</title>{head}</head>
<body><main><h1>Article {article}</h1><div style="height:{height}px">Texte</div><div id="here">{tag}</div>{after}</main></body></html>"""


PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="180"><rect width="320" height="180"/></svg>'


class Site:
    """Pages, the widget, slates and events, on one port."""

    def __init__(self) -> None:
        self.items = [
            {"article": name, "position": place, "url": f"/{name}", "title": f"L’article {name}", "image": None,
             "reason": "Très lu en ce moment", "propensity": 1.0}
            for place, name in enumerate(["b", "c"], start=1)
        ]  # fmt: skip
        self.slate_status, self.slate_body = 200, None
        self.event_statuses: list[int] = []
        self.asked: list[dict[str, list[str]]] = []
        self.received: list[dict] = []
        self.posts: list[tuple[str, dict[str, str]]] = []
        self.more, self.head, self.height, self.headers = "", "", 1500, {}
        self.language, self.direction, self.after, self.tag = "fr", "ltr", '<p id="after">Fin</p>', TAG
        self.slate_delay = 0.0

    def page(self, article: str) -> bytes:
        tag = self.tag.replace("{host}", "").replace("{article}", article).replace("{more}", self.more)
        return PAGE.format(
            article=article, tag=tag, head=self.head, height=self.height, after=self.after, language=self.language,
            direction=self.direction,
        ).encode()  # fmt: skip

    def slate(self) -> bytes:
        answer = {"schema": "embellie/slate/1", "slate_id": "s-1", "placement": "article-bottom", "items": self.items}
        return json.dumps(answer).encode() if self.slate_body is None else self.slate_body

    def take(self, body: bytes, path: str, headers: dict[str, str]) -> int:
        self.posts.append((path, headers))
        status = self.event_statuses.pop(0) if self.event_statuses else 202
        if status == 202:
            # As the log does: an event told twice is one event.
            known = {one["id"] for one in self.received}
            self.received += [one for one in json.loads(body)["events"] if one["id"] not in known]
        return status

    def bodies(self, kind: type) -> list:
        """Read the events as the log would: a wrong field is an error here."""
        found = [event_from_wire(one) for one in self.received]
        return [event.body for event in found if isinstance(event.body, kind)]

    def wait_for(self, kind: type, page, seconds: float = 5.0) -> list:
        until = time.monotonic() + seconds
        while not self.bodies(kind) and time.monotonic() < until:
            page.wait_for_timeout(50)
        return self.bodies(kind)


@contextmanager
def running(site: Site):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            if parts.path == "/v1/slate":
                site.asked.append(parse_qs(parts.query))
                time.sleep(site.slate_delay)
                self.answer(site.slate_status, site.slate(), "application/json")
            elif parts.path == "/widget/v1.js":
                self.answer(200, WIDGET.read_bytes(), "text/javascript; charset=utf-8")
            elif parts.path == "/picture.svg":
                self.answer(200, PICTURE, "image/svg+xml")
            elif parts.path.endswith((".ico", ".svg")):
                self.answer(404, b"", "text/plain")
            else:
                self.answer(200, site.page(parts.path.strip("/")), "text/html; charset=utf-8", site.headers)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.answer(site.take(body, self.path, headers), b"{}", "application/json")

        def answer(self, status, body, kind, headers=None):
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": len(body), **(headers or {})}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # noqa: A002 -- the library's own name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
