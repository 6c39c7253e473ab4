"""Fetching: feeds and pages over HTTP, politely, within limits of time, size and reach."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal
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
    date: str = ""
    error: str = ""
    moved: bool = False


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a host and port."""


class Fetcher:
    """Fetches feeds and pages over HTTP.

    Args:
        agent: Who asks: the name and address a newspaper sees in its access log.
        limits: Time, size and redirects.
        trusted: `host` or `host:port` the operator named: the only ones that may be private addresses.
        resolve: Finds a host's addresses; the system's way when left out.
    """

    def __init__(
        self,
        *,
        agent: str,
        limits: Limits | None = None,
        trusted: frozenset[str] = frozenset(),
        resolve: Resolve | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.trusted = trusted
        self._resolve = resolve or _addresses
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
        # No connection is used twice: two names at one address must each show their own certificate.
        once = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(
            headers=self.headers, timeout=timeout, limits=once, follow_redirects=False
        ) as client:
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
            fetched, target = await self._reach(client, url, await self._allowed(url), ask)
            if not target:
                return replace(fetched, moved=moved)
            url, moved = _required(urljoin(url, target)), True
        raise InputError(f"More than {self.limits.redirects} redirects.", hint="Give the final address.", at=ask.url)

    async def _reach(
        self, client: httpx.AsyncClient, url: str, addresses: Sequence[str], ask: Ask
    ) -> tuple[Fetched, str]:
        """Ask the first of the checked addresses that answers."""
        for address in addresses[:-1]:
            try:
                return await self._once(client, url, address, ask)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._once(client, url, addresses[-1], ask)

    async def _once(self, client: httpx.AsyncClient, url: str, address: str, ask: Ask) -> tuple[Fetched, str]:
        """Ask at the address that was checked, by the host's name: a name looked up again could lead elsewhere by now."""
        target = httpx.URL(url)
        known = {"Host": target.netloc.decode(), "If-None-Match": ask.etag, "If-Modified-Since": ask.modified}
        headers = {name: value for name, value in known.items() if value}
        named = {"sni_hostname": target.host} if target.scheme == "https" else {}
        pinned = target.copy_with(host=address)
        async with client.stream("GET", pinned, headers=headers, extensions=named) as response:
            if response.status_code in _REDIRECTS:
                return Fetched(url=url, status=response.status_code), response.headers.get("location", "")
            content = await self._body(response, url) if response.status_code == 200 and ask.body else b""
            return Fetched(
                url=url,
                status=response.status_code,
                content=content,
                content_type=response.headers.get("content-type", ""),
                etag=response.headers.get("etag", ""),
                modified=response.headers.get("last-modified", ""),
                retry_after=response.headers.get("retry-after", ""),
                date=response.headers.get("date", ""),
            ), ""

    async def _body(self, response: httpx.Response, url: str) -> bytes:
        """Read in pieces, counting bytes once unpacked: a flood or a bomb of gzip stops at the limit."""
        parts, size = [], 0
        async for part in response.aiter_bytes(65_536):
            size += len(part)
            if size > self.limits.size:
                raise InputError(f"Larger than {self.limits.size / 1e6:g} MB.", hint="Publish a shorter feed.", at=url)
            parts.append(part)
        return b"".join(parts)

    async def _allowed(self, url: str) -> Sequence[str]:
        """Return the addresses a URL may be fetched from: a feed must not steer us into the house.

        Raises:
            InputError: One of them is private and the operator did not name the host, or is one that never holds a feed.
        """
        host, port = (urlsplit(url).hostname or "").lower(), int(authority(url).rpartition(":")[2])
        found = list(dict.fromkeys(await self._resolve(host, port)))
        if not found:
            raise InputError(f"`{host}` has no address.", hint="Check the name.", at=url)
        named = bool({host, authority(url)} & self.trusted)
        for one in found:
            reach = reach_of(one)
            if reach == "never" or (reach == "private" and not named):
                hint = (
                    "This is where a cloud's machines ask for their keys, or no host at all."
                    if reach == "never"
                    else "Only public hosts. If a feed of your own is inside, set allow_private = true for its site."
                )
                raise InputError(f"`{host}` is a private address.", hint=hint, at=url)
        return found


async def _addresses(host: str, port: int) -> Sequence[str]:
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in entries]


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def reach_of(address: str) -> Literal["public", "private", "never"]:
    """Tell how far an address reaches; link-local (a cloud's metadata), multicast and unspecified ones never hold a feed.

    >>> reach_of("93.184.216.34"), reach_of("10.0.0.1"), reach_of("169.254.169.254"), reach_of("::ffff:127.0.0.1")
    ('public', 'private', 'never', 'private')
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inside.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        reaches = {reach_of(str(one)) for one in inside if one is not None}
        if reaches:
            return "never" if "never" in reaches else "private" if "private" in reaches else "public"
    # Amazon's metadata by IPv6 has a private address of its own.
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or str(ip) == "fd00:ec2::254":
        return "never"
    return "public" if ip.is_global else "private"


def is_written_private(url: str) -> bool:
    """Tell whether an address is private as it is written: whoever named it meant it, no name can turn it later.

    >>> is_written_private("http://127.0.0.1:8000/feed"), is_written_private("https://feeds.example/rss")
    (True, False)
    """
    host = (urlsplit(url).hostname or "").lower()
    try:
        return host == "localhost" or reach_of(host) == "private"
    except ValueError:
        return False


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
