"""The alerts and the board that come with embellie ask for metrics there are, by labels they have."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "operate"
ASKED = re.compile(r"\b(embellie_\w+|process_\w+)(?:\{([^}]*)\})?")


def expressions():
    board = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    alerts = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    yield from re.findall(r"^ +expr: (.+)$", alerts, re.MULTILINE)
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])


@pytest.fixture
def told(call, keys, tokens, click):
    """What /metrics says after a slate and a click."""
    key = keys.public["gazette"]
    call("GET", f"/v1/slate?key={key}&placement=article-bottom&reader=r1")
    call("POST", f"/v1/events?key={key}", json={"events": [click()]})
    return call("GET", "/metrics", token=tokens["viewer"]).text


def test_every_metric_asked_for_is_told(told):
    """A renamed metric would leave an alert that never fires."""
    asked = [(name, labels) for one in expressions() for name, labels in ASKED.findall(one)]
    assert len(asked) > 12
    for name, labels in asked:
        lines = [line for line in told.splitlines() if re.match(rf"{name}[ {{]", line)]
        assert lines, name
        for label in set(re.findall(r"(\w+)=", labels)) - {"job"}:
            assert f"{label}=" in lines[0], (name, label)


def test_what_is_grouped_by_is_a_label(told):
    """`sum by (x)` of a label that does not exist sums everything into one."""
    for one in expressions():
        for label in re.findall(r"by \((\w+)\)", one):
            assert f"{label}=" in told, one
