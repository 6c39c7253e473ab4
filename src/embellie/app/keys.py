"""Keys: who may call. A public key per site for its pages, tokens with a role for programs and people.

A token is 256 random bits, so nobody can guess it and a fast hash protects it as well as a slow one would: `keys.json`
holds only SHA-256 sums, and checking one costs a microsecond on every call. Public keys stand in every page; they are
kept as they are, to be shown again.
"""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from embellie.domain.errors import Conflict, InputError, unknown_name
from embellie.store.file_lock import Stamp, file_locked, stamp_of

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
        self._path, self._mint, self._lock = path, mint, threading.Lock()
        self._stamp: Stamp = (0, 0)
        self._kept = _Kept()
        self._site_of: dict[str, str] = {}
        self._reload()
        sites = tuple(sites)
        if not self._kept.session_key or any(site not in self._kept.public for site in sites):
            with self._alone():
                self._reload()  # another process may have been faster
                self._kept.session_key = self._kept.session_key or mint()
                self._kept.public |= {site: f"pk_{mint()[:24]}" for site in sites if site not in self._kept.public}
                self._save()

    @property
    def public(self) -> Mapping[str, str]:
        """The public key of each site."""
        return self._kept.public

    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens, without their secrets, oldest first."""
        self._reload()
        return tuple(self._kept.tokens.values())

    def site_of(self, key: str) -> str | None:
        """Tell whose public key this is."""
        return self._site_of.get(key)

    def token_of(self, secret: str) -> Token | None:
        """Find the token a secret belongs to. Every sum is compared, in constant time."""
        self._reload()
        given = hashlib.sha256(secret.encode()).hexdigest()
        found = None
        for token in self._kept.tokens.values():
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
        with self._alone():
            self._reload()
            if name in self._kept.tokens:
                raise Conflict(f"A token `{name}` exists already.", hint="Choose another name, or revoke that one.")
            secret = f"sk_{self._mint()}"
            digest = hashlib.sha256(secret.encode()).hexdigest()
            self._kept.tokens[name] = Token(name=name, role=role, sha256=digest)
            self._save()
        return secret

    def revoke(self, name: str) -> None:
        """Forget a token: it, and the sessions opened with it, stop working at once.

        Raises:
            UnknownName: No token has this name.
        """
        with self._alone():
            self._reload()
            if name not in self._kept.tokens:
                raise unknown_name("token", name, self._kept.tokens)
            del self._kept.tokens[name]
            self._save()

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
        self._reload()
        try:
            token = self._kept.tokens.get(bytes.fromhex(name).decode())
        except ValueError:
            return None
        if token is None or not hmac.compare_digest(self._signature(token, int(expires)).encode(), signature.encode()):
            return None
        return token

    def _signature(self, token: Token, expires: int) -> str:
        said = f"{token.name}\x1f{token.sha256}\x1f{expires}"
        return hmac.new(self._kept.session_key.encode(), said.encode(), hashlib.sha256).hexdigest()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Change the file with no other thread or process doing so."""
        with self._lock, file_locked(self._path.with_name(f".{self._path.name}.lock")):
            yield

    def _reload(self) -> None:
        try:
            stamp = stamp_of(self._path)
        except FileNotFoundError:
            return
        if stamp == self._stamp:
            return
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"`{self._path.name}` cannot be read: {error}.",
                hint="Restore it from a backup, or move it away to have new keys made.",
                at=str(self._path),
            ) from None
        self._stamp = stamp
        self._site_of = {key: site for site, key in self._kept.public.items()}

    def _save(self) -> None:
        """Write the whole file beside, readable by its owner only, then put it in place."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=self._path.parent, prefix=".keys-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(msgspec.to_builtins(self._kept), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(self._path)
        self._stamp = stamp_of(self._path)
        self._site_of = {key: site for site, key in self._kept.public.items()}
