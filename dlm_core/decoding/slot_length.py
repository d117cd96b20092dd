"""Rules that change how long an open slot is, before a step guesses what stands in it. No slot outgrows its `SlotSpec`."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..cache.span_cache import Cache
from ..canvas.canvas import Canvas
from .sampler import Guess, Model, Resize

Counts = Callable[[Guess, Canvas], Tensor]  # -> [T] int64: how many places each open place should be; 1 leaves it


def by_guess(counts: Counts, steps: int = 1) -> Resize:
    """A resize rule that asks the model first, before each of the first `steps` steps."""

    def rule(model: Model, canvas: Canvas, cache: Cache, step: int, seed: int) -> Canvas:
        if step >= steps or not bool(canvas.open.any()):
            return canvas
        (guess,), _ = model.guess([canvas], [cache], [seed])
        return respaced(canvas, counts(guess, canvas))

    return rule


def respaced(canvas: Canvas, counts: Tensor) -> Canvas:
    """Every open place becomes counts[place] places [T], the last ones first, as far as its slot keeps one and stays in its bounds."""
    places = [i for slot in canvas.slots for i in reversed(range(slot.start, slot.end)) if canvas.open[i]]
    wanted = {int(canvas.ids[i]): int(counts[i]) for i in places if int(counts[i]) != 1}
    for row in sorted(wanted, key=lambda r: wanted[r] > 1):  # what goes makes room for what comes
        canvas = _spread(canvas, int((canvas.ids == row).nonzero()), wanted[row])
    return canvas


def _spread(canvas: Canvas, place: int, count: int) -> Canvas:
    slot = next(s for s in canvas.slots if s.start <= place < s.end)
    length = slot.end - slot.start
    if count < 1:
        return canvas.spread(place, 0) if length > 1 else canvas
    return canvas.spread(place, 1 + max(min(count - 1, slot.spec.length - length), 0))


def size(canvas: Canvas, number: int) -> int:
    return canvas.slots[number].end - canvas.slots[number].start


def expand_and_delete(expand: int, delete: int) -> Counts:
    """Each open place where the model says `expand` becomes two, each where it says `delete` goes (DreamOn, arXiv 2602.01326)."""

    def counts(guess: Guess, canvas: Canvas) -> Tensor:
        return 1 + (guess.token == expand).long() - (guess.token == delete).long()

    return counts
