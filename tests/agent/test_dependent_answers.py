"""Answers that rest on a sentence follow the one that takes its place."""

from __future__ import annotations

from palimpsest.agent.draft import moved

from .test_revision import NEWER, after
from .world import passage, report


def test_a_contradicted_quotation_is_replaced_whole_and_the_answers_in_it_follow() -> None:
    """The ferry that "takes 95 hours": a number was swapped inside a quotation, and no source said so."""
    _, _, state = after(NEWER)
    (quoted,) = [b for b in state.draft.blocks if b.kind == "quotation"]
    assert quoted.text == NEWER.text
    named = [s for r in state.revisions for s in r.reopened]
    assert {s.split(".")[0] for s in named} == {"c1", "q1", "q2"}


def test_a_new_record_holder_replaces_the_whole_of_the_answer() -> None:
    """The name and the figure fall together, and the second question is asked again of the new sentence."""
    rival = passage("The fastest barge on Lake Orta is Tolomeo, which reaches 19 knots.", "Regatta", "2026-01-01")
    _, before, state = after(rival)
    assert "**Tolomeo** [2]" in report(state)
    assert "**19** [2]" in report(state)
    assert moved(before.draft, state.draft, {s for r in state.revisions for s in r.reopened}) == []
    assert {h.status for h in state.graph.answers("q1") if h.text == "Marisa"} == {"refuted"}
