"""Stories found fast are those of the plain definition, kept here: article by article, term by term, in dictionaries."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import pytest
from tests.recommend.test_texts import lead_of, rows_of

from embellie.domain.article import Article
from embellie.domain.moment import micros
from embellie.recommend.stories import ALIKE, DAYS, ENOUGH_TERMS, RECENT, Stories
from embellie.recommend.texts import terms_of

START = datetime(2026, 3, 2, tzinfo=UTC)


class Plain:
    """What `Stories` says of itself, written down without a thought for speed."""

    def __init__(self):
        self.story, self.began, self.recent, self.having = {}, [0], {}, {}

    def publish(self, row, article, at):
        terms, when = terms_of(article), micros(article.published_at)
        known = self.recent.get(row)
        if known is None and self.story.get(row):
            return
        if known is not None and (at < known[2] or known[:2] == (terms, when)):
            return
        if known is not None:
            self.drop(row)
        if len(terms) < ENOUGH_TERMS:
            self.story[row] = 0
            return
        twin = self.twin(terms, when)
        if twin is None:
            self.began.append(when)
        self.story[row] = len(self.began) - 1 if twin is None else self.story[twin]
        self.recent[row] = (terms, when, at)
        for term in terms:
            self.having.setdefault(term, set()).add(row)
        if len(self.recent) > RECENT:
            self.drop(next(iter(self.recent)))

    def drop(self, row):
        for term in self.recent.pop(row)[0]:
            self.having[term].discard(row)

    def twin(self, terms, when):
        weights, shared = self.weights(terms), {}
        rarest = sorted(terms, key=lambda term: (-weights[term] / (1.0 + math.log(terms[term])), term))[:24]
        for term in rarest:
            for row in self.having.get(term, ()):
                shared[row] = shared.get(row, 0.0) + weights[term]
        total = 0.0
        for term in rarest:
            total += weights[term]
        far = DAYS * 24 * 3_600_000_000
        near = [
            row
            for row, weight in shared.items()
            if weight >= 0.25 * total and abs(when - self.began[self.story[row]]) <= far
        ]
        best, most = None, ALIKE
        for row in sorted(sorted(near, key=lambda row: (-shared[row], row))[:10]):
            found = self.cosine(weights, self.weights(self.recent[row][0]))
            if found > most or (found == most and best is None):
                best, most = row, found
        return best

    def weights(self, terms):
        known = 100 + len(self.recent)
        return {
            term: (1.0 + math.log(times)) * math.log(known / (0.5 + len(self.having.get(term, ()))))
            for term, times in terms.items()
        }

    @staticmethod
    def cosine(one, other):
        product = math.fsum(weight * other[term] for term, weight in one.items() if term in other)
        return product / math.sqrt(math.fsum(w * w for w in one.values()) * math.fsum(w * w for w in other.values()))


def agree(articles):
    """Tell both the articles, some of them again with another text, and hold their stories together; how many there are."""
    chance = random.Random(3)
    fast, plain, moment = Stories(), Plain(), 0
    for row, article in enumerate(articles):
        told = [(row, article)]
        if chance.random() < 0.1:
            other = chance.randrange(max(0, row - 3000), row + 1)
            told.append((other, replace(articles[other], title=chance.choice(articles).title)))
        for place, one in told:
            moment += 1
            fast.publish(place, one, moment)
            plain.publish(place, one, moment)
            assert fast.of(place) == plain.story[place]
    assert [fast.of(row) for row in range(len(articles))] == [plain.story[row] for row in range(len(articles))]
    return len(plain.began) - 1


@pytest.mark.parametrize(
    ("words", "minutes"), [(60, 1), (600, 20), (600, 300)], ids=["alike", "a busy site", "a slow one"]
)
def test_generated_texts_tell_the_same_stories(words, minutes):
    """Of articles drawn from few or many words, published densely or not, and retold now and then: the very same stories."""
    chance = random.Random(words + minutes)
    vocabulary = ["".join(chance.choices("bcdfghlmnprstv", k=6)) for _ in range(words)]
    odds = [1 / (1 + rank) for rank in range(words)]
    articles = []
    for number in range(700):
        title = " ".join(chance.choices(vocabulary, odds, k=chance.randint(2, 12)))
        if articles and chance.random() < 0.2:
            title = f"{chance.choice(articles[-50:]).title} {chance.choice(vocabulary)}"
        at = START + timedelta(minutes=minutes * number)
        articles.append(Article(article=f"a{number}", title=title, language="en", published_at=at))
    assert 1 < agree(articles) < 700


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["wikinews_fr", "wikinews_en"])
def test_wikinews_tells_the_same_stories(name):
    """Of two archives, told often enough that the oldest are forgotten: the very same stories."""
    rows = rows_of(name)
    articles = [
        Article(
            article=f"a{number}", title=row["title"], summary=lead_of(row), language=row["lang"],
            published_at=START + timedelta(minutes=7 * number),
        )
        for number, row in enumerate(islice(cycle(rows), RECENT + 1000))
    ]  # fmt: skip
    assert agree(articles) > len(rows) // 2
