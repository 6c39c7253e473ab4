"""Measured words: a scorecard in words and in text pictures, for every surface."""

from embellie.measure.plotting import Line, interval_lines, interval_plot, series_plot
from embellie.measure.telling import (
    Answer,
    answer,
    change_texts,
    checks_told,
    effect_sentence,
    guard_state,
    is_clear,
    leading_rows,
    margin_text,
    money_texts,
    reason_and_remedy,
    role_place,
    sentences,
    split_sentence,
)
from embellie.measure.telling_checks import check_name, dimension_name, part_name, part_title, state_name
from embellie.measure.telling_numbers import count_text, metric_name, metric_title, number_text, percent_text

__all__ = [
    "Answer",
    "Line",
    "answer",
    "change_texts",
    "check_name",
    "checks_told",
    "count_text",
    "dimension_name",
    "effect_sentence",
    "guard_state",
    "interval_lines",
    "interval_plot",
    "is_clear",
    "leading_rows",
    "margin_text",
    "metric_name",
    "metric_title",
    "money_texts",
    "number_text",
    "part_name",
    "part_title",
    "percent_text",
    "reason_and_remedy",
    "role_place",
    "sentences",
    "series_plot",
    "split_sentence",
    "state_name",
]
