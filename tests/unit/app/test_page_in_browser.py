"""The pages in headless Chromium: accessibility, JavaScript, small screens, the content policy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tiny_bundle import LABELS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"
)
AXE = "axe_playwright_python"
WIDTHS = (320, 1280)
# A wrong page fails after it, and not a slow machine before it.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The tests may run as root, where Chromium's sandbox cannot.
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture
def open_page(browser: Browser, serve: Callable[..., str]) -> Iterator[Callable[..., Page]]:
    """Open an address of a service; at the end nothing was loaded from elsewhere or refused."""
    url = serve(slot="blue")
    asked: list[str] = []
    said: list[str] = []
    contexts = []

    def start(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(300_000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(url + path)
        return page

    yield start
    for context in contexts:
        assert context.cookies() == []
        context.close()
    assert asked
    assert [one for one in asked if not one.startswith(f"{url}/")] == []
    # Violations of the policy are among them; a status of 400 or more is no error of the page.
    assert [one for one in said if "favicon" not in one and "the server responded" not in one] == []


def problems(page: Page) -> list[str]:
    """What axe-core finds."""
    page.evaluate(files(AXE).joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["passes"]
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found["violations"]
    ]


def widths(page: Page) -> list[str]:
    return [bar.get_attribute("width") or "" for bar in page.locator("rect").all()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_axe_finds_nothing(open_page, path, scheme):
    page = open_page(path, color_scheme=scheme)
    assert problems(page) == []
    if path == "/":
        page.fill("#text", "you are great zork awful")
        expect(page.locator("#status")).to_contain_text("Highest")
        page.locator("summary").click()
    else:
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert problems(page) == []


def test_axe_finds_an_input_without_a_label(open_page):
    """Proves that the test above can fail."""
    page = open_page("/")
    page.evaluate("document.querySelector('label').remove()")
    assert any(one.startswith("label") for one in problems(page))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_is_wider_than_the_screen(open_page, path, width):
    page = open_page(path, viewport={"width": width, "height": 700})
    if path == "/":
        page.fill("#text", "you are great " + "x" * 300)
        expect(page.locator("#status")).to_contain_text("Highest")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_bars_move_while_a_comment_is_typed(open_page):
    page = open_page("/")
    assert widths(page) == ["0.0%"] * len(LABELS)
    page.locator("#text").press_sequentially("you are great")
    expect(page.locator("#status")).to_contain_text("3 known words")
    great = widths(page)
    assert all(float(one.rstrip("%")) > 0 for one in great)
    page.fill("#text", "awful")
    expect(page.locator("#status")).to_contain_text("1 known word,")
    assert widths(page) != great
    assert page.locator("mark").count() > 0
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    # The page itself was not loaded again.
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_an_example_is_scored_with_the_keyboard_alone(open_page):
    page = open_page("/")
    example = page.locator("button[name=example]").nth(1)
    for _ in range(20):
        page.keyboard.press("Tab")
        if example.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_value(example.inner_text())
    expect(page.locator("#status")).to_contain_text("Highest")


def test_an_error_of_the_server_is_shown(open_page):
    page = open_page("/")
    page.evaluate("document.getElementById('text').removeAttribute('maxlength')")
    page.fill("#text", "x" * 20_001)
    expect(page.locator("#status")).to_contain_text("20001 characters")


def test_it_works_without_javascript(open_page):
    page = open_page("/", java_script_enabled=False)
    page.fill("#text", "you are great")
    page.click("button.main")
    assert "3 known words" in page.inner_text("#status")
    assert page.locator("rect").first.get_attribute("width") != "0.0%"
    page.locator("button[name=example]").first.click()
    assert "Highest" in page.inner_text("#status")


def test_the_command_has_the_address_of_the_browser(open_page):
    page = open_page("/")
    page.route("**/elsewhere/", lambda route: route.fulfill(response=route.fetch(url=page.url)))
    own = page.url
    assert f"curl {own}v1/predict" in page.inner_text("#command")
    # A server that is told another name than the browser has, as behind a mapped port.
    page.goto(f"{own}elsewhere/")
    assert f"curl {own}elsewhere/v1/predict" in page.inner_text("#command")
