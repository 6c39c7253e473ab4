"""The configuration: defaults that work, and errors with a line and what to write."""

import pytest

from embellie.app.config import parse_config, read_config
from embellie.app.project import examine, start_project
from embellie.domain.errors import ConfigError, Conflict

MINIMAL = "[sites.gazette]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"missing required field `sites`"),
        ("[sites.gazette]\n[server]\nprot = 1\n", r"embellie.toml:\d+: .*unknown field `prot`"),
        ("[sites.gazette]\n[server]\nport = 'x'\n", r"embellie.toml:3: Expected `int`, got `str` for `server.port`"),
        ("[sites.gazette]\n[experiments.e]\nplacement = 'side'\n", r"embellie.toml:2: Unknown placement `side`"),
        ("[sites.gazette]\n[experiments.e]\nvariants = { a = 1, b = 1 }\n", r"Unknown scenario `a`"),
        ("[sites.gazette]\n[experiments.e]\nprimary = 'money'\n", r"Unknown metric `money`"),
        ("[sites.gazette\n", r"Not valid TOML"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(tmp_path, text, message):
    """Each kind of mistake has its message."""
    (tmp_path / "embellie.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path)


def test_an_absent_configuration_says_how_to_start(tmp_path):
    """A newcomer in the wrong folder is told about `embellie init`."""
    with pytest.raises(ConfigError, match="embellie init"):
        read_config(tmp_path)


def test_a_site_is_enough():
    """Everything else has a default that works."""
    config = parse_config({"sites": {"gazette": {}}})
    assert config.scenarios["heuristic"].policy == "affinity"
    assert config.metrics["articles_per_visit"].role == "primary"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_init_writes_passes_the_doctor(tmp_path, language):
    """A fresh project has nothing that must be mended."""
    start_project(tmp_path, language=language)
    assert [finding for finding in examine(tmp_path) if finding.level == "error"] == []


def test_init_overwrites_nothing(tmp_path):
    """A second init is refused, and the files stay as they are."""
    start_project(tmp_path)
    (tmp_path / "question.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="exists already"):
        start_project(tmp_path)
    assert (tmp_path / "question.toml").read_text(encoding="utf-8") == "mine"
