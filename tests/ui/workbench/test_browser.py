"""A researcher's walk in a real Chromium, wide and narrow: ask, approve, watch masks, open evidence, reopen, look back, take home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.ui.workbench.browsers import QUESTION, Visit, chromium, lay_documents, workbench

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the walk in a browser needs playwright: pip install playwright"
)
pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="the walk in a browser needs Chromium: apt-get install chromium"),
    pytest.mark.enable_socket,
    pytest.mark.timeout(1200),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


PRESSES, SEEN_MS = 10, 30_000
EDITED = "Which open diffusion language model is the fastest of all?"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("workbench")
    lay_documents(folder / "docs")
    with workbench(folder, "--docs", "docs") as found:
        yield found


def visit(browser: Any, width: int) -> Visit:
    return Visit(browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True).new_page())


def to_the_first(page: Any) -> None:
    """Move the slider of drafts to its beginning; a key that fell between two drawings of the page is pressed again."""
    slider = page.get_by_role("region", name="Revisions").get_by_role("slider")
    first = page.get_by_text("Draft 1 of")
    for _ in range(PRESSES):
        slider.focus()
        slider.press("Home")
        with suppress(playwright.TimeoutError):
            return first.wait_for(timeout=SEEN_MS)
    first.wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_walk(browser: Any, address: str, width: int, tmp_path: Path) -> None:
    seen = visit(browser, width)
    page = seen.page
    page.goto(address)
    page.get_by_label("Research question").fill(QUESTION)
    assert seen.serious() == []
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_label("Item 1").wait_for()
    assert page.get_by_role("region", name="Plan").is_visible()
    assert seen.serious() == []
    page.get_by_label("Item 1").fill(EDITED)  # typed, and Start pressed at once
    page.get_by_role("button", name="Start", exact=True).click()

    page.locator("[data-mask]").first.wait_for()  # masks are seen while the run is under way
    page.locator('[data-status="running"], [data-status="waiting"]').first.wait_for()
    done(page)
    page.wait_for_function("document.querySelectorAll('[data-mask]').length === 0")
    assert EDITED in page.get_by_role("region", name="Plan", exact=True).inner_text()
    words = page.locator('[data-block="quotation"] [data-span]').first
    words.click()
    evidence = page.get_by_role("region", name="Evidence")
    evidence.locator("mark").first.wait_for()
    assert "Where it stands" in evidence.inner_text()
    assert seen.serious() == []

    page.get_by_role("button", name="Reopen", exact=True).click()
    page.locator("#changed").wait_for()
    assert "stand as they stood" in page.locator("#changed").inner_text()
    done(page)

    to_the_first(page)
    assert page.get_by_role("region", name="Revisions").locator("[data-mask]").count() > 0
    with page.expect_download() as taken:
        page.get_by_role("button", name="Markdown", exact=True).click()
    taken.value.save_as(tmp_path / "report.md")
    assert QUESTION in (tmp_path / "report.md").read_text(encoding="utf-8")
    page.get_by_role("button", name="Verify", exact=True).click()
    page.get_by_text("Every quotation, citation, file and hash holds").wait_for()

    for name in ("Plan", "Draft", "Evidence", "Revisions", "Hypotheses", "Conflicts"):
        assert page.get_by_role("region", name=name, exact=True).count() == 1, name
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.serious() == []
    assert seen.errors == []
    assert seen.hosts == {address.split("/")[2]}


def done(page: Any) -> None:
    page.locator('[data-status="done"]').wait_for()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["runs", "library", "model"])
def test_every_other_page_is_whole(browser: Any, address: str, name: str, width: int) -> None:
    seen = visit(browser, width)
    seen.page.goto(f"{address}/{name}")
    seen.page.locator("h1.pp-title").wait_for()
    seen.page.wait_for_load_state("networkidle")
    assert seen.serious() == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.errors == []
    assert seen.hosts == {address.split("/")[2]}


def test_two_people_with_folders_of_their_own_do_not_see_each_other(browser: Any, address: str, tmp_path: Path) -> None:
    """One uploads and asks; a second workbench knows nothing of it, a second browser of the same one does."""
    note = tmp_path / "quay.md"
    note.write_text("# The quay\n\nThe north quay of Kelvara is 412 metres long.\n", encoding="utf-8")
    first = visit(browser, 1280).page
    first.goto(address)
    first.get_by_label("Research question").fill("How long is the north quay of Kelvara?")
    first.get_by_text("Upload", exact=True).click()
    first.locator('input[type="file"]').set_input_files(note)
    first.get_by_text("quay.md").wait_for()
    first.get_by_text("Go straight on, without showing me the plan").click()
    first.get_by_role("button", name="Start", exact=True).click()
    done(first)
    first.get_by_role("region", name="Draft", exact=True).get_by_text("412").first.wait_for()

    beside = visit(browser, 390).page
    beside.goto(address)
    beside.get_by_role("button", name="How long is the north quay").first.wait_for()
    (tmp_path / "other").mkdir()
    with workbench(tmp_path / "other") as elsewhere:
        other = visit(browser, 1280).page
        other.goto(elsewhere)
        other.get_by_text("None yet.").wait_for()
        other.goto(first.url.replace(address, elsewhere))
        other.get_by_text("There is no such run").wait_for()
        assert "412" not in other.locator("body").inner_text()
