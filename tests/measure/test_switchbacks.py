"""Switchbacks planned and read from a table; refused where the design cannot tell."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.switchback_table import switchback_from_table
from embellie.cli.measure_switchback import command
from embellie.domain.errors import InputError, TableError, UnknownName
from embellie.domain.unavailable import Unavailable
from embellie.measure.switchbacks import design_switchback, planned_arms, switchback_sentences


def table(path, *, periods=48, carry_over=1, effect=1.0, late=0.0, every=0, seed=1, rows=1):
    design = design_switchback(periods, carry_over=carry_over, every=every)
    arms = np.array(planned_arms(design, seed=seed), float)
    rng = np.random.default_rng(seed)
    before = np.concatenate([[0, 0], arms[:-2]])
    outcome = 20 + effect * arms + late * before + rng.normal(0, 0.4, periods)
    lines = ["time,arm,outcome"]
    lines += [
        f"{period + 1},{'on' if arms[period] else 'off'},{outcome[period] + rng.normal(0, 0.01)}"
        for period in range(periods)
        for _ in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def read(path, **how):
    asked = {"time": "time", "arm": "arm", "outcome": "outcome", "carry_over": 1} | how
    return switchback_from_table(path, **asked)


def test_a_table_gives_the_effect(tmp_path):
    """The total effect lies in the interval, the coins make chance unlikely, the treatment is the later name."""
    told = read(table(tmp_path / "s.csv"))
    assert told.treatment == "on"
    assert told.verdict == "higher"
    assert told.found.low < 1.0 < told.found.high
    assert read(table(tmp_path / "s.csv"), treatment="off").verdict == "lower"
    assert read(table(tmp_path / "none.csv", effect=0.0)).verdict == "open"


def test_rows_of_a_period_are_averaged_in_the_order_of_time(tmp_path):
    """Several rows per period, in any order, are one outcome each; period 10 comes after 9."""
    file = tmp_path / "s.csv"
    table(file, rows=3)
    told = read(str(file))
    head, *rows = file.read_text().splitlines()
    file.write_text("\n".join([head, *sorted(rows)]) + "\n")
    again = read(str(file))
    assert len(told.outcomes) == 48
    assert again.found.effect == pytest.approx(told.found.effect)


def test_carry_over_is_pointed_out(tmp_path):
    """Where the arm reaches further than assumed, it is said, with what one more period would give."""
    told = read(table(tmp_path / "s.csv", periods=120, carry_over=1, effect=0.3, late=2.0))
    said = " ".join(switchback_sentences(told))
    assert "still depend on the arm" in said
    assert "With a carry-over of 2" in said
    assert "dépendent encore" in " ".join(switchback_sentences(told, "fr"))


def test_an_arm_that_changes_without_a_coin_is_refused(tmp_path):
    """A path that the design could not have made is no path of it."""
    with pytest.raises(InputError, match="no coin was thrown"):
        read(table(tmp_path / "s.csv", every=1), carry_over=3)
    assert read(table(tmp_path / "s.csv", every=2), carry_over=1, every=2).found.coins == 24


def test_few_coins_tell_nothing(tmp_path):
    """Fewer than six coins cannot reach 5 %; too few periods cannot even be designed."""
    assert isinstance(read(table(tmp_path / "s.csv", periods=12, carry_over=3), carry_over=3).found, Unavailable)
    with pytest.raises(InputError, match="too few"):
        read(table(tmp_path / "s.csv", periods=7, carry_over=1), carry_over=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,arm,outcome\n1,on,1\n2,off,x\n", "holds `x` in row 2"),
        ("time,arm,outcome\n1,on,1\n1,off,2\n", "both arms"),
        ("time,arm,outcome\n1,on,1\n2,on,2\n", "1 values"),
        ("time,arm,result\n1,on,1\n", "outcome"),
        ("time,arm,outcome\n", "no rows"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path, text, message):
    """Text for a number, two arms in a period, one arm, a missing column, no rows."""
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(TableError, match=message):
        read(str(tmp_path / "s.csv"))


def test_an_arm_that_does_not_exist_is_named(tmp_path):
    """The treatment must be one of the two arms."""
    with pytest.raises(UnknownName, match="onn"):
        read(table(tmp_path / "s.csv"), treatment="onn")


def test_a_plan_is_drawn_and_measured(tmp_path):
    """The plan is a table to follow; measured with the same options it fits its design."""
    plan = CliRunner().invoke(command, ["--plan", "24", "--carryover", "1", "--seed", "3"]).stdout
    rows = plan.strip().splitlines()
    assert rows[0] == "time,arm"
    assert len(rows) == 25
    assert plan == CliRunner().invoke(command, ["--plan", "24", "--carryover", "1", "--seed", "3"]).stdout
    file = tmp_path / "s.csv"
    file.write_text("\n".join(["time,arm,outcome", *(f"{row},{number % 5}" for number, row in enumerate(rows[1:]))]))
    done = CliRunner().invoke(command, [str(file), "--carryover", "1", "--json"], catch_exceptions=False)
    document = json.loads(done.stdout)
    assert document["schema"] == "embellie/switchback/1"
    assert document["points"][:3] == [1, 3, 4]
    planned = json.loads(CliRunner().invoke(command, ["--plan", "24", "--json"]).stdout)
    assert planned["schema"] == "embellie/switchback_plan/1"


def test_a_person_sees_a_sentence_and_the_arms(tmp_path):
    """Sentences in both languages, and the outcome over time with the arm beneath it."""
    file = table(tmp_path / "s.csv")
    shown = CliRunner().invoke(command, [file, "--carryover", "1"]).stdout
    assert "`on` all along, against `off`: +" in shown
    assert "█ on  · off" in shown
    assert "tout du long" in CliRunner().invoke(command, [file, "--carryover", "1", "--lang", "fr"]).stdout
