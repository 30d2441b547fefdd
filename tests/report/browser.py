"""Chromium for the tests of the report's pages, driven by Playwright.

The browser is the system's own: Playwright downloads none. Pages keep their content security
policy; what a test evaluates comes from the driver, which the policy does not concern.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HEIGHT = 900
# Every script of the tests has `all`: the elements that match a selector, as an array.
SCRIPT = """async () => {{
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  {script}
}}"""


@contextmanager
def running_chromium(home: Path) -> Iterator[Browser]:
    """Run Chromium with a home folder of its own."""
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(SWITCHES), env=environment
        )
        yield browser
        browser.close()


def opened(browser: Browser, file: Path, width: int = 1280) -> Page:
    """Open a file in a window of this width, in pixels, and let the page's scripts run."""
    page = browser.new_page(viewport={"width": width, "height": HEIGHT})
    page.goto(file.as_uri())
    return page


def evaluate(page: Page, script: str) -> Any:
    """Run a script in the page and return the value of its `return`."""
    return page.evaluate(SCRIPT.format(script=script))
