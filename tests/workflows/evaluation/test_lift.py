"""What remasking is worth, on barges whose newer book contradicts the older one."""

from __future__ import annotations

from palimpsest.agent.state import Budget, ResearchState, Tools
from palimpsest.workflows.evaluation.lift import COUNTED, OPENED, VARIANTS, measure, table
from tests.agent.world import NUMBERS, ScriptedWriter, Shelf, passage

OLD = passage("The barge Marisa on Lake Orta reaches 12 knots.", "Barges of 2024", "2024")
NEW = passage("The barge Marisa on Lake Orta reaches 17 knots.", "Barges of 2026", "2026")
QUESTION = "How many knots does the barge Marisa on Lake Orta reach?"


def answer(state: ResearchState) -> float | None:
    return float("17" in [s.text for s in state.draft.spans() if s.id == "q1.answer"])


def test_each_reason_is_left_out_once_and_what_it_did_is_gone() -> None:
    """Read as the likelier answer, the older figure is written first; only a contradiction brings the newer one."""
    writer = ScriptedWriter({"knots": r"reaches (\d+)"}, {"12": 0.95, "17": 0.6})
    rows = {
        row.variant: row for row in measure([(QUESTION, answer)], Tools(writer, Shelf(OLD, NEW), NUMBERS), Budget())
    }
    assert list(rows) == [*VARIANTS, OPENED]
    assert rows["final"].revisions["contradicted"] >= 1
    assert (rows["final"].worth, rows["final"].contradicted_left) == (1.0, 0)
    for variant in ("before remasking", "without contradicted"):
        assert (rows[variant].worth, rows[variant].contradicted_left) == (0.0, 1)
        assert rows[variant].revisions["contradicted"] == 0
    assert rows[OPENED].revisions["person"] >= 1
    lines = table(list(rows.values()), "exact").splitlines()
    assert len(lines) == len(rows) + 1
    assert all(reason in lines[0] for reason in COUNTED)
