"""Drafts on a slider, from the outline to the end, with what each changed and why; and played."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from palimpsest.workflows import research
from palimpsest.workflows.runs import Run
from tests.ui.workbench.pages import page, press, words
from tests.workflows import scripted


def at(run: Run, number: int) -> AppTest:
    shown = page("run", id=run.folder.name)
    shown.session_state[f"moment-{run.folder.name}"] = number
    return shown.run()


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
    shown, key = page("run", id=finished.folder.name), f"moment-{finished.folder.name}"
    newest = shown.session_state[key]
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    list(research.revise(finished, [tmp_path / "newer.md"]))
    assert shown.run().session_state[key] > newest
    shown.session_state[key] = 1
    assert shown.run().session_state[key] == 1


def test_playing_goes_on_by_itself_and_ends(finished: Run) -> None:
    shown = page("run", id=finished.folder.name)
    press(shown, "Play")
    key = f"moment-{finished.folder.name}"
    for _ in range(12):
        shown.run()
    assert shown.session_state[key] > 0
    assert [b.label for b in shown.button if b.label in ("Play", "Pause")] == ["Play"]


def test_a_run_without_a_draft_says_so(config: object, finished: Run) -> None:
    finished.checkpoint.unlink()
    (finished.folder / "drafts" / "1.json").rename(finished.folder / "drafts" / "kept")
    record = finished.record()
    undone = record.current.model_copy(update={"done": False})
    finished.save(record.model_copy(update={"versions": (undone,)}))
    assert "There is none yet" in words(page("run", id=finished.folder.name))
