"""Each role on each route: the table for people in docs/reference/http.md is what the server does."""

import re
from pathlib import Path

import pytest
from starlette.routing import Mount, Route

from embellie.app.keys import ROLES
from embellie.web.api import TABLE
from embellie.web.openapi import template

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
_CALLS_PART, _PAGES_PART = (re.split(r"^## ", PAGE, flags=re.MULTILINE)[part] for part in (2, 3))

CALLS = {
    (method, path): who.replace("`", "").strip()
    for method, path, who in re.findall(r"^\| `([A-Z]+) (\S+)` \| ([^|]+) \|", _CALLS_PART, re.MULTILINE)
}
"""Who may call, as the page says: `anyone`, or a role, or `public key, or` a role."""

PAGES = dict(re.findall(r"^\| `([A-Z]+ \S+)` \| `?(anyone|viewer|operator)`? \|", _PAGES_PART, re.MULTILINE))
"""Who may see or send each page and form."""

WAYS = ("nobody", "unknown", "revoked", "public", "public of another site", *ROLES)


def placeholders_filled(path):
    return re.sub(r"\{\w+\}", "first-light", path)


@pytest.fixture
def shown(keys, tokens):
    """What each caller shows."""
    gone = keys.issue("admin", name="gone")
    keys.revoke("gone")
    bearers = tokens | {"unknown": "sk_never_issued", "revoked": gone}
    found = {way: {"authorization": f"Bearer {secret}"} for way, secret in bearers.items()}
    return found | {
        "nobody": {},
        "public": {"x-embellie-key": keys.public["gazette"]},
        "public of another site": {"x-embellie-key": keys.public["herald"]},
    }


def test_the_table_for_people_names_every_call_and_no_other():
    """A new call without a line in the table fails here, and so does a line without a call, or with another role."""
    ours = {
        (call.method, template(call.path)): ("public key, or " if call.public else "") + (call.role or "anyone")
        for call in TABLE
    }
    assert ours == CALLS


def test_the_table_of_pages_names_every_page_and_no_other(simulated):
    """What is no call of the API: pages, forms, files. A page nobody thought about fails here."""
    api = {call.path for call in TABLE}
    served = set()
    for route in simulated.app.routes:
        if isinstance(route, Mount):
            served.add(f"GET {route.path}/…")
        elif isinstance(route, Route) and route.path not in api:
            served |= {f"{method} {route.path}" for method in route.methods - {"HEAD"}}
    assert set(PAGES) == served


@pytest.mark.parametrize("way", WAYS)
def test_each_caller_on_each_call(call, shown, way):
    """401 for who is not known, 403 for who may not, anything else but a fault for who may."""
    wrong = []
    for (method, path), who in CALLS.items():
        # An empty list of events and an unknown name change nothing; the site is named, for keys of another to be caught.
        answer = call(
            method,
            placeholders_filled(path) + ("?site=gazette" if "`site`" in _line(method, path) else ""),
            headers=shown[way],
            content=b"{}",
        )
        if not _as_told(answer.status_code, who, way, names_site="`site`" in _line(method, path)):
            wrong.append((method, path, who, answer.status_code))
    assert wrong == []


def _line(method, path):
    return next(line for line in PAGE.splitlines() if line.startswith(f"| `{method} {path}`"))


def _as_told(status, who, way, *, names_site):
    role = re.search(r"viewer|editor|operator|admin", who)
    if "anyone" in who:
        return status == 200
    if way in ("nobody", "unknown", "revoked"):
        return status == 401
    if way == "public of another site":
        # The body is read before the site: either refusal lets nobody in.
        return status in (403, 400, 422) if "public" in who and names_site else status == 403
    if way == "public":
        return status not in (401, 403) and status < 500 if "public" in who else status == 403
    if ROLES.index(way) >= ROLES.index(role[0]):
        return status not in (401, 403) and status < 500
    return status == 403


@pytest.mark.parametrize("way", WAYS)
def test_each_caller_on_each_page(call, shown, way):
    """A page sends who is not known to the login, and a program a 401; a form takes an operator."""
    wrong = []
    for line, who in PAGES.items():
        method, path = line.split(" ", 1)
        if path.startswith("/gazette") or path == "/events":
            continue  # the demo's newspaper is for anyone, on a simulated installation only; the stream goes on
        answer = call(method, path.replace("…", "dashboard.css"), headers=shown[way] | {"accept": "*/*"})
        known, status = way in ROLES, answer.status_code
        if who == "anyone":
            fine = status < 500 and (status != 401 or path in ("/login", "/logout"))
        elif way in ("nobody", "unknown", "revoked"):
            fine = status == 401
        elif not known:
            fine = status == 403 or status == 401
        elif ROLES.index(way) >= ROLES.index(who):
            fine = status not in (401, 403) and status < 500
        else:
            fine = status == 403
        if not fine:
            wrong.append((line, who, status))
    assert wrong == []
