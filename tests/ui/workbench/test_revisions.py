"""Drafts on a slider, from the outline to the end, with what each changed and why; and played."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from palimpsest.ui.workbench import revisions
from palimpsest.workflows import research
from palimpsest.workflows.runs import Run
from tests.ui.workbench.pages import page, press, words
from tests.workflows import scripted


def at(run: Run, number: int) -> AppTest:
    return moved(page("run", id=run.folder.name), number)


def moved(shown: AppTest, number: int) -> AppTest:
    """The page after a person moved the slider to this draft, or to the last one."""
    (slider,) = shown.select_slider
    shown.session_state[str(slider.key)] = min(number, len(slider.options) - 1)
    return shown.run()


def place(shown: AppTest) -> int:
    (slider,) = shown.select_slider
    return int(shown.session_state[str(slider.key)])


def test_the_slider_leads_from_the_outline_to_the_end(finished: Run, tmp_path: Path) -> None:
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    list(research.revise(finished, [tmp_path / "newer.md"]))
    assert "Draft 1 of" in words(at(finished, 0))
    assert "the outline" in words(at(finished, 0))
    last = words(page("run", id=finished.folder.name))
    assert "version 2" in last
    moments = [words(at(finished, n)) for n in range(8)]
    assert any("<del>12</del> <ins>17</ins>" in t and "contradicted: Barges of 2026 (2026-03-01)" in t for t in moments)


def test_who_looks_at_the_newest_draft_is_led_on_to_newer_ones(finished: Run, tmp_path: Path) -> None:
    shown = page("run", id=finished.folder.name)
    newest = place(shown)
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    list(research.revise(finished, [tmp_path / "newer.md"]))
    assert place(shown.run()) > newest
    assert place(moved(shown, 1)) == 1
    assert place(shown.run()) == 1
    (tmp_path / "more.md").write_text("The barge Marisa was built in 1901.", encoding="utf-8")
    list(research.revise(finished, [tmp_path / "more.md"], reopen=["q1.answer"]))
    assert place(shown.run()) == 1, "who looks back is left there"


def test_a_look_that_was_cut_off_still_leads_on(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit ends a look wherever it reads or writes what it keeps of a page, when another look is due."""
    kept = CutOff()
    monkeypatch.setattr(revisions.st, "session_state", kept)
    assert revisions._place("m", "m-of-1", 1) == 0
    revisions._remember("m", 0, 1)
    for cut in range(4):
        before = dict(kept)
        kept.left = cut
        with contextlib.suppress(KeyboardInterrupt):
            revisions._remember("m", revisions._place("m", "m-of-6", 6), 6)
        kept.left = 100
        assert revisions._place("m", "m-of-6", 6) == 5, f"cut off at use {cut}"
        kept.clear()
        kept.update(before)


class CutOff(dict[str, Any]):
    """What is kept of a page, of which so many uses are left until the look is cut off."""

    left = 100

    def _use(self) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1

    def __getitem__(self, key: str) -> Any:
        self._use()
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._use()
        super().__setitem__(key, value)

    def pop(self, *given: Any) -> Any:
        self._use()
        return super().pop(*given)


def test_playing_goes_on_by_itself_and_ends(finished: Run) -> None:
    shown = page("run", id=finished.folder.name)
    press(shown, "Play")
    for _ in range(12):
        shown.run()
    assert place(shown) > 0
    assert [b.label for b in shown.button if b.label in ("Play", "Pause")] == ["Play"]


def test_a_run_without_a_draft_says_so(config: object, finished: Run) -> None:
    finished.checkpoint.unlink()
    (finished.folder / "drafts" / "1.json").rename(finished.folder / "drafts" / "kept")
    record = finished.record()
    undone = record.current.model_copy(update={"done": False})
    finished.save(record.model_copy(update={"versions": (undone,)}))
    assert "There is none yet" in words(page("run", id=finished.folder.name))
