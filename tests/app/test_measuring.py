"""Scorecards as evidence, as documents, as rows and as a history."""

import csv
import dataclasses
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.app.scorecard_document import COLUMNS, scorecard_document, scorecard_rows, series_document
from embellie.domain import scorecard as records
from embellie.domain.errors import InputError, UnknownName
from embellie.domain.scorecard import (
    Check,
    Effect,
    Guardrail,
    Interval,
    MoneyEffect,
    RelativeEffect,
    SampleRatio,
    Scorecard,
    Shrunk,
    Slice,
    UnavailableEffect,
)
from embellie.domain.unavailable import Unavailable
from embellie.store.scorecard_table import table_bytes, write_table

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "scorecard.md"

PLAIN = Effect(
    metric="articles_per_visit",
    variant="heuristic",
    control_value=2.0,
    variant_value=2.1,
    effect=0.1,
    se=0.02,
    p_value=0.001,
    interval=Interval(kind="always", level=0.95, low=0.04, high=0.16),
    relative=RelativeEffect(effect=0.05, low=0.02, high=0.08, se=0.01),
    role="primary",
)
WHOLE = replace(
    PLAIN,
    adjusted=True,
    proxy=True,
    theta=0.7,
    saved=0.3,
    p_many=0.002,
    log_e=4.2,
    money=MoneyEffect(effect=2300.0, low=300.0, high=4200.0, currency="EUR"),
    guardrail=Guardrail(state="holds", margin=0.02, money=900.0, low=-0.01, high=0.2),
    shrunk=Shrunk(effect=0.04, low=0.01, high=0.07, above_zero=0.99, above_margin=1.0),
)
MISSING = UnavailableEffect(metric="clicks", variant="heuristic", because=Unavailable("No clicks.", "Wait."))
CARD = Scorecard(
    unit="reader",
    control="status_quo",
    units={"status_quo": 4000, "heuristic": 4000},
    srm=SampleRatio(p_value=0.6, log_e=-2.0, alarm=False),
    effects=(PLAIN, WHOLE, MISSING),
    excluded={"two_variants": 3},
    experiment="first-light",
    checks=(Check(check="split", state="fine", code="split_fine", figures={"p_value": 0.6}),),
    slices=(Slice(dimension="bot", value="person", units={"status_quo": 3000, "heuristic": 3001}, effects=(PLAIN,)),),
    planned=10_000,
)
BARE = replace(CARD, effects=(PLAIN,), checks=(), slices=(), planned=None)


