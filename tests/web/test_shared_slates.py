"""Slates that name nobody may be kept by any cache; those that name someone by none."""

import re
from datetime import timedelta
from urllib.parse import parse_qsl

import msgspec
import pytest

from embellie.domain.article import Article
from embellie.domain.rule import Rule
from embellie.domain.slate import Slate, SlateItem
from embellie.web import calls, slates
from embellie.web.messages import SlateAnswer

ARTICLES = [Article(article=f"a{n}", url=f"https://gazette.example/{n}", title=f"Title {n}") for n in range(8)]


@pytest.fixture
def moment(newsroom):
    """The newsroom, whose clock can be put forward; recommending by `latest` for all."""

    class Moment:
        now = newsroom.clock()

        def passes(self, seconds):
            self.now += timedelta(seconds=seconds)

    found = Moment()
    newsroom.clock = lambda: found.now
    newsroom._live.clock = newsroom.clock
    newsroom.publish("gazette", ARTICLES).result()
    release = next(one.release for one in newsroom.releases("gazette") if one.policy == "latest")
    newsroom.complete("gazette", newsroom.start("gazette", "article-bottom", release).rollout)
    return found


@pytest.fixture
def ask(call, keys, moment):
    """Asks for a slate with the public key in the address, and more parameters."""

    def asked(more="", **options):
        return call("GET", f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom{more}", **options)

    return asked


def served(newsroom):
    newsroom.publish("gazette", []).result()
    return [event for _, event in newsroom.log.scan(kinds=["served"])]


def test_who_names_nobody_gets_what_caches_may_keep(ask, newsroom):
    """Public for five seconds, and five more while it is asked for anew; the log says once that it was shared, with nobody's name."""
    first, again = ask("&article=x"), ask("&article=x&consent=none")
    assert first.headers["cache-control"] == "public, max-age=5, stale-while-revalidate=5"
    assert re.fullmatch(r'"[0-9a-f]{20}"', first.headers["etag"])
    assert first.content == again.content
    assert first.json()["items"]
    assert first.json()["experiment"] is None
    (one,) = served(newsroom)
    assert (one.body.slate_id, one.body.shared, one.body.reader) == (first.json()["slate_id"], True, "")
    assert one.consent == "none"
    assert ask("&article=y").json()["slate_id"] != first.json()["slate_id"]


@pytest.mark.parametrize("more", ["&reader=r1", "&visit=v1", "&seen=a1", "&reader=r1&consent=none"])
def test_who_names_someone_gets_what_no_cache_may_keep(ask, newsroom, more):
    """A reader, a visit, what a visit has opened: the answer is theirs alone, and each is in the log."""
    answers = [ask(more) for _ in range(2)]
    assert {one.headers["cache-control"] for one in answers} == {"private, no-store"}
    assert all("etag" not in one.headers for one in answers)
    assert answers[0].json()["slate_id"] != answers[1].json()["slate_id"]
    assert [one.body.shared for one in served(newsroom)] == [False, False]


def test_a_token_or_a_key_in_a_header_gets_what_no_cache_may_keep(ask, call, keys, tokens):
    """A cache tells requests apart by their address: what is let in otherwise is not for others."""
    bare = "/v1/slate?site=gazette&placement=article-bottom"
    for answer in (
        call("GET", bare, token=tokens["viewer"]),
        call("GET", bare, headers={"x-embellie-key": keys.public["gazette"]}),
        call("GET", bare, token=keys.public["gazette"]),
    ):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-store"


def test_what_a_cache_still_holds_is_not_sent_again(ask):
    """304 without a body for the tag, also one a cache made weak, or one of several; with the headers that renew it."""
    first = ask()
    tag = first.headers["etag"]
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = ask(headers={"if-none-match": held})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["cache-control"]) == (tag, first.headers["cache-control"])
    assert ask(headers={"if-none-match": '"other"'}).status_code == 200


def test_the_answer_varies_with_the_page_that_asks(ask):
    """What a cache kept for no page must not be given to one, whose browser wants its origin in it."""
    assert ask().headers.get_list("vary") == ["Origin"]
    answer = ask(headers={"origin": "https://gazette.example"})
    assert answer.headers.get_list("vary") == ["Origin"]
    assert answer.headers["access-control-allow-origin"] == "https://gazette.example"
    assert ask(headers={"origin": "https://evil.example"}).status_code == 403


