"""What a table answers becomes an answer where it is of the kind that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from palimpsest.agent.computing import Operation
from palimpsest.agent.lookups import Reading, Undecided
from palimpsest.agent.state import ResearchState, SubQuestion, Tools
from palimpsest.agent.tabling import look_up
from palimpsest.retrieval.records import Table

from .lake import NoTables, states
from .test_lookups import table
from .world import NUMBERS, ScriptedWriter, Shelf

TOLLS = table("Lock,Opened,Width\nUpper,9 May 1911,5.2 m", "Locks of the canal")


class Cell(NoTables):
    """Tables whose answer is the cell of one column."""

    belief = 2.0

    def __init__(self, column: str) -> None:
        self.column_read = column

    def tables(self, passages: Sequence[object]) -> list[Table]:
        return [TOLLS]

    def read(
        self, question: str, operation: Operation, tables: Sequence[Table], is_aside: bool = False
    ) -> Reading | None:
        cell = TOLLS.rows[0].get(self.column_read)
        assert cell is not None
        return Reading(TOLLS, cell.text, (cell,), (TOLLS.rows[0],))


def answers(column: str) -> list[str]:
    def metres(question: str, texts: Sequence[str]) -> list[bool]:
        return [text.endswith(" m") for text in texts]

    question = SubQuestion(id="q1", text="How wide is the upper lock?", asked="How wide is the upper lock?")
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, records=Cell(column))
    writing = look_up(ResearchState(question=question.text), replace(tools, fits=metres), question, question.text, [])
    (state,) = states(writing)
    return [h.text for h in state.graph.answers("q1")]


@pytest.mark.parametrize(("column", "found"), [("Width", ["5.2 m"]), ("Opened", [])])
def test_a_cell_of_another_kind_is_no_answer(column: str, found: list[str]) -> None:
    """The day of a memo on "the capacity of the grid connection" was given as the capacity."""
    assert answers(column) == found


class Unsure(Cell):
    def read(self, question: str, operation: Operation, tables: Sequence[Table], is_aside: bool = False) -> Undecided:  # type: ignore[override]
        return Undecided(TOLLS, "it is not clear what is meant")


@pytest.mark.parametrize(("asked", "notes"), [("How wide is it?", 1), ("Are the locks worth their money?", 0)])
def test_what_is_answered_by_yes_or_no_asks_for_no_cell(asked: str, notes: int) -> None:
    question = SubQuestion(id="q1", text=asked, asked=asked)
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, records=Unsure("Width"))
    (*_, state) = states(look_up(ResearchState(question=asked), tools, question, asked, []))
    assert len(state.notes) == notes