def keys_of(value):
    """Every key of a document, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_the_document_has_the_contract_s_names_and_nothing_empty():
    """`embellie/scorecard/1`: the names of the contract; what there is nothing of is left out, not null."""
    document = scorecard_document(BARE)
    assert document["schema"] == "embellie/scorecard/1"
    assert set(document) == {"schema", "experiment", "unit", "control", "variants", "excluded", "srm", "effects"}
    (row,) = document["effects"]
    assert set(row) == {
        "metric", "variant", "role", "control_value", "variant_value", "adjusted", "effect", "se", "p_value", "interval",
        "relative",
    }  # fmt: skip
    assert set(row["interval"]) == {"kind", "level", "low", "high"}
    assert set(row["relative"]) == {"effect", "low", "high", "se"}


def test_the_document_carries_everything():
    """Each field of the records is there under its name, and the document is strict JSON."""
    document = scorecard_document(CARD)
    json.dumps(document, allow_nan=False)
    row = document["effects"][1]
    for name in ("role", "theta", "saved", "p_many", "log_e", "money", "guardrail", "shrunk", "proxy"):
        assert name in row
    assert row["money"] == {"effect": 2300.0, "low": 300.0, "high": 4200.0, "currency": "EUR"}
    assert row["guardrail"] == {"state": "holds", "margin": 0.02, "money": 900.0, "low": -0.01, "high": 0.2}
    assert document["effects"][2]["unavailable"] == "No clicks."
    assert document["checks"][0]["code"] == "split_fine"
    assert document["slices"][0]["variants"]["heuristic"] == {"units": 3001}
    assert document["planned"] == 10_000


RECORDS = [
    value
    for value in vars(records).values()
    if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == records.__name__
]


def test_every_key_of_a_scorecard_is_documented():
    """The reference of the scorecard's JSON names each key, of the whole, of its history and of the table."""
    text = REFERENCE.read_text(encoding="utf-8")
    at = datetime(2026, 3, 2, tzinfo=UTC)
    names = set(keys_of(scorecard_document(CARD))) | set(keys_of(series_document([(at, CARD)], "clicks")))
    names |= set(COLUMNS) - {"status_quo", "heuristic"}
    assert [name for name in sorted(names - {*CARD.units}) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_of_the_records_is_in_the_document(record):
    """Nothing that was computed stays behind."""
    names = set(keys_of(scorecard_document(CARD))) | {"because", "units", "srm"}
    assert [field.name for field in dataclasses.fields(record) if field.name not in names] == []


def test_the_history_is_the_whole_sequence_of_one_metric():
    """`embellie/scorecard-series/1`: a point per moment, oldest first, the metric's rows alone; unknown ones are named."""
    start = datetime(2026, 3, 2, 6, tzinfo=UTC)
    history = [(start + timedelta(days=day), CARD) for day in range(3)]
    document = series_document(history, "articles_per_visit")
    assert document["schema"] == "embellie/scorecard-series/1"
    assert [point["at"] for point in document["points"]] == [f"2026-03-0{day}T06:00:00Z" for day in (2, 3, 4)]
    assert {row["metric"] for point in document["points"] for row in point["effects"]} == {"articles_per_visit"}
    with pytest.raises(UnknownName, match="articles_per_vist"):
        series_document(history, "articles_per_vist")


def test_rows_are_one_per_metric_variant_adjusted_and_slice():
    """The table of a scorecard: the whole first, then each slice; a missing value is a reason, not a number."""
    rows = scorecard_rows(CARD)
    assert [(row["metric"], row["adjusted"], row["dimension"]) for row in rows] == [
        ("articles_per_visit", False, ""),
        ("articles_per_visit", True, ""),
        ("clicks", False, ""),
        ("articles_per_visit", False, "bot"),
    ]
    assert all(set(row) == set(COLUMNS) for row in rows)
    assert (rows[2]["unavailable"], rows[2]["effect"]) == ("No clicks.", None)
    assert rows[3]["units"] == 3001


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_is_written_whole_and_read_back(tmp_path, kind):
    """Both formats hold the same numbers to the last digit, and no half-written file is left."""
    path = tmp_path / f"card.{kind}"
    path.write_text("older")
    write_table(path, COLUMNS, scorecard_rows(CARD), as_=kind)
    found = duckdb.sql(f"SELECT metric, adjusted, effect, money, unavailable FROM '{path}'").fetchall()
    assert found[1] == ("articles_per_visit", True, 0.1, 2300.0, None)
    assert found[2][2:] == (None, None, "No clicks.")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert len(table_bytes(COLUMNS, scorecard_rows(CARD), as_=kind)) == path.stat().st_size


def test_a_text_a_spreadsheet_would_run_is_disarmed_in_csv():
    """A variant named like a formula is text; numbers keep their sign."""
    rows = scorecard_rows(replace(BARE, effects=(replace(PLAIN, variant='=HYPERLINK("x")', effect=-0.1),)))
    text = table_bytes(COLUMNS, rows, as_="csv").decode()
    assert "'=HYPERLINK" in text
    assert ",-0.1," in text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20))
@settings(max_examples=25, deadline=None)
def test_any_name_survives_the_table(name):
    """What a variant is called comes back as it was, line breaks, quotes and commas too; a formula with its apostrophe."""
    rows = scorecard_rows(replace(BARE, units={"status_quo": 1, name: 2}, effects=(replace(PLAIN, variant=name),)))
    text = table_bytes(COLUMNS, rows, as_="csv").decode()
    (found,) = csv.DictReader(io.StringIO(text, newline=""))
    assert found["variant"] == (f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name)
    assert float(found["effect"]) == PLAIN.effect


def test_a_folder_that_is_not_there_is_said(tmp_path):
    """A file that cannot be written is the caller's mistake, named."""
    with pytest.raises(InputError, match="Cannot write"):
        write_table(tmp_path / "no" / "card.csv", COLUMNS, [], as_="csv")


def test_evidence_is_the_relative_effect_and_its_error():
    """What the study measures is the effect as a share of the control's value."""
    from embellie.app.measuring import evidence_from

    found = evidence_from(BARE, study="ab", measures="interest", metric="articles_per_visit", variant="heuristic")
    assert (found.estimate, found.se) == (0.05, 0.01)
    assert (found.study, found.measures) == ("ab", "interest")


def test_a_broken_split_or_a_missing_value_is_no_evidence():
    """The reason travels instead of a number."""
    from embellie.app.measuring import evidence_from

    ask = {"study": "ab", "measures": "interest", "variant": "heuristic"}
    broken = replace(CARD, srm=SampleRatio(p_value=0.0, log_e=9.0, alarm=True))
    assert isinstance(evidence_from(broken, metric="articles_per_visit", **ask), Unavailable)
    assert isinstance(evidence_from(CARD, metric="clicks", **ask), Unavailable)
    with pytest.raises(UnknownName, match="Unknown metric `reads`"):
        evidence_from(CARD, metric="reads", **ask)
