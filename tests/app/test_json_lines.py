"""Messages as JSON lines."""

import io
import json
import logging

import pytest

from embellie.app.json_lines import write_json_lines


@pytest.fixture
def lines():
    root, ours = logging.getLogger(), logging.getLogger("embellie")
    before = (root.handlers[:], root.level, ours.level)
    stream = io.StringIO()
    write_json_lines(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level, ours.level = before


def test_each_message_is_one_line_of_json(lines):
    """Whatever it holds: quotes, line breaks, a traceback."""
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("embellie.web").exception('Said "%s".', "a\nb")
    (one,) = lines()
    assert (one["level"], one["logger"], one["message"]) == ("error", "embellie.web", 'Said "a\nb".')
    assert "ValueError" in one["error"]
    assert "\n" in one["error"]
    assert one["at"].endswith("+00:00")


def test_other_libraries_say_only_what_matters(lines):
    """The library that fetches feeds logs each address at `info`: not here, it may hold a token."""
    logging.getLogger("httpx").info("HTTP Request: GET https://feeds.example/?token=hunter2")
    logging.getLogger("embellie.app").info("ours")
    assert [one["message"] for one in lines()] == ["ours"]
