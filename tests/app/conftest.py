"""A small installation in a folder, on a clock the test moves."""

from datetime import UTC, datetime, timedelta

import pytest

CONFIG = """
[sites.gazette]
name = "The Gazette"
languages = ["en"]

[sites.gazette.placements.article-bottom]
slots = 3

[experiments.first-light]
"""

QUESTION = """
question = "Should we recommend articles below each article?"
currency = "EUR"
horizon  = "24 months"

[unknowns]
interest = { range = "-40 % to 80 %", ask = "Do readers want recommendations?", kind = "reader" }

[quantities]
base = "50k EUR/month"

[scenarios.status_quo]
benefit = "0 EUR/month"
[scenarios.heuristic]
build   = "200k EUR"
run     = "500 EUR/month"
benefit = "base * interest"

[studies.ab_heuristic]
kind     = "experiment"
measures = "interest"
scenario = "heuristic"
metric   = "articles_per_visit"
se       = 0.005
cost     = "1k EUR"
"""


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self):
        self.now = datetime(2026, 3, 2, 8, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wait(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock():
    """A clock that stands still until moved."""
    return Hands()


@pytest.fixture
def folder(tmp_path):
    """A project's folder."""
    (tmp_path / "embellie.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "question.toml").write_text(QUESTION, encoding="utf-8")
    return tmp_path
