"""Takes the README's pictures of the workbench: `python -m tests.ui.workbench.take_screenshots` (Chromium and about two minutes)."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.ui.workbench.browsers import PATIENCE, QUESTION, ROOT, chromium, workbench

TO = ROOT / "ui" / "workbench" / "screenshots"


def main() -> None:
    TO.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, workbench(Path(folder)) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        run = _watched(_page(browser, 1280, "light"), address)
        _judged(_page(browser, 1280, "dark"), run)
        _played(_page(browser, 1280, "light"), address)
        _held(_page(browser, 390, "light"), run)
        browser.close()


def _page(browser: Any, width: int, scheme: str) -> Any:
    height = 820 if width > 600 else 844
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def _watched(page: Any, address: str) -> str:
    """A run while it is denoised: words that the model would write stand in their masks."""
    page.goto(address)
    page.get_by_label("Research question").fill(QUESTION)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_label("Item 1").wait_for()
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator("[data-mask] .pp-known, [data-mask] .pp-fixed").first.wait_for()
    _save(page, "masks")
    page.locator('[data-status="done"]').wait_for()
    return str(page.url)


def _judged(page: Any, run: str) -> None:
    """A finished report, a figure of it chosen, and its evidence beside it."""
    page.goto(run)
    page.locator('[data-block="quotation"] [data-kind="NUMBER"]').first.click()
    page.get_by_role("region", name="Evidence").locator("mark").first.wait_for()
    _save(page, "evidence")


def _played(page: Any, address: str) -> None:
    """The canvas to play on, and what a place might become."""
    page.goto(f"{address}/model")
    page.get_by_role("button", name="Denoise", exact=True).click()
    page.locator(".st-key-play-again button:not([disabled])").wait_for()  # it was played to its end
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    place = page.locator(".pp-canvas [data-mask]").first
    place.scroll_into_view_if_needed()
    place.hover()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollBy(0, 330)")
    place.hover()
    _save(page, "canvas")


def _held(page: Any, run: str) -> None:
    """The same report on a telephone."""
    page.goto(run)
    page.get_by_role("region", name="Draft").locator("[data-span]").first.wait_for()
    page.evaluate("document.querySelector('[aria-label=Draft]').scrollIntoView()")
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollBy(0, -70)")
    _save(page, "phone")


def _save(page: Any, name: str) -> None:
    """The window as a small picture."""
    page.wait_for_timeout(700)
    taken = Image.open(io.BytesIO(page.screenshot()))
    taken.convert("RGB").save(TO / f"{name}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
