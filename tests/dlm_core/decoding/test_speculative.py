"""Self-speculation is lossless: same words in the same order as one at a time, from fewer calls."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest
import torch

from palimpsest.dlm_core.cache.span_cache import NO_CACHE, Cache
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.sampler import Frame, Guess, denoise
from palimpsest.dlm_core.decoding.speculative import Tally, one_at_a_time, speculate
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import ENTITY, sheet

FREE = SlotSpec(MaskKind.TEXT, 9, free=True)


class Fickle:
    """What it says of a place depends on the words settled within `reach` before it; `noisy`, on the seed it is given as well."""

    def __init__(self, seed: int, reach: int, noisy: bool = False):
        self.seed, self.reach, self.noisy = seed, reach, noisy
        self.calls = 0

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        self.calls += 1
        assert all(c.open.any() for c in canvases)  # nobody asks about what is settled
        noise = seeds if self.noisy and seeds else [0] * len(canvases)
        return [self._guess(c, n) for c, n in zip(canvases, noise, strict=True)], [NO_CACHE] * len(canvases)

    def _guess(self, canvas: Canvas, noise: int) -> Guess:
        size = len(canvas)
        seen = torch.where(canvas.open, 0, canvas.tokens)
        near = sum(torch.roll(seen, n) * (n + 3) for n in range(1, self.reach + 1)) if self.reach else torch.zeros(size)
        mixed = (
            ((near + torch.arange(size) * 31 + self.seed * 977 + noise * 13).double().sin() * 43758.5453).frac().abs()
        )
        prob = mixed.float()
        for slot in canvas.slots:
            if not slot.spec.free:
                prob[slot.start : slot.end] = prob[slot.start].clone()
        return Guess((mixed * 5000).long() + 2000, prob, 1 - prob, prob, torch.full((size,), -1))


@pytest.mark.parametrize("reach", [0, 1, 4])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("width", [1, 3, 8])
def test_the_same_words_in_the_same_order(seed: int, reach: int, width: int) -> None:
    canvas = sheet(draft=("It is ", FREE, " of ", ENTITY, " and ", FREE))
    plain, quick = Fickle(seed, reach), Fickle(seed, reach)
    one = [f.canvas for f in denoise(plain, canvas, schedule=1000, commit=one_at_a_time)]
    two = [f.canvas for f in speculate(quick, canvas, width=width)]
    assert len(one) == len(two) == 2 * FREE.length + 1
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a.tokens, b.tokens)
        assert torch.equal(a.state, b.state)
    assert quick.calls <= plain.calls
    if reach == 0:
        assert quick.calls == 1 + -(-(len(one) - 1) // width)  # nothing ever changes its mind


@pytest.mark.parametrize("seed", range(4))
def test_each_step_has_the_noise_it_would_have_alone(seed: int) -> None:
    canvas = sheet(draft=(FREE, " of ", FREE))
    one = list(denoise(Fickle(1, 1, noisy=True), canvas, schedule=1000, commit=one_at_a_time, seed=seed))
    two = list(speculate(Fickle(1, 1, noisy=True), canvas, width=4, seed=seed))
    assert [f.canvas.tokens.tolist() for f in one] == [f.canvas.tokens.tolist() for f in two]
    other = list(speculate(Fickle(1, 1, noisy=True), canvas, width=4, seed=seed + 1))
    assert other[-1].canvas.tokens.tolist() != two[-1].canvas.tokens.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_a_draft_of_another_model_changes_nothing_but_the_number_of_calls(seed: int) -> None:
    """A perfect draft is accepted wherever the order is right, a wrong one never; the words are the model's own either way."""
    canvas = sheet(draft=(FREE, " of ", FREE))
    alone = [f.canvas for f in denoise(Fickle(seed, 1), canvas, schedule=1000, commit=one_at_a_time)]
    perfect = torch.where(canvas.open, alone[-1].tokens, -1)
    calls = {}
    for name, draft in (("perfect", perfect), ("wrong", torch.where(canvas.open, 7, -1)), ("none", None)):
        model = Fickle(seed, 1)
        frames, tally = followed(speculate(model, canvas, width=4, draft=draft))
        assert [f.canvas.tokens.tolist() for f in frames] == [c.tokens.tolist() for c in alone]
        assert (tally.steps, tally.calls) == (len(alone), model.calls)
        assert 0 <= tally.accepted <= tally.drafted
        assert name != "wrong" or tally.accepted == 0
        calls[name] = model.calls
    assert calls["perfect"] <= calls["none"] <= calls["wrong"]


def followed(frames: Generator[Frame, None, Tally]) -> tuple[list[Frame], Tally]:
    """Every frame, and what was tallied."""
    found = []
    while True:
        try:
            found.append(next(frames))
        except StopIteration as stop:
            return found, stop.value


def test_a_model_that_changes_little_needs_fewer_calls() -> None:
    calls = {}
    for width in (1, 6):
        model = Fickle(2, 1)
        list(speculate(model, sheet(draft=(FREE, " ", FREE)), width=width))
        calls[width] = model.calls
    assert calls[6] < calls[1]
