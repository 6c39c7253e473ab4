"""Texts: what articles are about, the same live and in replay, and good enough on real newspapers."""

import json
import random
import re
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from embellie.domain.article import Article
from embellie.recommend.texts import TERMS, Texts, terms_of

DATA = Path(__file__).parents[2].parent / "shared" / "data"
DATELINE = re.compile(r"^.{0,40}?–\s*")


def told(*articles):
    texts = Texts()
    for row, article in enumerate(articles):
        texts.publish(row, article, row)
    return texts


def about(title, **fields):
    return Article(**{"article": title, "title": title, "language": "en"} | fields)


def many(count, seed=1):
    """Articles of common and rare words."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices("bcdfghlmnprstv", k=6)) for _ in range(400)]
    weights = [1 / (1 + rank) for rank in range(400)]
    return [about(" ".join(chance.choices(vocabulary, weights, k=12)), article=f"a{i}") for i in range(count)]


def cosine(texts, row, other):
    return texts.alike(texts.query({row: 1.0}), len(texts))[other]


def test_a_vector_is_weighted_as_the_formula_says():
    """Below 32 articles every idf is 1, so the cosine is that of 1 + ln t: here of (1 + ln 2, 1 + ln 2) and (1 + ln 2)."""
    texts = told(about("mayor council"), about("mayor"), about("storm"))
    assert cosine(texts, 0, 1) == pytest.approx(1 / np.sqrt(2))
    assert cosine(texts, 0, 0) == pytest.approx(1.0)
    assert cosine(texts, 0, 2) == 0.0


def test_weights_change_only_when_a_weighing_is_due():
    """With the 32nd article terms are weighed: a word in every article then counts less than a rare one."""
    articles = [about(f"storm {word}") for word in ("mayor", "mayor", *(f"{chr(97 + i)}xyz" for i in range(29)))]
    texts = told(*articles)
    before = cosine(texts, 0, 2)
    assert before == pytest.approx(0.5)
    texts.publish(31, about("storm zzyx"), 31)
    after = cosine(texts, 0, 2)
    rare, common = np.log(33 / 2) + 1, np.log(33 / 33) + 1
    expected = common**2 / np.sqrt((common**2 + (np.log(33 / 3) + 1) ** 2) * (common**2 + rare**2))
    assert after == pytest.approx(expected)


def test_languages_are_no_neighbours():
    """The same words in another language are other words; an article without a language is told by its small words."""
    texts = told(
        about("Festival of Avignon"),
        about("Festival of Avignon", language="fr"),
        about("The festival of the town of Avignon", language=""),
    )
    assert cosine(texts, 0, 1) == 0.0
    assert cosine(texts, 0, 2) > 0.5


def test_accents_and_plurals_do_not_matter():
    """`Élections` finds `election`."""
    texts = told(about("Élections à Nîmes", language="fr"), about("election nimes", language="fr-CA"))
    assert cosine(texts, 0, 1) == pytest.approx(1.0)


def test_a_changed_text_takes_the_place_of_the_old():
    """The last version counts, and one told late changes nothing."""
    texts = told(about("storm coast"), about("storm coast"))
    texts.publish(0, about("budget vote"), 5)
    assert cosine(texts, 1, 0) == 0.0
    texts.publish(0, about("storm coast"), 4)
    assert cosine(texts, 1, 0) == 0.0
    fresh = told(about("budget vote"), about("storm coast"))
    assert cosine(texts, 0, 0) == cosine(fresh, 0, 0)


def test_folded_at_once_in_pieces_or_restored_it_is_the_same_to_the_bit():
    """Asked in between, stopped and restored: every cosine has the same bits, and goes on having them."""
    articles = many(300)
    whole, pieces = told(*articles), Texts()
    for row, article in enumerate(articles):
        pieces.publish(row, article, row)
        pieces.alike(pieces.query({row: 1.0, row // 2: 0.3}), row + 1)
        if row % 70 == 69:
            restored = Texts()
            restored.restore(pieces.snapshot())
            pieces = restored
    for row in range(0, 300, 7):
        query = {row: 1.0, row // 2: 0.5}
        assert np.array_equal(whole.alike(whole.query(query), 300), pieces.alike(pieces.query(query), 300))


def test_what_is_kept_of_an_article_is_bounded():
    """A text of a thousand words keeps 64 terms, the title's first."""
    long = about("mayor resigns", summary=" ".join(f"{chr(97 + i % 26)}{chr(97 + i // 26)}qu" for i in range(600)))
    assert len(terms_of(long)) == TERMS
    assert set(terms_of(about("mayor resigns"))) <= set(terms_of(long))


def test_likenesses_of_a_few_agree_with_single_ones():
    """`likeness` gives the same cosines as asking one by one; without a text, or unknown, nothing is alike."""
    texts = told(*many(60), about("", article="empty"))
    alike = texts.likeness(np.array([3, 9, 60, 999, 12]))
    expected = [cosine(texts, 3, other) for other in (3, 9)]
    assert alike(0) == pytest.approx([*expected, 0.0, 0.0, cosine(texts, 3, 12)])
    assert alike(2).tolist() == [0.0] * 5


def test_some_rows_are_as_alike_as_they_are_among_all():
    """`alike_to` gives what `alike` does, row by row, and the same bits whichever rows are asked with it."""
    texts = told(*many(60), about("", article="empty"))
    query, rows = texts.query({3: 1.0, 7: 0.5}), np.array([3, 9, 60, 999, 12, 7])
    found = texts.alike_to(query, rows)
    assert found == pytest.approx([*texts.alike(query, 61)[[3, 9, 60]], 0.0, *texts.alike(query, 61)[[12, 7]]])
    assert found[0] > 0.5
    assert found.tolist() == [float(texts.alike_to(query, rows[place : place + 1])[0]) for place in range(6)]
    assert texts.alike_to({}, rows).tolist() == [0.0] * 6


def rows_of(name):
    file = DATA / name / "articles.jsonl"
    if not file.is_file():
        pytest.skip(f"needs the `{name}` set in ../shared/data/{name} (not part of this repository)")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def lead_of(row):
    return DATELINE.sub("", row["text"], count=1)[:400] if row["lang"] == "fr" else row["text"][:400]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "reference"), [("wikinews_fr", 0.900), ("wikinews_en", 0.966)])
def test_a_title_finds_its_own_lead(name, reference):
    """Mean reciprocal rank over 200 real articles, ties counted against: as good as scikit-learn's TF-IDF."""
    rows = [row for row in rows_of(name) if len(DATELINE.sub("", row["text"], count=1)) > 400][:200]
    texts = told(*(Article(article=row["id"], summary=lead_of(row), language=row["lang"]) for row in rows))
    ranks = []
    for place, row in enumerate(rows):
        query = texts.query_text(Article(article="", title=row["title"], language=row["lang"]))
        found = texts.alike(query, len(rows))
        ranks.append(int((found >= found[place]).sum()))
    assert float(np.mean(1 / np.array(ranks))) >= reference


@pytest.mark.slow
def test_five_thousand_articles_are_compared_in_a_few_milliseconds():
    """Looking for the neighbours of one article among 5,000."""
    texts, took = told(*many(5000)), []
    for row in range(0, 5000, 50):
        began = perf_counter()
        texts.alike(texts.query({row: 1.0}), 5000)
        took.append(perf_counter() - began)
    assert float(np.median(took)) < 0.005
