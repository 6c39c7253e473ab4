"""The dashboard: a front page that says what to do next, and a page per step, each with a JSON twin.

Pages are written on the server and complete without a script; the script draws the pictures and keeps them current.
"""

import asyncio
import hashlib
import html
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import jinja2
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from embellie.domain.errors import EmbellieError, InputError, unknown_name
from embellie.web.access import NOBODY, Caller
from embellie.web.decide_page import decide_page
from embellie.web.frame_page import frame_page
from embellie.web.front_page import front_page
from embellie.web.language import LANGUAGES, Language, Words, language_of
from embellie.web.loop_strip import strip
from embellie.web.measure_page import measure_page
from embellie.web.problems import Forbidden
from embellie.web.recommend_page import recommend_page
from embellie.web.release_page import VERBS, release_page
from embellie.web.serve_page import serve_page
from embellie.web.view import View, iso

PAGES: Mapping[str, Callable[[View], dict[str, Any]]] = {
    "front": front_page,
    "frame": frame_page,
    "recommend": recommend_page,
    "serve": serve_page,
    "measure": measure_page,
    "decide": decide_page,
    "release": release_page,
}
"""Each page by name, in the order of the loop."""

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "embellie_language"
MAX_FORM_BYTES = 16_384
TICK_SECONDS = 2.0
STREAM_SECONDS = 60.0
"""A stream of ticks ends by itself, and the page opens the next: nothing outlives a shutdown for long."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def routes() -> list[BaseRoute]:
    """The dashboard's routes; the newsroom is `request.app.state.newsroom`."""
    found: list[BaseRoute] = []
    for name in PAGES:
        path = path_of(name)
        found.append(Route(path, _page(name), methods=["GET"], name=f"page-{name}"))
        found.append(Route(f"/{name}.json", _twin(name), methods=["GET"], name=f"twin-{name}"))
    found += [
        Route("/.json", _twin("front"), methods=["GET"]),
        Route("/release/start", _start, methods=["POST"]),
        Route("/release/change", _change, methods=["POST"]),
        Route("/events", events, methods=["GET"]),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ]
    return found


def path_of(name: str) -> str:
    """The address of a page."""
    return "/" if name == "front" else f"/{name}"


def _page(name: str) -> Callable[[Request], Response]:
    def page(request: Request) -> Response:
        try:
            view = view_of(request)
            document = page_document(view, name)
        except EmbellieError as error:
            return _refusal(request, error, back=path_of(name))
        response = HTMLResponse(render(document, name, request.query_params), headers=HEADERS)
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(LANGUAGE_COOKIE, view.words.language, max_age=31_536_000, samesite="lax", httponly=True)
        return response

    return page


def _twin(name: str) -> Callable[[Request], Response]:
    def twin(request: Request) -> Response:
        try:
            return JSONResponse(page_document(view_of(request), name), headers=HEADERS)
        except EmbellieError as error:
            shape = {"code": error.code, "message": error.message, "hint": error.hint, "at": error.at}
            return JSONResponse({"error": shape}, status_code=error.status, headers=HEADERS)

    return twin


def view_of(request: Request) -> View:
    """Read the site, the language and the choices a request asks for.

    Raises:
        UnknownName: The site does not exist.
    """
    newsroom = request.app.state.newsroom
    query = dict(request.query_params)
    site = query.get("site") or next(iter(newsroom.sites))
    if site not in newsroom.sites:
        raise unknown_name("site", site, newsroom.sites)
    query |= {
        "origin": str(request.base_url).rstrip("/"),
        "may_operate": "yes" if caller_of(request).may("operator") else "no",
        "public_key": public_key(request, site),
    }
    return View(newsroom, site, Words(_language(request)), query)


def _language(request: Request) -> Language:
    default: Language = request.app.state.newsroom.config.language
    kept = request.cookies.get(LANGUAGE_COOKIE, "")
    return language_of(request.query_params.get("lang", ""), default=language_of(kept, default=default))


def page_document(view: View, name: str) -> dict[str, Any]:
    """A page as one JSON document: what every page says, then its own."""
    now = view.newsroom.clock()
    site = view.newsroom.sites[view.site]
    return {
        "schema": f"embellie/{name}-page/1",
        "language": view.words.language,
        "site": view.site,
        "site_name": site.name or view.site,
        "sites": list(view.newsroom.sites),
        "at": iso(now),
        "at_text": view.words.moment(now),
        "seq": view.newsroom.log.last(),
        "simulated": view.newsroom.simulated,
        "strip": strip(view, name),
    } | PAGES[name](view)


