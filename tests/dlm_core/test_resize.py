from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from palimpsest.dlm_core.cache import NO_CACHE, SPAN_CACHE, Cache
from palimpsest.dlm_core.canvas import Canvas
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.resize import by_guess, end_of_slot, expand_and_delete, growing, several_lengths, size
from palimpsest.dlm_core.sampler import Guess, Resize, denoise

from .world import sheet

EXPAND, DELETE, END = 9001, 9002, 9003
FREE = SlotSpec(MaskKind.TEXT, 4, free=True)


class Told:
    """Says the tokens given, from the first place of the first slot on, then 2000; each with probability `sure`, or by length."""

    def __init__(self, *tokens: int, sure: float = 0.9, by_length: dict[int, float] | None = None):
        self.tokens, self.sure, self.by_length = tokens, sure, by_length or {}
        self.history: list[list[int]] = []

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        self.history.append([size(c, 0) for c in canvases])
        return [self._guess(c) for c in canvases], [NO_CACHE] * len(canvases)

    def _guess(self, canvas: Canvas) -> Guess:
        token, start = torch.full((len(canvas),), 2000), canvas.slots[0].start
        for n, t in enumerate(self.tokens[: size(canvas, 0)]):
            token[start + n] = t
        prob = torch.full((len(canvas),), self.by_length.get(size(canvas, 0), self.sure))
        return Guess(token, prob, prob, prob, torch.full((len(canvas),), -1))


@pytest.mark.parametrize(
    ("rule", "model", "expected"),
    [
        (expand_and_delete(EXPAND, DELETE, 8), Told(7, EXPAND, 7, EXPAND), 6),
        (expand_and_delete(EXPAND, DELETE, 5), Told(7, EXPAND, 7, EXPAND), 5),
        (expand_and_delete(EXPAND, DELETE, 8), Told(7, DELETE, EXPAND, DELETE), 3),
        (expand_and_delete(EXPAND, DELETE, 8), Told(DELETE, DELETE, DELETE, DELETE), 1),
        (end_of_slot(END), Told(7, 8, END, 7), 2),
        (end_of_slot(END), Told(END), 1),
        (end_of_slot(END), Told(7, 8), 4),
        (end_of_slot(END, sure=0.95), Told(7, 8, END), 4),
        (growing(END, 2, 0.5, 2.0, 16), Told(7, 8, 9, 10), 8),
        (growing(END, 2, 0.5, 2.0, 6), Told(7, 8, 9, 10), 6),
        (growing(END, 2, 0.5, 2.0, 16), Told(7, 8, END, END), 4),
        (growing(END, 2, 0.5, 1.3, 16), Told(7, 8, 9, END), 6),  # half of .9 is not sure enough
    ],
)
def test_the_length_that_the_guess_asks_for(rule: object, model: Told, expected: int) -> None:
    canvas = sheet(draft=("It is ", FREE, " knots"))
    resized = by_guess(rule)(model, canvas, NO_CACHE, 0)  # type: ignore[arg-type]
    assert size(resized, 0) == expected
    assert resized.tokens[resized.slots[0].end :].tolist() == canvas.tokens[canvas.slots[0].end :].tolist()


def test_only_the_first_steps_and_only_open_slots() -> None:
    canvas = sheet(draft=(FREE, " "))
    rule = by_guess(expand_and_delete(EXPAND, DELETE, 8), steps=2)
    model = Told(EXPAND, EXPAND, EXPAND, EXPAND, EXPAND)
    assert size(rule(model, canvas, NO_CACHE, 1), 0) == 8
    assert size(rule(model, canvas, NO_CACHE, 2), 0) == 4
    begun = canvas.commit(torch.arange(len(canvas)) == canvas.slots[0].start, canvas.tokens, canvas.source)
    assert size(rule(model, begun, NO_CACHE, 0), 0) == 4


def test_lengths_are_tried_in_one_batch_and_the_likeliest_a_place_is_kept() -> None:
    model = Told(by_length={2: 0.5, 3: 0.7, 6: 0.6})
    canvas = sheet(draft=(FREE, " knots"))
    chosen = several_lengths((2, 3, 6))(model, canvas, SPAN_CACHE, 0)
    assert model.history == [[2, 3, 6]]
    assert size(chosen, 0) == 3
    assert size(several_lengths((2, 3, 6))(model, canvas, SPAN_CACHE, 1), 0) == 4


def test_a_slot_that_is_settled_whole_is_compared_by_its_probability_a_place() -> None:
    """0.5 for a span of two is 0.71 a place, 0.6 for a span of one is 0.6."""
    model = Told(by_length={1: 0.6, 2: 0.5})
    canvas = sheet(draft=(SlotSpec(MaskKind.ENTITY, 4),))
    assert size(several_lengths((1, 2))(model, canvas, NO_CACHE, 0), 0) == 2


def test_a_film_of_a_slot_that_grows() -> None:
    rule: Resize = by_guess(growing(END, 1, 0.5, 2.0, 16), steps=1)
    frames = list(denoise(Told(7, 8, 9, 10), sheet(draft=(FREE, " knots")), schedule=2, resize=rule))
    assert [size(f.canvas, 0) for f in frames] == [8]
    assert frames[-1].guess.token.shape == frames[-1].canvas.tokens.shape
