"""The examples for a page and for WordPress use what the widget reads, and what they write is escaped."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = (ROOT / "examples/widget/plain.html").read_text(encoding="utf-8")
PLUGIN_FILE = ROOT / "examples/wordpress/embellie.php"
PLUGIN = PLUGIN_FILE.read_text(encoding="utf-8")
DOCS = (ROOT / "docs/3-serve-widget.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [PLAIN, PLUGIN], ids=["plain", "wordpress"])
def test_every_setting_of_an_example_is_documented(text):
    """An attribute that the documentation does not know is a typing mistake."""
    used = set(re.findall(r"data-[a-z-]+", text))
    assert {"data-site", "data-key", "data-article"} <= used
    assert used <= set(re.findall(r"data-[a-z-]+", DOCS))
    assert "<embellie-slate placement=" in text


def test_the_plugin_writes_nothing_unescaped():
    """Every value goes through a function of WordPress that escapes it where it stands."""
    for shown in re.findall(r"echo (.*?);", PLUGIN):
        assert shown.startswith(("esc_attr(", "esc_html("))
    for value in ("$settings['site']", "$settings['key']", "$settings['placement']", "get_the_guid("):
        assert re.search(rf"esc_attr\( {re.escape(value)}", PLUGIN)
    assert PLUGIN.count('="%s"') == 4


def test_the_plugin_checks_who_changes_its_settings():
    """Only who may manage options sees the page; WordPress's own form carries the token against forged posts."""
    assert "current_user_can( 'manage_options' )" in PLUGIN
    assert "settings_fields( 'embellie' )" in PLUGIN
    assert "'sanitize_callback' => 'embellie_checked'" in PLUGIN
    assert "if ( ! defined( 'ABSPATH' ) )" in PLUGIN


@pytest.mark.skipif(shutil.which("php") is None, reason="needs php on the path: apt-get install php-cli")
def test_php_reads_the_plugin():
    """It is valid PHP."""
    done = subprocess.run(["php", "-l", str(PLUGIN_FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