def test_the_same_slate_keeps_its_id_and_tag_for_an_hour(ask, moment, newsroom):
    """After its five seconds it is made anew; shown again it is one slate, so what caches hold stays good."""
    first = ask()
    moment.passes(600)
    again = ask()
    assert again.content == first.content
    assert len(served(newsroom)) == 1
    moment.passes(3600)
    assert ask().json()["slate_id"] != first.json()["slate_id"]
    assert len(served(newsroom)) == 2


def test_an_editors_rule_and_a_new_article_hold_at_once(ask, newsroom):
    """Within the five seconds: a ban and an article published are in the next answer of the server."""
    first = ask("&n=20").json()["items"][0]["article"]
    newsroom.file("gazette", Rule(rule="r", action="ban", article=first))
    assert first not in [item["article"] for item in ask("&n=20").json()["items"]]
    fresh = Article(article="fresh", title="Fresh", url="https://gazette.example/f", published_at=newsroom.clock())
    newsroom.publish("gazette", [fresh]).result()
    assert "fresh" in [item["article"] for item in ask("&n=20").json()["items"]]


def test_no_cache_keeps_what_is_about_to_expire(ask, newsroom, moment):
    """An article that may be shown for three seconds more is kept for three, and not a moment longer."""
    soon = Article(article="soon", title="Soon", published_at=moment.now, expires_at=moment.now + timedelta(seconds=3))
    newsroom.publish("gazette", [soon]).result()
    answer = ask("&n=20")
    assert "soon" in [item["article"] for item in answer.json()["items"]]
    assert answer.headers["cache-control"] == "public, max-age=3"
    moment.passes(3)
    assert "soon" not in [item["article"] for item in ask("&n=20").json()["items"]]


def test_a_shared_slate_is_in_no_experiment(call, keys, newsroom):
    """With an experiment running, whoever names nobody gets the stable release; nobody is exposed, and no variant leaks."""
    answers = {
        call("GET", f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom&article=x{n}").text
        for n in range(20)
    }
    said = [msgspec.json.decode(one) for one in answers]
    assert {(one["experiment"], one["variant"], len(one["items"])) for one in said} == {(None, "", 0)}
    assert {one["release"] for one in said} == {newsroom.stable("gazette")["article-bottom"]}
    newsroom.publish("gazette", []).result()
    assert list(newsroom.log.scan(kinds=["exposure"])) == []


def test_sharing_can_be_turned_off(ask, newsroom):
    """`shared_seconds = 0`: every answer is one of its own."""
    server = msgspec.structs.replace(newsroom.config.server, shared_seconds=0.0)
    newsroom.config = msgspec.structs.replace(newsroom.config, server=server)
    assert ask().headers["cache-control"] == "private, no-store"
    assert ask().json()["slate_id"] != ask().json()["slate_id"]


def test_a_slate_is_written_as_its_message_says(newsroom):
    """Byte by byte what `SlateAnswer` makes of it: odd names, no article, a propensity below 1, and again from what was kept."""
    newsroom.publish(
        "gazette", [Article(article='q"é', title="<b>\u2028", url="javascript:alert(1)", language="fr")]
    ).result()
    items = [
        SlateItem(article=name, position=position, propensity=chance, reason=reason)
        for position, (name, chance, reason) in enumerate(
            [("a1", 1.0, "section:City"), ('q"é', 0.25, "popular_now"), ("gone", 1e-7, "made_up"), ("a2", 1.0, "new")],
            start=1,
        )
    ]
    for experiment in ("", "first-light"):
        shown = Slate(
            slate_id="s", placement="sidebar", reader="", visit="", article="", variant='v"', release="r", policy="latest",
            experiment=experiment, items=tuple(items),
        )  # fmt: skip
        said = SlateAnswer(
            slate_id="s",
            placement="sidebar",
            experiment=experiment or None,
            variant='v"',
            release="r",
            items=[slates.item_answer(one, newsroom.article("gazette", one.article), "en") for one in items],
        )
        for _ in range(2):
            assert slates.written(shown, "gazette", newsroom) == msgspec.json.encode(said)


@pytest.mark.parametrize("query", ["", "a=1&b=", "a&&b=2=3", "a=1&a=2", "a=%C3%A9+x&b=%", "=1&x", "a=\xe9"])
def test_a_query_is_read_as_the_standard_library_does(query):
    """The short way gives what the long way gives."""
    raw = query.encode("latin-1")
    assert calls._pairs(raw) == dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))
