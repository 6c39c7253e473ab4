"""Widening: a state that remembers one thing more is the state that had remembered it from the beginning."""

from typing import ClassVar

import numpy as np

from embellie.recommend.features import feature_matrix
from embellie.recommend.signals import Silent
from embellie.recommend.state import State


class Counted(Silent):
    """Counts what it is told."""

    name: ClassVar[str] = "counted"

    def __init__(self):
        self.articles = self.opened = 0

    def publish(self, row, article, at):
        self.articles += 1

    def open(self, opened):
        self.opened += 1


def log(gazette):
    events = [gazette.publish(f"a{n}", n) for n in range(5)]
    return events + [gazette.read(f"a{n % 5}", 10 + n, reader=f"r{n % 3}", visit=f"v{n // 2}") for n in range(20)]


def test_a_widened_state_is_as_if_it_had_always_been_wide(gazette):
    """The signal has heard all; what was remembered before is the same to the last bit."""
    events = log(gazette)
    narrow = State().fold(events)
    wide = narrow.widened([Counted], events)
    signal = wide.site(gazette.site).signal(Counted)
    assert (signal.articles, signal.opened) == (5, 20)
    request = gazette.request(60, reader="r1")
    one, other = (feature_matrix(request, state.site(gazette.site), np.arange(5))[0] for state in (narrow, wide))
    assert np.array_equal(one, other)


def test_what_the_state_has_not_heard_yet_is_left_for_later(gazette):
    """Events that are in the log already, but come to the state by another way later, are not counted twice."""
    events = log(gazette)
    narrow = State().fold(events[:15])
    wide = narrow.widened([Counted], events)
    assert wide.site(gazette.site).heard == narrow.site(gazette.site).heard == 15
    wide.fold(events[15:])
    assert wide.site(gazette.site).signal(Counted).opened == 20


def test_an_article_told_again_says_nothing_new(gazette):
    """Another process's articles are heard twice by a server that follows the log: signals hear them once."""
    state = State(signals=[Counted])
    first = gazette.publish("a", 0, title="Old")
    second = gazette.publish("a", 5, title="New")
    state.fold([first, first, second, first, second])
    site = state.site(gazette.site)
    assert (site.signal(Counted).articles, site.heard) == (2, 2)
    assert site.article("a").title == "New"
