"""A real Chromium, when the machine has one."""

import shutil

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium():
    """Start the browser once per file, so that its event loop ends with it; every test has its own fresh profile."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: make test-all installs it")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs a Chromium on the path: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """Open a fresh profile; whatever a page throws or logs as an error is in `page.troubles`."""
    context = chromium.new_context(viewport={"width": 900, "height": 700}, locale="fr-FR")
    opened = context.new_page()
    opened.troubles = []
    opened.on("pageerror", lambda error: opened.troubles.append(str(error)))
    yield opened
    context.close()
