"""Calls: from a line of the table of routes to an answer. Reads, checks, admits, answers, counts; one place for all."""

import inspect
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qsl

import anyio.to_thread
import msgspec
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from embellie.app.keys import Role
from embellie.domain.errors import EmbellieError, InputError, unknown_name, wrong_choice
from embellie.web.access import NOBODY, Caller, Door
from embellie.web.messages import NoQuery, SiteQuery
from embellie.web.metrics_text import Tally
from embellie.web.problems import ErrorMessage, Forbidden, Problem, TooLarge, problem
from embellie.web.shared_slates import SharedSlates
from embellie.web.shared_tally import SharedTally

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

COUNTED = "embellie.counted"
"""Marks a request that its resource has counted."""

_SITE = "embellie.site"

KILOBYTE = 1024
BODY_LIMIT = 256 * KILOBYTE

QueryT = TypeVar("QueryT", bound=msgspec.Struct)
BodyT = TypeVar("BodyT")

_JSON_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, if-none-match, x-api-key, x-embellie-key"),
    (b"access-control-max-age", b"86400"),
)
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]+)`)?$", re.DOTALL)
_BYTE = re.compile(r"\(byte (\d+)\)")


class Malformed(InputError):
    """No JSON at all."""

    code = "invalid_json"
    status = 400


@dataclass(frozen=True, slots=True)
class Desk:
    """What every call works with."""

    newsroom: "Newsroom"
    door: Door
    tally: Tally
    shared: SharedTally = field(default_factory=SharedTally)
    stopping: threading.Event = field(default_factory=threading.Event)
    shared_slates: SharedSlates = field(default_factory=SharedSlates)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not the usual JSON, or not with the call's usual status."""

    body: bytes
    content_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    status: int = 0


@dataclass(frozen=True, slots=True)
class Ask(Generic[QueryT, BodyT]):
    """One call, read and admitted."""

    desk: Desk
    caller: Caller
    query: QueryT
    body: BodyT
    path: Mapping[str, str]
    headers: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def newsroom(self) -> "Newsroom":
        """The installation."""
        return self.desk.newsroom

    def site(self) -> str:
        """Tell which site the call is about: the public key's, the one it names, or the only one.

        Raises:
            Forbidden: The public key is another site's.
            UnknownName: The site does not exist.
            InputError: There are several, and none is named.
        """
        named = self.query.site if isinstance(self.query, SiteQuery) else ""
        sites = self.newsroom.sites
        if self.caller.public:
            if named and named != self.caller.site:
                raise Forbidden(
                    f"This key is not the key of `{named[:80]}`.", hint=f"Its site is `{self.caller.site}`.", at="?site"
                )
            return self.caller.site
        if named:
            if named not in sites:
                raise unknown_name("site", named, sites, at="?site")
            return named
        if len(sites) != 1:
            raise InputError(
                "There are several sites.", hint=f"Name one with `site=`: {', '.join(sorted(sites))}.", at="?site"
            )
        return next(iter(sites))


Handler = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A line of the table of routes.

    `role` is the smallest role that may call, `None` for anyone; `public` lets a site's public key call too. A handler
    that is a plain function may take its time: it runs in a thread. `read` reads the body in its own way. `also` are other statuses that are no errors; `error` is
    what an error's body is and `error_as` writes it, where a protocol has its own way.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answer: Any
    role: Role | None = "viewer"
    public: bool = False
    query: type[msgspec.Struct] = NoQuery
    body: type | None = None
    read: Callable[[bytes], Any] | None = None
    status: int = 200
    limit: int = BODY_LIMIT
    content_type: str = "application/json"
    also: tuple[int, ...] = ()
    error: type = ErrorMessage
    error_as: Callable[[Problem, Mapping[str, str]], Problem] | None = None

    @property
    def reads(self) -> Any:
        """What the body is decoded to: a record of the domain is read field by field, for its errors to teach."""
        return self.body if self.body is None or issubclass(self.body, msgspec.Struct) else dict[str, Any]


class Resource:
    """All calls of one path, as an ASGI application."""

    def __init__(self, calls: Sequence[Call], *, desk: Desk, paths: Iterable[str] = ()) -> None:
        self._desk = desk
        self._path = calls[0].path
        self._calls = {call.method: call for call in calls}
        self._awaited = {call.method: inspect.iscoroutinefunction(call.handler) for call in calls}
        self._public = any(call.public for call in calls)
        self.methods = [*self._calls, *(["OPTIONS"] if self._public else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        method, door = scope["method"], self._desk.door
        try:
            if method == "OPTIONS":
                status, reply = self._preflight(headers)
            else:
                status, reply = await self._answer(scope, receive, headers)
        except Exception as error:  # noqa: BLE001 -- whatever fails is answered in the one shape, and logged there
            found = problem(error, path=scope["path"])
            call = self._calls.get(method)
            if call is not None and call.error_as is not None:
                found = call.error_as(found, scope.get("path_params", {}))
            status, reply = _problem_reply(found)
        extra = door.cors(headers, site=scope.get(_SITE, "")) if self._public else ()
        await _send(send, status, reply, extra, head=method == "HEAD")
        scope[COUNTED] = True
        self._desk.tally.answered(self._path, method, status=status, seconds=time.perf_counter() - started)

    def _preflight(self, headers: Mapping[bytes, bytes]) -> tuple[int, Reply]:
        """Tell a browser whether a page may call at all; which site's it may is seen with the key."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not self._public or not self._desk.door.welcome(origin):
            raise Forbidden(
                f"Pages of `{origin[:200]}` may not call.",
                hint="Add it to `origins` of their site in embellie.toml, then restart.",
                code="origin_not_allowed",
            )
        return 204, Reply(b"", "application/json", _PREFLIGHT)

    async def _answer(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> tuple[int, Reply]:
        method, door = scope["method"], self._desk.door
        call = self._calls.get("GET" if method == "HEAD" else method)
        if call is None:
            raise HTTPException(405, headers={"Allow": ", ".join(self.methods)})
        pairs = _pairs(scope["query_string"])
        # What anyone may ask is answered whatever is shown: a stale token must not make a live server look dead.
        caller = NOBODY if call.role is None else door.caller(scope, headers, pairs.get("key", ""))
        scope[_SITE] = caller.site
        door.admit(caller, role=call.role, public=call.public)
        door.limit(scope, caller)
        query = _query(pairs, call.query)
        body = None
        if call.body is not None:
            text = await _read(receive, headers, call.limit)
            body = call.read(text) if call.read else decode(text, call.reads)
        if call.role is not None and not call.public:
            # Whoever changed something may be answered by another worker the next time: it knows.
            await anyio.to_thread.run_sync(self._desk.newsroom.catch_up)
        ask: Ask[Any, Any] = Ask(self._desk, caller, query, body, scope.get("path_params", {}), headers)
        if self._awaited[call.method]:
            found = await call.handler(ask)
        else:
            found = await anyio.to_thread.run_sync(call.handler, ask)
        reply = found if isinstance(found, Reply) else Reply(msgspec.json.encode(found), "application/json")
        return reply.status or call.status, reply


def decode(data: bytes, type_: type[BodyT]) -> BodyT:
    """Read a JSON body.

    Raises:
        Malformed: It is no JSON; says at which line and column.
        InputError: It does not fit; says at which path.
    """
    try:
        return msgspec.json.decode(data or b"{}", type=type_)
    except msgspec.ValidationError as error:
        what, path = _explain(error)
        raise _wrong(what, field=path.rpartition(".")[2], type_=type_, at=path) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(
            f"The body is not valid JSON: {_plain(error)}.",
            hint="Send one JSON document in UTF-8.",
            at=_position(data, str(error)),
        ) from None


def _query(pairs: dict[str, str], type_: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return msgspec.convert(pairs, type=type_, strict=False)
    except msgspec.ValidationError as error:
        known = type_.__struct_fields__
        strange = [name for name in pairs if name not in known]
        if strange:
            wrong = unknown_name("parameter", strange[0][:80], set(known) - {"key"})
            raise InputError(
                wrong.message, hint=wrong.hint, at=f"?{strange[0][:80]}", code="unknown_parameter"
            ) from None
        what, path = _explain(error)
        name = path.removeprefix("$").removeprefix(".")
        missing = re.search(r"missing required field `(\w+)`", what)
        if missing:
            name, what = missing[1], f"The parameter `{missing[1]}` is missing."
        raise _wrong(what, field=name, type_=type_, at=f"?{name}") from None


def _pairs(query_string: bytes) -> dict[str, str]:
    """Read a query as `urllib.parse.parse_qsl` does, blank values too; most have nothing to unquote."""
    text = query_string.decode("latin-1")
    if "%" in text or "+" in text:
        return dict(parse_qsl(text, keep_blank_values=True))
    found: dict[str, str] = {}
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            found[name] = value
    return found


def _wrong(what: str, *, field: str, type_: type, at: str) -> InputError:
    choice = wrong_choice(what, field=field, type_=type_)
    if choice is not None:
        return InputError(choice.message, hint=choice.hint, at=at)
    return InputError(what, hint=f"See {type_.__name__} in /openapi.json for what this call takes.", at=at)


def _explain(error: msgspec.ValidationError) -> tuple[str, str]:
    found = _WHERE.match(str(error))
    what, path = (found["what"], found["path"] or "$") if found else (str(error), "$")
    return f"{what}.", path


def _plain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ").strip().rstrip(".")


def _position(data: bytes, message: str) -> str:
    found = _BYTE.search(message)
    if not found:
        return "$"
    before = data[: int(found[1])]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return f"line {line}, column {column}"


async def _read(receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The body was cut off.", hint="Send it again.")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> EmbellieError:
    return TooLarge(f"The body is larger than {limit // KILOBYTE} kB.", hint="Send it in several calls.")


def _problem_reply(found: Problem) -> tuple[int, Reply]:
    headers = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in found.headers)
    return found.status, Reply(found.body(), "application/json", headers)


async def _send(
    send: Send, status: int, reply: Reply, extra: Sequence[tuple[bytes, bytes]], *, head: bool = False
) -> None:
    usual: Sequence[tuple[bytes, bytes]] = _JSON_HEADERS
    if reply.content_type != "application/json":
        usual = ((b"content-type", reply.content_type.encode()), *_JSON_HEADERS[1:])
    if any(name == b"cache-control" for name, _ in reply.headers):
        usual = tuple(pair for pair in usual if pair[0] != b"cache-control")
    length = (b"content-length", str(len(reply.body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*usual, length, *reply.headers, *extra]})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})
