"""Edits of a canvas: what is written gets new ids, everything else keeps its own, and nothing forgets where it was copied from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.dlm_core.canvas.canvas import Canvas, Role, State
from palimpsest.dlm_core.denoisers.embedded_layout import DRAFT_POSITIONS, attach, detach

from ..world import CITE, ENTITY, NUMBER, TEXT, sheet, tokenizer

PASSAGES = ("It runs at 12 knots.", "Another passage says 15.")


def built() -> Canvas:
    return sheet(passages=PASSAGES, draft=("It is ", TEXT, " at ", NUMBER, " knots ", CITE))


def whole(canvas: Canvas) -> None:
    """The invariants of every canvas: segments tile it, slots lie inside the draft, ids are unique, columns have one length."""
    assert [s.start for s in canvas.segments] == [0, *[s.end for s in canvas.segments[:-1]]]
    assert canvas.segments[-1].end == len(canvas)
    assert len(set(canvas.ids.tolist())) == len(canvas)
    assert int(canvas.ids.max()) < canvas.fresh
    for name in ("kinds", "state", "source", "characters", "ids", "block", "positions", "roles"):
        assert len(getattr(canvas, name)) == len(canvas)
    for slot in canvas.slots:
        owner = canvas.segments[int(canvas.block[slot.start])]
        assert owner.start <= slot.start < slot.end <= owner.end
        assert set(canvas.kinds[slot.start : slot.end].tolist()) == {int(slot.spec.kind)}


def survivors(before: Canvas, after: Canvas) -> dict[int, int]:
    """Row of `before` -> row of `after`, by id."""
    where = {i: n for n, i in enumerate(after.ids.tolist())}
    return {n: where[i] for n, i in enumerate(before.ids.tolist()) if i in where}


@pytest.mark.parametrize("length", [1, 2, 4, 9])
def test_a_slot_grows_and_shrinks_at_its_end(length: int) -> None:
    before = built()
    after = before.resize(0, length)
    whole(after)
    assert [s.end - s.start for s in after.slots] == [length, NUMBER.length, 1]
    kept = survivors(before, after)
    assert len(kept) == len(before) - max(0, TEXT.length - length)
    assert all(before.tokens[a] == after.tokens[b] for a, b in kept.items())
    assert after.positions[after.segments[-1].start] == DRAFT_POSITIONS[0]


def test_filled_places_are_not_taken_away() -> None:
    canvas = built()
    filled = canvas.commit(canvas.slot_mask([0]), torch.full((len(canvas),), 7), torch.full((len(canvas),), -1))
    with pytest.raises(ValueError, match="only open places"):
        filled.resize(0, 2)
    with pytest.raises(ValueError, match="0 places"):
        canvas.resize(0, 0)


def test_a_copied_token_still_knows_its_source_when_rows_before_it_move() -> None:
    canvas = built()
    place = canvas.segments[2].start + 2
    filled = canvas.commit(canvas.slot_mask([1]), canvas.tokens, torch.full((len(canvas),), place))
    wider = filled.resize(0, 9)
    assert wider.source[wider.slots[1].start] == place
    gone = detach(wider, "p0")
    moved = place - (canvas.segments[1].end - canvas.segments[1].start)
    assert gone.source[gone.slots[1].start] == moved
    assert gone.tokens[moved] == canvas.tokens[place]
    assert detach(gone, "p1").source[detach(gone, "p1").slots[1].start] == -1


def test_attach_and_detach_touch_no_other_row() -> None:
    before = built()
    after = attach(before, tokenizer(), "p9", "A third one.")
    whole(after)
    assert len(survivors(before, after)) == len(before)
    assert [s.name for s in after.segments] == ["", "p0", "p1", "p9", ""]
    back = detach(after, "p9")
    whole(back)
    for name in ("tokens", "kinds", "state", "ids", "positions", "block"):
        assert torch.equal(getattr(back, name), getattr(before, name))
    again = attach(detach(after, "p0"), tokenizer(), "p8", "A fourth.")
    assert len(set(again.tokens[[s.start for s in again.segments]].tolist())) == len(again.segments)


def test_words_are_replaced_and_opened() -> None:
    before = built()
    draft = before.segments[-1]
    after = before.replace(draft.start + 1, draft.start + 3, [7, 8, 9])
    whole(after)
    assert after.tokens[draft.start + 1 : draft.start + 4].tolist() == [7, 8, 9]
    assert [s.start for s in after.slots] == [s.start + 1 for s in before.slots]
    opened = after.hole(draft.start + 1, draft.start + 4, ENTITY)
    whole(opened)
    assert opened.slots[0].spec is ENTITY
    assert (opened.state[draft.start + 1 : draft.start + 4] == State.OPEN).all()
    with pytest.raises(ValueError, match="cut a slot in two"):
        before.replace(before.slots[0].start, before.slots[0].start + 1, [7])
    with pytest.raises(ValueError, match="only the draft"):
        before.hole(1, 2, ENTITY)
    with pytest.raises(ValueError, match="not of one segment"):
        before.replace(0, len(before), [])


def test_positions_count_on_where_a_segment_has_no_frame_of_its_own() -> None:
    canvas = built()
    plain = replace(canvas, segments=tuple(replace(s, origin=-1) for s in canvas.segments))
    assert plain.positions.tolist() == list(range(len(canvas)))


EDITS = ("resize", "attach", "detach", "replace", "settle", "reopen", "spread", "hole")


def edited(canvas: Canvas, edit: str, n: int, number: int) -> Canvas:
    """The canvas after one edit of a kind; `n` says where or how much. The same canvas where that edit is not possible."""
    draft = canvas.segments[-1]
    slot = n % len(canvas.slots)
    opened = canvas.open.nonzero()[:, 0].tolist()
    names = [s.name for s in canvas.segments if s.role is Role.EVIDENCE]
    if edit == "resize" and bool(canvas.open[canvas.slots[slot].start : canvas.slots[slot].end].all()):
        return canvas.resize(slot, n)
    if edit == "attach":
        return attach(canvas, tokenizer(), f"new{number}", "words " * n)
    if edit == "detach" and names:
        return detach(canvas, names[n % len(names)])
    if edit == "replace":
        return canvas.replace(draft.start, draft.start + 1, list(range(2000, 2000 + n)))
    if edit == "settle":
        return canvas.write(slot, range(3000, 3000 + n)) if not canvas.is_settled(slot) else canvas
    if edit == "reopen":
        return canvas.reopen(canvas.slot_mask([slot]))
    if edit == "spread" and opened:
        return canvas.spread(opened[n % len(opened)], 2)
    if edit == "hole" and canvas.slots[0].start - draft.start > 2:
        return canvas.hole(draft.start + 1, draft.start + 2, replace(ENTITY, max_length=1))
    return canvas


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EDITS), st.integers(1, 6)), max_size=8))
def test_any_edits_in_any_order_keep_the_canvas_whole(edits: list[tuple[str, int]]) -> None:
    """What an edit does not name keeps its words and its state: only settling and reopening change rows, and only those of one slot."""
    canvas = built()
    for number, (edit, n) in enumerate(edits):
        before, canvas = canvas, edited(canvas, edit, n, number)
        whole(canvas)
        named = before.slot_mask([n % len(before.slots)]) if edit in ("settle", "reopen") else torch.zeros(len(before))
        for a, b in survivors(before, canvas).items():
            assert before.kinds[a] == canvas.kinds[b]
            assert torch.equal(before.characters[a], canvas.characters[b])
            if not named[a]:
                assert before.tokens[a] == canvas.tokens[b]
                assert before.state[a] == canvas.state[b]


TEXTS = st.text(st.sampled_from("abc xyz 12.,é\n–漢İ𝔸"), min_size=1, max_size=700)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(0, 10_000), st.integers(1, 4))
def test_what_is_copied_is_the_letters_of_its_passage(text: str, start: int, length: int) -> None:
    """Whatever a passage says, and however many windows it is shown in, a copied slot's words are those at its offsets."""
    canvas = sheet(passages=(text,), draft=(TEXT,))
    evidence = [s for s in canvas.segments if s.role is Role.EVIDENCE]
    for segment in evidence:
        assert text[segment.offset :].startswith(segment.text)
    places = [i for s in evidence for i in range(s.start, s.end) if canvas.characters[i, 0] >= 0]
    if not places:
        return
    first = places[start % len(places)]
    copied = [i for i in range(first, first + length) if i in places]
    source = torch.full((len(canvas),), -1)
    tokens = torch.full((len(canvas),), canvas.marks.delete)
    slot = canvas.slots[0]
    for place, origin in zip(range(slot.start, slot.end), copied, strict=False):
        source[place], tokens[place] = origin, canvas.tokens[origin]
    fill = canvas.commit(canvas.slot_mask([0]), tokens, source).fill(0, tokenizer())
    assert fill is not None
    assert fill.name == "p0"
    assert fill.text == text[fill.start : fill.end]
    assert fill.text
