"""The programme: what past experiments teach, from files, from the log, and from real experiments."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.programme import (
    PastEffect,
    programme,
    programme_document,
    programme_from_file,
    programme_from_log,
    programme_picture,
    programme_sentences,
)
from embellie.cli.main import cli
from embellie.domain.errors import TableError
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.metric import Metric
from embellie.domain.rollout import Rollout
from embellie.domain.unavailable import Unavailable
from embellie.frame.priors import read_prior

ASOS = Path(__file__).parents[3] / "shared" / "data" / "asos" / "asos_digital_experiments_dataset.parquet"


def effects(many=40, *, shipped=None, seed=3):
    rng = np.random.default_rng(seed)
    truth = 0.01 * rng.standard_t(4, many)
    found = truth + 0.005 * rng.standard_normal(many)
    return [
        PastEffect(
            name=f"e{place}", estimate=float(x), se=0.005, shipped=None if shipped is None else bool(x > shipped)
        )
        for place, x in enumerate(found)
    ]


def test_what_was_shipped_is_less_than_it_promised():
    """The sum of the shipped shrinks; its range is that of the beliefs; each row keeps its raw estimate."""
    found = programme("reads", effects(shipped=0.01))
    document = programme_document(found)
    shipped = document["shipped"]
    assert shipped["count"] == sum(each["shipped"] for each in document["effects"])
    assert 0 < shipped["shrunk"]["effect"] < shipped["raw"]
    assert shipped["shrunk"]["low"] < shipped["shrunk"]["effect"] < shipped["shrunk"]["high"]
    assert shipped["raw"] == pytest.approx(sum(each["estimate"] for each in document["effects"] if each["shipped"]))
    assert not shipped["assumed"]


def test_the_learnt_prior_can_be_written_in_a_question():
    """Its range is read back as the same distribution."""
    found = programme("reads", effects())
    read = read_prior(found.prior.text, currency="EUR").distribution
    assert read.family == "t"
    assert read.parameters == pytest.approx((found.prior.df, found.prior.location, found.prior.scale), rel=1e-2)


def test_too_few_experiments_teach_nothing_and_say_how_many_more():
    """Seven: no prior, no shrunk figure, the number that is missing; in both languages."""
    found = programme("reads", effects(7))
    assert isinstance(found.prior, Unavailable)
    assert "After 1 more experiment" in programme_sentences(found)[0]
    assert "7 effets passés" in programme_sentences(found, "fr")[0]
    document = programme_document(found)
    assert "unavailable" in document["prior"]
    assert "shipped" not in document
    assert programme_picture(found) == []


def test_sentences_say_the_prior_the_sum_and_that_evidence_stays_raw():
    """In both languages, without a sign left unfilled."""
    found = programme("articles_per_visit", effects())
    for language, words in (
        ("en", ("As a range", "promised", "stays as measured")),
        ("fr", ("fourchette", "promettaient")),
    ):
        told = " ".join(programme_sentences(found, language))
        assert all(word in told for word in words)
        assert "{" not in told
    assert len(programme_picture(found)) == 21


def test_the_same_from_csv_and_json_lines(tmp_path):
    """Columns or lines; `shipped` as yes or no; names are numbers when they are missing."""
    given = effects(12, shipped=0.005)
    csv, lines = tmp_path / "past.csv", tmp_path / "past.jsonl"
    csv.write_text(
        "name,estimate,se,shipped\n"
        + "".join(f"{e.name},{e.estimate!r},{e.se!r},{'yes' if e.shipped else 'no'}\n" for e in given)
    )
    lines.write_text(
        "\n".join(json.dumps({"name": e.name, "estimate": e.estimate, "se": e.se, "shipped": e.shipped}) for e in given)
    )
    one, other = programme_from_file(str(csv)), programme_from_file(str(lines))
    assert one.effects == other.effects == tuple(given)
    assert programme_document(one) == programme_document(other)
    lines.write_text('{"estimate": 0.1, "se": 0.2}\n')
    assert programme_from_file(str(lines)).effects[0].name == "1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("estimate\n0.1\n", "`se`"),
        ("estimate,se\n0.1,0\n", "row 1 is out of range"),
        ("estimate,se\n0.1,much\n", "row 1"),
        ("estimate,se,shipped\n0.1,0.1,perhaps\n", "`shipped` of row 1 is `perhaps`"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path, text, words):
    """Column and row are named."""
    path = tmp_path / "past.csv"
    path.write_text(text)
    with pytest.raises(TableError) as raised:
        programme_from_file(str(path))
    assert words in f"{raised.value}"


def test_a_wrong_line_is_told_where_it_is(tmp_path):
    """JSON lines: the line, and what to write."""
    path = tmp_path / "past.jsonl"
    path.write_text('{"estimate": 0.1, "se": 0.2}\n{"estimate": 0.1}\n')
    with pytest.raises(TableError) as raised:
        programme_from_file(str(path))
    assert raised.value.at == "past.jsonl:2"


def test_the_command_prints_words_and_a_document(tmp_path):
    """Text with a picture; `--json` the document alone."""
    path = tmp_path / "past.jsonl"
    path.write_text("\n".join(json.dumps({"estimate": e.estimate, "se": e.se}) for e in effects(10)))
    told = CliRunner().invoke(cli, ["measure", "programme", str(path), "--lang", "fr"])
    assert told.exit_code == 0, told.output
    assert "fourchette" in told.output
    document = json.loads(CliRunner().invoke(cli, ["measure", "programme", str(path), "--json"]).output)
    assert document["schema"] == "embellie/programme/1"
    assert document["prior"]["df"] == 4.0
    assert document["prior"]["tails_learnt"] is False


START = datetime(2026, 3, 2, tzinfo=UTC)


def stopped(number, *, state="stopped"):
    return Experiment(
        experiment=f"e{number}", placement="article-bottom", control="a", salt="s", state=state, started_at=START,
        stopped_at=datetime(2026, 4, 2, tzinfo=UTC), variants=(
            Variant(name="a", weight=1, scenario="a", release="r0"),
            Variant(name="b", weight=1, scenario="b", release=f"r{number}"),
        ),
    )  # fmt: skip


def test_the_log_gives_stopped_experiments_and_what_was_completed(monkeypatch):
    """Running ones are left alone, a missing effect is counted, a completed rollout's release was shipped."""
    asked = []

    def found(card, **_):
        from embellie.domain.evidence import Evidence

        if card == "e3":
            return Unavailable("Nobody.", "Wait.")
        return Evidence(measures="m", estimate=0.001 * int(card[1:]), se=0.002)

    def card(_reader, experiment, *_, **more):
        asked.append((experiment.experiment, more["site"]))
        return experiment.experiment

    monkeypatch.setattr("embellie.app.programme.scorecard", card)
    monkeypatch.setattr("embellie.app.programme.evidence_from", found)
    rollout = Rollout(
        rollout="x", placement="article-bottom", stable="r0", canary="r5", steps=(1.0,), state="completed"
    )
    tests = [*(stopped(number) for number in range(1, 11)), stopped(99, state="running")]
    result = programme_from_log(
        None, {"gazette": tests}, Metric(metric="m", numerator="reads"), read_seconds=10, rollouts=[rollout]
    )
    assert asked == [(f"e{number}", "gazette") for number in range(1, 11)]
    assert result.left_out == 1
    assert [each.past.name for each in result.shipped] == ["e5"]


