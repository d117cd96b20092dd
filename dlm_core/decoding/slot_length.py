"""Rules that change how long an open slot is, before a step guesses what stands in it. No slot outgrows its `SlotSpec`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..cache.span_cache import Cache
from ..canvas.canvas import Canvas, Slot
from .sampler import Guess, Model, Resize

Counts = Callable[[Guess, Canvas], Tensor]  # -> [T] int64: how many places each open place should be; 1 leaves it
Score = Callable[[Guess, Canvas, int], float]  # how good a guess is for slot number n

COARSE = 8  # rows around a slot that are computed anew for each length it is tried with


def by_guess(counts: Counts, steps: int = 1, rounds: int = 1) -> Resize:
    """A resize rule that asks the model first: before each of the first `steps` steps, until nothing changes or `rounds` times."""

    def rule(model: Model, canvas: Canvas, cache: Cache, step: int, seed: int) -> Canvas:
        for _ in range(rounds if step < steps and bool(canvas.open.any()) else 0):
            (guess,), _ = model.guess([canvas], [cache], [seed])
            changed = respaced(canvas, counts(guess, canvas))
            if len(changed) == len(canvas) and torch.equal(changed.ids, canvas.ids):
                break
            canvas = changed
        return canvas

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


def end_of_slot(end: int, sure: float = 0.5) -> Counts:
    """A slot ends before the first open place where the model says `end` with probability `sure`, unless words are settled behind."""

    def counts(guess: Guess, canvas: Canvas) -> Tensor:
        made = torch.ones(len(canvas), dtype=torch.long)
        ends = canvas.open & (guess.token == end) & (guess.prob >= sure)
        for slot in canvas.slots:
            first = ends[slot.start : slot.end].nonzero()[:1, 0].tolist()
            if first and bool(canvas.open[slot.start + first[0] : slot.end].all()):
                made[slot.start + first[0] : slot.end] = 0
        return made

    return counts


def growing(end: int, tail: int, sure: float, by: float) -> Counts:
    """A wholly open slot grows by the factor `by` while its last `tail` places do not surely hold `end`: it has too little room.

    DAEDAL's first stage (arXiv 2508.00819), to be asked for several rounds: how sure the model is of the end token at the end of the
    canvas tells whether the length is enough.
    """

    def counts(guess: Guess, canvas: Canvas) -> Tensor:
        made = torch.ones(len(canvas), dtype=torch.long)
        for slot in canvas.slots:
            where = slice(max(slot.end - tail, slot.start), slot.end)
            at_end = float((guess.prob[where] * (guess.token[where] == end)).mean())
            length = slot.end - slot.start
            if _is_open(canvas, slot) and at_end < sure:
                made[slot.end - 1] += math.ceil(length * by - 1e-9) - length
        return made

    return counts


def inserting(below: float, many: int) -> Counts:
    """In every free slot the open place least likely of all, if under `below`, becomes `many`: there more is to be said.

    DAEDAL's second stage (arXiv 2508.00819), masks inserted where the model is unsure while it denoises.
    """

    def counts(guess: Guess, canvas: Canvas) -> Tensor:
        made = torch.ones(len(canvas), dtype=torch.long)
        unsure = torch.where(canvas.open, guess.prob, torch.inf)
        for slot in (s for s in canvas.slots if s.spec.free):
            least = slot.start + int(unsure[slot.start : slot.end].argmin())
            if float(unsure[least]) < below:
                made[least] = many
        return made

    return counts


def _is_open(canvas: Canvas, slot: Slot) -> bool:
    return bool(canvas.open[slot.start : slot.end].all())


def mean_log(guess: Guess, canvas: Canvas, number: int) -> float:
    """The mean log-probability a place; a slot that is settled whole has one probability for all its places together."""
    slot = canvas.slots[number]
    told = guess.prob[slot.start : slot.end].clamp_min(1e-30).log()
    return float(told.mean()) if slot.spec.free else float(told[0]) / (slot.end - slot.start)


def several_lengths(lengths: Sequence[int], score: Score = mean_log) -> Resize:
    """Before the first step, try every open slot at each of `lengths` in one batched guess, and keep the one of the best `score`.

    The default, the mean log-probability a place, is what lengths have in common; it leans towards lengths whose every word is
    likely, be they few. The variants share all kept state but the rows close to the slot.
    """

    def rule(model: Model, canvas: Canvas, cache: Cache, step: int, seed: int) -> Canvas:
        for number in range(0 if step else len(canvas.slots)):
            slot = canvas.slots[number]
            variants = [canvas.resize(number, n) for n in lengths if n <= slot.spec.length and _is_open(canvas, slot)]
            if variants:
                guesses, _ = model.guess(variants, [_coarse(cache)] * len(variants), [seed] * len(variants))
                scores = [score(g, v, number) for g, v in zip(guesses, variants, strict=True)]
                canvas = variants[scores.index(max(scores))]
        return canvas

    return rule


def _coarse(cache: Cache) -> Cache:
    return cache and replace(cache, fringe=min(cache.fringe, COARSE), bound=math.inf)
