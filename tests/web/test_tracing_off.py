"""Traces are off by default, and then cost nothing."""

import json
import subprocess
import sys

import pytest

from embellie.domain.errors import ConfigError
from embellie.web.server import create_app
from embellie.web.tracing import open_tracer


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    """Traces asked for, and nothing to make them with."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigError, match=r"embellie\[telemetry\]"):
        open_tracer()


def test_off_nothing_is_loaded_and_nothing_stands_in_the_way(newsroom, keys):
    """No module, no layer around the application, and the newsroom itself behind the calls."""
    assert not newsroom.config.server.traces
    app = create_app(newsroom, keys=keys)
    assert [one.cls.__name__ for one in app.user_middleware] == ["FrontDoor"]
    code = "import sys, json, embellie.web.server; print(json.dumps([m for m in sys.modules if 'opentelemetry' in m or m.endswith('web.tracing')]))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(loaded.stdout) == []
