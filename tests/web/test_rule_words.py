"""What editors ruled, in a sentence, in both languages."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from embellie.app.intake import body_from
from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.rule import Rule
from embellie.web.language import Words
from embellie.web.recommend_page import rule_text

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def told(language="en", **fields):
    newsroom = SimpleNamespace(article=lambda site, article: Article(article=article, title="Exit poll"))
    view = SimpleNamespace(words=Words(language), newsroom=newsroom, site="gazette")
    return rule_text(view, Rule(rule="r", **fields))["text"]


@pytest.mark.parametrize(
    ("fields", "english", "french"),
    [
        ({"action": "embargo", "article": "a", "until": NOON}, "“Exit poll” is not shown before", "nulle part avant"),
        (
            {"action": "boost", "article": "a", "factor": 2.5},
            "“Exit poll” competes as if its place were divided by 2.5",
            "2,5",
        ),
        ({"action": "boost", "section": "Sport", "factor": 3.0}, "Articles of Sport compete", "de Sport concourent"),
        ({"action": "boost", "tag": "vote", "factor": 0.5}, "tagged “vote”", "concourent comme si"),
        (
            {"action": "floor", "section": "Sport", "position": 4},
            "One of the first 4 places is kept for Sport",
            "4 premières",
        ),
    ],
)
def test_every_action_has_its_sentence(fields, english, french):
    """With the article's title, the section, the factor and the places it speaks of."""
    assert english in told(**fields)
    assert french in told("fr", **fields)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"action": "boost", "section": "Sport", "factor": 99}, "0.1 to 10"),
        ({"action": "embargo", "article": "a"}, "until"),
        ({"action": "floor", "position": 3}, "section"),
    ],
)
def test_the_api_refuses_a_rule_that_could_not_work(raw, word):
    """As the web takes it: an error of code `invalid_rule` that says what to write."""
    with pytest.raises(InputError) as caught:
        body_from("rule", {"rule": "r", **raw})
    assert caught.value.code == "invalid_rule"
    assert word in f"{caught.value.message} {caught.value.hint}"
