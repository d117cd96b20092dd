"""The first page: a question, what is searched, and where it leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from palimpsest.ui.workbench import ask, uploads
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.ui.workbench import pages
from tests.ui.workbench.conftest import Ways
from tests.ui.workbench.pages import page, press, words
from tests.ui.workbench.test_run import draft_of
from tests.workflows import scripted


def test_a_question_is_started_at_once_when_the_plan_is_not_wanted(config: Config, went: Ways) -> None:
    shown = page("ask")
    assert next(t.label for t in shown.text_input) == "Research question"
    shown.text_input(key="question").set_value(scripted.QUESTION)
    shown.checkbox(key="straight").check()
    press(shown, "Start")
    (run,) = Run.all(config.out)
    assert went == [("run", {"id": run.folder.name})]
    record = run.record()
    assert (record.question, record.config.docs, record.current.done) == (scripted.QUESTION, config.docs, True)


def test_no_question_is_a_sentence(config: Config) -> None:
    shown = press(page("ask"), "Start")
    assert "Write a question first" in words(shown)
    assert not Run.all(config.out) if config.out.exists() else True


def test_examples_are_asked_of_the_bundled_library(config: Config) -> None:
    shown = page("ask")
    assert len(ask.EXAMPLES) == 3
    press(shown, ask.EXAMPLES[1])
    assert shown.text_input(key="question").value == ask.EXAMPLES[1]
    assert shown.session_state["where"] == ask.LIBRARY


def test_a_folder_that_is_not_there_is_a_sentence(config: Config) -> None:
    shown = page("ask")
    shown.text_input(key="question").set_value("Who?")
    shown.session_state["where"] = ask.FOLDER
    shown.run()
    shown.text_input(key="folder").set_value("nowhere")
    press(shown, "Start")
    assert "does not exist" in words(shown)


def test_strangers_cannot_name_folders_of_the_machine(config: Config, tmp_path: Path) -> None:
    pages.serve(config, tmp_path, is_local=False)
    assert ask.FOLDER not in page("ask").segmented_control(key="where").options
    pages.serve(config, tmp_path)
    assert ask.FOLDER in page("ask").segmented_control(key="where").options


def test_earlier_runs_lead_to_their_page(finished: Run, went: Ways) -> None:
    shown = page("ask")
    shown.button(key=f"recent-{finished.folder.name}").click().run()
    assert went == [("run", {"id": finished.folder.name})]


def test_an_empty_folder_says_what_to_do(config: Config) -> None:
    assert "None yet." in words(page("ask"))


class Sent:
    """A file as Streamlit hands it over."""

    def __init__(self, name: str, data: bytes, size: int | None = None):
        self.name, self._data, self.size = name, data, len(data) if size is None else size

    def getvalue(self) -> bytes:
        return self._data


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Notes on Barges.md", "007-notes-on-barges.md"),
        ("../../etc/passwd", "007-file.txt"),
        ("C:\\temp\\a.PDF", "007-a.pdf"),
        ("x.sh", "007-x.txt"),
        (".md", "007-file.md"),
        ("<script>.html", "007-script.html"),
        ("a" * 300 + ".csv", "007-" + "a" * 40 + ".csv"),
        ("日本.docx", "007-file.docx"),
        ("nul\x00.txt", "007-nul.txt"),
    ],
)
def test_uploads_are_kept_under_names_of_ours(name: str, kept: str) -> None:
    assert uploads.name_of(name, 7) == kept


def test_uploads_are_bounded_and_kept_whole(tmp_path: Path) -> None:
    kept = uploads.keep(tmp_path / "run" / "uploads", [Sent("a.md", b"x"), Sent("a.md", b"y")])
    assert [(p.name, p.read_bytes()) for p in kept] == [("001-a.md", b"x"), ("002-a.md", b"y")]
    (later,) = uploads.keep(tmp_path / "run" / "uploads", [Sent("a.md", b"z")])
    assert later.name == "003-a.md"
    assert [p.read_bytes() for p in kept] == [b"x", b"y"], "nothing that was kept is written over"
    large: Any = Sent("big.pdf", b"", size=uploads.MOST_MEGABYTES * 2**20 + 1)
    with pytest.raises(uploads.ResearchError, match="larger than"):
        uploads.keep(tmp_path / "more", [large])
    with pytest.raises(uploads.ResearchError, match="too many"):
        uploads.keep(tmp_path / "more", [Sent("a.md", b"x")] * (uploads.MOST_FILES + 1))
    assert not (tmp_path / "more").exists()


def test_two_people_see_of_each_other_what_lies_in_one_folder_of_runs(config: Config, tmp_path: Path) -> None:
    """What one uploads is seen by whoever shares their folder of runs, and by nobody else."""
    shown = page("ask")
    shown.segmented_control(key="where").set_value(ask.UPLOAD).run()
    shown.file_uploader(key="files").set_value(
        [("secret barges.md", scripted.DOCS["barges.md"].encode(), "text/plain")]
    )
    shown.text_input(key="question").set_value(scripted.QUESTION)
    shown.checkbox(key="straight").check()
    press(shown, "Start")
    (run,) = Run.all(config.out)
    (kept,) = (run.folder / "uploads").iterdir()
    assert kept.name == "001-secret-barges.md"
    assert kept.parent == run.record().config.docs[0]

    pages.serve(config.model_copy(update={"out": tmp_path / "other" / "runs"}), tmp_path / "other")
    asked, listed, opened = page("ask"), page("runs"), page("run", id=run.folder.name)
    assert "None yet" in words(asked)
    assert "There is no such run" in words(opened)
    library = page("library")
    for other in (asked, listed, opened, library):
        everything = words(other) + "".join(b.label for b in other.button)
        assert "Marisa" not in everything
        assert run.folder.name not in everything
        assert "secret" not in everything

    pages.serve(config, tmp_path)
    assert any(b.key == f"recent-{run.folder.name}" for b in page("ask").button)
    assert "Marisa" in str(draft_of(page("run", id=run.folder.name)))
