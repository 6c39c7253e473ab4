"""Bots: by what sign a caller is no person. They are tagged, never refused and never deleted."""

import re
from functools import lru_cache

# Words that crawlers, monitors and driven browsers put in their user agent. Libraries (curl, python-requests) are not among
# them: a newspaper's own server may ask for a reader's slate.
_AGENT = re.compile(
    rb"bot/\d|bot[;)+]|\bbot\b|crawler|spider|slurp|archiver|headless|phantomjs|puppeteer|playwright|selenium|lighthouse|"
    rb"pagespeed|uptime|pingdom|facebookexternalhit|preview\b",
    re.IGNORECASE,
)

_USUAL = 400
"""Bytes: what is longer is not remembered."""


def bot_sign(user_agent: bytes) -> str:
    """Return the sign by which a user agent is no person, `""` for a person.

    >>> bot_sign(b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    'agent'
    >>> bot_sign(b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    ''
    """
    return _sign(user_agent) if len(user_agent) <= _USUAL else _sign.__wrapped__(user_agent)


@lru_cache(maxsize=4096)  # a few thousand make up nearly all of a site's visits
def _sign(user_agent: bytes) -> str:
    return "agent" if _AGENT.search(user_agent) else ""
