"""The dashboard: every page in both languages, its JSON twin, its forms, and what it says when something is missing."""

import asyncio
import importlib.util
import json
import re
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette

from embellie.measure.telling_reasons import REASONS_FR
from embellie.web import dashboard, money_pictures
from embellie.web.access import Caller
from embellie.web.dashboard import PAGES, path_of, ticks
from embellie.web.language import Words
from embellie.web.view import View

_spec = importlib.util.spec_from_file_location("newsroom_fake", Path(__file__).with_name("newsroom_fake.py"))
fake = importlib.util.module_from_spec(_spec)
sys.modules["newsroom_fake"] = fake
_spec.loader.exec_module(fake)

EVERY = [(name, language) for name in PAGES for language in ("en", "fr")]


class Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


class Site:
    """The dashboard on a fake newsroom, asked by someone with a role."""

    def __init__(self, newsroom, role="operator") -> None:
        self.newsroom = newsroom
        app = Starlette(routes=dashboard.routes())
        app.state.newsroom = newsroom

        async def door(scope, receive, send):
            scope.setdefault("state", {})["caller"] = Caller("ana", "session", role)
            await app(scope, receive, send)

        self.app = door

    def get(self, path: str, **options) -> httpx.Response:
        return self._ask("GET", path, **options)

    def post(self, path: str, **options) -> httpx.Response:
        return self._ask("POST", path, **options)

    def _ask(self, method: str, path: str, **options) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://news.example") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())


@pytest.fixture
def site():
    """A newsroom with everything."""
    return Site(fake.FakeNewsroom())


@pytest.fixture
def empty():
    """A newsroom with nothing: no question, article, experiment or event."""
    return Site(fake.FakeNewsroom(empty=True))


def figures_of(page: httpx.Response) -> dict:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page.text, re.DOTALL)
    return json.loads(found[1])


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_a_page_answers_in_both_languages(site, name, language):
    """Every page is whole, in the language asked, with one first heading and one main region."""
    answer = site.get(path_of(name), params={"lang": language})
    elements = Elements(answer.text)
    assert answer.status_code == 200
    assert elements.of("html")[0]["lang"] == language
    assert len(elements.of("h1")) == len(elements.of("main")) == 1


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_a_page_of_an_empty_newsroom_says_what_to_do(empty, name, language):
    """Nothing there yet is said with a remedy, never shown as a blank or a zero."""
    answer = empty.get(path_of(name), params={"lang": language})
    assert answer.status_code == 200
    figures = figures_of(answer)
    for figure in figures.values():
        assert figure.get("remedy") or figure["rows"]


@pytest.mark.parametrize("name", PAGES)
def test_a_twin_is_json_with_its_schema_and_no_odd_number(site, name):
    """The twin is strict JSON: a schema, no NaN, no infinity."""

    def refuse(word):
        raise AssertionError(word)

    answer = site.get(f"/{name}.json")
    document = json.loads(answer.text, parse_constant=refuse)
    assert document["schema"] == f"embellie/{name}-page/1"
    assert [step["step"] for step in document["strip"]] == list(PAGES)[1:]


