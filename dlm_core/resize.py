"""Rules that change how long an open slot is, before a step guesses what stands in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from .cache import Cache
from .canvas import Canvas
from .sampler import Guess, Model, Resize

Lengths = Callable[
    [Guess, Canvas, int], int
]  # the length that slot number n should have, by what the model guesses now

COARSE = 8  # rows around a slot that are computed anew for each length it is tried with


def by_guess(lengths: Lengths, steps: int = 1) -> Resize:
    """A resize rule that asks the model first, at each of the first `steps` steps, and follows `lengths` for every wholly open slot."""

    def rule(model: Model, canvas: Canvas, cache: Cache, step: int) -> Canvas:
        if step >= steps or not bool(canvas.open.any()):
            return canvas
        (guess,), _ = model.guess([canvas], [cache])
        wanted = [lengths(guess, canvas, n) for n in range(len(canvas.slots))]
        for number, length in enumerate(wanted):
            if _is_open(canvas, number) and length != size(canvas, number):
                canvas = canvas.resize(number, max(length, 1))
        return canvas

    return rule


def size(canvas: Canvas, number: int) -> int:
    return canvas.slots[number].end - canvas.slots[number].start


def _is_open(canvas: Canvas, number: int) -> bool:
    return bool(canvas.open[canvas.slots[number].start : canvas.slots[number].end].all())


def expand_and_delete(expand: int, delete: int, longest: int) -> Lengths:
    """Each place where the model says `expand` becomes two, each where it says `delete` none (DreamOn, arXiv 2602.01326)."""

    def length(guess: Guess, canvas: Canvas, number: int) -> int:
        told = guess.token[canvas.slots[number].start : canvas.slots[number].end]
        grown = len(told) + int((told == expand).sum()) - int((told == delete).sum())
        return min(max(grown, 1), longest)

    return length


def end_of_slot(end: int, sure: float = 0.5) -> Lengths:
    """The slot ends before the first place where the model says `end` with probability `sure` or more."""

    def length(guess: Guess, canvas: Canvas, number: int) -> int:
        where = slice(canvas.slots[number].start, canvas.slots[number].end)
        ended = ((guess.token[where] == end) & (guess.prob[where] >= sure)).nonzero()[:, 0].tolist()
        return max(ended[0], 1) if ended else size(canvas, number)

    return length


def growing(end: int, tail: int, sure: float, by: float, longest: int) -> Lengths:
    """Grow a slot by the factor `by` while its last `tail` places do not surely hold `end`: what is to be said has no room yet.

    DAEDAL's first stage (arXiv 2508.00819): how sure the end token is at the end of the canvas tells whether the length is enough.
    """

    def length(guess: Guess, canvas: Canvas, number: int) -> int:
        stop, long = canvas.slots[number].end, size(canvas, number)
        where = slice(max(stop - tail, canvas.slots[number].start), stop)
        at_end = (guess.prob[where] * (guess.token[where] == end)).mean()
        return long if float(at_end) >= sure else min(max(long, math.ceil(long * by)), longest)

    return length


def several_lengths(lengths: Sequence[int]) -> Resize:
    """Before the first step, try every open slot at each of `lengths` in one batched guess, and keep the likeliest.

    Likeliest by the mean log-probability of a place, which is what lengths have in common; it leans towards lengths whose every
    word is likely, be they few. The variants share all kept state but the rows close to the slot.
    """

    def rule(model: Model, canvas: Canvas, cache: Cache, step: int) -> Canvas:
        if step:
            return canvas
        for number in range(len(canvas.slots)):
            if _is_open(canvas, number):
                variants = [canvas.resize(number, n) for n in lengths]
                guesses, _ = model.guess(variants, [_coarse(cache)] * len(variants))
                scores = [_mean_log(g, v, number) for g, v in zip(guesses, variants, strict=True)]
                canvas = variants[max(range(len(scores)), key=lambda i: scores[i])]
        return canvas

    return rule


def _coarse(cache: Cache) -> Cache:
    return cache and replace(cache, fringe=min(cache.fringe, COARSE), bound=math.inf)


def _mean_log(guess: Guess, canvas: Canvas, number: int) -> float:
    """The mean log-probability a place; a slot that is settled whole has one probability for all its places together."""
    slot = canvas.slots[number]
    told = guess.prob[slot.start : slot.end].clamp_min(1e-30).log()
    return float(told.mean()) if slot.spec.free else float(told[0]) / (slot.end - slot.start)
