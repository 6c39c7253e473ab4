"""`embellie measure`: what is printed, and what is written to files."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from click.testing import CliRunner

from embellie.app.measuring import day_ends
from embellie.cli.main import cli
from embellie.cli.measure_shown import show, show_days, show_slices
from embellie.domain.errors import UnknownName
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.scorecard import (
    Check,
    Effect,
    Guardrail,
    Interval,
    RelativeEffect,
    SampleRatio,
    Scorecard,
    Shrunk,
    Slice,
    UnavailableEffect,
)
from embellie.domain.unavailable import Unavailable

START = datetime(2026, 3, 2, 6, tzinfo=UTC)


def row(metric, at, half, **changes):
    return Effect(
        **{
            "metric": metric,
            "variant": "heuristic",
            "control_value": 2.0,
            "variant_value": 2.0 + 2 * at,
            "effect": 2 * at,
            "se": half,
            "p_value": 0.01,
            "interval": Interval(kind="always", level=0.95, low=2 * (at - half), high=2 * (at + half)),
            "relative": RelativeEffect(effect=at, low=at - half, high=at + half, se=half / 2),
        }
        | changes
    )


CARD = Scorecard(
    unit="reader",
    control="status_quo",
    units={"status_quo": 4000, "heuristic": 4000},
    srm=SampleRatio(p_value=0.6, log_e=-2.0, alarm=False),
    effects=(
        row("articles_per_visit", 0.04, 0.02, role="primary"),
        row("visits_per_reader", 0.0, 0.01, role="guardrail", guardrail=Guardrail(state="holds", margin=0.06)),
        row("reads_per_reader", 0.03, 0.05),
    ),
    excluded={},
    experiment="first-light",
    checks=(
        Check(check="split", state="fine", code="split_fine"),
        Check(check="bots", state="watch", code="bots_matter", figures={"n": 9.0, "share": 0.01}),
    ),
    slices=tuple(
        Slice(
            dimension="returning",
            value=value,
            units={"status_quo": 2000, "heuristic": 2000},
            effects=(row("articles_per_visit", at, 0.04, shrunk=Shrunk(effect=0.04, low=0.02, high=0.06)),),
        )
        for value, at in (("new", 0.07), ("returning", 0.01))
    ),
)


def test_a_scorecard_reads_from_the_answer_to_the_checks(capsys):
    """The answer, the metrics under their roles, the intervals on one axis, the checks with their states."""
    show(CARD, "en")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Articles per visit: +4.0 % (+2.0 % to +6.0 %). The guardrail holds. To watch: bots.")
    order = [lines.index(head) for head in ("Decides", "Must not be harmed", "Explains", "Checks")]
    assert order == sorted(order)
    assert lines[lines.index("Decides") + 1].startswith("  Articles per visit, `heuristic`: +4.0 %")
    drawn = [line for line in lines if "●" in line]
    assert len(drawn) == 3
    assert "╎" in drawn[1]
    assert any(line.startswith("  fine   The split is as designed: `status_quo` 4,000") for line in lines)
    assert any(line.startswith("  watch  9 look like bots") for line in lines)


def test_the_same_is_said_in_french(capsys):
    """Headings, states and sentences."""
    show(CARD, "fr")
    said = capsys.readouterr().out
    for words in ("Décide", "À ne pas abîmer", "Contrôles", "à suivre", "Le garde-fou tient."):
        assert words in said


def test_slices_show_the_raw_and_the_shrunk_effect(capsys):
    """A line per part of the readers, with its size; what is missing says why."""
    gap = UnavailableEffect(metric="articles_per_visit", variant="heuristic", because=Unavailable("Too few.", "Wait."))
    part = Slice(dimension="returning", value="x", units={"status_quo": 1}, effects=(gap,))
    show_slices(replace(CARD, slices=(*CARD.slices, part)), ["returning"], "en")
    said = capsys.readouterr().out
    assert "New and returning: Articles per visit, heuristic" in said
    assert "new                4,000" in said
    assert "+7.0 %  → +4.0 %" in said
    assert "Too few." in said


def test_days_are_a_line_each(capsys):
    """The effect over time on one axis; a day before the first interval has a dash."""
    early = UnavailableEffect(metric="articles_per_visit", variant="heuristic", because=Unavailable("Early.", "Wait."))
    history = [
        (START + timedelta(days=1), replace(CARD, effects=(early,), units={"status_quo": 3, "heuristic": 2})),
        *((START + timedelta(days=day), CARD) for day in (2, 3)),
    ]
    show_days(history, "articles_per_visit", "en")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "2026-03-03          5  –"
    assert sum("●" in line for line in lines) == 2
    show_days([], "articles_per_visit", "en")
    assert capsys.readouterr().out == "No day yet.\n"


def experiment(**changes):
    variants = tuple(Variant(name=name, weight=1, scenario=name, release="r") for name in ("a", "b"))
    base = {"experiment": "e", "placement": "p", "control": "a", "variants": variants, "salt": "s"}
    return Experiment(**base | {"started_at": START} | changes)


def test_days_end_at_midnight_and_the_last_now():
    """Each whole day once, then the day under way; a stopped experiment ends when it stopped."""
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    now = START + timedelta(days=2)
    assert day_ends(experiment(), now) == [midnight, midnight + timedelta(days=1), now]
    assert day_ends(experiment(stopped_at=midnight), now) == [midnight]
    assert day_ends(experiment(), START + timedelta(hours=1)) == [START + timedelta(hours=1)]
    assert day_ends(experiment(started_at=None), now) == []


TABLE = "reader,variant,orders,offer\n" + "".join(
    f"{number},{'AB'[number % 2]},{(number * 7) % 5 + number % 2},{'gold' if number % 3 else '=1+1'}\n"
    for number in range(400)
)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_s_scorecard_is_written_to_a_file(tmp_path, kind):
    """One row per metric and variant, and one more per segment."""
    (tmp_path / "t.csv").write_text(TABLE)
    out = tmp_path / f"card.{kind}"
    done = CliRunner().invoke(
        cli,
        [
            "measure",
            "table",
            str(tmp_path / "t.csv"),
            "--unit",
            "reader",
            "--variant",
            "variant",
            "--control",
            "A",
            "--metric",
            "orders",
            "--segment",
            "offer",
            f"--{kind}",
            str(out),
            "--json",
        ],
        standalone_mode=False,
        catch_exceptions=False,
    )
    document = json.loads(done.stdout)
    rows = duckdb.sql(f"SELECT dimension, value, effect FROM '{out}'").fetchall()
    assert [found[:2] for found in rows][1:] == [("offer", "'=1+1" if kind == "csv" else "=1+1"), ("offer", "gold")]
    assert rows[0][2] == document["effects"][0]["effect"]


CONFIG = "[sites.gazette]\n[experiments.first-light]\nvariants = { status_quo = 1, heuristic = 1 }\n"


def run(project, *arguments):
    done = CliRunner().invoke(
        cli,
        ["measure", "first-light", "--project", str(project), *arguments],
        standalone_mode=False,
        catch_exceptions=False,
    )
    return done.stdout


def test_an_experiment_without_traffic_has_a_history_and_a_table(tmp_path):
    """`--days --json` is the sequence of one metric, `--csv` the rows; an unknown metric is refused with the known ones."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    document = json.loads(run(tmp_path, "--days", "--json"))
    assert (document["schema"], document["metric"]) == ("embellie/scorecard-series/1", "articles_per_visit")
    assert len(document["points"]) >= 1
    run(tmp_path, "--csv", str(tmp_path / "card.csv"), "--by", "day")
    assert "articles_per_visit" in (tmp_path / "card.csv").read_text()
    with pytest.raises(UnknownName, match="articles_per_vist"):
        run(tmp_path, "--days", "--metric", "articles_per_vist")
