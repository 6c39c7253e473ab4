"""Money in words: to three figures, and small money as small, in English and in French."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.app.deciding import decide, parse_question
from embellie.app.drawing import hedges_text, quantile_bars, tipping_sentences
from embellie.app.report import report_page
from embellie.decide.wording import amount
from embellie.domain.money import least_told, least_worth_told

SURE = """
[unknowns]
x = "normal(80000, 20000) EUR"
[scenarios.nothing]
value = "0 EUR"
[scenarios.act]
value = "x"
"""
"""Four standard deviations from losing: knowing everything would be worth some cents of the 110,000 EUR at stake."""

ABSURD = re.compile(r"(?<![\d,\u202f])0[.,]\d{3,}.{0,20}|\de−\d+")
"""An amount told to a tenth of a cent or finer, or in powers of ten."""


PRICE = 'price = "0.006 to 0.011 EUR/article"'


@pytest.fixture(scope="module")
def sure():
    """Such a verdict."""
    return decide(parse_question(SURE), whole=True)


@pytest.mark.parametrize(
    ("value", "least", "english", "french"),
    [
        (0.0491, 1.0, "under 1 EUR", "moins de 1 EUR"),
        (-0.0491, 1.0, "about 0 EUR", "environ 0 EUR"),
        (2.8e-18, 1.0, "0 EUR", "0 EUR"),
        (0.0, 1.0, "0 EUR", "0 EUR"),
        (1.0, 1.0, "1 EUR", "1 EUR"),
        (-2.5, 1.0, "−2.5 EUR", "−2,5 EUR"),
        (1.2345, 1.0, "1.23 EUR", "1,23 EUR"),
        (40.0, 100.0, "under 100 EUR", "moins de 100 EUR"),
        (12_345.0, 100.0, "12,300 EUR", "12\u202f300 EUR"),
        (0.398942, 0.001, "0.399 EUR", "0,399 EUR"),
    ],
)
def test_small_money_is_told_as_small(value, least, english, french):
    """Under the least amount that is told; about nothing, where it is a loss; nothing, where a computer rounded."""
    assert amount(value, "EUR", "en", least=least) == english
    assert amount(value, "EUR", "fr", least=least) == french


@given(st.floats(1e-6, 1e12))
def test_the_least_amount_told_is_about_a_thousandth_of_the_stake(stake):
    """A power of ten; a total is told down to one of the currency, however much is at stake."""
    assert stake * 1e-4 <= least_worth_told(stake) * (1 + 1e-9)
    assert least_worth_told(stake) <= stake * 1e-3 * (1 + 1e-9)
    assert least_told(stake) == min(1.0, least_worth_told(stake))


def test_a_verdict_tells_no_fraction_of_a_cent(sure):
    """What knowing everything is worth is nothing beside the stake, and said so; the document keeps the number."""
    assert 0 < sure.evpi.value < 1
    because = sure.next.because
    assert because["en"].endswith("knowing everything would be worth under 100 EUR.")
    assert because["fr"].endswith("tout savoir vaudrait moins de 100 EUR.")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nor_does_what_is_said_beside_it(sure, language):
    """The hedges, the bars and the whole report."""
    question = parse_question(SURE)
    told = hedges_text(sure, language)
    told += quantile_bars({"act": [0.0004, 80_000.0]}, currency="EUR", language=language)
    told.append(re.sub(r"<(svg|style).*?</\1>", "", report_page(question, sure, language=language), flags=re.DOTALL))
    assert ABSURD.findall(" ".join(told)) == []


def test_a_large_worth_keeps_its_bound():
    """`26,100 EUR at most`, `au plus 26 100 EUR`, where it is not small."""
    text = SURE.replace("normal(80000, 20000)", "normal(20000, 30000)")
    verdict = decide(
        parse_question(text + '[studies.ask]\nkind = "measurement"\nmeasures = "x"\nse = 9\ncost = "9k EUR"')
    )
    assert verdict.verdict == "ship"
    assert re.search(r"would be worth [\d,]+ EUR at most\.$", verdict.next.because["en"])
    assert re.search(r"vaudrait au plus [\d\u202f]+ EUR\.$", verdict.next.because["fr"])


def test_where_all_is_small_money_keeps_its_digits(answer):
    """A textbook's N(0, 1): what one of the currency would hide is all that is at stake."""
    verdict = answer('x = "normal(0, 1)"', "x", '[studies.s]\nkind = "measurement"\nmeasures = "x"\nse = 0.1')
    assert "worth 0.397 EUR net of its cost of 0 EUR" in verdict.next.because["en"]
    assert "(0 EUR expected)" in verdict.next.because["en"]


def test_the_price_of_one_unit_keeps_its_digits(answer):
    """An article read is worth less than a cent, and is told so: it is no total."""
    verdict = answer(PRICE, "20M article * (price - 0.008 EUR/article)", whole=True)
    question = parse_question(f"[unknowns]\n{PRICE}\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = 1")
    told = tipping_sentences(verdict.tipping, question, language="en")[0]
    assert "above 0.008 EUR/article" in told
