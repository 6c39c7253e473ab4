"""Errors that teach: what was given, where, what was expected, what to do.

EmbellieError
├── InputError            what was given is wrong            exit 2, HTTP 422
│   ├── ConfigError       embellie.toml
│   ├── QuestionError     question.toml
│   ├── EventError        one event of a batch
│   └── TableError        a CSV, Parquet or SQL table
├── UnknownName           a name that does not exist         exit 2, HTTP 404
├── Refused               a key or a role is missing         exit 2, HTTP 401 or 403
├── Conflict              the state does not allow it        exit 1, HTTP 409
├── Busy                  try again later                    exit 1, HTTP 503
└── EngineError           a database or cluster does not     exit 1, HTTP 503
                          answer, or its extra is missing
"""

import difflib
import re
import typing
from collections.abc import Iterable


class EmbellieError(Exception):
    """An error a person can act on.

    Args:
        message: What is wrong, with the value in backticks; a capital and a full stop.
        hint: What to do instead.
        at: Where: `file:line`, `$.events[3].kind`, a column.
        code: A stable word for programs.
    """

    code = "error"
    exit_code = 2
    status = 400

    def __init__(self, message: str, *, hint: str = "", at: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at
        self.code = code or type(self).code

    def __str__(self) -> str:
        where = f"{self.at}: " if self.at else ""
        what_to_do = f" {self.hint}" if self.hint else ""
        return f"{where}{self.message}{what_to_do}"


class InputError(EmbellieError):
    """What was given is wrong."""

    code = "invalid_input"
    status = 422


class ConfigError(InputError):
    """`embellie.toml` is wrong."""

    code = "invalid_config"


class QuestionError(InputError):
    """`question.toml` is wrong."""

    code = "invalid_question"


class EventError(InputError):
    """One event is wrong; the batch around it is kept."""

    code = "invalid_event"


class TableError(InputError):
    """A table lacks a column, or holds what cannot be read."""

    code = "invalid_table"


class UnknownName(EmbellieError):
    """A name that does not exist, with the nearest ones that do."""

    code = "unknown_name"
    status = 404


class Refused(EmbellieError):
    """A key is missing or wrong (401), or its role is too small (403)."""

    code = "refused"
    status = 401


class Conflict(EmbellieError):
    """The present state does not allow it."""

    code = "conflict"
    exit_code = 1
    status = 409


class Busy(EmbellieError):
    """Try again later."""

    code = "busy"
    exit_code = 1
    status = 503


class EngineError(EmbellieError):
    """A database or a cluster cannot be reached, does not let us in, or what speaks to it is not installed."""

    code = "engine_unavailable"
    exit_code = 1
    status = 503


def unknown_name(kind: str, name: str, known: Iterable[str], *, at: str = "") -> UnknownName:
    """Build the error for a name that does not exist.

    >>> print(unknown_name("placement", "botom", ["bottom", "side"]))
    Unknown placement `botom`. Did you mean `bottom`? Available: bottom, side.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    suggestion = f"Did you mean `{near[0]}`? " if near else ""
    available = f"Available: {', '.join(names)}." if names else "None is defined yet."
    return UnknownName(
        f"Unknown {kind} `{name}`.", hint=suggestion + available, at=at, code=f"unknown_{kind.replace(' ', '_')}"
    )


def wrong_choice(what: str, *, field: str, type_: type) -> UnknownName | None:
    """Build the error for a word that is none of a field's choices, from a decoder's `Invalid enum value 'bann'`.

    Args:
        what: What the decoder said.
        field: The field it said it of.
        type_: The record the field belongs to.
    """
    found = re.match(r"Invalid enum value '(?P<word>.*)'", what)
    if not found:
        return None
    hint = typing.get_type_hints(type_).get(field)
    literals = [one for one in (hint, *typing.get_args(hint)) if typing.get_origin(one) is typing.Literal]
    choices = [str(word) for one in literals for word in typing.get_args(one)]
    return unknown_name(field, found["word"], choices) if choices else None
