"""Surrogates from tables: foretold, validated on known outcomes, refused where those speak against it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.surrogate_tables import SurrogateSpec, foretold_document, foretold_from_tables
from embellie.cli.measure_surrogate import command
from embellie.domain.errors import InputError, TableError, UnknownName
from embellie.domain.unavailable import Unavailable
from embellie.measure.surrogates import foretold_sentences

SPEC = SurrogateSpec(unit="reader", variant="variant", surrogates=("visits", "reads"), outcome="renewed")


def tables(folder, *, beside=0.0, known=1.0, history=600, units=4000, far=0.0, noise=2.0, blind=False, seed=1):
    """An experiment of which a share of outcomes is known, and a history of which all are."""
    rng = np.random.default_rng(seed)

    def side(n, moved, more):
        surrogates = rng.gamma(2, 1, (n, 2)) + moved
        told = 0 if blind else surrogates @ np.array([1.0, 0.5])
        return surrogates, 1 + told + more + rng.normal(0, noise, n)

    past, outcome = side(history, far, 0)
    lines = ["visits,reads,renewed", *(f"{a},{b},{y}" for (a, b), y in zip(past, outcome, strict=True))]
    (folder / "past.csv").write_text("\n".join(lines) + "\n")
    lines = ["reader,variant,visits,reads,renewed"]
    for name, moved, more in (("a", 0, 0), ("b", np.array([0.5, 0.1]), beside)):
        early, late = side(units // 2, moved, more)
        lines += [
            f"{name}{k},{name},{s[0]},{s[1]},{y if rng.random() < known else ''}"
            for k, (s, y) in enumerate(zip(early, late, strict=True))
        ]
    (folder / "test.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "test.csv"), str(folder / "past.csv")


def test_where_known_outcomes_agree_it_holds(tmp_path):
    """The truth lies in the interval, and what is left over is small beside it."""
    told = foretold_from_tables(*tables(tmp_path, units=12000, noise=1.0), spec=SPEC)
    assert told.validation == "holds"
    assert told.effect.low < 0.55 < told.effect.high
    assert told.effect.se > told.effect.se_units
    assert told.direct.low < 0.55 < told.direct.high


def test_where_they_speak_against_it_it_is_refused(tmp_path):
    """An effect that goes past the surrogates makes the index unavailable; the figure stays to be looked at."""
    told = foretold_from_tables(*tables(tmp_path, beside=0.6), spec=SPEC)
    assert told.validation == "fails"
    assert isinstance(told.effect, Unavailable)
    assert told.index_effect is not None
    assert "other ways" in foretold_sentences(told)[0]
    assert foretold_document(told)["effect"]["unavailable"]


def test_few_known_outcomes_validate_little(tmp_path):
    """Hardly any known outcome: said aloud. Some, but too few to tell: said too."""
    none = foretold_from_tables(*tables(tmp_path, known=0.0), spec=SPEC)
    assert none.validation == "none"
    assert any("NOT validated" in said for said in foretold_sentences(none))
    some = foretold_from_tables(*tables(tmp_path, known=0.05), spec=SPEC)
    assert some.validation == "weak"
    assert any("too few" in said for said in foretold_sentences(some))


def test_surrogates_that_foretell_nothing_are_refused(tmp_path):
    """An index that does worse than the mean on units it has not seen is none."""
    told = foretold_from_tables(*tables(tmp_path, blind=True, seed=3), spec=SPEC)
    assert told.effect.code == "no_prediction"


def test_a_short_history_is_refused(tmp_path):
    """Below a hundred units no index is fitted."""
    assert foretold_from_tables(*tables(tmp_path, history=60), spec=SPEC).effect.code == "few_units"


def test_a_distant_history_is_pointed_out(tmp_path):
    """Where the control is unlike the history, that is said."""
    told = foretold_from_tables(*tables(tmp_path, far=3.0), spec=SPEC)
    assert told.distance > 1
    assert any("standard deviations" in said for said in foretold_sentences(told))


def test_the_command_tells_a_program_and_a_person(tmp_path):
    """One JSON document; sentences in both languages, and a picture with zero marked."""
    table, past = tables(tmp_path)
    asked = [table, "--history", past, "--unit", "reader", "--variant", "variant", "--surrogates", "visits, reads",
             "--outcome", "renewed"]  # fmt: skip
    document = json.loads(CliRunner().invoke(command, [*asked, "--json"], catch_exceptions=False).stdout)
    assert document["schema"] == "embellie/surrogate/1"
    assert document["units"] == {"a": 2000, "b": 2000}
    shown = CliRunner().invoke(command, asked).stdout
    assert "`b`, against `a`: +0." in shown
    assert "┊" in shown
    assert "prévu" in CliRunner().invoke(command, [*asked, "--lang", "fr"]).stdout
    turned = CliRunner().invoke(command, [*asked, "--control", "b", "--squares"]).stdout
    assert "`a`, against `b`: −0." in turned


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a1,a,", "a0,a,", "`a0` comes twice"),
        ("a1,a,", "a1,c,", "3 values"),
        ("visits,reads,renewed", "visits,raeds,renewed", "reads"),
        ("a1,a,", "a1,a,many", "holds `many"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path, old, new, message):
    """A unit twice, three variants, a missing column, text for a number."""
    table, past = tables(tmp_path, units=200)
    text = (tmp_path / "test.csv").read_text().replace(old, new, 1)
    (tmp_path / "test.csv").write_text(text)
    with pytest.raises(TableError, match=message):
        foretold_from_tables(table, past, spec=SPEC)


def test_a_constant_surrogate_is_refused(tmp_path):
    """What never varies foretells nothing, and is named as such; so is a control that is not there."""
    table, past = tables(tmp_path)
    (tmp_path / "past.csv").write_text("visits,reads,renewed\n" + "".join(f"{k % 7},1,{k % 3}\n" for k in range(200)))
    with pytest.raises(InputError, match="independently"):
        foretold_from_tables(table, past, spec=SPEC)
    with pytest.raises(UnknownName):
        foretold_from_tables(table, past, spec=SurrogateSpec(
            unit="reader", variant="variant", surrogates=("visits",), outcome="renewed", control="z"
        ))  # fmt: skip
