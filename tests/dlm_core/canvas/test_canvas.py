from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.dlm_core.canvas.canvas import Fill, Role, State
from palimpsest.dlm_core.canvas.tokenizer import DELETE, HOLE, MASK
from palimpsest.dlm_core.denoisers.embedded_layout import DRAFT_POSITIONS, PASSAGE_POSITIONS, build_canvas
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import CITE, ENTITY, NUMBER, TEXT, sheet, tokenizer


def test_every_passage_has_its_own_position_frame() -> None:
    canvas = sheet(passages=("One passage.", "Another, longer passage of words."))
    for segment in canvas.segments:
        if segment.role is Role.EVIDENCE:
            positions = canvas.positions[segment.start : segment.end]
            assert positions.tolist() == list(range(PASSAGE_POSITIONS[0], PASSAGE_POSITIONS[0] + len(positions)))


def test_a_slot_in_the_question_is_one_hole() -> None:
    canvas = build_canvas(
        tokenizer(), ["It runs at ", NUMBER, " knots"], [("p", "x")], ["It runs at ", NUMBER, " knots"]
    )
    question = canvas.segments[0]
    assert canvas.tokens[question.start : question.end].tolist().count(HOLE) == 1
    assert int(canvas.open.sum()) == NUMBER.length


def test_mask_text_in_a_document_is_just_text() -> None:
    """sglang #35998: engines that know a mask by its token id fill the word [MASK] of a user's document."""
    canvas = sheet(passages=("The token [MASK] stands for a hole.",))
    assert int(canvas.open.sum()) == TEXT.length + 1
    assert not canvas.open[: canvas.slots[0].start].any()


def test_a_long_passage_becomes_windows_whose_offsets_point_into_the_whole_text() -> None:
    text = " ".join(f"word{n}" for n in range(400)) + " Zanzibar"
    canvas = sheet(passages=(text,), draft=(ENTITY,))
    windows = [s for s in canvas.segments if s.role is Role.EVIDENCE]
    assert len(windows) > 1
    assert {w.name for w in windows} == {"p0"}
    last = windows[-1]
    chars = canvas.characters[last.start : last.end] + last.offset
    inside = [i for i, (a, _) in enumerate(chars.tolist(), last.start) if a >= text.index("Zanzibar")]
    slot = canvas.slots[0]
    tokens, source = canvas.tokens.clone(), torch.full((len(canvas),), -1)
    tokens[slot.start : slot.end] = DELETE
    where = slice(slot.start, slot.start + len(inside))
    tokens[where], source[where] = canvas.tokens[inside], torch.tensor(inside)
    fill = canvas.commit(canvas.open, tokens, source).fill(0, tokenizer())
    assert fill == Fill("Zanzibar", "p0", text.index("Zanzibar"), len(text))


def test_a_copied_slot_keeps_the_letters_of_its_source_and_loses_its_surplus() -> None:
    canvas = sheet(passages=("Gustave Eiffel built it.",), draft=(ENTITY,))
    evidence, slot = canvas.segments[1], canvas.slots[0]
    tokens, source = torch.full((len(canvas),), DELETE), torch.full((len(canvas),), -1)
    length = sum(1 for a, b in canvas.characters[evidence.start : evidence.end].tolist() if 0 <= a < 14)
    places = torch.arange(evidence.start + 1, evidence.start + 1 + length)
    tokens[slot.start : slot.start + length], source[slot.start : slot.start + length] = canvas.tokens[places], places
    assert canvas.fill(0, tokenizer()) is None
    assert canvas.commit(canvas.open, tokens, source).fill(0, tokenizer()) == Fill("Gustave Eiffel", "p0", 0, 14)


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="at most 16 passages"):
        sheet(passages=["short"] * 17)
    with pytest.raises(ValueError, match="does not fit"):
        sheet(draft=(SlotSpec(MaskKind.TEXT, max_length=200),))


def test_a_long_draft_is_built_in_blocks_of_the_same_frame() -> None:
    canvas = sheet(draft=("many words " * 300, TEXT, "the end"))
    blocks = [s for s in canvas.segments if s.role is Role.DRAFT]
    assert len(blocks) > 2
    assert sum(s.end - s.start for s in blocks) > 512
    assert {int(canvas.positions[s.start]) for s in blocks} == {DRAFT_POSITIONS[0]}
    assert int(canvas.positions.max()) < 512
    assert all(s.end - s.start <= 192 for s in blocks)
    assert any(s.start <= canvas.slots[0].start and canvas.slots[0].end <= s.end for s in blocks)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=10, max_size=10), st.integers(0, 3))
def test_fixed_never_moves(chosen: list[bool], times: int) -> None:
    """Commit and reopen anything, in any order: FIXED places hold what they held."""
    canvas = sheet(draft=("It is ", TEXT, " at ", NUMBER, CITE))
    fixed = canvas.state == State.FIXED
    where = torch.tensor((chosen * len(canvas))[: len(canvas)])
    changed = canvas
    for _ in range(times):
        changed = changed.commit(
            where, torch.full((len(canvas),), 7), torch.zeros(len(canvas), dtype=torch.long)
        ).reopen(~where)
        changed = changed.commit(torch.ones_like(where), torch.full((len(canvas),), 9), torch.full((len(canvas),), -1))
        changed = changed.reopen(where)
    assert torch.equal(changed.tokens[fixed], canvas.tokens[fixed])
    assert torch.equal(changed.state[fixed], canvas.state[fixed])
    assert (changed.tokens[changed.open] == MASK).all()


def test_words_written_in_a_slot_fill_it_and_touch_nothing_else() -> None:
    canvas = sheet()
    slot = canvas.slots[0]
    written = canvas.write(0, [7, 8])
    size = slot.end - slot.start
    assert written.tokens[slot.start : slot.end].tolist() == [7, 8, *[DELETE] * (size - 2)]
    assert written.is_settled(0)
    assert not written.is_settled(1)
    outside = ~canvas.slot_mask([0])
    assert torch.equal(written.tokens[outside], canvas.tokens[outside])
    assert torch.equal(written.state[outside], canvas.state[outside])
    again = written.write(0, list(range(99)))
    assert torch.equal(again.tokens, written.tokens), "a slot that is filled stays as it is"
    assert canvas.write(0, list(range(99))).tokens[slot.end - 1] == size - 1
