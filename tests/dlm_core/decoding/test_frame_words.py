"""A frame as words: masks with their guess while a slot is open, the source's letters when it is settled."""

from __future__ import annotations

import torch

from palimpsest.dlm_core.decoding.frame_words import Word, standing_words
from palimpsest.dlm_core.decoding.sampler import Frame, Guess, denoise, threshold
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import NUMBER, TEXT, ToyDenoiser, sheet, tokenizer


def test_an_open_slot_shows_its_guess_and_a_settled_one_its_words() -> None:
    toy = ToyDenoiser({0: 0.9, 1: 0.2}, token=2000)
    frames = list(denoise(toy, sheet(draft=(TEXT, " ", NUMBER)), schedule=2, commit=threshold(0.5)))
    settled, waiting = (standing_words(frames[0], n, tokenizer()) for n in (0, 1))
    assert all(not w.is_open and round(w.certainty, 3) == 0.9 for w in settled)
    assert all(w.is_open and round(w.certainty, 3) == 0.2 for w in waiting)
    assert {w.text for w in waiting} == {w.text for w in settled} == {tokenizer().decode([2000])}
    assert not any(w.is_open for n in (0, 1) for w in standing_words(frames[1], n, tokenizer()))


def test_copied_words_are_in_their_sources_letters() -> None:
    canvas = sheet(draft=(TEXT,))
    start = next(i for i, s in enumerate(canvas.segments) if s.name == "p0")
    first = canvas.segments[start].start + 1
    where = canvas.slot_mask([0])
    source = torch.full((len(canvas),), -1)
    tokens = torch.full((len(canvas),), canvas.marks.delete)
    place = canvas.slots[0].start
    source[place : place + 2] = torch.tensor([first + 1, first + 2])
    tokens[place : place + 2] = canvas.tokens[first + 1 : first + 3]
    filled = canvas.commit(where, tokens, source)
    prob = torch.full((len(canvas),), 0.7)
    guess = Guess(filled.tokens, prob, prob, prob, source)
    shown = standing_words(Frame(filled, where, guess, 0), 0, tokenizer())
    assert [w.text for w in shown] == filled.fill(0, tokenizer()).text.split()  # type: ignore[union-attr]


def test_a_free_slot_shows_each_place_by_itself() -> None:
    free = SlotSpec(MaskKind.TEXT, max_length=3, free=True)
    canvas = sheet(draft=(free,))
    place = canvas.slots[0].start
    tokens = torch.full((len(canvas),), 2000)
    first = torch.zeros(len(canvas), dtype=torch.bool)
    first[place] = True
    half = canvas.commit(first, tokens, torch.full((len(canvas),), -1))
    prob = torch.zeros(len(canvas))
    prob[place : place + 3] = torch.tensor([0.9, 0.5, 0.4])
    guess = Guess(torch.full((len(canvas),), 2001), prob, prob, prob, torch.full((len(canvas),), -1))
    shown = standing_words(Frame(half, first, guess, 0), 0, tokenizer())
    assert [w.is_open for w in shown] == [False, True, True]
    assert "".join(w.text for w in shown) == tokenizer().decode([2000, 2001, 2001])
    assert shown[0] == Word(tokenizer().decode([2000]), False, float(prob[place]))
