"""Opens the page, types a comment, and saves what a person sees; `scripts/screenshot` calls it."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

COMMENT = "You are an idiot and nobody likes you, but thank you for the source."
WIDTH, HEIGHT = 760, 900
MOST_BYTES = 100_000


def main(url: str, chromium: str, path: Path) -> int:
    """Save the picture; 1 if it is too large for the repository."""
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium's sandbox cannot run.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme="light",
            reduced_motion="reduce",
        )
        page.goto(url)
        page.fill("#text", COMMENT)
        expect(page.locator("#status")).to_contain_text("Highest")
        page.locator("h1").click()
        page.screenshot(path=path)
        browser.close()
    size = path.stat().st_size
    print(f"{path}: {size} bytes")
    if size > MOST_BYTES:
        print(f"screenshot: {path} is larger than {MOST_BYTES} bytes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
