"""Small questions to decide."""

import pytest

from embellie.app.deciding import decide, parse_question


@pytest.fixture
def answer():
    """Decide `{0, formula}` over unknowns written as TOML lines, with more TOML after it."""

    def decided(unknowns, formula, more="", **options):
        text = (
            f'[unknowns]\n{unknowns}\n[scenarios.nothing]\nvalue = "0"\n[scenarios.act]\nvalue = "{formula}"\n{more}\n'
        )
        return decide(parse_question(text), **options)

    return decided
