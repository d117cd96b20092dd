from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.agent.draft import Kind
from palimpsest.agent.evidence_text import (
    content,
    parts,
    same_answer,
    superlatives,
    tidy,
    within_kind,
    without_lead,
)
from palimpsest.agent.state import Candidate, Filled

from .world import passage


@given(st.text(alphabet="Ab1 .,-%$x", max_size=60), st.integers(0, 1000))
def test_parts_are_the_whole_sentence(text: str, offset: int) -> None:
    found = parts(text, offset)
    assert "".join(p.text for p in found) == text
    assert all(text[p.start - offset : p.end - offset] == p.text for p in found)


def test_small_words() -> None:
    assert content("The tokens of a Model") == {"token", "model"}
    assert same_answer("Gustave Eiffel", "Eiffel")
    assert not same_answer("Eiffel", "Sauvestre")
    assert superlatives("the fastest open model is X, and the largest") == {"fastest", "largest"}
    assert superlatives("the model has 32 layers") == set()


def test_a_figure_in_brackets_is_the_sources_own_citation() -> None:
    found = parts("It reaches 12 knots [3], others 9 [4, 5].", 0)
    assert [p.text for p in found if p.kind == "NUMBER"] == ["12 knots", "9"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("is £1.50", "£1.50"), ("was by Canale", "Canale"), ("Of Mice and Men", "Of Mice and Men"), ("is", "is")],
)
def test_an_answer_begins_with_itself(text: str, kept: str) -> None:
    found = without_lead(Candidate(text=text, passage="p", start=7, end=7 + len(text), probability=0.5))
    assert (found.text, found.start, found.end) == (kept, 7 + len(text) - len(kept), 7 + len(text))


@pytest.mark.parametrize(
    ("text", "kind", "kept"),
    [
        ("is £1.90", "NUMBER", "£1.90"),
        ("the Marisa of", "ENTITY", "Marisa"),
        ("Freeman Fox & Partners", "ENTITY", "Freeman Fox & Partners"),
        ("no name", "ENTITY", "no name"),
    ],
)
def test_a_place_takes_words_of_its_kind(text: str, kind: Kind, kept: str) -> None:
    """The sentence once read: the toll for cars is is £1.90."""
    filled = Filled(text=text, passage="p", start=7, end=7 + len(text), probability=0.5, none=0.0, steps=1)
    at = text.index(kept)
    cut = within_kind(filled, kind)
    assert (cut.text, cut.start, cut.end) == (kept, 7 + at, 7 + at + len(kept))


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("9\n\nOver 400 lamps", "Over 400 lamps"),
        ("2.50 euros.\n\n3", "2.50 euros"),
        ("St. Mary", "St. Mary"),
        ("40\nlamps", "40\nlamps"),
    ],
)
def test_a_reading_ends_with_its_paragraph(words: str, kept: str) -> None:
    held = passage(f"Aged {words} hang there.")
    read = Candidate(text=words, passage=held.id, start=5, end=5 + len(words), probability=0.9)
    found = tidy(read, held, "How many lamps hang there?")
    assert found.text == kept == held.text[found.start : found.end]
