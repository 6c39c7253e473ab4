"""Pages: no script but the server's own files, safe headers everywhere, and nothing a feed says becomes markup."""

import re
from html.parser import HTMLParser

import pytest

from embellie.domain.article import Article
from embellie.store.feeds import read_feed
from embellie.web.dashboard import PAGES, path_of

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>"\'`{{7*7}}</script>'
PATHS = [
    *(path_of(name) for name in PAGES),
    "/login",
    "/login?next=/%22%3E%3Cscript%3E",
    "/release?lang=fr",
    "/gazette/",
]


class Parts(HTMLParser):
    """What could run: scripts without a file, handlers, and links that are no links."""

    def __init__(self, text):
        super().__init__()
        self.running = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        have = {name: value or "" for name, value in attrs}
        # Data for the page's script is no script: its type is none a browser runs.
        own = have.get("src", "").startswith("/") or have.get("type") == "application/json"
        if tag == "script" and not own:
            self.running.append(("script", have))
        self.running += [(tag, name) for name in have if name.startswith("on")]
        for name in ("href", "src", "action", "formaction"):
            if re.match(r"\s*(javascript|data|vbscript):", have.get(name, ""), re.IGNORECASE):
                self.running.append((tag, have[name]))
        if tag in ("base", "object", "embed", "iframe"):
            self.running.append((tag, have))


@pytest.fixture
def hostile(simulated):
    """A newsroom on this machine whose feed is hostile in every field."""
    newsroom = simulated.app.state.newsroom
    article = Article(
        article='"><script>1</script>', url="https://e.example/?a=\"><script>1</script>", title=HOSTILE, summary=HOSTILE,
        section=HOSTILE, tags=(HOSTILE,), authors=(HOSTILE,), language="en", image='https://e.example/"onload="x',
    )  # fmt: skip
    newsroom.publish("gazette", [article]).result()
    return simulated


@pytest.mark.parametrize("path", PATHS)
def test_a_page_runs_nothing_but_the_servers_own_scripts(hostile, path):
    """No inline script, no event handler, no `javascript:` link, whatever a feed says; and the policy forbids them."""
    answer = hostile("GET", path, headers={"accept": "text/html"})
    if path == "/gazette/" and answer.status_code == 404:
        pytest.skip("no demo newspaper here")
    assert answer.status_code in (200, 401)
    assert Parts(answer.text).running == []
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert "unsafe" not in policy.get("script-src", policy["default-src"])
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"


@pytest.mark.parametrize(
    "path", [*PATHS, "/static/dashboard.css", "/healthz", "/openapi.json", "/nothing", "/front.json"]
)
def test_every_answer_carries_the_safe_headers(simulated, path):
    """Pages, their data, files and errors alike: no sniffing; whatever is not the API's also no frames, no referrer, no devices."""
    headers = simulated("GET", path, headers={"accept": "text/html"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert headers["x-frame-options"] == "DENY"
    assert "camera=()" in headers["permissions-policy"]


def test_what_a_feed_says_is_text_on_every_page(hostile):
    """The hostile title reaches the pages, and only as text."""
    pages = "".join(hostile("GET", path, headers={"accept": "text/html"}).text for path in PATHS)
    assert "<script>alert" not in pages
    assert "<img src=x" not in pages


def test_an_address_that_runs_is_refused(call, tokens):
    """`javascript:` in any disguise is no article's address and no picture's, by either way in."""
    for address in (
        "javascript:alert(1)",
        "JavaScript:x",
        " java\nscript:x",
        "\x01javascript:x",
        "data:text/html,x",
        "vbscript:x",
    ):
        for name in ("url", "image"):
            sent = {"articles": [{"article": "a9", "title": "T", name: address}]}
            answer = call("POST", "/v1/articles?site=gazette", token=tokens["editor"], json=sent)
            assert (answer.status_code, answer.json()["error"]["at"]) == (422, f"$.articles[0].{name}"), address
    event = {
        "id": "00000000-0000-7000-8000-000000000077", "kind": "article", "at": "2026-03-02T09:00:00Z", "article": "a9",
        "url": "javascript:alert(1)",
    }  # fmt: skip
    answer = call("POST", "/v1/events?site=gazette", token=tokens["editor"], json={"events": [event]})
    assert answer.json()["quarantined"][0]["at"] == "$.events[0].url"


def test_an_old_address_that_runs_is_not_given_to_a_page(call, keys, newsroom):
    """What reached the log otherwise is shown without its address."""
    newsroom.publish("gazette", [Article(article="a9", url="javascript:alert(1)", title="T", image="data:x")]).result()
    items = {}
    for reader in range(40):
        path = f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom&reader=r{reader}&n=50"
        items |= {one["article"]: one for one in call("GET", path).json()["items"]}
    assert (items["a9"]["url"], items["a9"]["image"]) == ("", None)


def test_a_feed_of_scripts_gives_no_article():
    """A `javascript:` link is no link."""
    feed = b"<rss version='2.0'><channel><item><title>T</title><link>javascript:alert(1)</link></item></channel></rss>"
    assert read_feed(feed).articles == ()
