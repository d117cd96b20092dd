"""A clean run has nothing to complain of; every kind of forgery is found; a difference says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palimpsest.agent import blocks, forms, missing
from palimpsest.agent.state import ResearchState, Side
from palimpsest.workflows import research, seal
from palimpsest.workflows.audit import _block_problems, _statement_problems, compare, verify
from palimpsest.workflows.changes import diff
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run
from tests.agent.test_outline import chosen
from tests.workflows import scripted


@pytest.fixture
def run(config: Config, tmp_path: Path) -> Run:
    """A run and its revision."""
    found = scripted.finished(config)
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    list(research.revise(found, [tmp_path / "newer.md"]))
    return found


def swap(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def forge(run: Run, number: int, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the stored state of a version."""
    path = run.folder / "drafts" / f"{number}.json"
    state = ResearchState.model_validate_json(path.read_text(encoding="utf-8")).model_dump(mode="json")
    change(state)
    path.write_text(ResearchState.model_validate(state).model_dump_json(), encoding="utf-8")


def span(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(s for block in state["draft"]["blocks"] for s in block["spans"] if s["id"] == name)


def stored(run: Run, title: str) -> Path:
    (source,) = [s for s in run.sources() if s.title == title]
    return run.text_file(source.id)


def test_a_clean_run_has_no_problems(run: Run) -> None:
    assert verify(run) == []


def test_a_digit_changed_in_the_report_is_found(run: Run) -> None:
    swap(run.report, "reaches 17 knots. [3]", "reaches 18 knots. [3]")
    (problem,) = verify(run)
    line = 1 + run.report.read_text(encoding="utf-8").splitlines().index(
        "> The fastest barge on Lake Orta is Marisa, which reaches 18 knots. [3]"
    )
    assert f"line {line} is " in problem
    assert "18 knots" in problem


def test_a_report_that_another_version_shows_in_other_words_is_not_called_changed(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run written before a change of a renderer was once said to have been changed after it was written."""
    monkeypatch.setattr(seal, "maker", lambda: "of another version")
    found = scripted.finished(config)
    monkeypatch.undo()
    assert verify(found) == []
    kept = found.report.read_text(encoding="utf-8")
    swap(found.report, "reaches 12 knots. [1]", "was shown otherwise. [1]")
    (problem,) = (p for p in verify(found) if p.startswith("report.md"))
    assert "is not what this version of the program makes: line " in problem
    assert "another version of this program wrote the run" in problem
    assert compare(found, kept) == []
    assert "another version" in compare(found, f"{kept}And more.")[0]


def test_an_invented_citation_is_found(run: Run) -> None:
    swap(run.report, "reaches 17 knots. [3]", "reaches 17 knots. [99]")
    assert any("report.md was changed" in p and "[99]" in p for p in verify(run))


def test_a_line_added_to_the_end_and_a_missing_report_are_found(run: Run) -> None:
    run.report.write_text(run.report.read_text(encoding="utf-8") + "And so say all of us.\n", encoding="utf-8")
    assert "'And so say all of us.'" in verify(run)[0]
    run.report.unlink()
    assert "report.md is missing" in verify(run)[0]


def test_a_changed_text_of_a_source_is_found(run: Run) -> None:
    swap(stored(run, "Barges of 2026"), "17", "19")
    problems = verify(run)
    assert "the text of source 'Barges of 2026' does not match its SHA-256" in problems
    assert any("the quote of span c1~1.5 is not in 'Barges of 2026'" in p for p in problems)
    assert any("is not what 'Barges of 2026' says" in p for p in problems)


def test_a_missing_text_of_a_source_is_found(run: Run) -> None:
    stored(run, "The harbour book").unlink()
    assert "the text of source 'The harbour book' is missing" in verify(run)


def test_a_changed_quote_is_found(run: Run) -> None:
    forge(run, 2, lambda s: span(s, "c1~1.5")["support"][0].update(quote="71"))
    assert any("the quote of span c1~1.5 is not in 'Barges of 2026'" in p for p in verify(run))


def test_changed_words_are_found_even_when_the_report_is_changed_with_them(run: Run) -> None:
    forge(run, 2, lambda s: span(s, "c1~1.5").update(text="71 knots"))
    swap(run.report, "reaches 17 knots. [3]", "reaches 71 knots. [3]")
    assert "span c1~1.5 says '71 knots', its source '17 knots'" in verify(run)


def test_words_without_a_source_are_found(run: Run) -> None:
    forge(run, 2, lambda s: span(s, "c1~1.5").update(support=[]))
    assert "span c1~1.5 ('17 knots') has no source" in verify(run)


def test_support_from_a_passage_that_is_not_held_is_found(run: Run) -> None:
    forge(run, 2, lambda s: span(s, "c1~1.5")["support"][0].update(passage="ffffffffffff-0"))
    assert "span c1~1.5 is supported by ffffffffffff-0, which the run does not hold" in verify(run)


def test_a_passage_moved_by_one_character_is_found(run: Run) -> None:
    def shift(state: dict[str, Any]) -> None:
        passage = state["evidence"][0]
        passage.update(start=passage["start"] + 1, end=passage["end"] + 1)

    forge(run, 2, shift)
    assert [p for p in verify(run) if p.startswith("passage ") and "is not what" in p]


def test_a_span_changed_without_being_reopened_is_found(run: Run) -> None:
    """Both versions are whole in themselves; only beside each other do they tell."""
    forge(run, 1, lambda s: span(s, "question.title").update(text="What is the slowest barge?"))
    assert "question.title changed in version 2 though it was not reopened" in verify(run)


def test_an_unfinished_run_is_not_verified(config: Config) -> None:
    events = research.research(scripted.QUESTION, config)
    next(events)
    events.close()  # type: ignore[attr-defined]
    unfinished = scripted.only_run(config)
    for look in (verify, diff):
        with pytest.raises(ResearchError, match=f"is not finished; first: research resume {unfinished.folder.name}"):
            look(unfinished)


def test_a_difference_has_old_new_reason_evidence_and_probabilities(run: Run) -> None:
    claim, first, second = diff(run)
    assert (claim.revision.span, claim.revision.new) == ("c1.0", claim.sentence)
    assert (claim.revision.reason, claim.revision.version) == ("contradicted", 2)
    assert claim.sentence == "The fastest barge on Lake Orta is Marisa, which reaches 17 knots."
    assert claim.passage is not None
    assert (claim.passage.source.title, claim.passage.source.date) == ("Barges of 2026", "2026-03-01")
    assert (first.revision.span, first.revision.reason) == ("q1.answer", "dependent")
    assert (second.revision.span, second.revision.old, second.revision.new) == ("q2.answer", "12", "17")


def test_a_difference_between_chosen_versions(run: Run, tmp_path: Path) -> None:
    (tmp_path / "garden.md").write_text(scripted.UNRELATED, encoding="utf-8")
    list(research.revise(run, [tmp_path / "garden.md"]))
    assert diff(run) == [], "the newest version changed nothing"
    assert diff(run, 1, 2) == diff(run, 1, 3) == diff(run, 0, 3)
    assert [c.revision.version for c in diff(run, 1, 2)] == [2, 2, 2]
    assert diff(run, 0, 1) == []


@pytest.mark.parametrize(("first", "last"), [(2, 2), (2, 1), (1, 9), (-1, 2), (9, None)])
def test_versions_that_do_not_exist_are_refused(run: Run, first: int, last: int | None) -> None:
    with pytest.raises(ResearchError, match=r"the versions are \[1, 2\]") as error:
        diff(run, first, last)
    assert error.value.code == 2


def test_a_bracketed_figure_of_a_source_is_no_citation(config: Config) -> None:
    text = scripted.DOCS["barges.md"].replace("which reaches 12 knots", "which reaches 12 knots, as [57] says")
    scripted.lay_documents(config.docs[0], {"barges.md": text})
    found = scripted.finished(config)
    assert "as \\[57\\] says" in found.report.read_text(encoding="utf-8")
    assert verify(found) == []


@pytest.mark.parametrize("sides", [("for", "for"), ("against", "against"), ("for", "against")])
def test_a_verdict_names_nothing_that_it_would_have_to_cite(sides: tuple[Side, ...]) -> None:
    """ "Disputed:" was read as a name, and no report with that verdict verified."""
    said = forms.verdict(sides, [chosen(f"A barge of {n} masts.", n) for n in range(len(sides))])
    assert said
    assert _statement_problems(blocks.statement("verdict", blocks.SHORT, said)) == []


@pytest.mark.parametrize(
    ("thing", "problems"),
    [
        ("price", 0),
        ("Orta Weir", 0),
        ("orta weir in 2019", 0),
        ("Selm", 1),
    ],
)
def test_what_is_said_back_of_a_question_needs_no_source(thing: str, problems: int) -> None:
    """ "Nothing quoted here speaks of …": "Nothing" was read as a name, and no report with that line verified."""
    state = ResearchState(question="What is the price of fish at Orta Weir in 2019?")
    said = blocks.statement("silent", blocks.SHORT, missing.SILENT.format(f"“{thing}”"))
    assert len(_block_problems(said, state)) == problems
