"""Keys: who may call. A public key per site for its pages, tokens with a role for programs and people.

A token is 256 random bits, so nobody can guess it and a fast hash protects it as well as a slow one would: `keys.json`
holds only SHA-256 sums, and checking one costs a microsecond on every call. Public keys stand in every page; they are
kept as they are, to be shown again.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from embellie.domain.errors import Conflict, InputError, unknown_name
from embellie.store.private_file import PrivateFile

Role = Literal["viewer", "editor", "operator", "admin"]

ROLES: tuple[Role, ...] = ("viewer", "editor", "operator", "admin")
"""From the smallest to the largest; each may do what those before it may."""

FILE = "keys.json"
SESSION_DAYS = 30


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is kept: its name, its role, the SHA-256 of its secret."""

    name: str
    role: Role
    sha256: str


class _Kept(msgspec.Struct, kw_only=True):
    schema: Literal["embellie/keys/1"] = "embellie/keys/1"
    public: dict[str, str] = {}
    session_key: str = ""
    tokens: dict[str, Token] = {}


class Keys:
    """The keys of one installation, in one file only its owner can read.

    Another process may issue or revoke a token: the file is read again when it changed.

    Args:
        path: Where `keys.json` is or will be.
        sites: The sites that need a public key; missing ones are minted and kept.
        mint: Makes a random word of 256 bits.
    """

    def __init__(self, path: Path, *, sites: Iterable[str], mint: Callable[[], str] = secrets.token_urlsafe) -> None:
        self._mint = mint
        self._file = PrivateFile(
            path, empty=_Kept(), remedy="Restore it from a backup, or move it away to have new keys made."
        )
        kept, sites = self._file.read(), tuple(sites)
        if not kept.session_key or any(site not in kept.public for site in sites):
            with self._file.changing() as now:  # another process may have been faster
                now.session_key = now.session_key or mint()
                now.public |= {site: f"pk_{mint()[:24]}" for site in sites if site not in now.public}
        self._site_of: tuple[_Kept, Mapping[str, str]] = (_Kept(), {})

    @property
    def public(self) -> Mapping[str, str]:
        """The public key of each site."""
        return self._file.latest.public

    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens, without their secrets, oldest first."""
        return tuple(self._file.read().tokens.values())

    def site_of(self, key: str) -> str | None:
        """Tell whose public key this is."""
        latest, (known, sites) = self._file.latest, self._site_of
        if latest is not known:
            sites = {public: site for site, public in latest.public.items()}
            self._site_of = (latest, sites)
        return sites.get(key)

    def token_of(self, secret: str) -> Token | None:
        """Find the token a secret belongs to. Every sum is compared, in constant time."""
        given = hashlib.sha256(secret.encode()).hexdigest()
        found = None
        for token in self._file.read().tokens.values():
            if hmac.compare_digest(token.sha256, given):
                found = token
        return found

    def issue(self, role: Role, *, name: str) -> str:
        """Make a token and return its secret, which is not kept: note it now.

        Raises:
            UnknownName: The role does not exist.
            Conflict: The name is taken.
            InputError: The name is empty or too long.
        """
        if role not in ROLES:
            raise unknown_name("role", role, ROLES)
        if not 1 <= len(name) <= 64 or not name.isprintable() or "." in name:
            raise InputError(f"`{name[:80]}` is no name for a token.", hint="Use 1 to 64 characters, without a dot.")
        with self._file.changing() as kept:
            if name in kept.tokens:
                raise Conflict(f"A token `{name}` exists already.", hint="Choose another name, or revoke that one.")
            secret = f"sk_{self._mint()}"
            digest = hashlib.sha256(secret.encode()).hexdigest()
            kept.tokens[name] = Token(name=name, role=role, sha256=digest)
        return secret

    def revoke(self, name: str) -> None:
        """Forget a token: it, and the sessions opened with it, stop working at once.

        Raises:
            UnknownName: No token has this name.
        """
        with self._file.changing() as kept:
            if name not in kept.tokens:
                raise unknown_name("token", name, kept.tokens)
            del kept.tokens[name]

    def session(self, token: Token, *, now: float) -> str:
        """Make the value of a session's cookie: signed, good for 30 days from `now` (s), and no secret in itself."""
        expires = int(now) + SESSION_DAYS * 86_400
        name = token.name.encode().hex()
        return f"{name}.{expires}.{self._signature(token, expires)}"

    def session_token(self, cookie: str, *, now: float) -> Token | None:
        """Find the token a session was opened with; `None` when the cookie is forged, expired or revoked."""
        name, _, rest = cookie.partition(".")
        expires, _, signature = rest.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and int(expires) > now):
            return None
        try:
            token = self._file.read().tokens.get(bytes.fromhex(name).decode())
        except ValueError:
            return None
        if token is None or not hmac.compare_digest(self._signature(token, int(expires)).encode(), signature.encode()):
            return None
        return token

    def _signature(self, token: Token, expires: int) -> str:
        said = f"{token.name}\x1f{token.sha256}\x1f{expires}"
        return hmac.new(self._file.read().session_key.encode(), said.encode(), hashlib.sha256).hexdigest()
