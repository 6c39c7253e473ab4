"""The audit of what is locked: every package is asked for, and what was not answered is not called clean."""

import importlib.util
from pathlib import Path

import pytest

_file = Path(__file__).parents[2] / "requirements" / "audit.py"
_spec = importlib.util.spec_from_file_location("audit", _file)
audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)


def test_every_lock_is_read():
    """Run-time and development packages, and the widget's tools."""
    found = audit.locked(audit.HERE)
    names = {(ecosystem, name) for ecosystem, name, _ in found}
    assert {("PyPI", "starlette"), ("PyPI", "ruff"), ("npm", "esbuild")} <= names
    assert all(version[0].isdigit() for _, _, version in found)


def test_advisories_are_told_with_the_package_they_are_for():
    """Results come in the order of the questions, in batches."""
    packages = [("PyPI", f"p{n}", "1.0") for n in range(1200)]
    asked = []

    def ask(queries):
        asked.extend(queries)
        return [{"vulns": [{"id": "X-1"}]} if one["package"]["name"] == "p700" else {} for one in queries]

    assert audit.advisories(packages, ask) == [(("PyPI", "p700", "1.0"), ["X-1"])]
    assert len(asked) == 1200


def test_a_database_that_answers_for_some_only_calls_nothing_clean():
    """Fewer answers than questions are an error, not a clean audit."""
    with pytest.raises(ValueError, match="0 answers for 1"):
        audit.advisories([("PyPI", "p", "1")], lambda _: [])


def test_without_the_database_it_says_so(monkeypatch, capsys):
    """Offline it is skipped with the reason; where it is required, it fails."""

    def unreachable(_):
        raise OSError("no network")

    monkeypatch.setattr(audit, "ask", unreachable)
    assert (audit.main([]), audit.main(["--required"])) == (0, 3)
    assert "Not audited" in capsys.readouterr().out
