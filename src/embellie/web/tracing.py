"""Tracing: what the server does, as OpenTelemetry spans (extra `telemetry`); without it, nothing here is loaded.

A span per request, with its route, status, site, placement, policy, variant and what stood in; below it, one for the
ranking and one for the wait until events are durable. No span holds a reader, a visit, an article, a query, a key or an
error's text. The caller's `traceparent` (W3C Trace Context) is taken over; its `tracestate`, free text, is not. Where
spans go, how many are kept, and under what name, is said by the usual `OTEL_…` variables.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embellie import __version__
from embellie.domain.errors import ConfigError
from embellie.domain.slate import Slate, SlateRequest
from embellie.web.access import SAFE_METHODS

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from embellie.app.newsroom import Newsroom

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked every few seconds and would bury the rest."""

_METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_NAME = "service.name"


def open_tracer(environment: Mapping[str, str] = os.environ, *, exporter: Any = None) -> "Tracer":
    """Make what spans are begun with, as the `OTEL_…` variables say: by OTLP over HTTP where they say nothing.

    Args:
        environment: The variables; the SDK reads those of the process.
        exporter: Where spans go instead.

    Raises:
        ConfigError: The extra is not installed, or `OTEL_TRACES_EXPORTER` asks for what is not there.
    """
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError(
            "`traces = true` needs OpenTelemetry.", hint="Run `pip install 'embellie[telemetry]'`.", at="[server]"
        ) from None
    named = "OTEL_SERVICE_NAME" in environment or f"{_NAME}=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if named else {_NAME: "embellie"}))
    goes_to = exporter if exporter is not None else _exporter(environment.get("OTEL_TRACES_EXPORTER", "otlp"))
    if goes_to is not None:
        provider.add_span_processor(BatchSpanProcessor(goes_to))
    tracer: Tracer = provider.get_tracer("embellie", __version__)
    return tracer


def _exporter(name: str) -> Any:
    if name == "none":
        return None
    if name != "otlp":
        raise ConfigError(
            f"`OTEL_TRACES_EXPORTER={name}` is not known here.", hint="Use `otlp` (over HTTP) or `none`.", at="[server]"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


_WrittenT = TypeVar("_WrittenT", bound="Future[Any] | None")


class TracedDoor:
    """A span around each request, whoever answers it."""

    def __init__(self, app: ASGIApp, *, tracer: "Tracer") -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app, self._tracer, self._kind = app, tracer, SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)
        self._extract = TraceContextTextMapPropagator().extract

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        parent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        context = self._extract({"traceparent": parent.decode("latin-1")}) if parent else None
        span = self._tracer.start_span("request", context=context, kind=self._kind)
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with _current(span):
                await self._app(scope, receive, noting)
        finally:
            if span.is_recording():
                route = scope.get("route")
                path = getattr(route, "path", "") or (scope["path"] if "embellie.counted" in scope else "other")
                method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
                span.update_name(f"{method} {path}")
                said = {"http.request.method": method, "http.route": path, "http.response.status_code": status}
                span.set_attributes(said)
                if scope.get("embellie.site"):
                    span.set_attribute("embellie.site", scope["embellie.site"])
                if status >= 500:
                    span.set_status(self._failed)
            span.end()


class TracedNewsroom:
    """A newsroom whose rankings and waits for the log are told as spans; everything else is the newsroom's own."""

    def __init__(self, newsroom: "Newsroom", *, tracer: "Tracer") -> None:
        self._newsroom, self._tracer = newsroom, tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._newsroom, name)

    def slate(self, request: SlateRequest) -> Slate:
        """Answer a request; what answered it is told on the request's span."""
        return self._ranked(request, lambda: self._newsroom.slate(request))

    def shared_slate(self, request: SlateRequest, *, before: Slate | None = None) -> Slate:
        """Answer for everybody who does not say who they are; told alike."""
        return self._ranked(request, lambda: self._newsroom.shared_slate(request, before=before))

    def _ranked(self, request: SlateRequest, answer: Callable[[], Slate]) -> Slate:
        from opentelemetry.trace import get_current_span

        with _child(self._tracer, "rank"):
            shown = answer()
        get_current_span().set_attributes(
            {
                "embellie.site": request.site,
                "embellie.placement": shown.placement,
                "embellie.policy": shown.policy,
                "embellie.variant": shown.variant,
                "embellie.fallback": shown.fallback,
                "embellie.items": len(shown.items),
            }
        )
        return shown

    def receive(self, *given: Any, **named: Any) -> "Future[Any]":
        """Take events in; the span ends when they are durable."""
        return self._waited(lambda: self._newsroom.receive(*given, **named))

    def receive_usual(self, *given: Any, **named: Any) -> "Future[Any] | None":
        """Take in a post that was read in one go; there is no span where it has to go to `receive`."""
        return self._waited(lambda: self._newsroom.receive_usual(*given, **named))

    def publish(self, *given: Any, **named: Any) -> "Future[Any]":
        """Put articles in the log; the span ends when they are durable."""
        return self._waited(lambda: self._newsroom.publish(*given, **named))

    def _waited(self, submit: Callable[[], _WrittenT]) -> _WrittenT:
        span = self._tracer.start_span("log")
        try:
            future = submit()
        except BaseException:
            span.end()
            raise
        if future is None:  # a span that is not ended is told to nobody
            return future
        future.add_done_callback(lambda _: span.end())
        return future


@contextmanager
def _current(span: Any) -> Iterator[None]:
    """Spans begun inside are this one's children; an error's text stays out of it."""
    from opentelemetry.trace import use_span

    with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        yield


@contextmanager
def _child(tracer: "Tracer", name: str) -> Iterator[None]:
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
        yield
