"""Server: the API, the widget and the dashboard in one application, and the process that runs it."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import anyio.to_thread
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embellie.app.keys import FILE as KEYS_FILE
from embellie.app.keys import Keys, Role
from embellie.domain.errors import EmbellieError, Refused
from embellie.web import api, dashboard
from embellie.web.access import SAFE_METHODS, Door
from embellie.web.calls import COUNTED, Call, Desk, Resource
from embellie.web.draining import drain
from embellie.web.interpreter import spare_readers
from embellie.web.listening import address_of, check_exposure, listen
from embellie.web.login import PATH as LOGIN
from embellie.web.login import Login
from embellie.web.metrics_text import Tally
from embellie.web.openapi import document
from embellie.web.problems import Problem, problem
from embellie.web.readers_page import ReadersPage
from embellie.web.shared_tally import SharedTally
from embellie.web.worker_berth import Berth, Pulse, Tending

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

HOT = ("/v1/slate", "/v1/events")
"""The paths every page view asks for: answered before the router looks."""

GRACE_SECONDS = 5

TICKS_A_TURN = 5
"""Uvicorn ticks ten times a second; so often a worker tells its supervisor that it is alive."""

_SAFETY = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    b"cross-origin-opener-policy": b"same-origin",
    b"content-security-policy": b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}
"""Headers of every page that does not set its own."""


def open_keys(newsroom: "Newsroom") -> Keys:
    """Open the keys in the data folder; missing public keys are made."""
    return Keys(newsroom.data / KEYS_FILE, sites=newsroom.sites)


def create_app(
    newsroom: "Newsroom",
    *,
    keys: Keys | None = None,
    auth: bool | None = None,
    posts_per_second: float = 1000.0,
    berth: Berth | None = None,
    tracer: Any = None,
) -> Starlette:
    """Put the application together.

    Args:
        newsroom: What answers.
        keys: The keys; those of the data folder when left out.
        auth: Whether to ask for keys; as configured when left out.
        posts_per_second: How many calls a second one address may make with a public key, and each token; 0 for no limit.
        berth: What the supervisor gave, when this is one of its workers.
        tracer: OpenTelemetry's, which begins spans; there are none when left out.
    """
    keys = keys or open_keys(newsroom)
    door = Door(
        keys,
        sites=newsroom.sites,
        auth=newsroom.config.server.auth if auth is None else auth,
        simulated=newsroom.simulated,
        posts_per_second=posts_per_second,
        shared=None if berth is None else berth.folder,
    )
    shared = SharedTally(berth, dropped=newsroom.dropped)
    outside: list[Middleware] = []
    if tracer is not None:
        from embellie.web.tracing import TracedDoor, TracedNewsroom

        outside = [Middleware(TracedDoor, tracer=tracer)]
        newsroom = cast("Newsroom", TracedNewsroom(newsroom, tracer=tracer))
    desk = Desk(newsroom, door, shared.own, shared)
    resources = _resources(desk)
    routes: list[BaseRoute] = [
        Route(path, resource, methods=resource.methods, name=path) for path, resource in resources.items()
    ]
    routes.append(Route("/openapi.json", _openapi, methods=["GET"]))
    routes += Login(newsroom, door).routes()
    routes += ReadersPage(newsroom).routes()
    routes += [_guarded(route, door, newsroom.catch_up) for route in dashboard.routes()]
    if newsroom.simulated:
        from embellie.web import gazette_pages

        routes += gazette_pages.routes()
    app = Starlette(
        routes=routes,
        middleware=[*outside, Middleware(FrontDoor, hot={path: resources[path] for path in HOT}, tally=desk.tally)],
        exception_handlers={HTTPException: _answer_problem, EmbellieError: _answer_problem, OSError: _answer_problem},
    )
    app.state.newsroom = newsroom
    app.state.keys = keys
    app.state.stopping = desk.stopping
    app.state.shared_tally = shared
    return app


def _resources(desk: Desk) -> dict[str, Resource]:
    by_path: dict[str, list[Call]] = {}
    for call in api.TABLE:
        by_path.setdefault(call.path, []).append(call)
    return {path: Resource(calls, desk=desk) for path, calls in by_path.items()}


async def _openapi(_: Request) -> Response:
    body = msgspec.json.format(msgspec.json.encode(document(api.TABLE)), indent=1)
    return Response(body, media_type="application/json", headers={"Access-Control-Allow-Origin": "*"})


class FrontDoor:
    """Answers the hot paths itself; puts safe headers on everything else, and counts it."""

    def __init__(self, app: ASGIApp, *, hot: Mapping[str, ASGIApp], tally: Tally) -> None:
        self._app, self._hot, self._tally = app, hot, tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hot = self._hot.get(scope["path"])
        if hot is not None:
            await hot(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _SAFETY.items() if name not in present),
                ]
            await send(message)

        try:
            await self._app(scope, receive, safely)
        except Exception as error:  # noqa: BLE001 -- answered in the one shape, and logged there
            await _response(problem(error, path=scope["path"]))(scope, receive, safely)
        if COUNTED not in scope:
            route = scope.get("route")
            label = getattr(route, "path", "other")
            self._tally.answered(label, scope["method"], status=status, seconds=time.perf_counter() - started)


class Guard:
    """Asks who is there before a page of the dashboard: a viewer to look, an operator to act."""

    def __init__(self, app: ASGIApp, *, door: Door, catch_up: Callable[[], None]) -> None:
        self._app, self._door, self._catch_up = app, door, catch_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a caller through, show the way to the login, or refuse."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        role: Role = "viewer" if scope["method"] in SAFE_METHODS else "operator"
        try:
            caller = self._door.caller(scope, headers, "")
            self._door.admit(caller, role=role, public=False)
            self._door.limit(scope, caller)
        except Refused:
            if b"text/html" not in headers.get(b"accept", b"") or scope["method"] not in SAFE_METHODS:
                raise
            goal = quote(scope["path"], safe="/")
            await RedirectResponse(f"{LOGIN}?next={goal}", status_code=303)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        # A page that follows upon a change may be asked of another worker than the one that made it.
        await anyio.to_thread.run_sync(self._catch_up)
        await self._app(scope, receive, send)


def _guarded(route: BaseRoute, door: Door, catch_up: Callable[[], None]) -> BaseRoute:
    """Guard a route of the dashboard; style and script hold nothing to hide."""
    if isinstance(route, Route | Mount) and not route.path.startswith("/static"):
        route.app = Guard(route.app, door=door, catch_up=catch_up)
    return route


def _answer_problem(request: Request, error: Exception) -> Response:
    paths = [getattr(route, "path", "") for route in request.app.routes]
    return _response(problem(error, path=request.url.path, paths=paths))


def _response(found: Problem) -> Response:
    return Response(found.body(), status_code=found.status, media_type="application/json", headers=dict(found.headers))


class _Process(uvicorn.Server):
    """Uvicorn, telling when it is ready, that it is alive, and when it stops."""

    drain_seconds = 0.0

    def __init__(
        self, config: uvicorn.Config, *, on_ready: Callable[[], None], stopping: threading.Event, tending: Tending
    ) -> None:
        super().__init__(config)
        self._on_ready, self._stopping, self._tending = on_ready, stopping, tending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        await asyncio.get_running_loop().run_in_executor(None, self._on_ready)
        self._tending.ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_TURN == 0 and not self._tending.turn():
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._tending.leaving()
        self._stopping.set()
        await drain(self, self.drain_seconds)
        await super().shutdown(sockets=sockets)


def run(
    newsroom: "Newsroom",
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None] = lambda _: None,
    keys: Keys | None = None,
    posts_per_second: float = 1000.0,
    berth: Berth | None = None,
) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); what is in flight is finished. The newsroom is the caller's to close.

    Args:
        newsroom: What answers.
        host: The address to listen on.
        port: The port; 0 for any free one.
        on_ready: Called once, in another thread, with the server's address as soon as it answers.
        keys: The keys; those of the data folder when left out.
        posts_per_second: See `create_app`.
        berth: What the supervisor gave, when this is one of its workers: the port is that one's then.

    Raises:
        Conflict: The port is in use.
        ConfigError: Keys are off, and the address is open to other machines.
    """
    check_exposure(host, auth=newsroom.config.server.auth)
    taken = listen(host, port) if berth is None else socket.socket(fileno=berth.port)
    app = create_app(newsroom, keys=keys, posts_per_second=posts_per_second, berth=berth, tracer=_tracer_of(newsroom))
    tending = Tending() if berth is None else Tending(Pulse(berth), app.state.shared_tally.write)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
        backlog=2048,
        ws="none",
    )
    address = address_of(host, taken.getsockname()[1])
    process = _Process(config, on_ready=lambda: on_ready(address), stopping=app.state.stopping, tending=tending)
    process.drain_seconds = newsroom.config.server.drain_seconds
    spare_readers()
    with _signals_end_quietly():
        process.run(sockets=[taken])


def _tracer_of(newsroom: "Newsroom") -> Any:
    if not newsroom.config.server.traces:
        return None
    from embellie.web.tracing import open_tracer

    return open_tracer()


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """Uvicorn raises the signal that stopped it again; by then it has done its work, and the log is still to be closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
