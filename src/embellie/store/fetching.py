"""Fetching: feeds and pages over HTTP, politely, within limits of time, size and reach."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

import httpx

from embellie.domain.errors import InputError
from embellie.store.article_texts import web_address

ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, text/html;q=0.5, */*;q=0.1"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a fetch may take: `seconds` in all, `silence` seconds without a byte, `size` bytes once unpacked."""

    seconds: float = 30.0
    silence: float = 10.0
    size: int = 10_000_000
    redirects: int = 5
    parallel: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One address to fetch, with what is known of its last version; without `body`, only its status is asked."""

    url: str
    etag: str = ""
    modified: str = ""
    body: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came back: `status` 0 with an `error` when nothing did; `url` after redirects; 304 means unchanged."""

    url: str
    status: int = 0
    content: bytes = b""
    content_type: str = ""
    etag: str = ""
    modified: str = ""
    retry_after: str = ""
    error: str = ""
    moved: bool = False


class Fetcher:
    """Fetches feeds and pages over HTTP.

    Args:
        agent: Who asks: the name and address a newspaper sees in its access log.
        limits: Time, size and redirects.
        trusted: `host` or `host:port` the operator named: the only ones that may be private addresses.
    """

    def __init__(self, *, agent: str, limits: Limits | None = None, trusted: frozenset[str] = frozenset()) -> None:
        self.limits = limits or Limits()
        self.trusted = trusted
        self.headers = {"User-Agent": agent, "Accept": ACCEPT, "Accept-Encoding": "gzip, deflate"}

    def all(self, asks: Sequence[Ask]) -> list[Fetched]:
        """Fetch several, a few at a time, answers in the same order; a slow or broken one stops no other.

        Never raises for what the other side does: the answer says what went wrong.
        """
        # In a thread of its own: the caller may be inside an event loop, as in a notebook.
        with ThreadPoolExecutor(1, thread_name_prefix="fetching") as aside:
            return aside.submit(lambda: asyncio.run(self._all(asks))).result()

    async def _all(self, asks: Sequence[Ask]) -> list[Fetched]:
        turn = asyncio.Semaphore(self.limits.parallel)
        timeout = httpx.Timeout(self.limits.silence)
        async with httpx.AsyncClient(headers=self.headers, timeout=timeout, follow_redirects=False) as client:
            return list(await asyncio.gather(*(self._one(client, ask, turn) for ask in asks)))

    async def _one(self, client: httpx.AsyncClient, ask: Ask, turn: asyncio.Semaphore) -> Fetched:
        async with turn:
            try:
                async with asyncio.timeout(self.limits.seconds):
                    return await self._follow(client, ask)
            except InputError as error:
                return Fetched(url=ask.url, error=str(error))
            except httpx.TimeoutException:
                return Fetched(url=ask.url, error=f"No answer within {self.limits.silence:g} s.")
            except TimeoutError:
                return Fetched(url=ask.url, error=f"Not finished after {self.limits.seconds:g} s.")
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
                return Fetched(url=ask.url, error=f"{type(error).__name__}: {error}"[:300])

    async def _follow(self, client: httpx.AsyncClient, ask: Ask) -> Fetched:
        url, moved = _required(ask.url), False
        for _ in range(self.limits.redirects + 1):
            await self._require_reach(url)
            fetched, target = await self._once(client, url, ask)
            if not target:
                return replace(fetched, moved=moved)
            url, moved = _required(urljoin(url, target)), True
        raise InputError(f"More than {self.limits.redirects} redirects.", hint="Give the final address.", at=ask.url)

    async def _once(self, client: httpx.AsyncClient, url: str, ask: Ask) -> tuple[Fetched, str]:
        known = {"If-None-Match": ask.etag, "If-Modified-Since": ask.modified}
        headers = {name: value for name, value in known.items() if value}
        async with client.stream("GET", url, headers=headers) as response:
            if response.status_code in _REDIRECTS:
                return Fetched(url=url, status=response.status_code), response.headers.get("location", "")
            content = await self._body(response) if response.status_code == 200 and ask.body else b""
            return Fetched(
                url=url,
                status=response.status_code,
                content=content,
                content_type=response.headers.get("content-type", ""),
                etag=response.headers.get("etag", ""),
                modified=response.headers.get("last-modified", ""),
                retry_after=response.headers.get("retry-after", ""),
            ), ""

    async def _body(self, response: httpx.Response) -> bytes:
        """Read in pieces, counting bytes once unpacked: a flood or a bomb of gzip stops at the limit."""
        parts, size = [], 0
        async for part in response.aiter_bytes(65_536):
            size += len(part)
            if size > self.limits.size:
                raise InputError(
                    f"Larger than {self.limits.size / 1e6:g} MB.", hint="Publish a shorter feed.", at=str(response.url)
                )
            parts.append(part)
        return b"".join(parts)

    async def _require_reach(self, url: str) -> None:
        """Refuse a private address that the operator did not name: a feed must not steer us into the house."""
        host = (urlsplit(url).hostname or "").lower()
        if {host, authority(url)} & self.trusted:
            return
        port = int(authority(url).rpartition(":")[2])
        for entry in await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global:
                raise InputError(
                    f"`{host}` is a private address.", hint="Only public hosts, or those of your own feeds.", at=url
                )


def authority(url: str) -> str:
    """Return `host:port` of an address, the port always written.

    >>> authority("https://example.org/feed")
    'example.org:443'
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    return f"{(parts.hostname or '').lower()}:{port}"


def _required(url: str) -> str:
    found = web_address(url)
    if not found:
        raise InputError(f"`{url}` is no `http` or `https` address.", hint="Write it in full, with its scheme.")
    return found
