"""PostgreSQL's line: how it is spoken to, and what its refusals mean; a password is never told."""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from embellie.domain.errors import EngineError, InputError

POSTGRES = ("postgresql", "postgres")
"""The schemes of its URLs."""

_SECRET = re.compile(r"((?:^|[?&;])(?:\w*password|token)=)([^&;]+)", re.IGNORECASE)


def driver() -> Any:
    """Give the module that speaks to PostgreSQL.

    Raises:
        EngineError: Its extra is not installed.
    """
    try:
        import psycopg
    except ImportError:
        raise EngineError(
            "PostgreSQL is asked for, but what speaks to it is not installed.",
            hint="Run `pip install 'embellie[postgres]'`.",
            code="missing_extra",
        ) from None
    return psycopg


def place_of(url: str) -> str:
    """Tell where a URL leads, without who goes there or with what password.

    >>> place_of("postgresql://ana:secret@db.example:5433/news?sslmode=require")
    'db.example:5433/news'
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # a port that is no number, or the like: the server's answer will say so
        return "PostgreSQL"
    return f"{parts.hostname or 'localhost'}{port}{parts.path}"


def check_log_url(url: str) -> None:
    """Refuse a URL at which no log can be kept.

    Raises:
        InputError: With those that can.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in POSTGRES:
        given = f"`{scheme}` keeps no log" if separator else "The log's place is no URL"
        raise InputError(
            f"{given}.", hint="Write `postgresql://user@host/database`, or leave it out: a file in the data folder."
        )


_REFUSALS = (
    ("password authentication failed", "The password, or the name of the user, is wrong.", "Check both in the URL."),
    ("no password supplied", "A password is needed.", "Write `postgresql://user:password@host/database`."),
    ("does not exist", "", "Check the end of the URL: `postgresql://user:password@host:5432/database`."),
    ("no pg_hba.conf entry", "The server does not accept this user from here.", "Ask whoever runs it; `?sslmode=require` may help."),
    ("could not translate host name", "No host has this name.", "Check the name in the URL."),
    ("failed to resolve host", "No host has this name.", "Check the name in the URL."),
    ("too many connections", "It has too many connections.", "Try again later."),
    ("too many clients", "It has too many connections.", "Try again later."),
    ("refused", "Nobody answers there.", "Check host and port, and that the server runs."),
    ("timeout", "Nobody answers there within ten seconds.", "Check host, port and the way there."),
)  # fmt: skip


def refusal(error: Exception, *, url: str) -> EngineError:
    """Turn what was said when one wanted to connect into what a person can do."""
    said, place = hidden(str(error), url), place_of(url)
    for words, meaning, hint in _REFUSALS:
        if words in said:
            told = meaning or first_line(said)
            return EngineError(f"Cannot use PostgreSQL at `{place}`: {told[0].lower() + told[1:]}", hint=hint)
    return EngineError(
        f"Cannot use PostgreSQL at `{place}`: {first_line(said)}", hint="Check the URL, and that the server runs."
    )


def first_line(said: str) -> str:
    """Give the first line of what it says, as a sentence."""
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()]
    return (lines[0] if lines else "it says nothing").removeprefix("ERROR: ").rstrip(".") + "."


def hidden(said: str, url: str) -> str:
    """Take the password out of what a driver says."""
    _, _, after = url.partition("://")
    login = after.rpartition("@")[0]
    secrets = {login, login.partition(":")[2], *(value for _, value in _SECRET.findall(after))}
    for secret in (secrets | {unquote(each) for each in secrets}) - {""}:
        said = said.replace(secret, "…")
    return said


def without_password(url: str) -> str:
    """Write a URL as it may be shown: without its password, in the login or among the parameters.

    >>> without_password("postgresql://ana:secret@db/news?password=x&sslmode=require")
    'postgresql://ana:…@db/news?password=…&sslmode=require'
    >>> without_password("sc://host:15002/;token=abc;use_ssl=true")
    'sc://host:15002/;token=…;use_ssl=true'
    """
    scheme, separator, after = url.partition("://")
    login, at, rest = after.rpartition("@")
    user, colon, password = login.partition(":")
    shown = f"{scheme}{separator}{user}{colon}{'…' if password else ''}{at}"
    return shown + _SECRET.sub(r"\1…", rest)
