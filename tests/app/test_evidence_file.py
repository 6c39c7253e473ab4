"""Evidence in a file of JSON lines."""

from datetime import UTC, datetime

import pytest

from embellie.app.evidence_file import read_evidence
from embellie.domain.errors import InputError


@pytest.fixture
def file(tmp_path):
    """Write lines to a file of evidence."""

    def written(*lines):
        path = tmp_path / "evidence.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return written


def test_results_of_each_kind_are_read_in_order(file):
    """An estimate, a count, a signal; empty lines say nothing."""
    found = read_evidence(
        file(
            '{"measures": "x", "estimate": 0.5, "se": 0.1, "study": "ab", "at": "2026-03-01T00:00:00Z"}',
            "",
            '{"measures": "p", "successes": 3, "trials": 10}',
            '{"measures": "state", "signal": "open", "study": "seismic"}',
        )
    )
    assert [one.measures for one in found] == ["x", "p", "state"]
    assert found[0].at == datetime(2026, 3, 1, tzinfo=UTC)
    assert found[2].signal == "open"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "truncated"),
        ('{"measures": "x"}', "needs"),
        ('{"measures": "x", "estimate": 1, "se": 0}', "needs"),
        ('{"measures": "x", "estimate": 1, "se": 1, "signal": "up"}', "needs"),
        ('{"measures": "x", "estimate": 1, "se": 1, "at": "yesterday"}', "RFC3339"),
        ('{"estimate": 1, "se": 1}', "measures"),
    ],
)
def test_a_wrong_line_says_where_and_what(file, line, says):
    """File, line, what was expected."""
    with pytest.raises(InputError, match=says) as raised:
        read_evidence(file('{"measures": "x", "estimate": 0.5, "se": 0.1}', line))
    assert raised.value.at == "evidence.jsonl:2"
    assert "measures" in raised.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path):
    """And no text of the system's."""
    with pytest.raises(InputError, match=r"`nothing\.jsonl` cannot be read"):
        read_evidence(tmp_path / "nothing.jsonl")
