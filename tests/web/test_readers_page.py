"""The page for readers: anyone may read it, in two languages, and it says what decides now."""

import re

import pytest

from embellie.recommend.built_in import POLICIES
from embellie.web.readers_page import GROUNDS, live_policies


def test_every_policy_says_what_it_goes_by():
    """In English and in French: a reader is never shown a bare name of ours."""
    assert set(POLICIES) <= set(GROUNDS)
    assert all(english and french and english != french for english, french in GROUNDS.values())


def test_it_tells_the_policies_that_readers_may_meet(call, newsroom):
    """Those of the stable releases and of the running experiment; without any key."""
    answer = call("GET", "/readers?site=gazette")
    assert answer.status_code == 200
    for policy in live_policies(newsroom, "gazette"):
        assert GROUNDS[policy][0] in answer.text
    assert set(live_policies(newsroom, "gazette")) == {"status_quo", "latest"}
    assert GROUNDS["ranker"][0] not in answer.text
    assert "decided by chance" in answer.text


@pytest.mark.parametrize(
    ("asked", "header", "language"),
    [("&lang=fr", "", "fr"), ("", "fr-FR,fr;q=0.9", "fr"), ("", "de", "en"), ("&lang=en", "fr", "en")],
)
def test_it_speaks_the_readers_language(call, asked, header, language):
    """As asked for, else as the browser says; and links to the other one."""
    answer = call("GET", f"/readers?site=gazette{asked}", headers={"accept-language": header})
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["content-language"] == language
    other = {"en": "fr", "fr": "en"}[language]
    assert f"lang={other}" in answer.text


def test_it_runs_no_script_and_loads_nothing(call):
    """A policy that allows its one style by its sum, and nothing else."""
    answer = call("GET", "/readers?site=gazette")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"<script|<img|<link|\son\w+=|style=", answer.text)


def test_an_unknown_site_is_told(call):
    """With those that exist."""
    assert call("GET", "/readers?site=none-such").status_code == 404


def test_it_says_for_how_long_names_are_kept(project, open_newsroom):
    """As configured; for good where nothing is."""
    from embellie.web.readers_page import _page

    with (project / "embellie.toml").open("a") as file:
        file.write('\n[retention]\nprofiling = "13 months"\n')
    newsroom = open_newsroom()
    assert "with profiling, 13 months" in _page(newsroom, "gazette", "en")
    assert "avec le profilage, 13 mois" in _page(newsroom, "gazette", "fr")
    assert "as long as the newspaper" in _page(newsroom, "gazette", "en")