@pytest.mark.real_data
@pytest.mark.skipif(
    not ASOS.exists(), reason="needs the `asos` set in ../shared/data/asos (not part of this repository)"
)
@pytest.mark.parametrize(
    ("metric", "many", "half", "won"),
    [(1, 99, 0.0015, 16), (2, 94, 0.0023, 12), (3, 94, 0.0024, 12), (4, 94, 0.0026, 16)],
)
def test_the_prior_that_real_experiments_teach(metric, many, half, won):
    """Last readings of an online shop's treatments: half of all effects below a quarter of a per cent, tails as fat as allowed.

    And the sum of the winners' effects falls by 5 to 15 % once they are shrunk.
    """
    rows = duckdb.sql(
        f"""SELECT arg_max((count_c, count_t, mean_c, mean_t, variance_c, variance_t), time_since_start)
        FROM '{ASOS}' WHERE metric_id = {metric} AND variance_c IS NOT NULL AND variance_t IS NOT NULL
        AND count_c > 0 AND count_t > 0 AND mean_c > 0 GROUP BY experiment_id, variant_id ORDER BY experiment_id, variant_id"""
    ).fetchall()
    past = []
    for number, (row,) in enumerate(rows):
        n_c, n_t, mean_c, mean_t, variance_c, variance_t = row.values() if isinstance(row, dict) else row
        lift = mean_t / mean_c - 1
        se = math.sqrt(variance_t / n_t + (1 + lift) ** 2 * variance_c / n_c) / mean_c
        past.append(PastEffect(name=str(number), estimate=lift, se=se))
    assert len(past) == many
    found = programme(f"metric_{metric}", past)
    assert found.prior.half == pytest.approx(half, rel=0.07)
    assert found.prior.df == pytest.approx(2.0, abs=0.01)
    assert abs(found.prior.location) < 0.0005
    shipped = programme_document(found)["shipped"]
    assert shipped["count"] == won
    assert 0.84 < shipped["shrunk"]["effect"] / shipped["raw"] < 0.95
