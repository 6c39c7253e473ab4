"""Policies: what each one shows, why, and in which order."""

import pytest

from embellie.domain.errors import InputError, UnknownName
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.state import State


def reasons(ranking):
    return [item.reason for item in ranking]


@pytest.fixture
def paper(gazette):
    """Six articles of yesterday in three sections; Politics is read most, then Sport."""
    log = [
        gazette.publish(f"{section.lower()}-{i}", -1440 + i, section=section)
        for section in ("Sport", "Politics", "Culture")
        for i in (1, 2)
    ]
    reads = {"politics-1": 12, "politics-2": 9, "sport-1": 7, "sport-2": 4, "culture-1": 2}
    for article, times in reads.items():
        log += [gazette.read(article, i, reader=f"{article}-{i}") for i in range(times)]
    return State().fold(log)


def test_the_status_quo_shows_nothing(gazette, paper):
    """Today's site recommends nothing: an empty ranking, whoever asks."""
    assert list(build_policy("status_quo")(gazette.request(60), paper)) == []


def test_the_editors_list_comes_in_its_order(gazette, paper, names):
    """With `list = "editors"`, the articles of the setting, else the site's, in order; unknown ones are left out."""
    given = build_policy("status_quo", {"list": "editors", "articles": "culture-2, nowhere, sport-1"})
    sites = build_policy("status_quo", {"list": "editors"}, editors_list=["sport-2", "politics-1"])
    assert names(given(gazette.request(60), paper)) == ["culture-2", "sport-1"]
    assert names(sites(gazette.request(60), paper)) == ["sport-2", "politics-1"]
    assert reasons(given(gazette.request(60), paper)) == ["editors_choice", "editors_choice"]


def test_latest_comes_newest_first(gazette, names):
    """By time of publication; the future stays out."""
    state = State().fold([gazette.publish("old", 0), gazette.publish("new", 9), gazette.publish("later", 99)])
    assert names(build_policy("latest")(gazette.request(60), state)) == ["new", "old"]


def test_popular_comes_most_read_first(gazette, paper, names):
    """By decayed reads."""
    ranking = build_policy("popular")(gazette.request(60), paper)
    assert names(ranking)[:5] == ["politics-1", "politics-2", "sport-1", "sport-2", "culture-1"]
    assert ranking[0].reason == "popular_now"


def test_old_reads_fade(gazette, names):
    """Ten reads of yesterday count less than two of now, at a half-life of two hours."""
    state = State().fold([gazette.publish("then", -2000), gazette.publish("now", -2000)])
    state.fold(gazette.read("then", -1440 + i, reader=f"a{i}") for i in range(10))
    state.fold(gazette.read("now", i, reader=f"b{i}") for i in range(2))
    assert names(build_policy("popular", {"half_life": 2})(gazette.request(5), state))[0] == "now"
    assert names(build_policy("popular", {"half_life": 168})(gazette.request(5), state))[0] == "then"


def test_more_traffic_shortens_the_memory(gazette):
    """The half-life is the shortest that remembers enough reads: it falls as traffic grows, and rises at night."""
    found = []
    for per_hour in (1, 10, 100, 1000):
        state = State().fold([gazette.publish("a", -60)])
        state.fold(gazette.read("a", i * 60 / per_hour, reader=f"r{i}") for i in range(24 * per_hour))
        counters = state.site("gazette").counters
        evening = int(gazette.at(24 * 60).timestamp() * 1e6)
        found.append(counters.half_lives[counters.step(evening)])
        assert counters.step(evening + 6 * 3_600_000_000) >= counters.step(evening)
    assert found == sorted(found, reverse=True)
    assert found[0] == 168.0
    assert found[-1] == 0.5


def test_the_half_life_remembers_enough_and_no_more(gazette):
    """The one chosen remembers at least `enough` reads of the site, the next shorter one fewer."""
    state = State().fold([gazette.publish("a", -60)])
    state.fold(gazette.read("a", i, reader=f"r{i}") for i in range(600))
    counters, now = state.site("gazette").counters, int(gazette.at(600).timestamp() * 1e6)
    totals, step = counters.totals(now), counters.step(now, 100.0)
    assert totals[step] >= 100.0 > totals[step - 1]


def test_a_new_article_is_lent_a_place_and_loses_it(gazette, names):
    """Just published and unread it stands above the barely read, below the success; a day later it is last."""
    log = [gazette.publish("success", -3000), gazette.publish("barely", -3000), gazette.publish("new", 0)]
    state = State().fold(log)
    state.fold(gazette.read("success", i / 10, reader=f"s{i}") for i in range(60))
    state.fold([gazette.read("barely", 1, reader="b")])
    policy = build_policy("popular")
    at_once = policy(gazette.request(7), state)
    assert names(at_once) == ["success", "new", "barely"]
    assert reasons(at_once) == ["popular_now", "new", "on_this_site"]
    assert names(policy(gazette.request(7 + 1440 * 2), state)) == ["success", "barely", "new"]


def test_without_the_loan_reads_alone_decide(gazette, names):
    """`optimism = 0` turns the loan off."""
    state = State().fold([gazette.publish("barely", -3000), gazette.publish("new", 0), gazette.read("barely", 1)])
    request = gazette.request(2, reader="bob")
    assert names(build_policy("popular", {"optimism": 0})(request, state)) == ["barely", "new"]


