"""What counts as another reading of the same thing."""

from __future__ import annotations

import pytest

from palimpsest.agent.draft import Span
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.rivals import find_rival
from palimpsest.retrieval.types import Passage

from .world import NUMBERS, ScriptedWriter, Shelf, passage, research


def spans(text: str) -> list[Span]:
    return [Span(id=f"c.{n}", text=p.text, kind=p.kind, status="filled") for n, p in enumerate(parts(text, 0))]


def test_the_largest_is_no_rival_of_the_fastest() -> None:
    """ "The largest open model is SDAR" was once replaced by "the fastest open model is LLaDA-MoE", as contradicted."""
    claim = spans("The largest open diffusion language model is SDAR-30B-A3B, with 30 billion parameters.")
    other = passage("The fastest open diffusion language model is LLaDA-MoE-7B, which reaches 1,100 tokens per second.")
    same = passage("The largest open diffusion language model is LLaDA2.0-flash, with 100 billion parameters.")
    assert find_rival(claim, other, NUMBERS) is None
    assert find_rival(claim, same, NUMBERS) is not None


def doubted(held: Passage, mark: str) -> Passage:
    return held.model_copy(update={"source": held.source.model_copy(update={"retracted": mark})})


@pytest.mark.parametrize("mark", ["retracted", "concern", "corrected"])
def test_a_doubted_work_supports_nothing_alone(mark: str) -> None:
    """It is read of no question, answers none, and replaces nothing by its later date; another's words it may corroborate."""
    patterns = {"fastest barge": r"Orta is (\w+)"}
    asked = "What is the fastest barge on Lake Orta?"
    bad = doubted(passage("The fastest barge on Lake Orta is Marisa, and she is red.", "Doubted", "2026-05-01"), mark)
    _, alone = research(asked, ScriptedWriter(patterns), Shelf(bad))
    assert alone.draft.span("q1.answer").status == "unestablished"
    good = passage("The fastest barge on Lake Orta is Marisa, which is moored in the north.", "Sound", "2024-05-01")
    _, both = research(asked, ScriptedWriter(patterns), Shelf(bad, good))
    answer = both.draft.span("q1.answer")
    assert (answer.text, answer.support[0].passage) == ("Marisa", good.id)
    other = doubted(
        passage("The fastest barge on Lake Orta is Tolomeo, which is moored there.", "Doubted", "2026-05-01"), mark
    )
    _, kept = research(asked, ScriptedWriter(patterns), Shelf(good, other))
    assert kept.draft.span("q1.answer").text == "Marisa"
    assert all(s.passage != other.id for span in kept.draft.spans() if span.kind == "ENTITY" for s in span.support)
