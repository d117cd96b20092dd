"""Questions to folders of documents as people have them, end to end with the model that ships: right, or left open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from palimpsest import Config, research
from palimpsest.agent.computing import Computation
from palimpsest.agent.draft import Block
from palimpsest.agent.state import ResearchState
from palimpsest.workflows import audit, steering
from palimpsest.workflows.calibration import record_weights
from palimpsest.workflows.evaluation.fit_records import FRAMES
from palimpsest.workflows.rendering.text import shown
from palimpsest.workflows.runs import Run

from .documents import CASES, FOLDERS, OPEN, Case, lay


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


def run(folder: Path, name: str, question: str) -> Run:
    docs = lay(folder / "docs", name)
    *_, last = research(question, Config(docs=(docs,), out=folder / "runs", index=folder / "index"))
    return Run(Path(last.data["folder"]))


def state_of(run: Run) -> ResearchState:
    return run.state(run.record().current.number)


def answers(state: ResearchState) -> list[str]:
    return [shown(b) for b in state.draft.blocks if b.kind == "answer" and b.words[0].status == "filled"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.folder}: {case.question}")
def test_a_document_is_answered_from_or_left_open(case: Case, folder: Path) -> None:
    held = run(folder, case.folder, case.question)
    state = state_of(held)
    found = answers(state)
    assert audit.verify(held) == []
    if case.right == (OPEN,):
        assert found == []
        assert any(b.kind == "open" for b in state.draft.blocks), "what stays open is said"
    else:
        assert all(right in " | ".join(found) for right in case.right)
        assert not any(wrong in " | ".join(found) for wrong in case.wrong)


MILL = "The Selm mill was opened in 1854. It stands beside the lake. The Selm mill grinds 30 tons a day. Canale did not build it."
INN = "The inn of Orta is older than the mill. It has twelve rooms. Guests come by barge. The kitchen closes at ten."


def test_a_question_is_answered_by_yes_or_no_and_so_is_one_that_follows_on(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "mill.md").write_text(f"# Selm mill\n\n{MILL}\n")
    (docs / "inn.md").write_text(f"# Inn\n\n{INN}\n")
    config = Config(docs=(docs,), out=tmp_path / "runs", index=tmp_path / "index")
    *_, last = research("Was the Selm mill opened in 1854?", config)
    held = Run(Path(last.data["folder"]))
    short = held.report.read_text(encoding="utf-8").split("## In short")[1].split("\n## ")[0]
    assert short.index("It reads as yes: one source says it") < short.index("The Selm mill was opened in 1854.")
    list(steering.ask(held, "Does it grind more than 50 tons a day?"))
    after = held.report.read_text(encoding="utf-8")
    assert short in after, "what was answered before stays as it is"
    asked = after.split("## Does it grind more than 50 tons a day?")[1].split("\n## ")[0]
    assert "It reads as no: one source contradicts it" in asked
    assert "> The Selm mill grinds 30 tons a day." in asked
    assert audit.verify(held) == []


def test_rows_of_a_table_are_compared_by_its_columns(folder: Path) -> None:
    """Their cells were once sentences about neither, and "Compare" was said to be no column of the table."""
    held = run(folder, "page", "Compare the Great hall and the Blue room.")
    (block,) = [b for b in state_of(held).draft.blocks if b.kind == "table"]
    spans = {s.id: s.text for s in block.spans}
    assert [[spans[name] for name in row] for row in block.rows] == [
        [" ", "Price Morning", "Price Evening", "Seats"],
        ["Great", "90 euros", "150 euros", "220"],
        ["Blue", "35 euros", "60 euros", "40"],
    ]
    assert not any(b.kind == "open" for b in state_of(held).draft.blocks)
    assert audit.verify(held) == []


def test_columns_of_a_table_are_compared_by_its_rows_and_other_tables_tell_the_rest(folder: Path) -> None:
    """The cells were once sentences of a letter whose title holds the word, and the table's own records stood raw in the report."""
    held = run(folder, "ovens", "How do the Vulcan 4 and the Ember compare on heating time, price and heat loss?")
    (block,) = [b for b in state_of(held).draft.blocks if b.kind == "table"]
    spans = {s.id: s.text for s in block.spans}
    assert [[spans[name] for name in row] for row in block.rows] == [
        [" ", "Heating time", "Price", "Heat loss"],
        [
            "Vulcan 4",
            "Heating time, one loaf: 12 min; Heating time, full oven: 31 min",
            "price (EUR): 18900",
            "heat loss 2023 (%): 11.5",
        ],
        [
            "Ember",
            "Heating time, one loaf: 9 min; Heating time, full oven: 38 min",
            "price (EUR): 7400",
            "heat loss 2023 (%): 17.2",
        ],
    ]
    assert "Measure:" not in held.report.read_text(encoding="utf-8")
    assert audit.verify(held) == []


