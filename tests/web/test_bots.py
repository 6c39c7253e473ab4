"""Who is no person is tagged."""

import pytest

from embellie.web.bots import bot_sign

PEOPLE = [
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    b"Mozilla/5.0 (Linux; Android 15; CUBOT KINGKONG) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    b"python-requests/2.32",
    b"",
]
BOTS = [
    b"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36",
    b"facebookexternalhit/1.1",
    b"Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_have_no_sign(agent):
    """A phone named after a robot is still held by a person, and a newspaper's server asks for one."""
    assert bot_sign(agent) == ""


@pytest.mark.parametrize("agent", BOTS)
def test_crawlers_and_scripts_are_tagged(agent):
    """They say so themselves."""
    assert bot_sign(agent) == "agent"
