"""Traces: one span per request and what it waited for, and nothing of a reader in them."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from embellie.domain.errors import ConfigError
from embellie.web.server import create_app
from embellie.web.tracing import QUIET, open_tracer

pytestmark = pytest.mark.engines

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def sent(monkeypatch):
    """Spans as they reach the exporter."""
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed: see requirements/operate.txt")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    return InMemorySpanExporter()


@pytest.fixture
def tracer(sent):
    """A tracer, and how to get what it told so far."""
    made = open_tracer(exporter=sent)
    yield made
    made_provider(made).shutdown()


def made_provider(tracer):
    return tracer.span_processor


@pytest.fixture
def call(call, newsroom, keys, tracer):
    """A client of a server that traces."""
    return type(call)(create_app(newsroom, keys=keys, tracer=tracer))


@pytest.fixture
def spans(sent, tracer):
    """All finished spans by name."""

    def found():
        made_provider(tracer).force_flush()
        return {one.name: one for one in sent.get_finished_spans()}

    return found


def test_a_slate_is_told_with_what_answered_it_and_what_it_waited_for(call, keys, spans):
    """Route, status, site, placement, policy, variant, what stood in; the ranking below it."""
    key = keys.public["gazette"]
    assert call("GET", f"/v1/slate?key={key}&placement=article-bottom&reader=r1").status_code == 200
    request, rank = spans()["GET /v1/slate"], spans()["rank"]
    told = dict(request.attributes)
    assert told.pop("embellie.variant") in {"status_quo", "heuristic"}
    assert told.pop("embellie.policy") in {"status_quo", "latest"}
    assert told.pop("embellie.items") in {0, 2}
    assert told == {
        "http.request.method": "GET", "http.route": "/v1/slate", "http.response.status_code": 200,
        "embellie.site": "gazette", "embellie.placement": "article-bottom", "embellie.fallback": "",
    }  # fmt: skip
    assert rank.parent.span_id == request.context.span_id
    assert request.start_time <= rank.start_time <= rank.end_time <= request.end_time


def test_events_are_told_with_the_wait_until_they_are_durable(call, keys, spans, click):
    """202 comes after the log's span has ended."""
    assert call("POST", f"/v1/events?key={keys.public['gazette']}", json={"events": [click()]}).status_code == 202
    request, log = spans()["POST /v1/events"], spans()["log"]
    assert log.parent.span_id == request.context.span_id
    assert request.start_time <= log.start_time <= log.end_time <= request.end_time


def test_the_callers_trace_goes_on(call, keys, spans):
    """W3C traceparent is the parent; tracestate, where anything may stand, is not kept."""
    path = f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom"
    call("GET", path, headers={"traceparent": PARENT, "tracestate": "shop=reader-42"})
    request = spans()["GET /v1/slate"]
    assert f"{request.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert not request.context.trace_state


def test_a_traceparent_that_is_none_begins_a_trace(call, keys, spans):
    """Anyone may send anything."""
    call("GET", f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom", headers={"traceparent": b"0x\xff"})
    assert spans()["GET /v1/slate"].parent is None


def test_no_span_names_a_reader_an_article_or_a_key(call, keys, tokens, spans, click, sent):
    """Whatever is asked and however it fails; the whole of what is sent is searched."""
    key = keys.public["gazette"]
    call(
        "GET", f"/v1/slate?key={key}&placement=article-bottom&reader=reader-42&visit=visit-42&article=a1&exclude=art-42"
    )
    call("GET", f"/v1/slate?key={key}&placement=reader-42")
    call("GET", f"/v1/slate?key={key}&wrong=reader-42")
    call("POST", f"/v1/events?key={key}", json={"events": [click(reader="reader-42"), {"kind": "reader-42"}]})
    call("GET", "/v1/readers/reader-42?site=gazette", token=tokens["admin"])
    call("GET", "/reader-42")
    call("GET", "/readers/reader-42?site=gazette", token="sk_reader-42")
    call("reader-42", "/v1/slate")
    spans()
    told = "".join(one.to_json() for one in sent.get_finished_spans())
    for secret in ("-42", key, *tokens.values(), "?", "exception"):
        assert secret not in told
    assert "GET other" in {one.name for one in sent.get_finished_spans()}


def test_a_failure_of_ours_is_an_error_a_callers_is_not(call, keys, newsroom, spans, monkeypatch):
    """500 marks the span; 404 does not."""

    def broken(request):
        raise RuntimeError("reader-42")

    key = keys.public["gazette"]
    call("GET", f"/v1/slate?key={key}&placement=wrong")
    assert spans()["GET /v1/slate"].status.is_ok
    monkeypatch.setattr(newsroom, "slate", broken)
    assert call("GET", f"/v1/slate?key={key}&placement=article-bottom&reader=reader-1").status_code == 500
    last = spans()["GET /v1/slate"]
    assert (last.status.is_ok, last.attributes["http.response.status_code"]) == (False, 500)
    assert last.events == ()


def test_what_watches_the_server_is_not_traced(call, tokens, spans):
    """Probes and scrapes would bury the rest."""
    for path in QUIET:
        assert call("GET", path, token=tokens["viewer"]).status_code == 200
    assert spans() == {}


def test_spans_arrive_at_a_collector_by_otlp(call, newsroom, keys, monkeypatch, sent):
    """Over HTTP, where OTEL_EXPORTER_OTLP_ENDPOINT says, under the service's name."""
    arrived = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        tracer = open_tracer()
        client = type(call)(create_app(newsroom, keys=keys, tracer=tracer))
        client("GET", f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom")
        made_provider(tracer).force_flush()
        made_provider(tracer).shutdown()
        server.shutdown()
        thread.join()
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    (path, body) = arrived[0]
    (group,) = ExportTraceServiceRequest.FromString(body).resource_spans
    names = {one.name for scope in group.scope_spans for one in scope.spans}
    service = {one.key: one.value.string_value for one in group.resource.attributes}["service.name"]
    assert (path, names, service) == ("/v1/traces", {"GET /v1/slate", "rank"}, "embellie")


def test_an_exporter_we_do_not_have_is_refused(sent):
    """With those there are."""
    with pytest.raises(ConfigError, match="otlp"):
        open_tracer({"OTEL_TRACES_EXPORTER": "zipkin"})
