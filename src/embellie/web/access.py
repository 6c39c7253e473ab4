"""Access: who is calling, and what they may do.

Three ways in: a site's public key (its pages), a token with a role (programs), and a session (people; a cookie opened
with a token). Two ways without a key, both from this machine only: `auth = false`, and a simulated newsroom, where
whoever sits at the machine operates the demo.
"""

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from starlette.types import Scope

from embellie.app.keys import ROLES, Keys, Role, Token
from embellie.domain.errors import EmbellieError, Refused
from embellie.domain.site import Site
from embellie.web.problems import Forbidden, TooMany
from embellie.web.shared_buckets import SharedBuckets

COOKIE = "embellie_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

GUESSES_PER_SECOND = 20.0
"""Wrong keys a second one address may show: a token cannot be guessed anyway, and a flood should cost us little."""

Way = Literal["nothing", "public key", "token", "session", "this machine"]
Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a name for the history, a role, and for a public key the one site it speaks for."""

    name: str
    way: Way
    role: Role | None = None
    site: str = ""

    @property
    def public(self) -> bool:
        """Whether only a page's public key was shown."""
        return self.way == "public key"

    def may(self, role: Role) -> bool:
        """Tell whether the role is at least this one."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(role)


NOBODY = Caller("nobody", "nothing")


class Door:
    """Recognises callers and turns away who may not pass.

    Args:
        keys: The keys of the installation.
        sites: The sites, for the origins their pages come from.
        auth: Whether keys are asked for at all.
        simulated: Whether readers are simulated, so that nothing is at stake on this machine.
        posts_per_second: How many calls a second one address may make with a public key, and each token; 0 for no limit.
        shared: A folder of the workers of one server, whose allowances are then the server's.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        sites: Mapping[str, Site],
        auth: bool,
        simulated: bool,
        posts_per_second: float = 1000.0,
        shared: Path | None = None,
    ) -> None:
        self.keys = keys
        self._open_role: Role | None = None if auth and not simulated else ("operator" if simulated else "admin")
        self._any_origin = simulated
        self._origins = {name: origins_of(site) for name, site in sites.items()}
        limited = bool(posts_per_second)
        self._bucket = _buckets(shared, "calls", posts_per_second, burst=5.0) if limited else None
        self._guesses = _buckets(shared, "guesses", GUESSES_PER_SECOND, burst=10.0) if limited else None

    def caller(self, scope: Scope, headers: Headers, key: str) -> Caller:
        """Recognise who calls.

        Args:
            scope: The request, as ASGI has it.
            headers: Its headers, by lower-case name.
            key: The `key` of its query, `""` when there is none.

        Raises:
            Refused: A key or token was shown, and is not known.
            Forbidden: The call comes from another site's page.
        """
        bearer = headers.get(b"authorization", b"").decode("latin-1")
        # Flag clients know two ways only: a bearer, and this header.
        api_key = headers.get(b"x-api-key", b"").decode("latin-1")
        if not bearer and api_key:
            bearer = f"Bearer {api_key}"
        if bearer[:10].lower() == "bearer pk_":
            key, bearer = bearer[7:].strip(), ""
        if bearer:
            return self._by_token(scope, bearer)
        key = key or headers.get(b"x-embellie-key", b"").decode("latin-1")
        if key:
            return self._by_key(scope, headers, key)
        session = self._by_session(scope, headers)
        if session is not None:
            return session
        if self._open_role is not None and is_local(scope, headers):
            if scope["method"] not in SAFE_METHODS and _from_elsewhere(scope, headers):
                raise _cross_site()
            return Caller("this machine", "this machine", self._open_role)
        return NOBODY

    def admit(self, caller: Caller, *, role: Role | None, public: bool) -> None:
        """Let a caller through, or not.

        Args:
            caller: Who calls.
            role: The smallest role that may; `None` lets anyone.
            public: Whether a site's public key will do.

        Raises:
            Refused: No key was shown.
            Forbidden: The key shown is not enough.
        """
        if role is None or caller.may(role) or (public and caller.public):
            return
        if caller is NOBODY:
            wanted = f"a token with the role `{role}`" + (" or the site's public key" if public else "")
            raise Refused(
                "This call needs a key.",
                hint=f"Send {wanted}: `Authorization: Bearer sk_…`" + (" or `?key=pk_…`." if public else "."),
                code="key_missing",
            )
        held = f"The role `{caller.role}`" if caller.role else "A public key"
        raise Forbidden(f"{held} may not do this.", hint=f"Use a token with the role `{role}` or above.")

    def limit(self, scope: Scope, caller: Caller) -> None:
        """Count a call against an allowance: its address's, with a public key; its own, with a token.

        A public key has no allowance of its own: it stands in every page, so that anyone could use it up for all readers.

        Raises:
            TooMany: The allowance is used up.
        """
        if self._bucket is None or caller.way in ("nothing", "this machine"):
            return
        name = f"{caller.site}\x1f{network_of(scope)}" if caller.public else f"\x1e{caller.name}"
        if not self._bucket.take(name):
            whose = "from this address" if caller.public else f"with the token `{caller.name}`"
            raise TooMany(f"Too many calls {whose}.", hint="Send several events in one post, and wait before the next.")

    def unknown(self, scope: Scope, error: Refused) -> EmbellieError:
        """Count a wrong key against what its address may guess; returns the error to answer with."""
        if self._guesses is not None and not self._guesses.take(network_of(scope)):
            return TooMany("Too many wrong keys from this address.", hint="Wait, and check the key.")
        return error

    def cors(self, headers: Headers, *, site: str = "") -> tuple[tuple[bytes, bytes], ...]:
        """Say which page may read the answer: none when the call comes from none of the site's origins."""
        origin = headers.get(b"origin")
        if origin is None:
            return ()
        if self.welcome(origin.decode("latin-1"), site):
            return ((b"access-control-allow-origin", origin), (b"vary", b"Origin"))
        return ((b"vary", b"Origin"),)

    def welcome(self, origin: str, site: str = "") -> bool:
        """Tell whether an origin is one of the site's (of any site's, when none is named)."""
        if self._any_origin:
            return True
        known = self._origins.get(site, frozenset()) if site else frozenset().union(*self._origins.values())
        return origin.lower() in known or "*" in known

    def _by_token(self, scope: Scope, bearer: str) -> Caller:
        scheme, _, secret = bearer.partition(" ")
        token = self.keys.token_of(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            error = Refused(
                "This token is not known.",
                hint="Write `Authorization: Bearer sk_…`; it may have been revoked.",
                code="token_unknown",
            )
            raise self.unknown(scope, error)
        return _caller(token, "token")

    def _by_key(self, scope: Scope, headers: Headers, key: str) -> Caller:
        site = self.keys.site_of(key)
        if site is None:
            hint = "The server prints each site's public key when it starts."
            if key.startswith("sk_"):
                hint = "This is a token: send it as `Authorization: Bearer sk_…`, never in an address."
            raise self.unknown(scope, Refused("This public key is not known.", hint=hint, code="key_unknown"))
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and origin != own_origin(scope, headers) and not self.welcome(origin, site):
            raise Forbidden(
                f"Pages of `{origin[:200]}` may not use the key of `{site}`.",
                hint=f"Add it to `origins` of [sites.{site}] in embellie.toml, then restart.",
                code="origin_not_allowed",
            )
        return Caller(f"pages of {site}", "public key", site=site)

    def _by_session(self, scope: Scope, headers: Headers) -> Caller | None:
        cookie = cookie_of(headers)
        token = self.keys.session_token(cookie, now=time.time()) if cookie else None
        if token is None:
            return None
        if scope["method"] not in SAFE_METHODS and not _from_own_page(scope, headers):
            raise _cross_site()
        return _caller(token, "session")


class Buckets:
    """A token bucket for each name: `rate` a second, `burst` at once."""

    def __init__(self, rate: float, *, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> bool:
        """Take one, if there is one."""
        now = self._clock()
        level, since = self._level.get(name, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        if len(self._level) > 10_000:
            self._forget_full(now)
        self._level[name] = (max(level - 1, 0.0), now)
        return level >= 1

    def _forget_full(self, now: float) -> None:
        """Drop who has the whole allowance again; in a flood of addresses, start afresh rather than grow without bound."""
        self._level = {
            name: (level, since)
            for name, (level, since) in self._level.items()
            if level + (now - since) * self._rate < self._burst
        }
        if len(self._level) > 9_000:
            self._level.clear()


def _buckets(shared: Path | None, name: str, rate: float, *, burst: float) -> Buckets | SharedBuckets:
    """Make allowances of so many a second, and of that for `burst` seconds at once."""
    if shared is None:
        return Buckets(rate, burst=burst * rate)
    return SharedBuckets(shared / f"{name}.allowances", rate=rate, burst=burst * rate)


def network_of(scope: Scope) -> str:
    """Return whose allowance a call counts against: its address, or the /64 that one subscriber has whole.

    >>> network_of({"client": ("2001:db8:1:2:3:4:5:6", 1)}), network_of({"client": ("203.0.113.9", 1)})
    ('2001:db8:1:2::', '203.0.113.9')
    """
    address = str((scope.get("client") or ("",))[0])
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return address


def cookie_of(headers: Headers) -> str:
    """Read the session's cookie, `""` when there is none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def is_local(scope: Scope, headers: Headers) -> bool:
    """Tell whether a call comes from this machine and means it.

    The name in `Host` is checked too: a page elsewhere can have its own name point to 127.0.0.1, but not change the name.
    """
    client = scope.get("client")
    return client is not None and is_loopback(client[0]) and _host(headers).rpartition(":")[0] in LOCAL_NAMES


def is_loopback(host: str) -> bool:
    """Tell whether an address never leaves this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origins_of(site: Site) -> frozenset[str]:
    """List the origins of a site's pages: those it names, and that of its address."""
    named = {origin.rstrip("/").lower() for origin in site.origins}
    parts = urlsplit(site.url)
    return frozenset(named | ({f"{parts.scheme}://{parts.netloc}".lower()} if parts.netloc else set()))


def own_origin(scope: Scope, headers: Headers) -> str:
    """Return the origin of this server's own pages, as the caller sees it."""
    return f"{scope.get('scheme', 'http')}://{headers.get(b'host', b'').decode('latin-1')}"


def _caller(token: Token, way: Way) -> Caller:
    return Caller(token.name, way, token.role)


def _host(headers: Headers) -> str:
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return host if ":" in host.rpartition("]")[2] else f"{host}:"


def _from_own_page(scope: Scope, headers: Headers) -> bool:
    """Tell whether a browser says that one of our own pages made this call; silence is no proof."""
    said = headers.get(b"sec-fetch-site")
    if said is not None:
        return said == b"same-origin"
    return headers.get(b"origin", b"").decode("latin-1") == own_origin(scope, headers)


def _from_elsewhere(scope: Scope, headers: Headers) -> bool:
    """Tell whether a browser says that another site's page made this call."""
    return (b"origin" in headers or b"sec-fetch-site" in headers) and not _from_own_page(scope, headers)


def _cross_site() -> Forbidden:
    return Forbidden(
        "This call comes from another site's page.",
        hint="Make changes from the dashboard itself, or with a token.",
        code="cross_site",
    )
