"""Pseudonyms: the word a page sends for a reader is replaced, before anything is kept, by one that only this site's salt makes.

So what is kept cannot be joined with what others know by the same word, and after a rotation not even with what was kept before.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from embellie.domain.errors import Conflict, InputError
from embellie.domain.event import Event
from embellie.domain.experiment import Experiment, Exposure
from embellie.domain.moment import iso
from embellie.domain.slate import SlateRequest
from embellie.ports import EventLog, Rejected
from embellie.store.private_file import PrivateFile

FILE = "pseudonyms.json"
"""The salts' name in the data folder."""

_LETTERS = 32


class _Salt(msgspec.Struct, frozen=True, kw_only=True):
    salt: str
    since: str


class _Kept(msgspec.Struct, kw_only=True):
    schema: str = "embellie/pseudonyms/1"
    salts: dict[str, _Salt] = {}


class Pseudonyms:
    """The salts of the sites that want them, in one file only its owner can read; missing ones are made.

    HMAC-SHA256 of the word with the site's salt, its first 128 bits. Another process may rotate a salt: the file is read again
    when it changed.

    Args:
        path: Where `pseudonyms.json` is or will be.
        salted: The sites whose readers get another word; those of all others keep theirs.
        now: The time, for the record.
        mint: Makes 256 random bits.
    """

    def __init__(
        self,
        path: Path,
        *,
        salted: Collection[str],
        now: datetime,
        mint: Callable[[], str] = lambda: secrets.token_hex(32),
    ) -> None:
        self._salted, self._mint = frozenset(salted), mint
        self._file = PrivateFile(
            path, empty=_Kept(), remedy="Restore it from a backup; or move it away, and all readers are new."
        )
        missing = self._salted - self._file.read().salts.keys()
        if missing:
            with self._file.changing() as kept:
                for site in sorted(missing - kept.salts.keys()):
                    kept.salts[site] = _Salt(salt=mint(), since=iso(now))

    def of(self, site: str, reader: str) -> str:
        """Return the word under which a reader is kept."""
        if not reader or site not in self._salted:
            return reader
        key = bytes.fromhex(self._file.read().salts[site].salt)
        return hmac.digest(key, reader.encode("utf-8", "surrogatepass"), "sha256").hex()[:_LETTERS]

    def request(self, request: SlateRequest) -> SlateRequest:
        """Put the kept word in a request."""
        if not request.reader or request.site not in self._salted:
            return request
        return replace(request, reader=self.of(request.site, request.reader))

    def events(self, events: Sequence[Event]) -> Sequence[Event]:
        """Put the kept word in events."""
        return [self._event(event) for event in events] if self._salted else events

    def _event(self, event: Event) -> Event:
        body: Any = event.body
        if event.site not in self._salted:
            return event
        if isinstance(body, Exposure):
            return replace(event, body=replace(body, unit=self.of(event.site, body.unit)))
        reader = getattr(body, "reader", "")
        return replace(event, body=replace(body, reader=self.of(event.site, reader))) if reader else event

    def rejected(self, rejected: Iterable[Rejected]) -> list[Rejected]:
        """Put the kept word in what is put aside, as far as it can be read; what cannot be is kept without its payload."""
        return [self._aside(one) for one in rejected]

    def _aside(self, one: Rejected) -> Rejected:
        if one.site not in self._salted:
            return one
        try:
            raw = json.loads(one.payload)
        except (ValueError, RecursionError):
            return replace(one, payload="")
        if isinstance(raw, dict):
            for name in ("reader", "unit"):
                if name in raw:
                    raw[name] = self.of(one.site, raw[name]) if isinstance(raw[name], str) else ""
        return replace(one, payload=json.dumps(raw, ensure_ascii=False))

    def rotate(self, site: str, *, now: datetime) -> None:
        """Make another salt: every reader of the site is someone new from now on, and the former salt is nowhere any more.

        Raises:
            InputError: The site's readers keep their words.
        """
        if site not in self._salted:
            raise InputError(
                f"The readers of `{site}` keep the words that its pages send.",
                hint=f'Write pseudonyms = "salted" in [sites.{site}] of embellie.toml.',
            )
        with self._file.changing() as kept:
            kept.salts[site] = _Salt(salt=self._mint(), since=iso(now))


def require_no_experiment(log: EventLog, site: str) -> None:
    """Refuse to go on while an experiment of a site runs: its readers would be counted twice, on either side.

    Raises:
        Conflict: One runs.
    """
    last: dict[str, Experiment] = {}
    for _, event in log.scan(kinds=(Experiment.kind,)):
        if event.site == site and isinstance(event.body, Experiment):
            last[event.body.experiment] = event.body
    running = sorted(name for name, one in last.items() if one.state == "running")
    if running:
        raise Conflict(
            f"`{running[0]}` runs on {site}: its readers would become new ones, and be counted twice.",
            hint="Rotate when it is over, or say `--anyway`.",
        )
