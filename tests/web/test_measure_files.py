"""What can be fetched of an experiment: its scorecard, its history, its rows as files."""

import pytest


def test_the_history_of_a_metric_is_served(call, tokens):
    """`embellie/scorecard-series/1`, of the primary metric when none is named; an unknown one is refused with the known."""
    path = "/v1/experiments/first-light/series"
    document = call("GET", path, token=tokens["viewer"]).json()
    assert (document["schema"], document["metric"]) == ("embellie/scorecard-series/1", "articles_per_visit")
    assert document["points"][-1]["units"] == {"status_quo": 0, "heuristic": 0}
    named = call("GET", path, token=tokens["viewer"], params={"metric": "click_through"}).json()
    assert named["metric"] == "click_through"
    wrong = call("GET", path, token=tokens["viewer"], params={"metric": "click_thru"})
    assert (wrong.status_code, wrong.json()["error"]["at"]) == (404, "?metric")


@pytest.mark.parametrize(("kind", "begins"), [("csv", b"experiment,dimension,"), ("parquet", b"PAR1")])
def test_the_rows_are_served_as_a_file(call, tokens, kind, begins):
    """A download named after the experiment, for viewers; nobody else."""
    path = f"/v1/experiments/first-light.{kind}"
    answer = call("GET", path, token=tokens["viewer"])
    assert answer.status_code == 200
    assert answer.content.startswith(begins)
    assert answer.headers["content-disposition"] == f'attachment; filename="first-light.{kind}"'
    assert call("GET", path).status_code == 401
    assert call("GET", f"/v1/experiments/no-such.{kind}", token=tokens["viewer"]).status_code == 404


def test_the_scorecard_is_still_at_its_address(call, tokens):
    """The document's address is not taken by the files'."""
    assert call("GET", "/v1/experiments/first-light", token=tokens["viewer"]).json()["schema"] == "embellie/scorecard/1"
