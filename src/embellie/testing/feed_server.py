"""Feed server: a newspaper's feeds on loopback, as slow, broken or hostile as a test needs."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Answer:
    """What a path answers: `trickle` sends a byte now and then for ever, `pause` waits before the first."""

    content: bytes = b""
    status: int = 200
    content_type: str = "application/rss+xml"
    headers: dict[str, str] = field(default_factory=dict)
    etag: bool = True
    gzipped: bool = False
    pause: float = 0.0
    trickle: bool = False


@dataclass(slots=True)
class FeedServer:
    """The answers by path, and the requests seen as (path, headers in lower case)."""

    address: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, answer: Answer) -> str:
        """Answer a path from now on; returns its address."""
        self.answers[path] = answer
        return self.address + path


@contextmanager
def feed_server() -> Iterator[FeedServer]:
    """Run a server on a free port of 127.0.0.1 for as long as the block lasts."""
    served = FeedServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            _respond(self, served)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _respond(handler: BaseHTTPRequestHandler, served: FeedServer) -> None:
    answer = served.answers.get(handler.path, Answer(status=404))
    served.stopped.wait(answer.pause)
    tag = f'"{hashlib.sha256(answer.content).hexdigest()[:16]}"'
    if answer.etag and answer.status == 200 and handler.headers.get("If-None-Match") == tag:
        handler.send_response(304)
        handler.end_headers()
        return
    content = gzip.compress(answer.content) if answer.gzipped else answer.content
    handler.send_response(answer.status)
    handler.send_header("Content-Type", answer.content_type)
    handler.send_header("Content-Length", str(1_000_000 if answer.trickle else len(content)))
    if answer.gzipped:
        handler.send_header("Content-Encoding", "gzip")
    if answer.etag and answer.status == 200:
        handler.send_header("ETag", tag)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    _send(handler, content, served, trickle=answer.trickle)


def _send(handler: BaseHTTPRequestHandler, content: bytes, served: FeedServer, *, trickle: bool) -> None:
    try:
        handler.wfile.write(content)
        while trickle and not served.stopped.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        # The client had enough: that is what such an answer is for.
        handler.close_connection = True
