from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.dlm_core.cache.span_cache import NO_CACHE, SPAN_CACHE, Cache
from palimpsest.dlm_core.canvas.canvas import Canvas, State
from palimpsest.dlm_core.decoding.sampler import Guess, Resize, denoise
from palimpsest.dlm_core.decoding.slot_length import (
    Counts,
    by_guess,
    end_of_slot,
    expand_and_delete,
    growing,
    inserting,
    respaced,
    several_lengths,
    size,
)
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import sheet

EXPAND, DELETE, END = 9001, 9002, 9003
FREE = SlotSpec(MaskKind.TEXT, 7, free=True)


def short() -> Canvas:
    """A slot of four places that may have seven."""
    return sheet(draft=("It is ", FREE, " knots")).resize(0, 4)


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
    ("counts", "rounds", "model", "expected"),
    [
        (expand_and_delete(EXPAND, DELETE), 1, Told(7, EXPAND, 7, EXPAND), 6),
        (
            expand_and_delete(EXPAND, DELETE),
            1,
            Told(EXPAND, EXPAND, EXPAND, EXPAND),
            7,
        ),  # of eight, the slot holds seven
        (expand_and_delete(EXPAND, DELETE), 1, Told(7, DELETE, EXPAND, DELETE), 3),
        (expand_and_delete(EXPAND, DELETE), 1, Told(DELETE, DELETE, DELETE, DELETE), 1),
        (expand_and_delete(EXPAND, DELETE), 2, Told(EXPAND), 6),
        (end_of_slot(END), 1, Told(7, 8, END, 7), 2),
        (end_of_slot(END), 1, Told(END), 1),
        (end_of_slot(END), 1, Told(7, 8), 4),
        (end_of_slot(END, sure=0.95), 1, Told(7, 8, END), 4),
        (growing(END, 2, 0.5, 1.5), 1, Told(7, 8, 9, 10), 6),
        (growing(END, 2, 0.5, 1.5), 2, Told(7, 8, 9, 10), 7),
        (growing(END, 2, 0.5, 1.5), 5, Told(7, 8, 9, 10, END, END), 6),  # grown once, it has room enough
        (growing(END, 2, 0.5, 2.0), 1, Told(7, 8, END, END), 4),
        (growing(END, 2, 0.5, 1.3), 1, Told(7, 8, 9, END), 6),  # half of .9 is not sure enough
        (inserting(0.95, 3), 1, Told(7), 6),
        (inserting(0.85, 3), 1, Told(7), 4),
    ],
)
def test_the_length_that_the_guess_asks_for(counts: Counts, rounds: int, model: Told, expected: int) -> None:
    canvas = short()
    resized = by_guess(counts, rounds=rounds)(model, canvas, NO_CACHE, 0, 0)
    assert size(resized, 0) == expected
    assert resized.tokens[resized.slots[0].end :].tolist() == canvas.tokens[canvas.slots[0].end :].tolist()
    assert resized.open.sum() == expected


def test_what_goes_makes_room_for_what_comes() -> None:
    full = sheet(draft=("It is ", FREE, " knots"))
    rule = by_guess(expand_and_delete(EXPAND, DELETE))
    assert size(rule(Told(DELETE, 7, 7, 7, 7, 7, EXPAND), full, NO_CACHE, 0, 0), 0) == 7


def test_only_the_first_steps_and_no_more_rounds_than_change_something() -> None:
    rule = by_guess(expand_and_delete(EXPAND, DELETE), steps=2, rounds=5)
    model = Told(7, EXPAND)
    assert size(rule(model, short(), NO_CACHE, 1, 0), 0) == 7
    assert size(rule(model, short(), NO_CACHE, 2, 0), 0) == 4
    assert len(model.history) == 4  # three rounds grow it, the fourth finds it full


def settled(canvas: Canvas, offset: int) -> Canvas:
    """The place `offset` of the first slot holds 5000."""
    where = torch.arange(len(canvas)) == canvas.slots[0].start + offset
    return canvas.commit(where, torch.full((len(canvas),), 5000), canvas.source)


def first_slot(canvas: Canvas) -> list[int]:
    mask = canvas.marks.mask
    told = canvas.tokens[canvas.slots[0].start : canvas.slots[0].end].tolist()
    return [0 if t == mask else t for t in told]