def render(document: Mapping[str, Any], name: str, query: Mapping[str, str]) -> str:
    """Write a page's document as HTML."""
    words = Words(document["language"])
    first = document["site"] == document["sites"][0]
    kept = {} if first else {"site": document["site"]}

    def link(path: str | None, **choices: str) -> str:
        base = {key: value for key, value in query.items() if key != "lang"} if path is None else kept
        asked = urlencode(base | choices)
        target = "" if path is None else path
        return f"{target}?{asked}" if asked else target or "?"

    asked = urlencode({key: value for key, value in query.items() if key != "lang"} | {"lang": words.language})
    return (
        _templates()
        .get_template(f"{name}.html")
        .render(page=document, name=name, t=words, link=link, twin=f"/{name}.json?{asked}", stamp=_stamp())
    )


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["slug"] = slug
    environment.filters["ticked"] = ticked
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "allow_nan": False}
    return environment


@cache
def _stamp() -> str:
    """Names the style and the script by their content, so that a new one is fetched at once."""
    content = b"".join((HERE / "static" / name).read_bytes() for name in ("dashboard.css", "dashboard.js"))
    return hashlib.sha256(content).hexdigest()[:8]


def slug(name: str) -> str:
    """Turn a name into a class name.

    >>> slug("Status quo!")
    'status_quo'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


class Html(str):
    """Text that is HTML already: templates leave it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def ticked(text: str) -> Html:
    """Escape a text, and set what stands between backticks as code.

    >>> ticked("Run `a < b`.")
    'Run <code>a &lt; b</code>.'
    """
    return Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)))


async def events(request: Request) -> Response:
    """Tick when the log or the verdict changed, about every two seconds, as server-sent events."""
    headers = HEADERS | {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(ticks(request), media_type="text/event-stream", headers=headers)


async def ticks(
    request: Request, *, every: float = TICK_SECONDS, lasting: float = STREAM_SECONDS
) -> AsyncIterator[str]:
    """Yield a tick per change; end when the reader leaves, the server stops, or the time is up."""
    newsroom, last = request.app.state.newsroom, ""
    yield "retry: 1000\n\n"
    for _ in range(max(1, round(lasting / every))):
        if _stopping(request) or await request.is_disconnected():
            return
        tick = await to_thread.run_sync(_tick, newsroom)
        if tick and tick != last:
            yield f"event: tick\ndata: {tick}\n\n"
            last = tick
        await _pause(request, every)


def _tick(newsroom: Any) -> str:
    try:
        return json.dumps({"seq": newsroom.log.last()})
    except EmbellieError:
        return ""


def _stopping(request: Request) -> bool:
    stopping = getattr(request.app.state, "stopping", None)
    return stopping is not None and bool(stopping.is_set())


async def _pause(request: Request, seconds: float) -> None:
    """Wait, in short pieces: a server that stops should not wait for us."""
    for _ in range(max(1, round(seconds / 0.25))):
        if _stopping(request):
            return
        await asyncio.sleep(min(0.25, seconds))


async def _start(request: Request) -> Response:
    return await _operate(request, _begin)


def _begin(newsroom: Any, field: Callable[[str], str], by: str) -> None:
    newsroom.start(field("site"), field("placement"), field("release"), by=by)


async def _change(request: Request) -> Response:
    return await _operate(request, _apply)


def _apply(newsroom: Any, field: Callable[[str], str], by: str) -> None:
    verb = field("verb")
    if verb not in VERBS:
        raise unknown_name("action", verb, VERBS)
    getattr(newsroom, verb)(field("site"), field("rollout"), by=by, reason=field("reason"))


async def _operate(request: Request, act: Callable[[Any, Callable[[str], str], str], None]) -> Response:
    """Check who asks (the door checked from where), then act and show the page again."""
    try:
        caller = caller_of(request)
        if not caller.may("operator"):
            raise Forbidden("This takes the role `operator`.", hint="Enter with a token that has it.")
        fields = await _form(request)
        newsroom = request.app.state.newsroom

        def field(name: str) -> str:
            return fields.get(name, "")

        if field("site") not in newsroom.sites:
            raise unknown_name("site", field("site"), newsroom.sites)
        await to_thread.run_sync(act, newsroom, field, caller.name)
    except EmbellieError as error:
        return _refusal(request, error, back="/release")
    kept = urlencode({"site": fields["site"]})
    return RedirectResponse(f"/release?{kept}", status_code=303, headers=HEADERS)


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise InputError("The form is too large.", hint="Shorten the reason.", code="form_too_large")
    read = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1].strip() for name, values in read.items()}


def _refusal(request: Request, error: EmbellieError, *, back: str) -> Response:
    words = Words(_language(request))
    text = (
        _templates()
        .get_template("refused.html")
        .render(t=words, language=words.language, message=error.message, hint=error.hint, back=back, stamp=_stamp())
    )
    return HTMLResponse(text, status_code=error.status, headers=HEADERS)


def caller_of(request: Request) -> Caller:
    """Who asks, as the door recognised them; nobody when no door stands before the dashboard."""
    caller: Caller = request.scope.get("state", {}).get("caller", NOBODY)
    return caller


def public_key(request: Request, site: str) -> str:
    """The site's public key, for the tag to paste."""
    keys = getattr(request.app.state, "keys", None)
    return "" if keys is None else str(keys.public.get(site, ""))
