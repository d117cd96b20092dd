"""The pages of runs, of the library and of the model."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from palimpsest.ui.workbench import canvases, diffs, files, model, playground
from palimpsest.workflows import playing, research
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.playing import Mask, Option, Place, Turn
from palimpsest.workflows.runs import Run
from tests.ui.workbench.conftest import Ways
from tests.ui.workbench.pages import page, press, words
from tests.ui.workbench.test_markup import HOSTILE, seen
from tests.workflows import scripted


def test_runs_are_listed_found_and_opened(finished: Run, went: Ways) -> None:
    shown = page("runs")
    assert scripted.QUESTION in words(shown)
    shown.text_input(key="find").set_value("kitchen").run()
    assert "No question holds these words" in words(shown)
    shown.text_input(key="find").set_value("LAKE ORTA").run()
    press(shown, "Open")
    assert went == [("run", {"id": finished.folder.name})]


def test_a_damaged_run_hides_no_sound_one(finished: Run) -> None:
    broken = finished.folder.parent / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    page_words = words(page("runs"))
    assert "broken/run.json is damaged" in page_words
    assert scripted.QUESTION in page_words


def test_two_reports_are_compared(config: Config, finished: Run, tmp_path: Path) -> None:
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    other = scripted.finished(config)
    list(research.revise(other, [tmp_path / "newer.md"]))
    page_words = words(page("runs"))
    assert "Compare two reports" in page_words
    assert "<del>12</del> <ins>17</ins>" in page_words or "<del>17</del> <ins>12</ins>" in page_words


def test_every_export_is_what_the_command_writes(finished: Run) -> None:
    record, state = finished.record(), finished.state(1)
    for form, name in (
        ("md", "report.md"),
        ("html", "report.html"),
        ("json", "report.json"),
        ("bib", "references.bib"),
    ):
        assert files.made(finished, record, state, form) == (finished.folder / name).read_text(encoding="utf-8")


def test_verify_says_what_holds_and_what_does_not(finished: Run) -> None:
    shown = press(page("run", id=finished.folder.name), "Verify")
    assert "Every quotation, citation, file and hash holds" in words(shown)
    finished.report.write_text("forged", encoding="utf-8")
    shown = press(page("run", id=finished.folder.name), "Verify")
    assert "Something does not hold" in words(shown)
    assert "report.md was changed after it was written" in words(shown)


def test_the_library_shows_what_is_held_and_what_could_not_be_read(config: Config) -> None:
    (config.docs[0] / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    shown = press(page("library"), "Show what is indexed")
    assert "<b>3</b> documents" in words(shown)
    assert "Barges of 2024" in words(shown)
    assert "broken.pdf" in words(shown)
    assert "What could not be read" in words(shown)


def test_the_library_is_searched(config: Config) -> None:
    shown = page("library")
    shown.text_input(key="query").set_value("fastest barge on Lake Orta").run()
    assert "which reaches 12 knots" in words(shown)
    assert "found by" in words(shown)


def test_documents_are_added_and_taken_away(config: Config, tmp_path: Path) -> None:
    scripted.lay_documents(tmp_path / "more", {"garden.md": scripted.UNRELATED})
    shown = page("library")
    shown.text_input(key="add-folder").set_value("more").run()
    press(shown, "Add this folder")
    assert "/more" in words(shown)
    press(press(shown, "Remove"), "Show what is indexed")
    assert "A garden" in words(shown)
    assert "Barges of 2024" not in words(shown)
    shown.text_input(key="add-folder").set_value("nowhere").run()
    assert "does not exist" in words(press(shown, "Add this folder"))


OPEN = Place(kind="ENTITY", options=(Option(words="Marisa", probability=0.75), Option(words="", probability=0.2)))
DONE = Place(kind="ENTITY", words="Marisa", probability=0.75, step=1)
TURNS = [Turn(step=0, places=(OPEN,) * 3), Turn(step=1, places=(DONE, OPEN, OPEN))]


def denoised() -> AppTest:
    """The page of the model when the canvas was denoised, at the step before the first."""
    shown = press(page("model"), "Denoise")
    for _ in range(200):
        if "pp-canvas" in words(shown) or "pp-problem" in words(shown):
            break
        time.sleep(0.05)
        shown.run()
    return shown


def test_a_canvas_that_cannot_be_denoised_is_a_sentence(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> list[Turn]:
        raise ResearchError("that is too much for one canvas")

    monkeypatch.setattr(playground, "play", fail)
    assert "That is too much for one canvas" in words(denoised())


def test_a_slow_model_holds_up_no_page(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(playground, "play", lambda *given: (let_go.wait(60), TURNS)[1])
    shown = press(page("model"), "Denoise")
    assert "you may leave this page" in words(shown)
    press(shown, "Take all masks away")  # and the page answers meanwhile
    assert "you may leave this page" not in words(shown)
    let_go.set()


def test_the_canvas_is_denoised_step_by_step(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(playing, "play", lambda *given: asked.append(given) or TURNS)
    monkeypatch.setattr(playground, "play", playing.play)
    shown = denoised()
    _, pieces, evidence = asked[0]  # type: ignore[misc]
    assert [p.kind for p in pieces if isinstance(p, Mask)] == ["ENTITY", "NUMBER", "NUMBER"]
    assert pieces[-1] == " metres long."
    assert len(evidence) == 2
    assert "settled: Marisa" not in words(shown)  # it is played from the step before the first
    assert 'data-mask="ENTITY"' in words(shown)
    assert "75%" in words(shown)
    assert "settled: Marisa" in words(shown.run())
    shown.run()
    assert [b.disabled for b in shown.button if b.label == "Play"] == [False]
    shown.slider(key="play-step").set_value(0).run()
    assert "settled: Marisa" not in words(shown)


def test_a_canvas_without_masks_is_a_sentence(config: Config) -> None:
    shown = press(page("model"), "Take all masks away")
    assert "Mark at least one mask" in words(press(shown, "Denoise"))


def test_marks_are_made_and_taken_back() -> None:
    held = playground.toggled({}, 0, 1, "ENTITY")
    assert held == {"0-1": "ENTITY"}
    assert playground.toggled(held, 1, 2, "NUMBER") == {"1-2": "NUMBER"}
    assert playground.toggled(held, 0, 1, "ENTITY") == {}
    assert playground.toggled(held, 3, 3, "CITE") == {"0-1": "ENTITY", "3-3": "CITE"}


def test_pieces_keep_the_words_between_masks_and_the_stops_behind_them() -> None:
    given = "Marisa reaches 12 knots, says Orta.".split()
    found = playground.pieces(given, {"0-0": "ENTITY", "2-3": "NUMBER", "5-5": "ENTITY"})
    assert found == ["", Mask(kind="ENTITY"), " reaches ", Mask(kind="NUMBER"), ", says ", Mask(kind="ENTITY"), "."]


def test_the_embedded_model_fills_the_canvas_that_lies_there_at_first_as_its_evidence_says() -> None:
    held = playground.pieces(playground.TEXT.split(), playground.MARKED)
    turns = playing.play(Config(), held, playground.EVIDENCE.split("\n\n"))
    assert [p.words for p in turns[-1].places] == ["Joseph Strauss", "27 May 1937", "1,280"]
    assert len(turns) == 1 + len(turns[-1].places), "a place a step"


@pytest.mark.parametrize("hostile", HOSTILE[:4])
def test_a_canvas_shows_hostile_words_as_text(hostile: str) -> None:
    place = Place(kind="TEXT", options=(Option(words=hostile, probability=0.5),))
    html = canvases.canvas_of([hostile, Mask(kind="TEXT")], Turn(step=0, places=(place,))) + canvases.described(
        Turn(step=0, places=(place,))
    )
    assert {tag for tag, _ in seen(html).tags} <= {"div", "span", "i", "b", "h3", "h4", "em"}
    assert hostile in seen(html).text


def test_what_was_measured_of_the_model_is_told(config: Config) -> None:
    page_words = words(page("model"))
    assert "expected calibration error" in page_words
    bins = [[0.1, 0.12, 40], [0.9, 0.85, 100]]
    assert all(
        0 <= said <= 1 and 0 <= right <= 1
        for points in model.reliability("embedded").values()
        for said, right, _ in points
    )
    assert "On the dashed line both agree" in page_words
    assert model.reliability("no/such/folder") == {}
    drawn = model.diagram(bins)["series"][1]["data"]
    assert [d["value"] for d in drawn] == [[0.1, 0.12], [0.9, 0.85]]


def test_a_word_diff_marks_what_went_and_what_came() -> None:
    assert (
        diffs.between("it reaches 12 knots", "it reaches 17 knots now")
        == "it reaches <del>12</del> <ins>17</ins> knots <ins>now</ins>"
    )
    assert diffs.between("<b>", "<i>") == "<del>&lt;b&gt;</del> <ins>&lt;i&gt;</ins>"
    assert (
        diffs.paragraphs(["a b", "c"], ["a x", "c", "d"])
        == "<p>a <del>b</del> <ins>x</ins></p><p>c</p><p><ins>d</ins></p>"
    )


def test_a_model_elsewhere_shows_no_canvas() -> None:
    with pytest.raises(ResearchError, match="shows no canvas"):
        playing.play(Config(model="http://127.0.0.1:1"), [Mask(kind="ENTITY")], ["x"])
