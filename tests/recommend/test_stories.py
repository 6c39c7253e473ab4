"""Stories: near-duplicates are found, others are left alone, and the fold is the same live and in replay."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.recommend.test_texts import lead_of, many, rows_of

from embellie.domain.article import Article
from embellie.domain.site import Placement
from embellie.recommend.stories import RECENT, Stories, rule_signals

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AGENCY = "Severe storm cuts power along the northern coast, thousands of homes dark"
EDITED = "Severe storm cuts power along northern coast: thousands of homes still dark"
OTHER = "Council adopts the school budget after a long night of heated debate"


def article(name, title, hours=0.0, **fields):
    return Article(
        **{"article": name, "title": title, "language": "en", "published_at": NOON + timedelta(hours=hours)} | fields
    )


def told(*articles):
    stories = Stories()
    for row, one in enumerate(articles):
        stories.publish(row, one, row)
    return stories


def test_two_tellings_of_one_story_are_one():
    """An agency's text and an edited one share a number; another subject has its own."""
    stories = told(article("a", AGENCY), article("b", EDITED, 5), article("c", OTHER, 6))
    assert stories.of(0) == stories.of(1) != stories.of(2)
    assert stories.among([0, 1, 2, 99]) == {stories.of(0), stories.of(2)}
    assert stories.tells({stories.of(0)}, 4).tolist() == [True, True, False, False]


def test_the_second_article_of_a_new_site_can_tell_the_first_ones_story():
    """With one article known, every term of it is in all that is known; it is not common for that."""
    stories = told(article("a", AGENCY), article("b", f"{AGENCY} again, says mayor"))
    assert stories.of(0) == stories.of(1)


@pytest.mark.parametrize(
    "again", [{"hours": 73.0}, {"hours": -73.0}, {"language": "fr"}], ids=["days later", "days before", "in French"]
)
def test_another_week_or_language_is_another_story(again):
    """The same words more than three days apart, or in another language, are not the same story."""
    stories = told(article("a", AGENCY), article("b", AGENCY, **again))
    assert stories.of(0) != stories.of(1)


def test_a_story_cannot_drift_on_for_ever():
    """Retold every two days, it is a new story once it is three days from its first article."""
    stories = told(*(article(f"a{day}", AGENCY, 48 * day) for day in range(4)))
    assert [stories.of(row) for row in range(4)] == [1, 1, 2, 2]


def test_of_a_title_of_three_words_nobody_can_tell_the_story():
    """`Evening news` is not the same story every evening."""
    stories = told(article("a", "Evening news bulletin"), article("b", "Evening news bulletin"))
    assert (stories.of(0), stories.of(1)) == (0, 0)


def test_a_changed_text_is_judged_anew():
    """An article rewritten about something else leaves its story; a version told late changes nothing."""
    stories = told(article("a", AGENCY), article("b", EDITED))
    stories.publish(1, article("b", OTHER), 9)
    assert stories.of(0) != stories.of(1)
    stories.publish(1, article("b", EDITED), 8)
    assert stories.of(0) != stories.of(1)


def test_unrelated_articles_are_left_apart():
    """Among 300 articles that share common words, hardly any two are taken for one story."""
    articles = many(300)
    stories = told(*articles)
    assert len({stories.of(row) for row in range(300)}) > 285


def test_a_restored_fold_goes_on_the_same():
    """Stopped and restored at any article, it finds the same stories."""
    articles = [article(f"a{i}", title.title, i) for i, title in enumerate([*many(60), *many(60)])]
    whole, pieces = told(*articles), Stories()
    for row, one in enumerate(articles):
        pieces.publish(row, one, row)
        if row % 25 == 24:
            restored = Stories()
            restored.restore(pieces.snapshot())
            pieces = restored
    assert [whole.of(row) for row in range(120)] == [pieces.of(row) for row in range(120)]


def test_what_is_compared_is_bounded():
    """However many articles come, only the last are kept to compare with, and an older one keeps its story."""
    words = ["".join(chr(97 + (i >> 4 * k) % 16) for k in range(4)) for i in range(RECENT + 50)]
    stories = told(*(article(word, " ".join(f"{letter}{word}q" for letter in "bcdfgh")) for word in words))
    assert len(stories.snapshot()["recent"]) <= RECENT
    first = stories.of(0)
    stories.publish(0, article(words[0], OTHER), 99_999)
    assert stories.of(0) == first


def test_a_site_that_minds_nothing_keeps_nothing():
    """With the rule off on every placement, the state is not asked to keep stories."""
    off = Placement(placement="side", one_per_story=False)
    assert rule_signals([off]) == ()
    assert rule_signals([off, Placement(placement="bottom")]) == (Stories,)


@pytest.mark.real_data
def test_real_stories_are_found_and_real_articles_left_alone():
    """In two Wikinews archives: two reports of one crash are one story, two attacks of one week are two, most articles are alone."""
    rows = sorted(rows_of("wikinews_fr"), key=lambda row: (row["date"], row["id"]))
    stories = Stories()
    for row, one in enumerate(rows):
        at = datetime.fromisoformat(one["date"]).replace(tzinfo=UTC)
        told_one = Article(article=one["id"], title=one["title"], summary=lead_of(one), language="fr", published_at=at)
        stories.publish(row, told_one, row)
    of = {one["title"]: stories.of(row) for row, one in enumerate(rows)}
    crash = [
        number for title, number in of.items() if "LaMia" in title or "transportant une équipe de football" in title
    ]
    assert len(crash) == 2
    assert len(set(crash)) == 1
    assert 0.9 < len({stories.of(row) for row in range(len(rows))}) / len(rows) < 0.98
    assert json.dumps(stories.snapshot()["recent"][-1])
