"""The articles are those last published."""

from dataclasses import replace

from embellie.domain.article import Article


def test_publishing_again_changes_nothing_and_a_change_back_is_a_change(newsroom, gazette):
    """The catalogue is idempotent, and follows an article that returns to an earlier title."""
    one, *_ = gazette.articles()
    other = Article(article=one.article, title="Another title", published_at=one.published_at)
    counts = [len(newsroom.publish("gazette", [which]).result().accepted) for which in (one, one, other, one)]
    assert counts == [1, 0, 1, 1]
    assert newsroom.article("gazette", "a0").title == one.title


def test_what_is_shown_is_live_and_the_newest_comes_first(newsroom, gazette):
    """A withdrawn article is known, and shown to nobody."""
    first, second, third = gazette.articles(count=3)
    newsroom.publish("gazette", [third, first, replace(second, state="withdrawn")]).result()
    assert newsroom.articles("gazette") == [first, third]
    assert newsroom.article("gazette", second.article).state == "withdrawn"


def test_what_is_read_most_is_popular(newsroom, gazette):
    """Each with how often, of late."""
    gazette.publish(newsroom)
    raw = [gazette.read(f"r{number}", "a7" if number else "a3", number) for number in range(5)]
    newsroom.receive(raw, site="gazette", public=True).result()
    (first, most), (second, fewer) = newsroom.popular_now("gazette", n=2)
    assert (first.article, second.article) == ("a7", "a3")
    assert most > fewer > 0
