"""Login: from a token to a session, for people. One page, one form, no script."""

import html
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from embellie.app.keys import SESSION_DAYS, Token
from embellie.domain.errors import EmbellieError, Refused
from embellie.web.access import COOKIE, Door

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

PATH = "/login"
FORM_LIMIT = 8192

_WORDS = {
    "en": {
        "title": "Enter the newsroom",
        "token": "Token",
        "enter": "Enter",
        "how": "The link to enter was printed when the server first started. To make a new one: "
        "<code>embellie serve --new-token admin</code>.",
        "wrong": "This token is not known. It may have been revoked.",
    },
    "fr": {
        "title": "Entrer dans la rédaction",
        "token": "Jeton",
        "enter": "Entrer",
        "how": "Le lien d'entrée a été affiché au premier démarrage du serveur. Pour en créer un autre : "
        "<code>embellie serve --new-token admin</code>.",
        "wrong": "Ce jeton est inconnu. Il a peut-être été révoqué.",
    },
}

_PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} · embellie</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;color-scheme:light dark}}
label,input,button{{display:block;width:100%;box-sizing:border-box;font:inherit}}input,button{{padding:.6rem;margin:.3rem 0 1rem}}
.wrong{{color:#b3261e}}</style>
<main><h1>{title}</h1>{wrong}<form method="post" action="/login?next={next}">
<label for="token">{token}</label><input id="token" name="token" type="password" autocomplete="current-password" required
 autofocus><button>{enter}</button></form><p>{how}</p></main></html>"""


class Login:
    """The pages that open and close a session."""

    def __init__(self, newsroom: "Newsroom", door: Door) -> None:
        self._door = door
        self._language = newsroom.config.language

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            Route(PATH, self.enter, methods=["GET", "POST"], name="login"),
            Route("/logout", self.leave, methods=["POST"], name="logout"),
        ]

    async def enter(self, request: Request) -> Response:
        """Open a session from a link or from the form."""
        secret, goal = request.query_params.get("token", ""), safe_goal(request.query_params.get("next", "/"))
        if request.method == "POST":
            secret = await _posted(request)
        token = self._door.keys.token_of(secret) if secret else None
        if token is not None:
            return self._opened(request, token, goal)
        if secret:
            slowed = self._door.unknown(request.scope, Refused("This token is not known."))
            if slowed.status == 429:
                raise slowed
        return self._form(goal, wrong=bool(secret))

    async def leave(self, request: Request) -> Response:
        """Close the session; only a page of ours may."""
        self._door.caller(request.scope, dict(request.scope["headers"]), "")
        response = RedirectResponse(PATH, status_code=303)
        response.delete_cookie(COOKIE, path="/")
        return response

    def _opened(self, request: Request, token: Token, goal: str) -> Response:
        response = RedirectResponse(goal, status_code=303)
        response.set_cookie(
            COOKIE,
            self._door.keys.session(token, now=time.time()),
            max_age=SESSION_DAYS * 86_400,
            path="/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return _private(response)

    def _form(self, goal: str, *, wrong: bool) -> Response:
        words = _WORDS[self._language]
        said = f'<p class="wrong" role="alert">{words["wrong"]}</p>' if wrong else ""
        page = _PAGE.format(language=self._language, next=html.escape(goal), **(words | {"wrong": said}))
        return _private(HTMLResponse(page, status_code=401 if wrong else 200))


def safe_goal(goal: str) -> str:
    r"""Return where to go after entering: a path of ours, never another server.

    >>> safe_goal("/measure"), safe_goal("//evil.example"), safe_goal("https://evil.example")
    ('/measure', '/', '/')
    """
    plain = goal.startswith("/") and not goal.startswith("//") and "\\" not in goal and goal.isprintable()
    return goal if plain else "/"


async def _posted(request: Request) -> str:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > FORM_LIMIT:
            raise EmbellieError("The form is too large.", hint="Send the token alone.", code="too_large")
    return parse_qs(data.decode("latin-1")).get("token", [""])[0].strip()


def _private(response: Response) -> Response:
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