def test_a_question_that_nothing_speaks_of_is_told_so_ahead(folder: Path) -> None:
    held = run(folder, "tower", "How do orchestras tune their violins, and why does humidity matter?")
    said = [b.text for b in state_of(held).draft.blocks if b.kind == "statement"]
    assert said == ["No source that was read speaks of this directly; what is quoted comes nearest to it."]
    assert audit.verify(held) == []


def test_every_folder_is_asked() -> None:
    assert {case.folder for case in CASES} | {"tower"} == set(FOLDERS)


def computed(state: ResearchState) -> Block:
    return next(b for b in state.draft.blocks if b.computation)


def forged(state: ResearchState) -> Iterator[Block]:
    """The computed statement with its words, its rows or what it says to be computed changed."""
    block = computed(state)
    said, cited = block.spans
    assert block.computation is not None
    yield block.model_copy(update={"spans": (said.model_copy(update={"text": said.text.replace("542", "524")}), cited)})
    yield block.model_copy(update={"spans": (said.model_copy(update={"support": said.support[1:]}), cited)})
    other: Computation = block.computation.model_copy(update={"column": "Yield 2023"})
    yield block.model_copy(update={"computation": other})
    yield block.model_copy(update={"computation": block.computation.model_copy(update={"table": "none"})})
    yield block.model_copy(update={"computation": None})


def test_what_was_computed_is_shown_with_every_row_and_computed_again(folder: Path) -> None:
    state = state_of(run(folder, "orchard", "What was the total yield in 2022?"))
    block = computed(state)
    assert block.text == "Computed over “Yield 2022” in 5 rows of the table “trees”: they come to 542 kg."
    assert len(block.words[0].support) == 5
    assert audit._block_problems(block, state) == []
    wrong = list(forged(state))
    assert len(wrong) == 5
    assert all(audit._block_problems(one, state) for one in wrong)


def test_a_forged_answer_of_a_computation_is_found(folder: Path) -> None:
    state = state_of(run(folder, "orchard", "What was the total yield in 2022?"))
    answer = next(b for b in state.draft.blocks if b.kind == "answer")
    assert audit._block_problems(answer, state) == []
    place = answer.words[0].model_copy(update={"text": "541 kg"})
    changed = answer.model_copy(update={"spans": (place, *answer.spans[1:])})
    assert audit._block_problems(changed, state) == ["answer q1.answer says '541 kg'; computed again it is '542 kg'"]


def test_equal_figures_in_other_units_are_no_conflict(folder: Path) -> None:
    state = state_of(run(folder, "tower", "How high is the Brannock tower?"))
    assert answers(state)
    assert not state.conflicts
    differing = state_of(run(folder, "crossing", "How long does the walk to the Kettle rock take?"))
    assert [c.reason for c in differing.conflicts] == ["Kept: the newer source."]


def test_a_list_over_prose_says_that_it_may_be_incomplete(folder: Path) -> None:
    state = state_of(run(folder, "choir", "List all members of the Alto choir."))
    found = [b.text for b in state.draft.blocks if b.kind == "open"]
    assert any("may be incomplete" in text for text in found)
    (table,) = (b for b in state.draft.blocks if b.kind == "table")
    assert {s.text for s in table.spans if s.id.endswith(".0") and s.support} == {"Greta Lund", "Omar Said", "Piet Vos"}


def test_a_question_of_several_topics_is_no_list(folder: Path) -> None:
    state = state_of(run(folder, "choir", "What are the tasks of the Alto choir in summer and winter?"))
    assert all(q.operation == "list" for q in state.questions if q.is_open)
    assert not any("may be incomplete" in b.text for b in state.draft.blocks if b.kind == "open")


def test_a_question_in_another_language_is_quoted_and_says_why(folder: Path) -> None:
    state = state_of(run(folder, "german", "Wer hat den Turm von Hagen entworfen?"))
    found = [b.text for b in state.draft.blocks if b.kind == "open"]
    assert any("The question is in German, which the model does not read" in text for text in found)
    quoted = [b.text for b in state.draft.blocks if b.kind == "quotation"]
    assert any("Käthe Brügge" in text for text in quoted)
    assert len(quoted) == len(set(quoted)), "a sentence that a document repeats is quoted once"


def test_the_numbers_of_tables_are_those_that_were_fitted() -> None:
    """Refit with fit_records; a change here is a change of what is believed."""
    fitted = record_weights()
    columns = fitted.columns
    assert (columns.words, columns.nearness, columns.none, columns.least, columns.clear) == (
        0.932,
        4.344,
        2.646,
        0.376,
        2.0,
    )
    assert (fitted.sure, fitted.belief) == (0.4, 2.0)
    assert set(fitted.operations.labels) == set(FRAMES)
    asked = {
        "List all barges.": "list",
        "Who has the highest pay?": "most",
        "What is the total pay?": "total",
        "Who built it?": "value",
    }
    found = fitted.operations.probabilities(list(asked))
    assert [fitted.operations.labels[int(row.argmax())] for row in found] == list(asked.values())
