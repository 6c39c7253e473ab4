"""The question stands as it is written; the log remembers what was written before."""

from embellie.app.asking import ask
from embellie.app.newsroom import Newsroom


def edit(folder, before, after):
    file = folder / "question.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def test_the_log_takes_in_the_question_whenever_it_changes(folder, clock):
    """When the project is opened, and when the question is read; the same text once."""
    with Newsroom.open(folder, clock=clock) as newsroom:
        newsroom.question()
        clock.wait(hours=1)
        edit(folder, "-40 % to 80 %", "-10 % to 20 %")
        newsroom.question()
        newsroom.question()
        edit(folder, "-10 % to 20 %", "-40 % to 80 %")
        newsroom.question()
    with Newsroom.open(folder, clock=clock) as newsroom:
        texts = [filed.text for _, filed in newsroom.question_history()]
    assert ["-10 %" in text for text in texts] == [False, True, False]


def test_a_question_that_cannot_be_read_is_not_filed(folder, clock):
    """Nobody believes in a slip of the pen."""
    edit(folder, "-40 % to 80 %", "80 % to -40 %")
    with Newsroom.open(folder, clock=clock) as newsroom:
        assert newsroom.question_history() == []


def test_what_a_rollout_has_released_is_built(folder, clock):
    """Also when it was rolled back since: what building it cost is spent."""
    with Newsroom.open(folder, clock=clock) as newsroom:
        assert not newsroom.question().scenarios["heuristic"].built
        release = newsroom.build("gazette", "affinity", {})
        assert not newsroom.question().scenarios["heuristic"].built
        rollout = newsroom.start("gazette", "article-bottom", release.release)
        assert newsroom.question().scenarios["heuristic"].built
        assert not newsroom.question().scenarios["status_quo"].built
        newsroom.rollback("gazette", rollout.rollout)
        assert newsroom.question().scenarios["heuristic"].built
    assert ask(folder, None)[0].scenarios["heuristic"].built


def test_another_release_builds_nothing_of_the_scenario(folder, clock):
    """The policy and its settings are meant."""
    with Newsroom.open(folder, clock=clock) as newsroom:
        release = newsroom.build("gazette", "latest", {})
        newsroom.start("gazette", "article-bottom", release.release)
        assert not newsroom.question().scenarios["heuristic"].built
