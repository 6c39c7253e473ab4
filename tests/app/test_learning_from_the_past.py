"""What stopped experiments teach of effects, and how a running one is read in its light."""

import random
from dataclasses import replace
from datetime import timedelta

from embellie.app.newsroom import Newsroom
from embellie.domain.event import Event, fact_id
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Read
from embellie.domain.scorecard import Effect


def filled(newsroom, clock, name, *, lift, readers=150):
    """Put an experiment in the log whose second variant reads `lift` articles more; return it."""
    chance = random.Random(name)
    declared, *_ = newsroom.experiments("gazette")
    test = replace(declared, experiment=name, salt=name, started_at=clock() - timedelta(hours=5))
    events = [Event(id=fact_id(name), site="gazette", at=clock() - timedelta(hours=5), body=test)]
    for number in range(2 * readers):
        variant = ("status_quo", "heuristic")[number % 2]
        reader, start = f"{name}-{number}", clock() - timedelta(hours=4)
        body = Exposure(experiment=name, unit=reader, variant=variant)
        events.append(Event(id=fact_id(reader), site="gazette", at=start, body=body))
        for page in range(1 + chance.randrange(4) + (chance.random() < lift * (number % 2))):
            read = Read(article=f"a{page}", reader=reader, visit=f"v-{reader}", engaged_seconds=30.0)
            at = start + timedelta(minutes=page)
            events.append(Event(id=fact_id(reader, str(page)), site="gazette", at=at, body=read))
    newsroom._live.submit(events).result()
    return test


def shrunk_of(newsroom, name):
    return [
        row.shrunk
        for row in newsroom.scorecard(name).effects
        if isinstance(row, Effect) and row.metric == "articles_per_visit"
    ]


def test_an_effect_is_told_shrunk_once_eight_experiments_are_over(folder, clock):
    """Before, nothing is known of where effects lie; then, a large effect among small ones is taken for partly luck."""
    with Newsroom.open(folder, clock=clock) as newsroom:
        for number in range(8):
            test = filled(newsroom, clock, f"past-{number}", lift=0.1)
            if number == 7:
                assert newsroom.priors() == {}
            newsroom.stop("gazette", test.experiment, reason="Done.")
        filled(newsroom, clock, "now", lift=0.9)
        (shrunk,) = shrunk_of(newsroom, "now")
        (row,) = (one for one in newsroom.scorecard("now").effects if one.metric == "articles_per_visit")
        assert 0 < shrunk.effect < row.relative.effect
        assert shrunk.above_zero > 0.9
