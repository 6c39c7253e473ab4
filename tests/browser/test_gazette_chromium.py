"""The demo's newspaper in a real browser: a person among simulated readers is asked, shown, and counted."""

import socket
import threading
import time

import pytest

from embellie.app.demo import SITE, Demo, DemoSettings

pytestmark = pytest.mark.chromium


@pytest.fixture
def demo(tmp_path):
    """A small demo, serving; yields it and its address."""
    import uvicorn

    from embellie.web.server import create_app

    opened = Demo(tmp_path / "project", settings=DemoSettings(readers=500, autopilot=False), port=0, say=lambda _: None)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(opened.newsroom), log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    opened.start()
    yield opened, f"http://127.0.0.1:{listening.getsockname()[1]}"
    opened.stop()
    server.should_exit = True
    thread.join(10)
    listening.close()
    opened.newsroom.close()


def test_a_person_consents_is_recommended_an_article_and_is_in_the_log(chromium, demo):
    """Nothing is stored before the choice; then half of the people see a slate, and their click leads to an article."""
    opened, address = demo
    troubles: list[str] = []
    clicked = ""
    for _ in range(12):
        context = chromium.new_context(viewport={"width": 1000, "height": 900})
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        page.goto(f"{address}/gazette/?lang=en")
        page.locator(".lead h1 a").click()
        assert page.evaluate("Object.keys(localStorage).length") == 0
        with page.expect_response("**/v1/slate?*consent=profiling*"):
            page.get_by_role("button", name="Yes").click()
        page.wait_for_timeout(500)
        link = page.locator("embellie-slate").get_by_role("link").first
        if link.count():
            link.scroll_into_view_if_needed()
            page.wait_for_timeout(1300)
            before = page.url
            link.click()
            page.wait_for_url(lambda url, before=before: url != before)
            clicked = page.url.rpartition("/")[2]
            assert page.locator("article h1").inner_text() == opened.newsroom.article(SITE, clicked).title
        page.goto("about:blank")
        page.wait_for_timeout(300)
        context.close()
        if clicked:
            break
    assert clicked
    assert troubles == []
    people = opened.newsroom.analysis.rows(
        "SELECT kind, \"at\" FROM events WHERE kind IN ('click', 'read') AND reader <> '' AND reader NOT LIKE 'reader-%'"
    )
    assert {row["kind"] for row in people} == {"click", "read"}
    assert {row["at"].year for row in people} == {2026}
    assert {row["at"].month for row in people} == {3}
