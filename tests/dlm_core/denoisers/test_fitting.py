"""The denoiser says how much a canvas holds: passages stand on it whole or not at all, drafts keep what is near their slots."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.dlm_core.canvas.canvas import Piece, Role
from palimpsest.dlm_core.canvas.tokenizer import MAX_PASSAGES
from palimpsest.dlm_core.denoisers.fitting import near_slots, whole
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..cache.test_forward import hosted
from ..world import small_denoiser, tokenizer

SLOT = SlotSpec(MaskKind.NUMBER, 4)
WORDS = st.lists(st.sampled_from(["one", "two", "harbour", "unspeakably"]), max_size=40).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers(0, 80))
@settings(max_examples=60, deadline=None)
def test_a_draft_is_cut_to_its_room_and_no_slot_is_lost(words: list[str], room: int) -> None:
    draft: list[Piece] = [p for text in words for p in (text, SLOT)][:-1]
    short = near_slots(draft, tokenizer(), room)
    assert [p for p in short if not isinstance(p, str)] == [p for p in draft if not isinstance(p, str)]
    slots = sum(p.length for p in draft if not isinstance(p, str))
    size = slots + sum(len(tokenizer().encode(p).ids) for p in short if isinstance(p, str))
    before = slots + sum(len(tokenizer().encode(p).ids) for p in draft if isinstance(p, str))
    if slots <= room:
        assert size <= room
    if before <= room or slots > room:
        assert short == draft


def test_words_near_a_slot_stay() -> None:
    draft = ["far " * 50 + "near it runs at", SLOT, "knots near" + " far" * 50, SLOT, "last near" + " far" * 50]
    first, _, between, _, last = near_slots(draft, tokenizer(), 8 + 30)
    assert first.endswith("near it runs at")
    assert between.startswith("knots near")
    assert " ... " in between
    assert between.endswith("far")
    assert last.startswith("last near")


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(0, 200))
def test_as_many_from_the_first_as_go_in(sizes: list[int], room: int) -> None:
    if sizes and sizes[0] > room:
        with pytest.raises(ValueError, match="smaller passages"):
            whole(sizes, room)
        return
    count = whole(sizes, room)
    assert sum(sizes[:count]) <= room
    assert count == len(sizes) or sum(sizes[: count + 1]) > room


@pytest.mark.parametrize("letters", [20, 400, 1500])
def test_what_the_embedded_model_says_fits_can_be_built(letters: int) -> None:
    denoiser, passages = small_denoiser(), [(f"p{n}", "harbour " * (letters // 8 + n)) for n in range(20)]
    count = denoiser.fit(["Which?"], passages, [SLOT])
    canvas = denoiser.build(["Which?"], passages[:count], [SLOT])
    assert {s.name for s in canvas.segments if s.role is Role.EVIDENCE} == {name for name, _ in passages[:count]}
    with pytest.raises(ValueError, match="at most 16 passages"):
        denoiser.build(["Which?"], passages[: count + 1], [SLOT])


def test_a_passage_longer_than_a_canvas_is_refused() -> None:
    with pytest.raises(ValueError, match="cut it into smaller passages"):
        small_denoiser().fit(["Which?"], [("p", "harbour " * (255 * MAX_PASSAGES))], [SLOT])


@pytest.mark.parametrize("family", ["llada", "dream"])
def test_a_hosted_model_holds_as_many_tokens_as_it_has_positions(family: str) -> None:
    """3,000 words were once put on a model of 512 positions, without a word of warning."""
    denoiser = hosted(family)
    passages = [(f"p{n}", "oak and rope " * 3) for n in range(20)]
    count = denoiser.fit(["Which?"], passages, [SLOT])
    assert 0 < count < 20
    assert len(denoiser.build(["Which?"], passages[:count], [SLOT])) <= 512
    with pytest.raises(ValueError, match="longer than this model's 512"):
        denoiser.build(["Which?"], passages[: count + 1], [SLOT])
    with pytest.raises(ValueError, match="longer than this model's 512"):
        denoiser.build(["word " * 3000], [], [SlotSpec(MaskKind.TEXT, 8, free=True)])
    with pytest.raises(ValueError, match="ask a shorter question"):
        denoiser.fit(["word " * 3000], passages, [SLOT])


def test_a_hosted_model_reads_no_canvas_that_outgrew_it() -> None:
    denoiser = hosted("llada")
    canvas = denoiser.build(["Which?"], [("p", "oak " * 40)], [SLOT])
    with pytest.raises(ValueError, match="longer than this model's 512"):
        denoiser.guess([canvas.resize(0, 500)])


def test_a_form_that_says_too_much_is_shortened_to_what_is_read_beside_evidence() -> None:
    denoiser = hosted("llada")
    short = denoiser.shorten(["A long way round, " * 40, SLOT, " knots"])
    assert len(denoiser.build(short, [("p", "oak")], short)) <= 512
    assert short[-1] == " knots"
