"""Words, numbers and times in two languages."""

import re
import string
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.web import language
from embellie.web.language import LANGUAGES, MINUS, THIN, Words, language_of
from embellie.web.phrases import MESSAGES

WEB = Path(language.__file__).parent
KEY = re.compile(r"""(?:\bwords|\bself|\bt|missing)\(\s*f?["']([a-z_]+(?:\.[a-z_0-9]+)?)["']""")


def values_of(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name}


def test_every_message_is_said_in_both_languages():
    """Every key has a text in each language."""
    wanting = [
        key for key, said in MESSAGES.items() if set(said) != set(LANGUAGES) or not all(map(str.strip, said.values()))
    ]
    assert wanting == []


def test_both_languages_give_the_same_values():
    """Neither language drops a value the other gives (but for the effect's sentences, which put names differently)."""
    uneven = [key for key, said in MESSAGES.items() if values_of(said["en"]) != values_of(said["fr"])]
    assert [key for key in uneven if not key.startswith("effect.")] == []


def test_every_key_used_is_in_the_catalogue():
    """No page asks for a message that does not exist."""
    used = set()
    for path in [*WEB.glob("*_page.py"), *WEB.glob("*_pictures.py"), WEB / "language.py", WEB / "loop_strip.py"]:
        used |= {key for key in KEY.findall(path.read_text(encoding="utf-8")) if "." in key}
    for path in (WEB / "templates").glob("*.html"):
        used |= {key for key in KEY.findall(path.read_text(encoding="utf-8")) if "." in key and not key.endswith(".")}
    assert len(used) > 60
    assert used - set(MESSAGES) == set()


def test_french_puts_a_narrow_space_before_high_punctuation():
    """No French message has an ordinary space before `:`, `;`, `?`, `!` or inside quotation marks."""
    assert [key for key, message in MESSAGES.items() if re.search(r" [:;?!»]|« ", message["fr"])] == []


@pytest.mark.parametrize(
    ("amount", "english", "french"),
    [
        (0, "€0", "0_€"),
        (12_345.6, "€12,300", "12_300_€"),
        (-3_400, "−€3,400", "−3_400_€"),
        (1_240_000, "€1.24M", "1,24_M€"),
        (999_600, "€1M", "1_M€"),
        (96.64, "€97", "97_€"),
        (0.0491, "under €1", "moins de 1_€"),
        (-0.0491, "about €0", "environ 0_€"),
        (-2.8e-18, "€0", "0_€"),
    ],
)
def test_money_is_written_as_people_of_the_language_write_it(amount, english, french):
    """Three significant digits, no cents, small amounts as small; the sign, the symbol and the separators in their places."""
    assert Words("en").money(amount, "EUR") == english
    assert Words("fr").money(amount, "EUR").replace(THIN, "_") == french


def test_money_is_told_finer_where_all_that_is_at_stake_is_small():
    """Under the least amount that is told there; the ends of a range are always figures."""
    assert Words("en").money(0.3989, "EUR", least=0.001) == "€0.399"
    assert Words("en").money(40.0, "EUR", least=100.0) == "under €100"
    assert Words("en").money_range(-0.2, 0.7, "EUR") == "€0 to €1"


@given(st.floats(-1e9, 1e9))
def test_money_keeps_its_sign(amount):
    """A loss is never written as a gain, nor a gain as a loss."""
    text = Words("en").money(amount, "EUR")
    assert (MINUS in text) == (amount < 0 and any(digit in text for digit in "123456789"))


@given(st.floats(0, 1))
def test_a_chance_is_never_certain(p):
    """Neither 0 % nor 100 % is said of what is only likely."""
    text = Words("en").chance(p)
    assert text not in {"0%", "100%"}


def test_a_share_shows_its_sign_when_asked():
    """A positive effect carries its plus; a nothing carries none."""
    assert Words("en").share(0.028, 1, signed=True) == "+2.8%"
    assert Words("fr").share(-0.028, 1, signed=True).replace(THIN, "_") == "−2,8_%"
    assert Words("en").share(0.0001, 1, signed=True) == "0.0%"


def test_a_moment_is_told_in_utc():
    """A time of another zone is converted, not relabelled."""
    at = datetime(2026, 3, 14, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert Words("en").moment(at) == "13 Mar, 23:30"
    assert Words("fr").moment(at.astimezone(UTC)) == "13 mars, 23:30"


def test_an_unknown_language_falls_back():
    """A language we do not speak is answered in the default one."""
    assert language_of("de-AT", default="fr") == "fr"


def test_a_name_of_someones_own_is_made_readable():
    """A scenario, metric or policy that is not in the catalogue is shown under its own name."""
    assert Words("fr").named("metric", "newsletter_signups") == "newsletter signups"
