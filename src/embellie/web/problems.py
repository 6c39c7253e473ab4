"""Problems: every error in one shape, with the fitting status, and nothing about our insides."""

import difflib
import http
import logging
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from starlette.exceptions import HTTPException

from embellie.domain.errors import Busy, EmbellieError, InputError

_log = logging.getLogger("embellie.web")

RETRY_SECONDS = 1


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, what to do, and where."""

    code: str
    message: str
    hint: str = ""
    at: str = ""


class ErrorMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a call that failed."""

    error: ErrorDetail


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it goes out."""

    status: int
    detail: ErrorDetail
    headers: tuple[tuple[str, str], ...] = field(default=())
    written: bytes = b""
    """The document, where a protocol has its own way to write it."""

    def body(self) -> bytes:
        """Return the JSON document."""
        return self.written or msgspec.json.encode(ErrorMessage(error=self.detail))


class TooLarge(InputError):
    """More than one call may carry."""

    code = "too_large"
    status = 413


class TooMany(EmbellieError):
    """More calls than the limit lets through."""

    code = "too_many_requests"
    exit_code = 1
    status = 429


class Forbidden(EmbellieError):
    """Known, but not allowed."""

    code = "forbidden"
    status = 403


_HINTS = {
    404: "The addresses of this server are in /openapi.json.",
    405: "Use one of the methods in the `Allow` header.",
}


def problem(error: Exception, *, path: str = "", paths: Iterable[str] = ()) -> Problem:
    """Turn any error into the one shape.

    Args:
        error: Ours, the framework's, or an unexpected one (logged; the answer says only a reference to it).
        path: The path asked for.
        paths: The paths there are, to suggest the nearest when this one does not exist.
    """
    match error:
        case EmbellieError():
            return Problem(error.status, _detail(error), _extra_headers(error))
        case HTTPException():
            return _framework(error, path, paths)
        case sqlite3.Error() | OSError():
            return _disk(error)
        case _:
            return _unexpected(error)


def _detail(error: EmbellieError) -> ErrorDetail:
    return ErrorDetail(code=error.code, message=error.message, hint=error.hint, at=error.at)


def _extra_headers(error: EmbellieError) -> tuple[tuple[str, str], ...]:
    match error.status:
        case 401:
            return (("WWW-Authenticate", "Bearer"),)
        case 429 | 503:
            return (("Retry-After", str(RETRY_SECONDS)),)
        case _:
            return ()


def _framework(error: HTTPException, path: str, paths: Iterable[str]) -> Problem:
    status = error.status_code
    phrase = http.HTTPStatus(status).phrase
    message = {404: f"No page at `{path}`.", 405: f"`{path}` does not take this method."}.get(status, f"{phrase}.")
    near = difflib.get_close_matches(path, list(paths), n=1) if status == 404 else []
    hint = (f"Did you mean `{near[0]}`? " if near else "") + _HINTS.get(status, "")
    headers = tuple((error.headers or {}).items())
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, phrase.lower().replace(" ", "_"))
    return Problem(status, ErrorDetail(code=code, message=message, hint=hint), headers)


def _disk(error: Exception) -> Problem:
    _log.error("The data folder cannot be used: %s.", error)
    busy = Busy("The data folder cannot be used right now.", hint="Try again; if it lasts, see the server's log.")
    return Problem(busy.status, _detail(busy), _extra_headers(busy))


def _unexpected(error: Exception) -> Problem:
    reference = secrets.token_hex(4)
    _log.error("Unexpected error, reference %s.", reference, exc_info=error)
    detail = ErrorDetail(
        code="internal",
        message="Something failed on our side.",
        hint=f"It stands in the server's log under reference `{reference}`.",
    )
    return Problem(500, detail)
