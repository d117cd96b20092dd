from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.dlm_core.cache.span_cache import NO_CACHE, Cache
from palimpsest.dlm_core.canvas.canvas import Canvas, State
from palimpsest.dlm_core.decoding.sampler import Guess, denoise
from palimpsest.dlm_core.decoding.slot_length import by_guess, expand_and_delete, respaced, size
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import sheet

EXPAND, DELETE = 9001, 9002
RULE = by_guess(expand_and_delete(EXPAND, DELETE))
FREE = SlotSpec(MaskKind.TEXT, 7, free=True)


def short() -> Canvas:
    """A slot of four places that may have seven."""
    return sheet(draft=("It is ", FREE, " knots")).resize(0, 4)


class Saying:
    """Says the tokens given, from the first place of the first slot on, then 2000; keeps the seeds it was asked with."""

    def __init__(self, *tokens: int):
        self.tokens = tokens
        self.seeds: list[int] = []

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        self.seeds += seeds or []
        return [self._guess(c) for c in canvases], [NO_CACHE] * len(canvases)

    def _guess(self, canvas: Canvas) -> Guess:
        token, start = torch.full((len(canvas),), 2000), canvas.slots[0].start
        for n, t in enumerate(self.tokens[: size(canvas, 0)]):
            token[start + n] = t
        prob = torch.full((len(canvas),), 0.9)
        return Guess(token, prob, prob, prob, torch.full((len(canvas),), -1))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Saying(7, EXPAND, 7, EXPAND), 6),
        (Saying(EXPAND, EXPAND, EXPAND, EXPAND), 7),  # of eight, the slot holds seven
        (Saying(7, DELETE, EXPAND, DELETE), 3),
        (Saying(DELETE, DELETE, DELETE, DELETE), 1),
    ],
)
def test_the_length_that_the_guess_asks_for(model: Saying, expected: int) -> None:
    canvas = short()
    resized = RULE(model, canvas, NO_CACHE, 0, 5)
    assert size(resized, 0) == expected
    assert resized.tokens[resized.slots[0].end :].tolist() == canvas.tokens[canvas.slots[0].end :].tolist()
    assert resized.open.sum() == expected
    assert model.seeds == [5]


def test_what_goes_makes_room_for_what_comes() -> None:
    full = sheet(draft=("It is ", FREE, " knots"))
    assert size(RULE(Saying(DELETE, 7, 7, 7, 7, 7, EXPAND), full, NO_CACHE, 0, 0), 0) == 7


def test_only_the_first_steps_ask() -> None:
    model = Saying(7, EXPAND)
    rule = by_guess(expand_and_delete(EXPAND, DELETE), steps=2)
    assert [size(rule(model, short(), NO_CACHE, step, 0), 0) for step in range(3)] == [5, 5, 4]
    assert len(model.seeds) == 2


def test_a_trajectory_of_a_slot_that_grows() -> None:
    frames = list(denoise(Saying(7, EXPAND), short(), schedule=2, resize=RULE))
    assert [size(f.canvas, 0) for f in frames] == [5]
    assert frames[-1].guess.token.shape == frames[-1].canvas.tokens.shape


def settled(canvas: Canvas, offset: int) -> Canvas:
    """The place `offset` of the first slot holds 5000."""
    where = torch.arange(len(canvas)) == canvas.slots[0].start + offset
    return canvas.commit(where, torch.full((len(canvas),), 5000), canvas.source)


def first_slot(canvas: Canvas) -> list[int]:
    mask = canvas.marks.mask
    tokens = canvas.tokens[canvas.slots[0].start : canvas.slots[0].end].tolist()
    return [0 if t == mask else t for t in tokens]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((EXPAND, 7, 7, 7), [0, 0, 5000, 0, 0]),
        ((DELETE, EXPAND, 7, DELETE), [5000, 0]),  # what is settled is not asked
    ],
)
def test_around_a_settled_place(tokens: tuple[int, ...], expected: list[int]) -> None:
    assert first_slot(RULE(Saying(*tokens), settled(short(), 1), NO_CACHE, 0, 0)) == expected


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