@pytest.mark.parametrize(
    ("counts", "tokens", "expected"),
    [
        (expand_and_delete(EXPAND, DELETE), (EXPAND, 7, 7, 7), [0, 0, 5000, 0, 0]),
        (expand_and_delete(EXPAND, DELETE), (DELETE, EXPAND, 7, DELETE), [5000, 0]),  # what is settled is not asked
        (end_of_slot(END), (7, 7, END, 7), [0, 5000]),
        (end_of_slot(END), (END, 7, 7, 7), [0, 5000, 0, 0]),  # words stand behind it
        (growing(END, 1, 0.5, 2.0), (7, 7, 7, 7), [0, 5000, 0, 0]),
        (inserting(0.95, 2), (7, 7, 7, 7), [0, 0, 5000, 0, 0]),
    ],
)
def test_around_a_settled_place(counts: Counts, tokens: tuple[int, ...], expected: list[int]) -> None:
    rule = by_guess(counts)
    assert first_slot(rule(Told(*tokens), settled(short(), 1), NO_CACHE, 0, 0)) == expected


def test_a_place_is_spread_only_where_it_may_be() -> None:
    canvas = settled(short(), 1)
    start = canvas.slots[0].start
    for place, count in ((start + 1, 2), (0, 2), (start, -1)):
        with pytest.raises(ValueError, match="cannot become"):
            canvas.spread(place, count)
    with pytest.raises(ValueError, match="keeps one place"):
        sheet(draft=(SlotSpec(MaskKind.TEXT, 1),)).spread(sheet(draft=(SlotSpec(MaskKind.TEXT, 1),)).slots[0].start, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=6, max_size=6), st.integers(0, 63), st.integers(0, 63))
def test_what_is_fixed_or_filled_keeps_its_row(wanted: list[int], filled: int, seed: int) -> None:
    canvas = sheet(
        draft=("It is ", SlotSpec(MaskKind.TEXT, 4, free=True), " of ", SlotSpec(MaskKind.TEXT, 2, free=True))
    )
    places = canvas.open.nonzero()[:, 0]
    bits = torch.tensor([filled >> n & 1 for n in range(6)], dtype=torch.bool)
    where = torch.zeros(len(canvas), dtype=torch.bool)
    where[places] = bits
    canvas = canvas.commit(where, torch.arange(len(canvas)) + seed + 3000, canvas.source)
    counts = torch.ones(len(canvas), dtype=torch.long)
    counts[places] = torch.tensor(wanted)
    made = respaced(canvas, counts)
    keeps = canvas.state != State.OPEN
    kept = torch.isin(made.ids, canvas.ids[keeps])
    assert made.ids[kept].tolist() == canvas.ids[keeps].tolist()
    assert made.tokens[kept].tolist() == canvas.tokens[keeps].tolist()
    assert (made.state[~kept] == State.OPEN).all()
    assert all(1 <= size(made, n) <= slot.spec.length for n, slot in enumerate(made.slots))
    assert sum(size(made, n) for n in range(2)) == int((made.state != State.FIXED).sum())


def test_lengths_are_tried_in_one_batch_and_the_likeliest_a_place_is_kept() -> None:
    model = Told(by_length={2: 0.5, 3: 0.7, 6: 0.6})
    canvas = sheet(draft=(FREE, " knots"))
    chosen = several_lengths((2, 3, 6))(model, canvas, SPAN_CACHE, 0, 0)
    assert model.history == [[2, 3, 6]]
    assert size(chosen, 0) == 3
    assert size(several_lengths((2, 3, 6))(model, canvas, SPAN_CACHE, 1, 0), 0) == 7
    assert size(several_lengths((8, 9))(model, canvas, SPAN_CACHE, 0, 0), 0) == 7  # more than it may have


def test_lengths_are_compared_by_the_score_that_is_given() -> None:
    model = Told(by_length={2: 0.5, 3: 0.7, 6: 0.6})
    rule = several_lengths((2, 3, 6), score=lambda guess, canvas, n: float(size(canvas, n)))
    assert size(rule(model, sheet(draft=(FREE, " knots")), NO_CACHE, 0, 0), 0) == 6


def test_a_slot_that_is_settled_whole_is_compared_by_its_probability_a_place() -> None:
    """0.5 for a span of two is 0.71 a place, 0.6 for a span of one is 0.6."""
    model = Told(by_length={1: 0.6, 2: 0.5})
    canvas = sheet(draft=(SlotSpec(MaskKind.ENTITY, 4),))
    assert size(several_lengths((1, 2))(model, canvas, NO_CACHE, 0, 0), 0) == 2


def test_a_film_of_a_slot_that_grows() -> None:
    rule: Resize = by_guess(growing(END, 1, 0.5, 1.5), rounds=9)
    frames = list(denoise(Told(7, 8, 9, 10), short(), schedule=2, resize=rule))
    assert [size(f.canvas, 0) for f in frames] == [7]
    assert frames[-1].guess.token.shape == frames[-1].canvas.tokens.shape