def test_a_site_without_reads_shows_the_latest(gazette, names):
    """With no read at all, popular and the default heuristic are the newest first."""
    state = State().fold(gazette.publish(f"a{i}", -i * 300) for i in range(20))
    for name in ("popular", "affinity", "same_section"):
        assert names(build_policy(name)(gazette.request(10), state)) == [f"a{i}" for i in range(20)]


def test_same_section_comes_first_then_the_popular(gazette, paper, names):
    """The page's section by popularity, then all others by popularity: never empty."""
    ranking = build_policy("same_section")(gazette.request(60, article="sport-2"), paper)
    assert names(ranking)[:3] == ["sport-1", "politics-1", "politics-2"]
    assert reasons(ranking)[:2] == ["same_section:Sport", "popular_now"]


def test_affinity_moves_with_what_one_reads(gazette, paper, names):
    """The more Culture a reader reads, the higher Culture comes; nothing leaves the ranking of others."""
    policy = build_policy("affinity")
    paper.fold(gazette.publish(f"more-{i}", -1400, section="Culture") for i in range(8))

    def place(reader):
        return names(policy(gazette.request(60, reader=reader), paper)).index("culture-1")

    before, places = names(policy(gazette.request(60, reader="bob"), paper)), []
    for i in range(8):
        places.append(place("ann"))
        paper.apply(gazette.read(f"more-{i}", 20 + i, reader="ann", visit=f"v{i}"))
    assert places == sorted(places, reverse=True)
    assert place("ann") < places[0]
    reasons_by_article = {item.article: item.reason for item in policy(gazette.request(60, reader="ann"), paper)}
    assert reasons_by_article["culture-1"] == "section:Culture"
    assert reasons_by_article["politics-1"] == "popular_now"
    assert set(before) == set(names(policy(gazette.request(60, reader="bob"), paper)))


def test_affinity_follows_the_visit_before_the_log_does(gazette, paper):
    """What the request says was opened in this visit counts, whether or not the log knows it yet."""
    policy = build_policy("affinity")
    request = gazette.request(60, reader="new", visit_articles=("culture-2",))
    first = {item.article: item.score for item in policy(request, paper)}
    plain = {item.article: item.score for item in policy(gazette.request(60, reader="new"), paper)}
    assert first["culture-1"] > plain["culture-1"]
    assert first["politics-1"] < plain["politics-1"]


@pytest.mark.parametrize("consent", ["measurement", "none"])
def test_without_consent_affinity_is_popularity(gazette, paper, consent):
    """No profiling without consent: the scores and reasons of `popular`, whatever is known of the reader."""
    paper.fold(gazette.read("culture-2", 20 + i, reader="ann", visit=f"v{i}") for i in range(5))
    request = gazette.request(60, reader="ann", consent=consent, visit_articles=("culture-1",))
    affinity, popular = (list(build_policy(name)(request, paper)) for name in ("affinity", "popular"))
    assert affinity == popular


def test_affinity_without_sections_is_popularity(gazette, names):
    """A site without sections has nothing to lift by."""
    state = State().fold(gazette.publish(f"a{i}") for i in range(5))
    state.fold(gazette.read(f"a{i}", i, reader="ann") for i in (1, 1, 3))
    request = gazette.request(60, reader="ann")
    assert list(build_policy("affinity")(request, state)) == list(build_policy("popular")(request, state))


def test_ties_go_to_the_more_recent_then_by_name(gazette, names):
    """Equal scores: the newer first, then the alphabet; so propensity 1 is true."""
    state = State().fold([gazette.publish(n, m) for n, m in (("d", 0), ("b", 5), ("c", 0), ("a", 0))])
    ranking = build_policy("popular", {"optimism": 0})(gazette.request(60), state)
    assert names(ranking) == ["b", "a", "c", "d"]
    assert {item.propensity for item in ranking} == {1.0}


def test_unknown_names_teach():
    """A wrong policy or setting names what is available."""
    with pytest.raises(UnknownName, match="Did you mean `popular`"):
        build_policy("populer")
    with pytest.raises(InputError, match="Did you mean `half_life`"):
        build_policy("popular", {"halflife": 3})
    with pytest.raises(InputError, match="`nothing` or `editors`"):
        build_policy("status_quo", {"list": "editor"})


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_goes_by_its_name(name):
    """The name in the table is the policy's own."""
    assert build_policy(name).name == name


def test_an_article_of_no_known_section_is_neither_lifted_nor_sunk(gazette):
    """Nothing is known of it, so its score under affinity is its popularity."""
    state = State().fold([gazette.publish(f"s{i}", 0, section="Sport") for i in range(3)] + [gazette.publish("odd", 0)])
    state.fold(gazette.read(f"s{i}", 1 + i, reader="ann") for i in range(2))
    state.fold(gazette.read("odd", 5 + i, reader=f"r{i}") for i in range(2))
    request = gazette.request(60, reader="ann")
    affinity, popular = ({i.article: i.score for i in build_policy(n)(request, state)} for n in ("affinity", "popular"))
    assert affinity["odd"] == popular["odd"]
    assert affinity["s2"] > popular["s2"]


def test_what_nobody_reads_is_not_called_popular(gazette):
    """An old article without reads comes last, as being on this site: neither new nor popular."""
    state = State().fold([gazette.publish("old", -9000), gazette.publish("new", -5), gazette.publish("read", -9000)])
    state.fold(gazette.read("read", i, reader=f"r{i}") for i in range(3))
    found = {item.article: item.reason for item in build_policy("popular")(gazette.request(10), state)}
    assert found == {"old": "on_this_site", "new": "new", "read": "popular_now"}
