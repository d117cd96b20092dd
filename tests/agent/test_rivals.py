"""What counts as another reading of the same thing."""

from __future__ import annotations

from palimpsest.agent.draft import Span
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.rivals import find_rival

from .world import NUMBERS, passage


def spans(text: str) -> list[Span]:
    return [Span(id=f"c.{n}", text=p.text, kind=p.kind, status="filled") for n, p in enumerate(parts(text, 0))]


def test_the_largest_is_no_rival_of_the_fastest() -> None:
    """ "The largest open model is SDAR" was once replaced by "the fastest open model is LLaDA-MoE", as contradicted."""
    claim = spans("The largest open diffusion language model is SDAR-30B-A3B, with 30 billion parameters.")
    other = passage("The fastest open diffusion language model is LLaDA-MoE-7B, which reaches 1,100 tokens per second.")
    same = passage("The largest open diffusion language model is LLaDA2.0-flash, with 100 billion parameters.")
    assert find_rival(claim, other, NUMBERS) is None
    assert find_rival(claim, same, NUMBERS) is not None