def test_the_front_page_has_its_twin_at_the_root(site):
    """`/.json` is the front page's twin too."""
    assert site.get("/.json").json()["schema"] == "embellie/front-page/1"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_draws_from_what_its_twin_tells(site, name):
    """The figures embedded in a page are those of its twin."""
    assert figures_of(site.get(path_of(name))) == site.get(f"/{name}.json").json()["figures"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nothing_of_another_host(site, name):
    """No address of another host stands in any attribute a browser would fetch, and the policy forbids it."""
    answer = site.get(path_of(name))
    fetched = [
        attributes.get(key, "")
        for tag, attributes in Elements(answer.text).found
        for key in ("src", "href", "action", "srcset")
        if tag != "a"
    ]
    assert [address for address in fetched if "//" in address] == []
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_no_inline_script(site, name):
    """Scripts are files of ours; what stands inline is data; no attribute is a handler."""
    elements = Elements(site.get(path_of(name)).text)
    assert all(script.get("src") or script.get("type") == "application/json" for script in elements.of("script"))
    assert [
        key for _, attributes in elements.found for key in attributes if key.startswith("on") or key == "style"
    ] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_has_words_and_a_table(site, name):
    """A picture has a title, a sentence as its accessible name, and its figures in a table."""
    page = site.get(path_of(name))
    elements = Elements(page.text)
    figures = figures_of(page)
    pictures = [attributes for _, attributes in elements.found if attributes.get("role") == "img"]
    assert len(pictures) == len(elements.of("figure")) == len(figures)
    assert all(len(attributes["aria-label"]) > 20 for attributes in pictures)
    assert all(figure["title"] and figure["columns"] and figure["rows"] for figure in figures.values())
    assert all(len(row) == len(figure["columns"]) for figure in figures.values() for row in figure["rows"])


@pytest.mark.parametrize("name", PAGES)
def test_every_control_has_a_label(site, name):
    """Fields stand in a label, buttons have text, and ids are unique."""
    text = site.get(path_of(name)).text
    for field in re.finditer(r"<(select|input)\b[^>]*>", text):
        if 'type="hidden"' not in field[0]:
            before = text[: field.start()]
            assert before.rfind("<label") > before.rfind("</label")
    ids = [attributes["id"] for _, attributes in Elements(text).found if "id" in attributes]
    assert len(ids) == len(set(ids))


def with_rollout(site, **changes):
    """Change the rollout there is; without changes, take it away."""
    found = [fake.replace(site.newsroom.rollout_now, **changes)] if changes else []
    site.newsroom.rollouts = lambda _: found
    return site


def with_stable(site, **releases):
    """Make these the stable releases, by placement (`_` for `-`)."""
    stable = {name.replace("_", "-"): fake.RELEASES[place].release for name, place in releases.items()}
    site.newsroom.stable = lambda _: stable
    return site


def test_the_front_page_answers_first(site):
    """The verdict and its reason come before any figure."""
    text = with_rollout(site).get("/").text
    assert "Ship the heuristic." in text
    assert text.index("Ship the heuristic.") < text.index("<figure")
    assert "nothing left to learn would pay for itself" in text
    assert 'href="/release">Put it live, in steps' in text


@pytest.mark.parametrize(
    ("language", "headline"),
    [("en", "The heuristic is live: keep it."), ("fr", "La règle simple est en ligne\u202f: ne changez rien.")],
)
@pytest.mark.parametrize("path", ["/front", "/decide"])
def test_what_is_live_everywhere_is_not_asked_for_again(site, path, language, headline):
    """Once the release is stable on every placement, the pages say so, keep the reason, and point to what comes next."""
    with_stable(with_rollout(site), article_bottom=1, home_side=1)
    document = site.get(f"{path}.json", params={"lang": language}).json()
    answer = document["answer"]
    assert (answer["standing"], answer["headline"]) == ("live", headline)
    assert answer["because"]
    assert answer["onward"]["at"] == "next-title"
    assert document["strip"][4]["state"] == {"en": "done: it is live", "fr": "fait\u202f: en ligne"}[language]


def test_what_is_live_on_one_placement_is_asked_for_on_the_others(site):
    """Live here and not there: the headline names where it is not."""
    with_stable(with_rollout(site), article_bottom=1, home_side=0)
    assert site.get("/.json").json()["answer"]["headline"] == "Ship the heuristic to home-side too."


@pytest.mark.parametrize(
    ("state", "language", "headline"),
    [
        ("running", "en", "Shipping the heuristic: 25% of readers of home-side have it."),
        ("running", "fr", "Livraison en cours\u202f: 25\u202f% des lecteurs de home-side ont la règle simple."),
        ("held", "en", "Shipping the heuristic: paused, 25% of readers of home-side have it."),
    ],
)
def test_a_rollout_under_way_is_the_answer(site, state, language, headline):
    """While it is being shipped, the page says to how many, and links to where it can be taken back."""
    answer = with_rollout(site, state=state).get("/.json", params={"lang": language}).json()["answer"]
    assert answer["headline"] == headline
    assert answer["onward"]["page"] == "/release"


def test_a_rollout_of_something_else_does_not_answer(site):
    """Another release on its way leaves the verdict's request as it is."""
    with_rollout(site, canary=fake.RELEASES[2].release)
    assert site.get("/.json").json()["answer"]["headline"] == "Ship the heuristic."


@pytest.mark.parametrize(
    ("language", "headline", "because"),
    [
        ("en", "Learn more: the experiment is running, 12,631 readers so far.", "It began on 2 Mar, 09:30 UTC."),
        (
            "fr",
            "Apprenez encore\u202f: l’expérience est en cours, 12\u202f631 lecteurs à ce jour.",
            "Elle a commencé le 2 mars, 09:30 UTC.",
        ),
    ],
)
def test_an_experiment_already_running_is_not_asked_for_again(site, monkeypatch, language, headline, because):
    """When the study the verdict asks for runs, the page says since when, on how many readers, and what going on is worth."""
    site.newsroom.look = 6
    asked = fake.question()
    studies = asked.studies | {"ab_heuristic": fake.replace(asked.studies["ab_heuristic"], scenario="heuristic")}
    monkeypatch.setattr(site.newsroom, "question", lambda: fake.replace(asked, studies=studies))
    document = site.get("/.json", params={"lang": language}).json()
    assert document["answer"]["headline"] == headline
    assert document["answer"]["because"].startswith(because)
    assert document["answer"]["onward"]["page"] == "/measure"
    assert document["strip"][4]["state"] == {"en": "learning", "fr": "on apprend"}[language]


def test_an_experiment_without_a_reader_sends_one_to_the_tag(site, monkeypatch):
    """A fresh installation runs its experiment on nobody: the page says so and links to the tag to paste."""
    site.newsroom.look = 6
    asked, card = fake.question(), fake.scorecard_at(0)
    studies = asked.studies | {"ab_heuristic": fake.replace(asked.studies["ab_heuristic"], scenario="heuristic")}
    monkeypatch.setattr(site.newsroom, "question", lambda: fake.replace(asked, studies=studies))
    nobody = fake.replace(card, units=dict.fromkeys(card.units, 0))
    monkeypatch.setattr(site.newsroom, "scorecard", lambda _: nobody)
    page = site.get("/")
    assert "Learn more: the experiment waits for its first reader." in page.text
    assert 'href="/serve#tag-title"' in page.text
    assert 'id="tag-title"' in site.get("/serve").text
    assert site.get("/measure.json").json()["absent"] == []


def test_an_experiment_on_something_else_is_not_the_one_asked_for(site):
    """The study asked for names another scenario: the page asks for it."""
    site.newsroom.look = 6
    assert site.get("/.json").json()["answer"]["headline"] == "Learn more before you choose."


def test_the_answer_changes_with_what_is_known(site):
    """Earlier, with less evidence, the same page says to learn more, and what that is worth."""
    site.newsroom.look = 6
    document = site.get("/.json").json()
    assert document["answer"]["action"] == "learn_more"
    assert "€" in document["next"]["headline"]


def test_simulated_traffic_is_labelled_and_real_traffic_is_not(site):
    """Every page of a simulated newsroom says so; a real one carries no such banner."""
    assert all("Simulated traffic" in site.get(path_of(name)).text for name in PAGES)
    assert "Simulated traffic" not in Site(fake.FakeNewsroom(simulated=False)).get("/").text


def test_the_language_is_remembered(site):
    """Choosing a language sets a cookie; the cookie chooses it afterwards; the choice in the address wins."""
    chosen = site.get("/", params={"lang": "fr"})
    assert "embellie_language=fr" in chosen.headers["set-cookie"]
    kept = {"cookie": "embellie_language=fr"}
    assert Elements(site.get("/", headers=kept).text).of("html")[0]["lang"] == "fr"
    assert Elements(site.get("/?lang=en", headers=kept).text).of("html")[0]["lang"] == "en"


def test_the_configured_language_is_the_default():
    """Without a choice, the installation's language is spoken."""
    assert Elements(Site(fake.FakeNewsroom(language="fr")).get("/").text).of("html")[0]["lang"] == "fr"


def test_an_unknown_site_is_refused_with_the_known_ones(site):
    """A wrong site is a page that says which there are, and an error in the twin."""
    page, twin = site.get("/?site=gazete"), site.get("/.json?site=gazete")
    assert page.status_code == twin.status_code == 404
    assert "gazette" in page.text
    assert twin.json()["error"]["code"] == "unknown_site"


def test_what_others_wrote_is_escaped(site, monkeypatch):
    """A title, a payload or a reader id never becomes markup, in the page or in its embedded data."""
    evil = "</script><img src=x onerror=alert(1)>"
    monkeypatch.setattr(fake, "ARTICLES", (fake.Article(article="a00", title=evil, section=evil), *fake.ARTICLES[1:]))
    text = site.get("/recommend", params={"reader": evil}).text
    assert "<img" not in text
    assert text.count("</script>") == 4


def test_a_question_is_shown_as_its_slates(site):
    """The page of step 2 shows one slate per scenario, the status quo showing nothing."""
    slates = site.get("/recommend.json", params={"article": "a03", "reader": "r1"}).json()["slates"]
    assert [(slate["scenario"], len(slate["items"])) for slate in slates] == [
        ("status_quo", 0),
        ("heuristic", 4),
        ("ml", 4),
    ]
    assert all(item["article"] != "a03" and item["reason"] for slate in slates for item in slate["items"])


def test_the_ledger_is_told_out_of_balance(site, monkeypatch):
    """When what was received is not what became of it, the page says so."""
    row = SimpleNamespace(site="gazette", received=10, accepted=8, duplicates=1, quarantined=0)
    monkeypatch.setattr(site.newsroom, "ledger", lambda: [row])
    assert site.get("/serve.json").json()["ledger"]["balanced"] is False


def test_a_bad_split_is_told_before_the_results_are_believed(site, monkeypatch):
    """A sample-ratio alarm is said in words on the page of step 4."""
    card = fake.scorecard_at(20)
    alarmed = fake.replace(card, srm=fake.SampleRatio(p_value=1e-9, log_e=14.0, alarm=True))
    monkeypatch.setattr(site.newsroom, "scorecard", lambda _: alarmed)
    assert "Trust none of these results" in site.get("/measure").text


def test_a_metric_that_cannot_be_computed_is_said_once(site):
    """Its reason stands under its own heading, not among the sentences of those that were computed."""
    document = site.get("/measure.json").json()
    assert len(document["sentences"]) == 4
    assert [gap["metrics"] for gap in document["absent"]] == ["subscriptions"]
    assert site.get("/measure").text.count("No conversion was received.") == 1


def test_reasons_with_a_code_speak_the_language_of_the_page(site, monkeypatch):
    """What a step could not compute is said in French on a French page, once for all metrics that share the reason."""
    card = fake.scorecard_at(20)

    def gap(metric, code, **values):
        because = fake.Unavailable("English.", "Wait.", code=code, values=values)
        return fake.UnavailableEffect(metric=metric, variant="heuristic", because=because)

    effects = (
        gap("click_through", "no_denominator", variant="status_quo", counted="impressions"),
        gap("reads_per_reader", "few_units", variant="heuristic"),
        gap("articles_per_visit", "few_units", variant="heuristic"),
    )
    srm = fake.Unavailable("English.", "Wait.", code="nobody_exposed")
    monkeypatch.setattr(site.newsroom, "scorecard", lambda _: fake.replace(card, effects=effects, srm=srm))
    document = site.get("/measure.json", params={"lang": "fr"}).json()
    assert "English" not in json.dumps([document["absent"], document["ratio"]])
    assert document["absent"][0]["unavailable"].startswith("Avec le statu quo, le compte de «\u202fimpressions\u202f»")
    assert document["absent"][1]["metrics"] == "lectures par lecteur et articles par visite"


def test_every_code_of_a_gap_is_in_the_catalogue():
    """Each reason the measuring step gives a code can be said on the pages, in French too."""
    view = View(fake.FakeNewsroom(), "gazette", Words("fr"), {})
    said = [
        view.said(fake.Unavailable("English.", "English.", code=code, values=dict.fromkeys(named, "x")))
        for code, texts in REASONS_FR.items()
        for named in [{*re.findall(r"{(\w+)}", " ".join(texts)), "variant", "counted", "metric"}]
    ]
    assert [gap for gap in said if "English." in (gap.reason, gap.remedy)] == []


def test_the_sides_of_a_rollout_are_named_by_what_they_carry_out(site, monkeypatch):
    """`canary` and `stable` are said as the scenarios behind them; as themselves when rollouts differ."""
    monkeypatch.setattr(site.newsroom, "served_shares", lambda _: {"stable": 60, "canary": 40})
    rows = site.get("/serve.json").json()["figures"]["served"]["rows"]
    assert [row[0] for row in rows] == ["Status quo, in a rollout", "Heuristic, in a rollout"]
    here = site.newsroom.rollout_now
    other = fake.replace(here, rollout="b", canary=fake.RELEASES[2].release)
    site.newsroom.rollouts = lambda _: [here, other]
    rows = site.get("/serve.json").json()["figures"]["served"]["rows"]
    assert [row[0] for row in rows] == ["Status quo, in a rollout", "Canary, in a rollout"]


def test_usual_sections_and_units_are_said_in_the_language_of_the_page(site, monkeypatch):
    """`society` is `Société` in French, and `EUR/visit` is per `visite`; a section of a newspaper's own keeps its name."""
    articles = (fake.replace(fake.ARTICLES[0], section="society"), fake.replace(fake.ARTICLES[1], section="Vu d’ici"))
    monkeypatch.setattr(site.newsroom, "popular_now", lambda *_: [(articles[0], 9.0), (articles[1], 4.0)])
    rows = site.get("/recommend.json", params={"lang": "fr"}).json()["figures"]["popular"]["rows"]
    assert [row[1] for row in rows] == ["Société", "Vu d’ici"]
    ranges = site.get("/frame.json", params={"lang": "fr"}).json()["figures"]["ranges"]["rows"]
    assert any(row[1].endswith("EUR/article") for row in ranges)
    assert any(row[1].endswith("article/visite") for row in ranges)


def test_the_verbs_reach_the_newsroom_with_who_and_why(site):
    """A button of the page of step 6 acts, then shows the page again."""
    answer = site.post(
        "/release/change",
        data={"site": "gazette", "rollout": "home-side-1", "verb": "rollback", "reason": "Clicks fell."},
    )
    assert answer.status_code == 303
    assert site.newsroom.done == [("rollback", "home-side-1", "ana", "Clicks fell.")]


def test_a_gate_speaks_the_language_of_the_page_and_a_person_their_own(site):
    """What a gate said has a code and figures, said in French on a French page; what a person wrote stays as written."""
    figures = {"low": -0.007, "high": 0.171, "readers": 1769, "margin": 0.02}
    said = with_rollout(site, by="gate", reason="No harm.", reason_code="no_harm", reason_figures=figures)
    rollout = said.get("/release.json", params={"lang": "fr"}).json()["rollouts"][0]
    assert rollout["by"] == "contrôle automatique"
    assert rollout["reason"].replace("\u202f", " ") == (
        "Aucun dommage de plus de 2,0 % : effet entre −0,7 % et +17,1 % sur 1 769 lecteurs."
    )
    written = with_rollout(site, reason="Ana said so.").get("/release.json", params={"lang": "fr"}).json()
    assert (written["rollouts"][0]["reason"], written["rollouts"][0]["by"]) == ("Ana said so.", "ana")


def test_a_rollout_starts_from_the_page(site):
    """The form starts a release on a placement."""
    data = {"site": "gazette", "placement": "article-bottom", "release": "affinity-1"}
    assert site.post("/release/start", data=data).status_code == 303
    assert site.newsroom.done == [("start", "article-bottom", "affinity-1", "ana")]


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/release/start", {"site": "gazette", "placement": "home-side", "release": "x"}, 409),
        ("/release/change", {"site": "gazette", "rollout": "home-side-1", "verb": "close"}, 404),
        ("/release/change", {"site": "gazette", "rollout": "other", "verb": "hold"}, 404),
        ("/release/change", {"site": "herald", "rollout": "home-side-1", "verb": "hold"}, 404),
        ("/release/change", {"site": "gazette", "reason": "x" * 20_000}, 422),
        ("/release/change", {}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(site, path, data, status):
    """A conflict, a wrong verb, a wrong name or a flood: a page with the reason, and nothing done."""
    answer = site.post(path, data=data)
    assert answer.status_code == status
    assert Elements(answer.text).of("h1")
    assert site.newsroom.done == []


def test_a_viewer_sees_no_button_and_may_press_none():
    """Without the role `operator` the page has no form to change anything, and the address refuses."""
    site = Site(fake.FakeNewsroom(), role="viewer")
    assert 'method="post"' not in site.get("/release").text
    answer = site.post("/release/change", data={"site": "gazette", "rollout": "home-side-1", "verb": "hold"})
    assert answer.status_code == 403
    assert site.newsroom.done == []


@pytest.mark.parametrize(
    "name", ["dashboard.css", "dashboard.js", "icon.svg", "vendor/d3.min.js", "vendor/plot.umd.min.js"]
)
def test_the_files_a_page_needs_are_served(site, name):
    """Style, script and libraries come from the package."""
    assert site.get(f"/static/{name}").status_code == 200


def test_every_vendored_file_has_its_licence():
    """Each library and font stands beside its licence."""
    vendor = Path(dashboard.__file__).parent / "static" / "vendor"
    licences = {path.name.removesuffix(".LICENSE") for path in vendor.glob("*.LICENSE")}
    files = [path.name for path in vendor.iterdir() if path.suffix in {".js", ".woff2"}]
    assert [name for name in files if not any(name.startswith(known) for known in licences)] == []


def test_a_cost_written_in_its_place_asks_its_question_in_both_languages(site):
    """An unknown that a scenario's cost gave rise to is asked about in the page's language, whatever its own words."""
    unknown = fake.replace(fake.verdict_at(3).unknowns[0], name="heuristic.build", ask="What does building `it` cost?")
    for language, asked in (
        ("en", "What does building the heuristic cost?"),
        ("fr", "Que coûte la règle simple à construire"),
    ):
        view = View(site.newsroom, "gazette", Words(language), {})
        assert money_pictures.ask_of(view, unknown).startswith(asked)


def test_no_burn_down_is_drawn_before_anything_was_learned(site, monkeypatch):
    """A price of not knowing that never moved is said, with what to do, rather than drawn."""
    history = [(fake.START, fake.verdict_at(0)), (fake.NOW, fake.verdict_at(0))]
    monkeypatch.setattr(site.newsroom, "verdict_history", lambda: history)
    assert site.get("/.json").json()["figures"]["burndown"]["remedy"]
    same = tuple(fake.replace(each, posterior=each.prior) for each in fake.verdict_at(0).unknowns)
    drawn_anew = fake.replace(fake.verdict_at(1), unknowns=same)
    monkeypatch.setattr(site.newsroom, "verdict_history", lambda: [history[0], (fake.NOW, drawn_anew)])
    assert site.get("/.json").json()["figures"]["burndown"]["remedy"]


def test_an_amount_that_is_nothing_beside_the_stake_is_said_to_be_small(site):
    """Six cents beside hundreds of thousands are `under €100`; a true zero stays a zero."""
    view = View(site.newsroom, "gazette", Words("en"), {})
    assert money_pictures.worth_text(view, fake.verdict_at(3), 0.06) == "under €100"
    assert money_pictures.worth_text(view, fake.verdict_at(3), 0.0) == "€0"
    assert money_pictures.worth_at_most(view, fake.verdict_at(3), 0.06) == "under €100"
    assert money_pictures.worth_at_most(view, fake.verdict_at(3), 8_400) == "at most €8,400"


@pytest.mark.parametrize(("language", "wrong"), [("en", "at most under"), ("fr", "au plus moins")])
def test_a_small_worth_is_said_once(site, monkeypatch, language, wrong):
    """A worth under a threshold is never also `at most`, and the front page and the page of step 5 say the same."""
    verdict = fake.verdict_at(23)
    small = tuple(fake.replace(each, evppi=fake.Figure(value=7.64, error=1), open=True) for each in verdict.unknowns)
    monkeypatch.setattr(site.newsroom, "verdict", lambda: fake.replace(verdict, unknowns=small))
    front, decide, frame = (site.get(path, params={"lang": language}).text for path in ("/", "/decide", "/frame"))
    assert wrong not in front + decide + frame
    assert not re.search(r"€7\.64|7,64\s€", front + decide)
    said = {"en": "worth under €100", "fr": "vaut moins de 100\u202f€"}[language]
    assert said in front
    assert said in decide


class Stream:
    """What `ticks` asks of a request."""

    def __init__(self, newsroom, *, gone=False, stopping=False) -> None:
        flag = threading.Event()
        if stopping:
            flag.set()
        self.app = SimpleNamespace(state=SimpleNamespace(newsroom=newsroom, stopping=flag))
        self.gone = gone

    async def is_disconnected(self) -> bool:
        return self.gone


def heard(stream: Stream, *, turns: int = 6, each=lambda: None) -> list[str]:
    async def listen() -> list[str]:
        found = []
        async for tick in ticks(stream, every=0.01, lasting=0.01 * turns):
            found.append(tick)
            each()
        return found

    return asyncio.run(listen())


def test_a_tick_is_told_once_per_change():
    """Nothing new, nothing said; a new event, one tick."""
    newsroom = fake.FakeNewsroom()

    def more():
        newsroom.look = min(newsroom.look + 1, fake.LOOKS + 1)

    assert len(heard(Stream(newsroom))) == 2
    assert len(heard(Stream(newsroom), each=more)) == 3


@pytest.mark.parametrize("why", ["gone", "stopping"])
def test_the_stream_ends_when_nobody_listens_or_the_server_stops(why):
    """A stream never outlives its reader or its server."""
    assert len(heard(Stream(fake.FakeNewsroom(), **{why: True}), turns=100_000)) == 1


@pytest.mark.parametrize("name", PAGES)
def test_a_real_newsroom_fills_every_page(call, tokens, name):
    """With a real newsroom behind the real door, each page answers a viewer, in strict JSON and in HTML."""
    twin = call("GET", f"/{name}.json", token=tokens["viewer"])
    page = call("GET", path_of(name), token=tokens["viewer"])
    assert (twin.status_code, page.status_code) == (200, 200)
    assert twin.json()["site"] == "gazette"


def test_the_door_stands_before_the_dashboard(call, tokens):
    """A stranger is shown the way in; a viewer may look, and change nothing."""
    assert call("GET", "/", headers={"accept": "text/html"}).status_code == 303
    data = {"site": "gazette", "rollout": "x", "verb": "hold"}
    assert call("POST", "/release/change", data=data, token=tokens["viewer"]).status_code == 403
    assert call("POST", "/release/change", data=data, token=tokens["operator"]).status_code == 404
