"""Who may call what."""

import pytest

from embellie.app.keys import ROLES
from embellie.web.access import Buckets, Caller, is_local
from embellie.web.api import TABLE
from embellie.web.server import create_app

HOLDERS = (None, "public", *ROLES)
KEYED = [entry for entry in TABLE if entry.role is not None]


def may(holder, entry):
    if holder is None:
        return False
    return entry.public if holder == "public" else ROLES.index(holder) >= ROLES.index(entry.role)


@pytest.mark.parametrize("entry", KEYED, ids=lambda entry: f"{entry.method} {entry.path}")
def test_each_call_lets_in_whom_the_table_says(call, keys, tokens, entry):
    """For each call and each holder of a key: turned away with 401 or 403, or let in (whatever the call then answers)."""
    path = entry.path.replace("{name:path}", "none-such").replace("{name}", "none-such")
    for holder in HOLDERS:
        options = {"token": tokens[holder]} if holder in ROLES else {}
        asked = f"{path}?key={keys.public['gazette']}" if holder == "public" else path
        status = call(entry.method, asked, **options).status_code
        expected = 401 if holder is None else 403
        assert (status not in (401, 403)) if may(holder, entry) else (status == expected), (holder, status)


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({"authorization": "Bearer sk_wrong"}, "", "token_unknown"),
        ({"authorization": "Basic eDp5"}, "", "token_unknown"),
        ({"x-embellie-key": "pk_wrong"}, "", "key_unknown"),
        ({}, "?key=sk_in_an_address", "key_unknown"),
        ({}, "", "key_missing"),
    ],
)
def test_a_wrong_key_is_told_what_is_wrong(call, headers, query, code):
    """401, with a word for programs and a hint for people; never the key itself."""
    answer = call("GET", f"/v1/articles{query}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "wrong" not in answer.text
    assert "in_an_address" not in answer.text


def test_a_public_key_speaks_for_its_site_alone(call, keys):
    """The key of one site is of no use on another."""
    answer = call("GET", f"/v1/slate?key={keys.public['gazette']}&site=herald&placement=article-bottom")
    assert (answer.status_code, answer.json()["error"]["at"]) == (403, "?site")


def test_only_a_sites_own_pages_may_use_its_key(call, keys):
    """CORS for the origins of the site; other pages are refused with the line to add."""
    path = f"/v1/slate?key={keys.public['gazette']}&placement=sidebar"
    own = call("GET", path, headers={"origin": "https://gazette.example"})
    assert own.headers["access-control-allow-origin"] == "https://gazette.example"
    assert own.headers["vary"] == "Origin"
    other = call("GET", path, headers={"origin": "https://evil.example"})
    assert (other.status_code, other.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(("origin", "status"), [("https://gazette.example", 204), ("https://evil.example", 403)])
def test_browsers_ask_before_they_send(call, origin, status):
    """A preflight is answered for the sites' origins, without a key."""
    answer = call("OPTIONS", "/v1/events", headers={"origin": origin, "access-control-request-method": "POST"})
    assert answer.status_code == status
    assert answer.headers.get("access-control-allow-origin") == (origin if status == 204 else None)


def test_the_private_calls_have_no_cors(call, tokens):
    """No page elsewhere reads what a token may read."""
    answer = call("GET", "/v1/verdict", token=tokens["viewer"], headers={"origin": "https://gazette.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_without_auth_this_machine_may_do_everything(newsroom, call):
    """`auth = false` opens to callers from this machine who call it by its own name, and to nobody else."""
    call.app = create_app(newsroom, auth=False)
    call.address, call.host = "127.0.0.1", "localhost:8400"
    assert call("GET", "/v1/tokens").status_code == 200
    call.host = "rebound.example"
    assert call("GET", "/v1/tokens").status_code == 401
    call.address, call.host = "203.0.113.9", "localhost:8400"
    assert call("GET", "/v1/tokens").status_code == 401


def test_the_demo_is_operated_by_whoever_sits_there(simulated):
    """Simulated: this machine operates, but does not hand out keys; a page from elsewhere changes nothing."""
    assert simulated("GET", "/v1/releases?site=gazette").status_code == 200
    order = {"policy": "popular"}
    assert simulated("POST", "/v1/releases?site=gazette", json=order).status_code == 200
    assert simulated("GET", "/v1/tokens").status_code == 403
    forged = simulated("POST", "/v1/releases?site=gazette", json=order, headers={"sec-fetch-site": "cross-site"})
    assert (forged.status_code, forged.json()["error"]["code"]) == (403, "cross_site")
    simulated.address = "203.0.113.9"
    assert simulated("GET", "/v1/releases?site=gazette").status_code == 401


def test_a_flood_of_posts_is_slowed_down(newsroom, keys, call, click):
    """429 with Retry-After once an address used up its allowance; a token has its own, apart from all others."""
    call.app = create_app(newsroom, keys=keys, posts_per_second=0.2)
    path, batch = f"/v1/events?key={keys.public['gazette']}", {"events": [click()]}
    assert call("POST", path, json=batch).status_code == 202
    slowed = call("POST", path, json=batch)
    assert (slowed.status_code, slowed.json()["error"]["code"]) == (429, "too_many_requests")
    assert int(slowed.headers["retry-after"]) >= 1
    token = keys.issue("editor", name="back end")
    assert call("POST", "/v1/events?site=gazette", token=token, json=batch).status_code == 202
    assert call("POST", "/v1/events?site=gazette", token=token, json=batch).status_code == 429
    assert call("GET", "/v1/releases?site=gazette", token=token).status_code == 429
    other = keys.issue("editor", name="another")
    assert call("POST", "/v1/events?site=gazette", token=other, json=batch).status_code == 202
    call.address = "203.0.113.10"
    assert call("POST", path, json=batch).status_code == 202


def test_slates_count_too(newsroom, keys, call):
    """A slate is written down as well: asked for in a flood, it is slowed like a post."""
    call.app = create_app(newsroom, keys=keys, posts_per_second=0.4)
    path = f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom"
    assert [call("GET", path).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert call("GET", "/healthz").status_code == 200


def test_guessing_is_slowed_down(call, tokens):
    """Whoever shows wrong keys by the hundred is told to wait, wherever they try; a right token works all the while."""
    seen = {call("GET", "/v1/verdict", token=f"sk_{number}").status_code for number in range(120)}
    seen |= {call("GET", f"/v1/slate?placement=article-bottom&key=pk_{number}").status_code for number in range(60)}
    seen |= {call("POST", "/login", content=f"token=sk_{number}").status_code for number in range(60)}
    assert seen == {401, 429}
    assert call("POST", "/login", content="token=sk_x").headers["retry-after"]
    assert call("GET", "/v1/releases?site=gazette", token=tokens["viewer"]).status_code == 200


def test_a_flood_of_addresses_does_not_take_the_memory():
    """Who has the whole allowance again is forgotten first; the others stay slowed."""
    now = [0.0]
    buckets = Buckets(1.0, burst=1.0, clock=lambda: now[0])
    for number in range(8_000):
        buckets.take(f"early {number}")
    now[0] = 10.0
    buckets.take("greedy")
    for number in range(2_500):
        buckets.take(f"late {number}")
    assert len(buckets._level) < 5_000
    assert not buckets.take("greedy")


def test_an_allowance_fills_up_again():
    """One token a second, two at once."""
    now = [0.0]
    buckets = Buckets(1.0, burst=2.0, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    now[0] = 1.0
    assert [buckets.take("a") for _ in range(2)] == [True, False]


def test_a_session_is_opened_with_a_token_and_not_by_other_sites(call, tokens):
    """The cookie is HttpOnly and SameSite; a change needs proof that one of our pages asked for it."""
    opened = call("GET", f"/login?token={tokens['operator']}&next=/measure")
    assert (opened.status_code, opened.headers["location"]) == (303, "/measure")
    said = opened.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    assert tokens["operator"] not in said
    call.cookies = {"embellie_session": opened.cookies["embellie_session"]}
    assert call("GET", "/v1/releases?site=gazette").status_code == 200
    order = {"policy": "popular"}
    for headers in (
        {},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert call("POST", "/v1/releases?site=gazette", json=order, headers=headers).status_code == 403
    for headers in ({"origin": "http://embellie.example"}, {"sec-fetch-site": "same-origin"}):
        assert call("POST", "/v1/releases?site=gazette", json=order, headers=headers).status_code == 200


def test_a_revoked_token_closes_its_sessions(call, tokens, keys):
    """Revoking is immediate, sessions included."""
    cookie = call("GET", f"/login?token={tokens['viewer']}").cookies["embellie_session"]
    call.cookies = {"embellie_session": cookie}
    assert call("GET", "/v1/ledger").status_code == 200
    assert call("DELETE", "/v1/tokens/viewer", token=tokens["admin"]).status_code == 200
    assert call("GET", "/v1/ledger").status_code == 401


def test_the_dashboard_asks_who_is_there(call, tokens):
    """A browser is shown to the login and back; a program gets the error; a viewer gets in."""
    browser = call("GET", "/measure", headers={"accept": "text/html"})
    assert (browser.status_code, browser.headers["location"]) == (303, "/login?next=/measure")
    assert call("GET", "/measure.json").status_code == 401
    call.cookies = {"embellie_session": call("GET", f"/login?token={tokens['viewer']}").cookies["embellie_session"]}
    assert call("GET", "/measure", headers={"accept": "text/html"}).status_code == 200
    assert call("POST", "/release/start", headers={"sec-fetch-site": "same-origin"}).status_code == 403


def test_the_login_leads_only_to_our_own_pages(call, tokens):
    """No open redirect, and a wrong token is said to be wrong."""
    opened = call("GET", f"/login?token={tokens['viewer']}&next=//evil.example")
    assert opened.headers["location"] == "/"
    wrong = call("POST", "/login", data={"token": "sk_wrong"})
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    posted = call("POST", "/login", data={"token": tokens["viewer"]})
    assert (posted.status_code, posted.headers["referrer-policy"]) == (303, "no-referrer")


@pytest.mark.parametrize(
    ("client", "host", "local"),
    [
        ("127.0.0.1", "localhost:8400", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "[::1]:8400", True),
        ("127.0.0.1", "evil.example:8400", False),
        ("192.0.2.7", "localhost", False),
    ],
)
def test_this_machine_is_told_from_others(client, host, local):
    """Both the address and the name must be this machine's."""
    assert is_local({"type": "http", "client": (client, 1)}, {b"host": host.encode()}) is local


def test_a_larger_role_may_do_what_a_smaller_one_may():
    """Viewer < editor < operator < admin."""
    for number, role in enumerate(ROLES):
        assert [Caller("x", "token", role).may(other) for other in ROLES] == [other <= number for other in range(4)]
    assert not Caller("x", "public key", site="s").may("viewer")
